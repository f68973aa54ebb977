using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics;

namespace EmrMarket.Statistical.Estimation;

/// <summary>
/// Coverage experiments and their limits. All tests of this folder together fail with probability at most 10^-7 when the code is right: the
/// budget is divided by a bound on the number of rates tested, and
/// each limit is an exact binomial quantile at that level. The draws derive from fixed seeds, so a run repeats exactly.
/// </summary>
internal static class Coverage
{
    private const double FalseAlarmBudget = 1e-7;
    private const int RatesTested = 200;
    private const double Level = FalseAlarmBudget / RatesTested;

    /// <summary>The allowance, beyond chance, for a normal approximation at the sample sizes used here.</summary>
    private const double Approximation = 0.004;

    public static readonly GradeLadder Ladder = GradeLadder.Default;

    public static AttributeDefinition Categorical(string name, int size, string mechanism, bool constant = false) => new()
    {
        Name = name,
        Source = name,
        Domain = new CategoricalDomain([.. Enumerable.Range(0, size).Select(v => $"{name}{v}")], Ordered: false),
        Tier = Tier.Moderate,
        Mechanism = mechanism,
        ConstantPerPerson = constant,
    };

    public static AttributeDefinition Grid(string name, int cells) => new()
    {
        Name = name, Source = name, Domain = new GridDomain(0, 1, cells, "cells"), Tier = Tier.Moderate, Mechanism = "dsw",
    };

    /// <summary>The channel of an attribute at a grade.</summary>
    public static Channel ChannelOf(AttributeDefinition attribute, int grade) =>
        MechanismCatalogue.Get(attribute.Mechanism!).CreateLadder(attribute.Domain, Ladder)[grade];

    /// <summary>Fresh reports of fixed values: a new site key per repetition.</summary>
    public static AttributeReports Draw(AttributeDefinition attribute, int grade, int[] truth, int seed, int[]? persons = null)
    {
        byte[] key = new byte[32];
        new Random(seed).NextBytes(key);
        IReportLadder ladder = MechanismCatalogue.Get(attribute.Mechanism!).CreateLadder(attribute.Domain, Ladder);
        var column = new RecordColumn { Attribute = attribute, Codes = [.. truth.Select(v => (ushort)v)] };
        ulong[] facts = [.. Enumerable.Range(0, truth.Length).Select(i => (ulong)(attribute.ConstantPerPerson ? persons![i] : i))];
        return new AttributeReports(
            attribute, grade, ladder[grade], ladder.Draw(ColumnKey.Derive(key, attribute.Source), column, facts, [grade])[0]);
    }

    /// <summary>How often each of several events happens over independent repetitions.</summary>
    public static long[] Count(int repetitions, int events, Func<int, IReadOnlyList<bool>> repetition)
    {
        long[] counts = new long[events];
        Parallel.For(0, repetitions, seed =>
        {
            IReadOnlyList<bool> happened = repetition(seed);
            for (int i = 0; i < events; i++)
            {
                if (happened[i])
                {
                    Interlocked.Increment(ref counts[i]);
                }
            }
        });
        return counts;
    }

    /// <summary>Whether an interval holds a number.</summary>
    public static bool Covers(StatisticCell cell, double truth) => cell.Low <= truth && truth <= cell.High;

    /// <summary>Whether a rate may be the nominal one.</summary>
    public static bool MayBe(long count, int repetitions, double nominal) =>
        MayBeAtLeast(count, repetitions, nominal) && MayBeAtMost(count, repetitions, nominal);

    /// <summary>Whether a rate may be the nominal one or higher: P[at most count | nominal] is not below the level.</summary>
    public static bool MayBeAtLeast(long count, int repetitions, double nominal, double approximation = Approximation) =>
        count >= repetitions || SpecialFunctions.BetaRegularized(repetitions - count, count + 1, 1 - (nominal - approximation)) >= Level;

    /// <summary>Whether a rate may be the nominal one or lower.</summary>
    public static bool MayBeAtMost(long count, int repetitions, double nominal, double approximation = Approximation) =>
        count <= 0 || SpecialFunctions.BetaRegularized(count, repetitions - count + 1, nominal + approximation) >= Level;

    public static void AssertNominal(IEnumerable<long> counts, int repetitions, double nominal) => Assert.All(counts, count =>
        Assert.True(
            MayBe(count, repetitions, nominal),
            $"{count} of {repetitions} ({(double)count / repetitions:0.0000}) cannot be {nominal} within chance."));

    public static void AssertAtLeast(IEnumerable<long> counts, int repetitions, double nominal, double approximation = 0) =>
        Assert.All(counts, count =>
        Assert.True(
            MayBeAtLeast(count, repetitions, nominal, approximation),
            $"{count} of {repetitions} ({(double)count / repetitions:0.0000}) cannot be {nominal} or more."));

    public static void AssertAtMost(IEnumerable<long> counts, int repetitions, double nominal, double approximation = 0) =>
        Assert.All(counts, count =>
        Assert.True(
            MayBeAtMost(count, repetitions, nominal, approximation),
            $"{count} of {repetitions} ({(double)count / repetitions:0.0000}) cannot be {nominal} or less."));
}
