using System.Diagnostics;
using System.Globalization;
using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Matching.Solving;
using EmrMarket.Analytics.Tests.Matching;

namespace EmrMarket.Benchmarks.Matching;

/// <summary>
/// The exact match over a grid of sizes and shapes of market on one core, beside successive longest paths where those end in reasonable
/// time. Every run is certified, verified and, where there is a baseline, compared with it.
/// </summary>
public static class MatchingBench
{
    private const int Rounds = 3;
    private const int Seed = 1;

    // The baseline takes minutes beyond this many pairs.
    private const int BaselinePairs = 9_000;

    private static readonly (int Classes, int Requests)[] Sizes = [(100, 10), (300, 30), (1_000, 100), (3_000, 300), (10_000, 1_000)];

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.WriteLine(
            $"matching: milliseconds of processor time on one core, and elapsed, best of {Rounds}; solve = match, least premiums, "
                + "supports, certificate");
        output.WriteLine(
            "shape           classes x requests    offers     pivots   elapsed     solve    verify      MiB   baseline      ratio");
        foreach (var shape in Enum.GetValues<MarketShape>())
        {
            var times = new List<double>();
            foreach (var (classes, requests) in Sizes)
            {
                times.Add(Measure(output, shape, classes, requests));
            }

            // Pairs grow a hundredfold over the last two steps.
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{shape,-15} growth from 1,000 x 100 on: time ~ pairs^{Math.Log10(times[4] / times[2]) / 2:F2}"));
        }
    }

    private static double Measure(TextWriter output, MarketShape shape, int classes, int requests)
    {
        var problem = SyntheticMarkets.Make(shape, classes, requests, Seed);
        var (solve, processor, verify, bytes, pivots) = (double.MaxValue, double.MaxValue, double.MaxValue, 0L, 0L);
        for (var round = 0; round < Rounds; round++)
        {
            GC.Collect();
            var (allocated, before, started) = (
                GC.GetAllocatedBytesForCurrentThread(), Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
            var (outcome, report) = ExactMatcher.Solve(problem, SolverOptions.Default, CancellationToken.None);
            solve = Math.Min(solve, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            processor = Math.Min(processor, (Environment.CpuUsage.TotalTime - before).TotalMilliseconds);
            (bytes, pivots) = (GC.GetAllocatedBytesForCurrentThread() - allocated, report.Pivots);

            before = Environment.CpuUsage.TotalTime;
            var faults = MatchVerifier.FindFaults(problem, outcome);
            verify = Math.Min(verify, (Environment.CpuUsage.TotalTime - before).TotalMilliseconds);
            if (!report.Certificate.Holds || faults.Count > 0)
            {
                throw new InvalidOperationException(
                    $"{shape} {classes} x {requests}: a wrong match, {report.Certificate}, {string.Join("; ", faults)}");
            }

            if (round == 0 && (long)classes * requests <= BaselinePairs)
            {
                CompareWithBaseline(problem, outcome);
            }
        }

        var (baseline, ratio) = ("-", "-");
        if ((long)classes * requests <= BaselinePairs)
        {
            var before = Environment.CpuUsage.TotalTime;
            Oracles.SuccessivePaths(problem);
            var elapsed = (Environment.CpuUsage.TotalTime - before).TotalMilliseconds;
            baseline = elapsed.ToString("N1", CultureInfo.InvariantCulture);
            ratio = (elapsed / processor).ToString("N0", CultureInfo.InvariantCulture);
        }

        var offers = problem.Classes.Sum(static supply => (long)supply.Members);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{shape,-15} {classes,8:N0} x {requests,-7:N0} {offers,10:N0} {pivots,10:N0} {solve,9:N1} {processor,9:N1} {verify,9:N1} "
                + $"{bytes / 1048576.0,8:N1} {baseline,10} {ratio,10}"));
        return processor;
    }

    private static void CompareWithBaseline(MatchProblem problem, MatchOutcome outcome)
    {
        var expected = Welfare(problem, Oracles.SuccessivePaths(problem));
        if (Welfare(problem, outcome.SalesByClass) != expected)
        {
            throw new InvalidOperationException($"The match is worth {Welfare(problem, outcome.SalesByClass)}, the baseline's {expected}.");
        }
    }

    private static Int128 Welfare(MatchProblem problem, IEnumerable<Sale> sales)
        => sales.Aggregate((Int128)0, (sum, s) => sum + ((Int128)problem.Weights[s.ClassIndex, s.RequestIndex] * s.Records));
}
