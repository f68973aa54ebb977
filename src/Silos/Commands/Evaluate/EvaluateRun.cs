using System.Buffers.Binary;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Silos.Commands.Evaluate.Market;
using EmrMarket.Silos.Reporting;

namespace EmrMarket.Silos.Commands.Evaluate;

/// <summary>One run of <c>emr evaluate</c>, from its options to its files.</summary>
internal sealed class EvaluateRun(EvaluateOptions options)
{
    // Reports are drawn, counted and dropped in batches of so many records; larger ones are no faster.
    private const int BatchSize = 65_536;

    private readonly DateTimeOffset _started = DateTimeOffset.UtcNow;

    /// <summary>Runs it.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="CommandException">The options or the input are wrong, or the folder is taken.</exception>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        OutputFolder.Check(options.Output);
        RequestBook? book = options is { Market: true, Requests: { } file } ? RequestBook.Load(file) : null;
        if (options.Market)
        {
            await RequireEnginesAsync(cancellation);
        }

        ResultsDocument results = await StageDisplay.RunAsync(
            display => Task.Run(() => Run(new StageRunner(display), display, book, cancellation), cancellation));
        if (options.Json)
        {
            await Console.Out.WriteLineAsync(JsonSerializer.Serialize(results, ResultsDocument.Json));
            return ExitCode.Success;
        }

        foreach (string sentence in ReportWords.Lead(results))
        {
            await Console.Out.WriteLineAsync(sentence);
        }

