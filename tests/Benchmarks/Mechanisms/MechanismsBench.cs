using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Olh;
using EmrMarket.Analytics.Mechanisms.Oue;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Analytics.Tests.Mechanisms;

namespace EmrMarket.Benchmarks.Mechanisms;

/// <summary>
/// Drawing and counting reports of 200,000 records on one core, beside a plain loop that does the same with one call of the platform's AES
/// per block of coins. Every run checks that both give the same reports or counts. "cipher" is the time of the coins alone: what AES-256 at
/// one block per fact costs at least.
/// </summary>
public static class MechanismsBench
{
    private const int Records = 200_000;

    // Short runs, scaled: on a busy machine the best of many short ones is not interrupted, and one block of records stays on one core.
    private const int DrawnRecords = 16_384;

    // The plain loops take microseconds per record; they run over a part and are scaled.
    internal const int PlainRecords = 2_000;
    internal static readonly byte[] SiteKey = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.WriteLine("mechanisms: milliseconds for 200,000 records on one core, best of many    this     cipher      plain   ratio");
        var four = new GradeLadder([new(250_000), new(500_000), new(1_000_000), new(2_000_000)]);
        var one = new GradeLadder([new(1_000_000)]);
        Draw(output, "grr", 100, four, attributes: 10, "grr k=100, 10 attributes, all four grades");
        Draw(output, "grr", 100, GradeLadder.Default, attributes: 1, "grr k=100, all six grades");
        Draw(output, "dsw", 64, GradeLadder.Default, attributes: 1, "dsw d=64, all six grades");
        Draw(output, "ss", 30, GradeLadder.Default, attributes: 1, "ss k=30, all six grades");
        Draw(output, "ss", 100, one, attributes: 1, "ss k=100, one grade");
        Draw(output, "oue", 100, one, attributes: 1, "oue k=100, one grade");
        Draw(output, "oue", 100, GradeLadder.Default, attributes: 1, "oue k=100, all six grades");
        Draw(output, "olh", 1_000, GradeLadder.Default, attributes: 1, "olh k=1000, all six grades");
        Count(output, "grr", 100, "grr k=100, support counts");
        Count(output, "dsw", 64, "dsw d=64, support counts");
        Count(output, "oue", 100, "oue k=100, support counts");
        Count(output, "olh", 1_000, "olh k=1000, support counts");
        foreach (int size in (ReadOnlySpan<int>)[150, 1_024])
        {
            // Ladders are made once per process; no plain one stands beside it.
            double made = Best(() => SsLadder.Create(size, GradeLadder.Default), repetitions: 3);
            Print(output, string.Create(
                CultureInfo.InvariantCulture, $"ss k={size}, six grades, making the ladder (once)"), made, cipher: double.NaN,
                plain: double.NaN);
        }
    }

    private static void Draw(TextWriter output, string id, int size, GradeLadder grades, int attributes, string name)
    {
        (RecordColumn column, ulong[] facts) = Input(id, size, DrawnRecords);
        IReportLadder ladder = MechanismCatalogue.Get(id).CreateLadder(column.Attribute.Domain, grades);
        int[] all = [.. Enumerable.Range(1, grades.Count)];
        ColumnKey key = ColumnKey.Derive(SiteKey, "source");
        double scale = (double)attributes * Records / facts.Length;

        double drawn = scale * Best(() => ladder.Draw(key, column, facts, all));
        using PlainCoins coins = CoinsOf(id, size, grades);
        Func<int, Array> sampler = Plain(coins, id, size, grades, column, facts);
        double plain = attributes * (double)Records / PlainRecords * Best(
            () =>
            {
                for (int i = 0; i < PlainRecords; i++)
                {
                    sampler(i);
                }
            },
            repetitions: 3);
        double cipher = scale * CipherTime(facts, id is "grr" or "dsw" or "olh" ? WordsPerFact(id, grades) : 0);
        Check(sampler, size, ladder.Draw(key, column, facts, all));
        Print(output, name, drawn, cipher, plain);
    }

    private static int WordsPerFact(string id, GradeLadder grades) => grades.Count + (id == "dsw" ? 1 : id == "olh" ? 2 : 0);

    private static double CipherTime(ulong[] facts, int words)
    {
        if (words == 0)
        {
            return double.NaN;
        }

        var cipher = new CoinCipher(SiteKey);
        var blocks = new Vector128<byte>[CoinPlanes.Batch];
        return Best(() =>
        {
            for (int block = 0; block < (words + 3) / 4; block++)
            {
                for (int i = 0; i < facts.Length; i += blocks.Length)
                {
                    cipher.Encrypt(blocks);
                }
            }
        });
    }

    private static void Count(TextWriter output, string id, int size, string name)
    {
        (RecordColumn column, ulong[] facts) = Input(id, size, id == "olh" ? Records / 20 : Records);
        double scale = (double)Records / facts.Length;
        var grades = new GradeLadder([new(1_000_000)]);
        IReportLadder ladder = MechanismCatalogue.Get(id).CreateLadder(column.Attribute.Domain, grades);
        ReportColumn reports = ladder.Draw(ColumnKey.Derive(SiteKey, "source"), column, facts, [1])[0];
        long[] plainCounts = [];
        double counted = scale * Best(() => ladder[1].CountSupport(reports));
        double plain = scale * Best(() => plainCounts = PlainCounts(ladder[1], reports), repetitions: 2);
        if (!plainCounts.SequenceEqual(ladder[1].CountSupport(reports)))
        {
            throw new InvalidOperationException($"{name}: the counts differ from those of the plain loop.");
        }

        Print(output, name, counted, double.NaN, plain);
    }

    private static long[] PlainCounts(Channel channel, ReportColumn reports)
    {
        long[] counts = new long[channel.DomainSize];
        for (int i = 0; i < reports.Count; i++)
        {
            for (int v = 0; v < counts.Length; v++)
            {
                counts[v] += Reports.Supports(channel, reports, i, v) ? 1 : 0;
            }
        }

        return counts;
    }

    /// <summary>The plain sampler of a ladder: the report of record i at every grade.</summary>
    internal static Func<int, Array> Plain(PlainCoins coins, string id, int size, GradeLadder grades, RecordColumn column, ulong[] facts)
    {
        int[] all = [.. Enumerable.Range(1, grades.Count)];
        IReportLadder ladder = MechanismCatalogue.Get(id).CreateLadder(column.Attribute.Domain, grades);
        switch (id)
        {
            case "ss":
                var subsets = Laws(all, SsLaw.Clear(size, ((SsChannel)ladder[grades.Count]).SubsetSize),
                    (law, grade) => law.Extend(((SsChannel)ladder[grade]).SubsetSize).Randomise(grades[grade]));
                return i => PlainSamplers.Subset(coins, subsets, facts[i], column.Codes[i]);
            case "oue":
                var bits = Laws(all, OueLaw.Clear, (law, grade) => law.Randomise(grades[grade]));
                return i => PlainSamplers.Unary(coins, size, bits, facts[i], column.Codes[i]);
            case "olh":
                var hashes = Laws(all, WindowLaw.Clear(((OlhChannel)ladder[grades.Count]).Cells, 1),
                    (law, grade) => law.Merge(law.Outputs / ((OlhChannel)ladder[grade]).Cells).Randomise(grades[grade]));
                return i => PlainSamplers.Hash(coins, hashes, facts[i], column.Codes[i]).Cells;
            default:
                (int outputs, int window) = WindowOf(id, size);
                var windows = Laws(all, WindowLaw.Clear(outputs, window), (law, grade) => law.Randomise(grades[grade]));
                return i => PlainSamplers.Window(coins, windows, facts[i], column.Codes[i]);
        }
    }

    private static T[] Laws<T>(int[] grades, T law, Func<T, int, T> next)
    {
        var laws = new T[grades.Length];
        for (int grade = grades.Length; grade >= 1; grade--)
        {
            laws[grade - 1] = law = next(law, grade);
        }

        return laws;
    }

    internal static PlainCoins CoinsOf(string id, int size, GradeLadder grades)
    {
        (int first, int second) = id is "grr" or "dsw" ? WindowOf(id, size) : (size, id == "olh" ? 0 : BernoulliLanes.Version);
        return new PlainCoins(SiteKey, "source", PlainCoins.Use(id, first, second, grades));
    }

    private static (int Outputs, int Window) WindowOf(string id, int size) =>
        id == "dsw" ? (size + (2 * (size / 4)), (2 * (size / 4)) + 1) : (size, 1);

    internal static void Check(Func<int, Array> plain, int size, IReadOnlyList<ReportColumn> drawn)
    {
        for (int i = 0; i < PlainRecords; i++)
        {
            Array expected = plain(i);
            for (int grade = 1; grade <= drawn.Count; grade++)
            {
                object report = drawn[grade - 1] switch
                {
                    CodeReports codes => (int)codes.Codes[i],
                    HashReports hashes => (int)hashes.Cells[i],
                    SetReports sets => string.Join(
                        ' ', Enumerable.Range(0, size).Where(v => (sets.Words[(i * sets.WordsPerReport) + (v / 64)] >> (v % 64) & 1) == 1)),
                    _ => throw new InvalidOperationException($"{drawn[grade - 1]}"),
                };
                object wanted = expected.GetValue(grade - 1) switch
                {
                    bool[] bits => string.Join(' ', Enumerable.Range(0, size).Where(v => bits[v])),
                    IEnumerable<int> set => string.Join(' ', set),
                    object code => code,
                    null => throw new InvalidOperationException("The plain sampler drew nothing."),
                };
                if (!report.Equals(wanted))
                {
                    throw new InvalidOperationException($"Record {i}, grade {grade}: the report differs from the plain loop's.");
                }
            }
        }
    }

    internal static (RecordColumn Column, ulong[] Facts) Input(string id, int size, int n)
    {
        var random = new Random(1);
        AttributeDomain domain = id == "dsw"
            ? new GridDomain(0, 1, size, "1")
            : new CategoricalDomain([.. Enumerable.Range(0, size).Select(i => $"v{i}")], Ordered: false);
        var attribute = new AttributeDefinition { Name = "a", Source = "source", Domain = domain, Tier = Tier.Moderate, Mechanism = id };

        // Zipf(1.1) over the domain, as in docs/PERFORMANCE.md.
        double[] cumulative = new double[size];
        double sum = 0;
        for (int v = 0; v < size; v++)
        {
            cumulative[v] = sum += Math.Pow(v + 1, -1.1);
        }

        ushort[] codes = new ushort[n];
        for (int i = 0; i < n; i++)
        {
            int at = Array.BinarySearch(cumulative, random.NextDouble() * sum);
            codes[i] = (ushort)Math.Min(size - 1, at < 0 ? ~at : at);
        }

        ulong[] facts = new ulong[n];
        random.NextBytes(MemoryMarshal.AsBytes(facts.AsSpan()));
        return (new RecordColumn { Attribute = attribute, Codes = codes }, facts);
    }

    /// <summary>
    /// The shortest of the runs that fit into a second, in milliseconds: what the code takes when nothing else gets in its way.
    /// </summary>
    private static double Best(Action action, int repetitions = int.MaxValue)
    {
        action();
        var clock = Stopwatch.StartNew();
        double best = double.PositiveInfinity;
        for (int i = 0; i < repetitions && (i < 3 || clock.Elapsed.TotalSeconds < 1); i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return best;
    }

    private static void Print(TextWriter output, string name, double drawn, double cipher, double plain)
    {
        static string Text(double value, string format) => double.IsNaN(value) ? "" : value.ToString(format, CultureInfo.InvariantCulture);
        output.WriteLine(
            $"  {name,-62} {Text(drawn, "F2"),12} {Text(cipher, "F2"),10} {Text(plain, "F0"),10} {Text(plain / drawn, "F0"),7}");
    }
}
