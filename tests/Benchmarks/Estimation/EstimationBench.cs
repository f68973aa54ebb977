using System.Globalization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Benchmarks.Estimation;

/// <summary>The estimators' inner loops on 200,000 reports, each beside a plain loop that must give the same numbers.</summary>
public static class EstimationBench
{
    private const int Records = 200_000;
    private const int Rounds = 5;
    private const int Grade = 3;

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.WriteLine(
            $"estimation: milliseconds of processor time, best of {Rounds}, {Records:N0} reports at epsilon 1, Zipf(1.1) values");
        output.WriteLine("step                                             fast      plain      ratio");
        Smoothing(output);
        Counting(output, "olh", 1_000);
        Counting(output, "oue", 100);
        Table(output);
        Statistic(output, "frequency", Attribute("x", 100, "ss"), StatisticRequest.Frequency("x"));
        Statistic(output, "mean", Grid("x", 64), StatisticRequest.Mean("x"));
        Statistic(output, "quantile", Grid("x", 256), StatisticRequest.Quantile("x", 0.5));
    }

    private static void Smoothing(TextWriter output)
    {
        AttributeReports reports = Draw(Grid("x", 1_024));
        SquareWave law = OrderedSample.Wave(reports.Channel);
        var tally = new OutputTally(reports.Channel, law.Outputs, constantPerPerson: false);
        tally.Add(reports.Reports, PersonClusters.Singletons(Records));
        int iterations = SmoothedDistribution.Run(law, tally.Outputs, int.MaxValue).Iterations;
        double fast = Best(() => SmoothedDistribution.Estimate(law, tally.Outputs), Rounds);

        // The dense matrix takes a million steps an iteration: a few of them are run, and scaled.
        const int PlainIterations = 20;
        double[] plain = [];
        double slow = Best(() => plain = PlainSmoothing(law, tally.Outputs, PlainIterations), rounds: 1) * iterations / PlainIterations;
        if (!Close(plain, SmoothedDistribution.Run(law, tally.Outputs, PlainIterations).Curve))
        {
            throw new InvalidOperationException("The curve by running sums differs from that by a dense matrix.");
        }

        Print(output, string.Create(CultureInfo.InvariantCulture, $"square wave, 1,024 cells: EMS, {iterations:N0} steps"), fast, slow);
    }

    private static void Counting(TextWriter output, string mechanism, int k)
    {
        AttributeReports reports = Draw(Attribute("x", k, mechanism));
        long[] fast = [];
        long[] plain = [];
        Report(output, $"{mechanism}, k = {k.ToString("N0", CultureInfo.InvariantCulture)}: support counts",
            () => fast = reports.Channel.CountSupport(reports.Reports), () => plain = PlainCounts(reports, k),
            () => fast.AsSpan().SequenceEqual(plain), plainRounds: 1);
    }

    private static void Table(TextWriter output)
    {
        AttributeReports[] reports = [Draw(Attribute("a", 20, "grr")), Draw(Attribute("b", 20, "grr"))];
        JointTally? fast = null;
        long[] plain = [];
        Report(output, "table, 20 x 20 cells by randomised response", () =>
        {
            fast = new JointTally([.. reports.Select(r => r.Channel)], [false, false]);
            fast.Add([.. reports.Select(r => r.Reports)], PersonClusters.Singletons(Records));
        }, () =>
        {
            plain = new long[400];
            ushort[] a = ((CodeReports)reports[0].Reports).Codes;
            ushort[] b = ((CodeReports)reports[1].Reports).Codes;
            for (int i = 0; i < Records; i++)
            {
                plain[(20 * a[i]) + b[i]]++;
            }
        }, () => Enumerable.Range(0, 400).All(cell => fast!.Joint(cell, 3) == plain[cell]), plainRounds: Rounds);
    }

    private static void Statistic(TextWriter output, string name, AttributeDefinition attribute, StatisticRequest request)
    {
        ReportBatch batch = new([Draw(attribute)]);
        Report(output, $"whole {name}, {attribute.Domain.Size} values, {attribute.Mechanism}", () =>
            _ = StatisticEstimator.Estimate(request, [batch]), null, () => true, 0);
    }

    private static void Report(TextWriter output, string name, Action fast, Action? plain, Func<bool> agree, int plainRounds)
    {
        double fastest = Best(fast, Rounds);
        double slowest = plain is null ? double.NaN : Best(plain, plainRounds);
        if (!agree())
        {
            throw new InvalidOperationException($"{name}: the fast and the plain loop disagree.");
        }

        Print(output, name, fastest, slowest);
    }

    private static void Print(TextWriter output, string name, double fast, double plain)
    {
        static string Text(double value) => double.IsNaN(value) ? "-" : value.ToString("0.0", CultureInfo.InvariantCulture);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-44} {fast,8:0.00} {Text(plain),10} {Text(plain / fast),10}"));
    }

    private static double Best(Action action, int rounds)
    {
        double best = double.MaxValue;
        action();
        for (int round = 0; round < rounds; round++)
        {
            TimeSpan before = Environment.CpuUsage.TotalTime;
            action();
            best = Math.Min(best, (Environment.CpuUsage.TotalTime - before).TotalMilliseconds);
        }

        return best;
    }

    private static long[] PlainCounts(AttributeReports reports, int k)
    {
        long[] counts = new long[k];
        for (int i = 0; i < Records; i++)
        {
            for (int v = 0; v < k; v++)
            {
                counts[v] += reports.Reports switch
                {
                    SetReports sets => (long)(sets.Words[(i * sets.WordsPerReport) + (v / 64)] >> (v % 64)) & 1,
                    HashReports hashes => ((hashes.Multipliers[i] * (uint)v)
                        + hashes.Addends[i]) >> (32 - (int)Math.Log2(1 / reports.Channel.Q)) == hashes.Cells[i] ? 1 : 0,
                    _ => throw new InvalidOperationException("The plain loop knows sets and hashes."),
                };
            }
        }

        return counts;
    }

    // Expectation maximisation with a dense matrix, as the paper writes it.
    private static double[] PlainSmoothing(SquareWave law, ReadOnlySpan<long> outputs, int iterations)
    {
        int d = law.Cells;
        double[] f = new double[d];
        Array.Fill(f, 1.0 / d);
        for (int iteration = 0; iteration < iterations; iteration++)
        {
            double[] predicted = new double[law.Outputs];
            for (int j = 0; j < law.Outputs; j++)
            {
                for (int v = 0; v < d; v++)
                {
                    predicted[j] += f[v] * (j >= v && j < v + law.Window ? law.P : law.Q);
                }
            }

            double[] updated = new double[d];
            for (int v = 0; v < d; v++)
            {
                for (int j = 0; j < law.Outputs; j++)
                {
                    updated[v] += f[v] * outputs[j] * (j >= v && j < v + law.Window ? law.P : law.Q) / predicted[j];
                }
            }

            double sum = 0;
            for (int v = 0; v < d; v++)
            {
                f[v] = v == 0 ? ((2 * updated[0]) + updated[1]) / 3
                    : v == d - 1 ? ((2 * updated[v]) + updated[v - 1]) / 3
                    : (updated[v - 1] + (2 * updated[v]) + updated[v + 1]) / 4;
                sum += f[v];
            }

            for (int v = 0; v < d; v++)
            {
                f[v] /= sum;
            }
        }

        return f;
    }

    private static bool Close(double[] left, double[] right) => left.Zip(right).All(pair => Math.Abs(pair.First - pair.Second) < 1e-9);

    private static AttributeReports Draw(AttributeDefinition attribute)
    {
        double[] weights = [.. Enumerable.Range(1, attribute.Domain.Size).Select(v => Math.Pow(v, -1.1))];
        double total = weights.Sum();
        var codes = new ushort[Records];
        for (int v = 0, at = 0; v < weights.Length; v++)
        {
            int until = v == weights.Length - 1 ? Records : Math.Min(Records, at + (int)Math.Round(Records * weights[v] / total));
            codes.AsSpan(at, until - at).Fill((ushort)v);
            at = until;
        }

        ulong[] facts = [.. Enumerable.Range(0, Records).Select(i => (ulong)i)];
        IReportLadder ladder = MechanismCatalogue.Get(attribute.Mechanism!)
            .CreateLadder(attribute.Domain, EmrMarket.Analytics.Budgets.GradeLadder.Default);
        var column = new RecordColumn { Attribute = attribute, Codes = codes };
        return new AttributeReports(
            attribute, Grade, ladder[Grade], ladder.Draw(ColumnKey.Derive(new byte[32], attribute.Source), column, facts, [Grade])[0]);
    }

    private static AttributeDefinition Attribute(string name, int size, string mechanism) => new()
    {
        Name = name,
        Source = name,
        Domain = new CategoricalDomain(
            [.. Enumerable.Range(0, size).Select(v => v.ToString(CultureInfo.InvariantCulture))], Ordered: false),
        Tier = Tier.Moderate,
        Mechanism = mechanism,
    };

    private static AttributeDefinition Grid(string name, int cells) =>
        new() { Name = name, Source = name, Domain = new GridDomain(0, 1, cells, "cells"), Tier = Tier.Moderate, Mechanism = "dsw" };
}
