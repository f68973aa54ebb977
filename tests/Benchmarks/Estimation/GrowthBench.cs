using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Records.Synthetic;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Commands.Evaluate;
using EmrMarket.Silos.Records;

namespace EmrMarket.Benchmarks.Estimation;

/// <summary>
/// The whole streamed pass (make records, randomise, count, estimate every statistic of the built-in evaluation) at 200,000, 1 and 10
/// million records: time must grow as the records do, memory not
/// at all. The baseline holds all reports at once and must give the same numbers.
/// </summary>
public static class GrowthBench
{
    private const long Smallest = 200_000;

    private static readonly byte[] SiteKey = SHA256.HashData("bench"u8);

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        Schema schema = DataFolder.LoadSchema("synthetic");
        SyntheticGenerator generator = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed());
        EvaluationPlan plan = new EvaluationData("", schema, RecordTable.Concat(schema, []), [], []).Plan();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"growth: all {plan.Statistics.Count} statistics, {schema.Attributes.Count} attributes, batches of "
            + $"{SyntheticGenerator.DefaultBatchSize:N0} records; seconds, of which making records"));
        output.WriteLine("records          elapsed  processor  per million  of which making  peak MiB");
        (double Seconds, long Records)? last = null;
        foreach (long records in (ReadOnlySpan<long>)[Smallest, 1_000_000, 10_000_000])
        {
            var making = new Clock();
            (TimeSpan before, long started) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
            IReadOnlyList<CorePass.Answer> answers = Estimate(
                schema, plan, records, () => making.Timed(generator.GenerateTables(records, SyntheticGenerator.DefaultBatchSize)));
            double elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds,
            processor = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
            string slope = last is { } smaller
                ? string.Create(
                    CultureInfo.InvariantCulture,
                    $"  log-log slope {Math.Log(processor / smaller.Seconds) / Math.Log((double)records / smaller.Records):0.00}") : "";
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{records,-14:N0} {elapsed,9:N1} {processor,10:N1} {processor / records * 1e6,12:N1} "
                + $"{making.Processor.TotalSeconds,16:N1} {Peak(),9:N0}{slope}"));
            last = (processor, records);
            if (records == Smallest)
            {
                // Measured once, and not before the first peak is known.
                Same(answers, Estimate(schema, plan, records, () => [generator.Generate((int)records)]));
            }
        }
    }

    private static IReadOnlyList<CorePass.Answer> Estimate(
        Schema schema, EvaluationPlan plan, long records, Func<IEnumerable<RecordTable>> tables)
    {
        var site = new SiteReports(schema, Environment.ProcessorCount);
        return new CorePass(schema, EstimationOptions.Default, Environment.ProcessorCount)
            .Estimate(plan.Statistics, names => site.Stream(tables(), SiteKey, names), records);
    }

    private static void Same(IReadOnlyList<CorePass.Answer> streamed, IReadOnlyList<CorePass.Answer> whole)
    {
        foreach ((CorePass.Answer one, CorePass.Answer other) in streamed.Zip(whole))
        {
            bool same = one.Refusal == other.Refusal
                && (one.Result?.Cells ?? []).Zip(other.Result?.Cells ?? [])
                    .All(c => Math.Abs(c.First.Estimate - c.Second.Estimate) <= 1e-9 * (1 + Math.Abs(c.Second.Estimate)));
            if (!same)
            {
                throw new InvalidOperationException($"{one.Request.Id}: batches and the whole at once disagree.");
            }
        }
    }

    private static double Peak()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }

    private sealed class Clock
    {
        public TimeSpan Processor { get; private set; }

        public IEnumerable<T> Timed<T>(IEnumerable<T> items)
        {
            using IEnumerator<T> enumerator = items.GetEnumerator();
            while (true)
            {
                TimeSpan before = Environment.CpuUsage.TotalTime;
                bool any = enumerator.MoveNext();
                Processor += Environment.CpuUsage.TotalTime - before;
                if (!any)
                {
                    yield break;
                }

                yield return enumerator.Current;
            }
        }
    }
}
