using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Records.Synthetic;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Reports;

namespace EmrMarket.Benchmarks.Records;

/// <summary>
/// Drawing, loading and handing out 200,000 synthetic records. The loader stands beside the simple way: a line, its fields as strings, a
/// dictionary per column.
/// </summary>
public static class RecordsBench
{
    private const int Rounds = 3;
    private const int Records = 200_000;

    /// <summary>Measures and prints the table.</summary>
    public static void Run(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        Schema schema = DataFolder.LoadSchema("synthetic");
        SyntheticGenerator generator = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed());
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-bench-");
        try
        {
            string file = Path.Combine(folder.FullName, "records.csv"),
            reports = Path.Combine(folder.FullName, "r" + ReportFileFormat.Extension);
            SyntheticFile.Write(generator, Records, file, CancellationToken.None);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"records: {Records:N0} synthetic, {schema.Attributes.Count} "
                + $"attributes, CSV of {new FileInfo(file).Length / 1e6:N1} MB; milliseconds, best of {Rounds}"));
            output.WriteLine("step                                  elapsed  processor");
            RecordTable drawn = Measure(output, "draw in memory", () => generator.Generate(Records));
            RecordTable loaded = Measure(output, "load (strict, columns)", () => new RecordLoader(schema).Load([file]));
            int baseline = Measure(output, "baseline: lines, strings, dictionaries", () => ReadSimply(file));
            if (baseline != Records || drawn.Columns.Zip(loaded.Columns).Any(p => !p.First.Codes.AsSpan().SequenceEqual(p.Second.Codes)))
            {
                throw new InvalidOperationException("The loaded records are not those that were drawn.");
            }

            byte[] key = SHA256.HashData("bench"u8);
            int[] profiles = PolicyChoice.Everybody(3).Assign(loaded, key);
            var plan = new PerturbationPlan { Grades = new[] { "sex", "age", "diagnosis", "disposition", "bmi" }.ToDictionary(
                schema.IndexOf, _ => new[] { 1, 2 }), Cap = null };
            ReportFile drawnReports = Measure(
                output, "draw reports, 5 attributes, 2 grades", () => Perturbation.Run(schema, loaded, profiles, key, plan).Reports);
            Measure(output, "write report file", () =>
            {
                ReportFileFormat.Write(drawnReports, reports);
                return 0;
            });
            if (Measure(output, "read and check report file", () => ReportFileFormat.Read(reports)).Count != drawnReports.Count)
            {
                throw new InvalidOperationException("The report file read back is not the one that was written.");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int ReadSimply(string file)
    {
        using var reader = new StreamReader(file);
        int columns = reader.ReadLine()!.Split(',').Length, records = 0;
        var codes = Enumerable.Range(0, columns).Select(_ => new Dictionary<string, int>(StringComparer.Ordinal)).ToArray();
        var table = Enumerable.Range(0, columns).Select(_ => new List<int>()).ToArray();
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(',');
            for (int c = 0; c < columns; c++)
            {
                if (!codes[c].TryGetValue(fields[c], out int code))
                {
                    codes[c].Add(fields[c], code = codes[c].Count);
                }

                table[c].Add(code);
            }

            records++;
        }

        return records;
    }

    private static T Measure<T>(TextWriter output, string step, Func<T> work)
    {
        (double elapsed, double processor, T? result) = (double.MaxValue, double.MaxValue, default);
        for (int round = 0; round < Rounds; round++)
        {
            GC.Collect();
            (TimeSpan before, long started) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
            result = work();
            elapsed = Math.Min(elapsed, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            processor = Math.Min(processor, (Environment.CpuUsage.TotalTime - before).TotalMilliseconds);
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{step,-38}{elapsed,7:N0}{processor,11:N0}"));
        return result!;
    }
}
