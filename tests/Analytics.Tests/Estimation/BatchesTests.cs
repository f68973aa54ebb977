using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Tables;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Schemas;
using FsCheck;
using FsCheck.Fluent;

namespace EmrMarket.Analytics.Tests.Estimation;

/// <summary>
/// Sufficient statistics add: however records are ordered, cut into batches, the statistic is the same to the last bit.
/// </summary>
public sealed class BatchesTests
{
    private static readonly AttributeDefinition Race = Samples.Categorical("race", 4, "grr");
    private static readonly AttributeDefinition Code = Samples.Categorical("code", 120, "olh");
    private static readonly AttributeDefinition Sex = Samples.Categorical("sex", 3, "oue", constant: true);
    private static readonly AttributeDefinition Stay = Samples.Grid("stay", 9);
    private static readonly EstimationOptions Population = EstimationOptions.Default with { Target = InferenceTarget.Population };

    /// <summary>Some persons with one to four records each, their values, and a place to cut them in three.</summary>
    private static Arbitrary<(int[] Persons, int Seed, int First, int Second)> Cases => (
        from persons in Gen.Choose(2, 30)
        from sizes in Gen.ArrayOf(Gen.Choose(1, 4), persons)
        from seed in Gen.Choose(0, 1_000_000)
        from first in Gen.Choose(0, persons)
        from second in Gen.Choose(first, persons)
        select (sizes.SelectMany((size, p) => Enumerable.Repeat(p, size)).ToArray(), seed, first, second)).ToArbitrary();