        await Console.Out.WriteLineAsync($"Report: {Path.Combine(options.Output, ResultFiles.Report)}");
        return ExitCode.Success;
    }

    /// <summary>Said before the first stage: nobody should wait for half an evaluation to learn what is missing.</summary>
    private static async Task RequireEnginesAsync(CancellationToken cancellation)
    {
        try
        {
            await MarketEngines.RequireAsync(cancellation);
        }
        catch (ToolMissingException e)
        {
            throw new CommandException(
                ExitCode.Failure,
                $"the market needs the embedded chain and database: {e.Message} Install Node 20 or later with npm and run ./emr "
                    + $"chain start once, or evaluate the statistics only: ./emr evaluate --no-market", e);
        }
    }

    private ResultsDocument Run(StageRunner stages, IStageDisplay display, RequestBook? book, CancellationToken cancellation)
    {
        // Input is checked in full before the output folder is touched.
        EvaluationData data = stages.Run("load records", _ => EvaluationData.Load(options, cancellation));
        EvaluationPlan plan = data.Plan();
        byte[] siteKey = SiteKey();
        using OutputFolder output = OutputFolder.Open(options.Output);

        var site = new SiteReports(data.Schema, options.Threads);
        var core = new CorePass(data.Schema, EstimationOptions.Default with { Confidence = options.Confidence }, options.Threads);
        IReadOnlyList<CorePass.Answer> answers = stages.Run("randomise and estimate", progress => core.Estimate(
            plan.Statistics, names =>
                site.Stream(data.Records.InPersonBatches(BatchSize), siteKey, names), data.Records.Count, progress, cancellation));
        IReadOnlyList<EvaluatedStatistic> statistics = stages.Run(
            "compare with the truth", _ => core.Compare(answers, data.Records, cancellation));

        var experiments = new List<ExperimentResult>();
        var resumed = new List<string>();
        var context = new ExperimentContext
        {
            Schema = data.Schema,
            Records = data.Records,
            Plan = plan,
            SiteKey = siteKey,
            Size = options.Experiments.Size,
            Repetitions = options.Repetitions,
            Confidence = options.Confidence,
            Threads = options.Threads,
        };
        string fingerprint = Fingerprint(data);
        foreach (IExperiment experiment in options.Experiments.Experiments)
        {
            if (output.Resume(experiment.Name, fingerprint) is { } finished)
            {
                experiments.Add(finished);
                resumed.Add(experiment.Name);
                continue;
            }

            experiments.Add(stages.Run(experiment.Name, progress =>
            {
                ExperimentResult result = experiment.Run(context, progress, cancellation);
                output.Keep(experiment.Name, fingerprint, result);
                return result;
            }));
        }

        cancellation.ThrowIfCancellationRequested();
        MarketSection? market = options.Market
            ? MarketEvaluation.RunAsync(data, book
                ?? RequestBook.Default(data.Schema, plan, data.Records.Count), siteKey, display, cancellation).GetAwaiter().GetResult()
            : null;
        return stages.Run("write", _ => Write(output, data, stages, statistics, experiments, resumed, market));
    }

    private ResultsDocument Write(
        OutputFolder output, EvaluationData data, StageRunner stages, IReadOnlyList<EvaluatedStatistic> statistics,
        IReadOnlyList<ExperimentResult> experiments, IReadOnlyList<string> resumed, MarketSection? market)
    {
        var results = new ResultsDocument
        {
            Run = Information(data, resumed),
            Stages = [.. stages.Times, .. (market?.Stages ?? []).Select(stage => new StageTime(stage.Name, stage.Seconds))],
            Summary = EvaluationSummary.Of(statistics),
            Statistics = statistics,
            Experiments = experiments,
            Market = market,
        };
        output.Publish(new Dictionary<string, string>
        {
            [ResultFiles.Report] = HtmlReport.Write(results),
            [ResultFiles.Results] = JsonSerializer.Serialize(results, ResultsDocument.Json) + "\n",
            [ResultFiles.Table] = ResultsTable.Write(statistics),
            [ResultFiles.TableMetadata] = ResultsTable.Describe(ResultFiles.Table, results.Run),
            [ResultFiles.Run] = JsonSerializer.Serialize(new { results.Run, results.Stages }, ResultsDocument.Json) + "\n",
        });
        return results;
    }

    private byte[] SiteKey()
    {
        if (options.Seed is not { } seed)
        {
            return RandomNumberGenerator.GetBytes(32);
        }

        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, seed);
        return HKDF.DeriveKey(HashAlgorithmName.SHA256, bytes, 32, info: "emrmarket evaluate seed"u8.ToArray());
    }

    private string Fingerprint(EvaluationData data) => OutputFolder.Fingerprint(
        data.Schema.Id, data.Files.Select(f => f.Sha256).ToArray(), data.Records.Count, options.Seed, options.Confidence,
        options.Repetitions,
        options.Experiments.Size.ToString());

    private RunInformation Information(EvaluationData data, IReadOnlyList<string> resumed) => new()
    {
        Version = typeof(EvaluateRun).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            ?? "unknown",
        Runtime = RuntimeInformation.FrameworkDescription,
        Machine = Machine.Describe(),
        Started = _started,
        Finished = DateTimeOffset.UtcNow,
        Seed = options.Seed?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? RunSeed.Cryptographic,
        Data = new DataInformation(
            data.Name, data.Schema.Name, data.Schema.Id, data.Files, data.Records.Count, data.Records.PersonCount,
            data.Schema.Attributes.Count),
        Confidence = options.Confidence,
        Threads = options.Threads,
        PeakMemoryBytes = Machine.PeakMemoryBytes(),
        Resumed = resumed,
        Notes = data.Notes,
    };
}

/// <summary>The machine that a run ran on.</summary>
internal static class Machine
{
    /// <summary>Its description.</summary>
    public static MachineInformation Describe() => new(
        Processor(), Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, RuntimeInformation.OSDescription);

    /// <summary>The most memory that this process held, bytes.</summary>
    public static long PeakMemoryBytes()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    private static string Processor()
    {
        const string Linux = "/proc/cpuinfo";
        string? name = File.Exists(Linux)
            ? File.ReadLines(Linux).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim()
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        return string.IsNullOrWhiteSpace(name) ? RuntimeInformation.ProcessArchitecture.ToString() : name;
    }
}
