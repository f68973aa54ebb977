using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Commands.Evaluate;

/// <summary>What <c>emr evaluate</c> was asked to do.</summary>
internal sealed record EvaluateOptions
{
    /// <summary>The records a synthetic run makes when nothing else is asked for.</summary>
    public const long DefaultRecords = 200_000;

    /// <summary>The records of a quick run.</summary>
    public const long QuickRecords = 10_000;

    /// <summary>The most records of one run: they are held in memory, about 100 bytes each.</summary>
    public const long MostRecords = 50_000_000;

    /// <summary>CSV files; empty for synthetic records.</summary>
    public required IReadOnlyList<string> Data { get; init; }

    /// <summary>A schema's name or file; null for that of the synthetic records.</summary>
    public string? Schema { get; init; }

    /// <summary>Records made, or read at most; null for the default.</summary>
    public long? Records { get; init; }

    /// <summary>The experiments.</summary>
    public required ExperimentSelection Experiments { get; init; }

    /// <summary>Repetitions per experiment; null for its own number.</summary>
    public int? Repetitions { get; init; }

    /// <summary>The confidence of intervals, in (0, 1).</summary>
    public double Confidence { get; init; } = 0.95;

    /// <summary>The seed; null for a fresh random key.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Threads at most.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>The folder of the results.</summary>
    public required string Output { get; init; }

    /// <summary>Whether the whole market runs over the records, on the embedded chain.</summary>
    public bool Market { get; init; } = true;

    /// <summary>The file of the market's requests; null for the default book.</summary>
    public string? Requests { get; init; }

    /// <summary>Whether results.json goes to standard output too.</summary>
    public bool Json { get; init; }
}

/// <summary>Which experiments run, and in which size.</summary>
/// <param name="Experiments">The experiments, in the catalogue's order.</param>
/// <param name="Size">Their size.</param>
internal sealed record ExperimentSelection(IReadOnlyList<IExperiment> Experiments, ExperimentSize Size)
{
    private const string Quick = "quick";
    private const string All = "all";
    private const string None = "none";

    /// <summary>What may be asked for, for messages.</summary>
    public static string Names => string.Join(", ", [Quick, All, None, .. ExperimentCatalogue.All.Select(e => e.Name)]);

    /// <summary>Whether a name may be asked for.</summary>
    public static bool IsName(string name) => name is Quick or All or None || ExperimentCatalogue.All.Any(e => e.Name == name);

    /// <summary>The selection behind names that <see cref="IsName"/> accepts; a single experiment runs in full.</summary>
    public static ExperimentSelection Of(IReadOnlyCollection<string> names) =>
        names.Contains(All) ? new(ExperimentCatalogue.All, ExperimentSize.Full)
        : names.Contains(None) ? new([], ExperimentSize.Full)
        : names.Contains(Quick) ? new(ExperimentCatalogue.All, ExperimentSize.Quick)
        : new([.. ExperimentCatalogue.All.Where(e => names.Contains(e.Name))], ExperimentSize.Full);
}