    [Fact]
    public void Batches_in_any_order_give_what_one_pass_gives() => Prop.ForAll(Cases, c =>
    {
        ReportBatch whole = Batch(c.Persons, c.Seed, _ => true, shuffle: false);
        ReportBatch[] parts = Parts(c);
        StatisticRequest[] requests =
        [
            StatisticRequest.Frequency("race"), StatisticRequest.Mean("stay"), StatisticRequest.Bins("stay", 2),
            StatisticRequest.Quantile("stay", 0.5),
            StatisticRequest.Table("race", "sex"), StatisticRequest.TopCodes("code"),
        ];
        return requests.All(request => new[] { EstimationOptions.Default, Population }.All(options =>
        {
            string once = Print(StatisticEstimator.Estimate(request, [whole], options));
            return once == Print(StatisticEstimator.Estimate(request, parts, options))
                && once == Print(StatisticEstimator.Estimate(request, parts.Reverse(), options))
                && once == Print(StatisticEstimator.Estimate(request, [Batch(c.Persons, c.Seed, _ => true, shuffle: true)], options));
        }));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Fact]
    public void Tallies_of_batches_in_any_order_are_those_of_one_pass() => Prop.ForAll(Cases, c =>
    {
        ReportBatch[] whole = [Batch(c.Persons, c.Seed, _ => true, shuffle: false)];
        ReportBatch[] parts = Parts(c);
        return new Func<ReportBatch[], string>[]
        {
            batches => Print(FrequencyEstimator.Estimate(
                "x", Race, Grades(FrequencyEstimator.Tally("race", batches).Values.Single()), Population)),
            batches => Print(OrderedEstimator.Estimate(
                StatisticRequest.Mean("stay"), Stay, Grades(OrderedEstimator.Tally("stay", batches).Values.Single()), null, Population)),
            batches => Covariances(TableEstimator.Tally(["race", "sex"], batches, out _).Values.Single()),
            batches => GroupsOf(batches).Estimate(0, InferenceTarget.Population).ToString(),
        }.All(print => print(whole) == print(parts) && print(whole) == print([.. parts.Reverse()])
            && print(whole) == print([.. parts.Skip(1), parts[0]]));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Fact]
    public void Tallies_of_sites_merge_to_what_one_pass_gives() => Prop.ForAll(Cases, c =>
    {
        ReportBatch[] whole = [Batch(c.Persons, c.Seed, _ => true, shuffle: false)];
        ReportBatch[] parts = Parts(c);
        SupportTally Supports(ReportBatch[] batches) => FrequencyEstimator.Tally("race", batches).Values.Single();
        OutputTally Outputs(ReportBatch[] batches) => OrderedEstimator.Tally("stay", batches).Values.Single();
        string Frequencies(SupportTally tally) => Print(FrequencyEstimator.Estimate("x", Race, Grades(tally), Population));
        string Means(OutputTally tally) =>
            Print(OrderedEstimator.Estimate(StatisticRequest.Mean("stay"), Stay, Grades(tally), null, Population));
        return new[] { parts, [.. parts.Reverse()] }.All(order =>
            Frequencies(order.Select(part => Supports([part])).Aggregate(SupportTally.Merge)) == Frequencies(Supports(whole))
            && Means(order.Select(part => Outputs([part])).Aggregate(OutputTally.Merge)) == Means(Outputs(whole)));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Fact]
    public void Tallies_of_different_channels_do_not_merge()
    {
        SupportTally Of(int grade) => new(Samples.ChannelOf(Race, grade), constantPerPerson: false);
        Assert.Throws<ArgumentException>(() => SupportTally.Merge(Of(1), Of(2)));
        OutputTally Outputs(int grade) => new(Samples.ChannelOf(Stay, grade), 17, constantPerPerson: false);
        Assert.Throws<ArgumentException>(() => OutputTally.Merge(Outputs(1), Outputs(2)));
    }

    private static string Covariances(JointTally tally) => string.Join(' ', Enumerable.Range(0, tally.Cells).Select(cell =>
        new JointStratum(tally).Covariance(cell, 3, 3, InferenceTarget.Population)
            .ToString("R", System.Globalization.CultureInfo.InvariantCulture)));

    private static GroupTally GroupsOf(ReportBatch[] batches)
    {
        var tally = new GroupTally(batches[0]["code"].Channel, [[.. Enumerable.Range(0, 70)]], constantPerPerson: false);
        foreach (ReportBatch batch in batches)
        {
            tally.Add(batch["code"].Reports, batch.Persons);
        }

        return tally;
    }

    private static Dictionary<int, T> Grades<T>(T tally) => new() { [4] = tally };

    private static ReportBatch[] Parts((int[] Persons, int Seed, int First, int Second) c) =>
    [
        .. new Func<int, bool>[] { p => p < c.First, p => p >= c.First && p < c.Second, p => p >= c.Second }
            .Where(part => c.Persons.Any(part)).Select(part => Batch(c.Persons, c.Seed, part, shuffle: false)),
    ];

    // The same fact has the same report in whatever batch it comes: draw once over all records, then take some.
    private static ReportBatch Batch(int[] persons, int seed, Func<int, bool> wanted, bool shuffle)
    {
        var random = new Random(seed);
        int[] stays = [.. persons.Select(_ => random.Next(9))];
        int[] races = [.. persons.Select(_ => random.Next(4))];
        int[] codes = [.. persons.Select(_ => random.Next(120))];
        int[] sexes = [.. persons.Select(p => p % 3)];
        int[] rows = [.. Enumerable.Range(0, persons.Length).Where(i => wanted(persons[i]))];
        if (shuffle)
        {
            random.Shuffle(rows);
        }

        return new ReportBatch(
        [
            Take(Samples.Drawn(Race, 4, races, seed), rows), Take(Samples.Drawn(Code, 4, codes, seed), rows),
            Take(Samples.Drawn(Sex, 4, sexes, seed, persons), rows),
            Take(Samples.Drawn(Stay, 4, stays, seed), rows),
        ], [.. rows.Select(i => persons[i])]);
    }

    private static AttributeReports Take(AttributeReports reports, int[] rows) => reports with
    {
        Reports = reports.Reports switch
        {
            EmrMarket.Analytics.Mechanisms.CodeReports codes =>
                new EmrMarket.Analytics.Mechanisms.CodeReports([.. rows.Select(i => codes.Codes[i])]),
            EmrMarket.Analytics.Mechanisms.HashReports hashes => new EmrMarket.Analytics.Mechanisms.HashReports(
                [.. rows.Select(i => hashes.Multipliers[i])], [.. rows.Select(i => hashes.Addends[i])],
                [.. rows.Select(i => hashes.Cells[i])]),
            EmrMarket.Analytics.Mechanisms.SetReports sets => new EmrMarket.Analytics.Mechanisms.SetReports(
                [.. rows.SelectMany(i => sets.Words.Skip(i * sets.WordsPerReport).Take(sets.WordsPerReport))], sets.WordsPerReport),
            _ => throw new InvalidOperationException("unknown reports"),
        },
    };

    private static string Print(StatisticResult result) =>
        string.Join('\n', result.Cells.Concat(result.Sections.SelectMany(s => s.Cells)).Select(c =>
        FormattableString.Invariant(
            $"{c.Value} {c.Estimate:R} {c.StandardError:R} {c.Low:R} {c.High:R} {c.ExpectedHalfWidth:R} {c.GuaranteedHalfWidth:R}")));
}
