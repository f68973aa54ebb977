using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting;

/// <summary>results.json: everything that an evaluation measured. Its JSON Schema is docs/results.schema.json.</summary>
internal sealed record ResultsDocument
{
    /// <summary>The format and its version.</summary>
    public const string CurrentFormat = "emrmarket-results/1";

    /// <summary>Options of results.json, run.json and checkpoints alike.</summary>
    public static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        IndentSize = 1,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Always <see cref="CurrentFormat"/>.</summary>
    public string Format { get; init; } = CurrentFormat;

    /// <summary>How the run was made.</summary>
    public required RunInformation Run { get; init; }

    /// <summary>What it spent its time on.</summary>
    public required IReadOnlyList<StageTime> Stages { get; init; }

    /// <summary>The run in a few numbers.</summary>
    public required EvaluationSummary Summary { get; init; }

    /// <summary>The core pass: all statistics once.</summary>
    public required IReadOnlyList<EvaluatedStatistic> Statistics { get; init; }

    /// <summary>The experiments.</summary>
    public required IReadOnlyList<ExperimentResult> Experiments { get; init; }

    /// <summary>The market; absent when only statistics were asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public MarketSection? Market { get; init; }
}

/// <summary>How a run was made: enough to repeat it.</summary>
internal sealed record RunInformation
{
    /// <summary>EmrMarket's version.</summary>
    public required string Version { get; init; }

    /// <summary>.NET's version.</summary>
    public required string Runtime { get; init; }

    /// <summary>The machine.</summary>
    public required MachineInformation Machine { get; init; }

    /// <summary>When the run began, UTC.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>When it ended, UTC.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>"cryptographic" (a fresh random key that no one knows), or the seed that anyone can repeat the run with.</summary>
    public required string Seed { get; init; }

    /// <summary>The data.</summary>
    public required DataInformation Data { get; init; }

    /// <summary>The confidence of intervals, in (0, 1).</summary>
    public required double Confidence { get; init; }

    /// <summary>Threads used at most.</summary>
    public required int Threads { get; init; }

    /// <summary>The most memory that the process held, bytes.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>Experiments that an earlier, interrupted run had finished.</summary>
    public required IReadOnlyList<string> Resumed { get; init; }

    /// <summary>What a reader must know about this run.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}

/// <summary>The machine of a run.</summary>
/// <param name="Processor">Its name.</param>
/// <param name="Cores">Logical cores.</param>
/// <param name="MemoryBytes">Memory available to the process.</param>
/// <param name="OperatingSystem">Its operating system.</param>
internal sealed record MachineInformation(string Processor, int Cores, long MemoryBytes, string OperatingSystem);

/// <summary>The data of a run.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Schema">The schema's name.</param>
/// <param name="SchemaId">SHA-256 of the schema's canonical form, hexadecimal.</param>
/// <param name="Files">The files read; empty for synthetic records.</param>
/// <param name="Records">Records evaluated.</param>
/// <param name="Persons">Their distinct persons.</param>
/// <param name="Attributes">Attributes of the schema.</param>
internal sealed record DataInformation(
    string Name, string Schema, string SchemaId, IReadOnlyList<FileInformation> Files, long Records, long Persons, int Attributes);

/// <summary>A file that was read.</summary>
/// <param name="Name">Its name, without its folder.</param>
/// <param name="Bytes">Its length as it is stored.</param>
/// <param name="Sha256">SHA-256 of its bytes as stored, hexadecimal.</param>
internal sealed record FileInformation(string Name, long Bytes, string Sha256);

/// <summary>A stage of a run.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Seconds">Wall-clock seconds.</param>
internal sealed record StageTime(string Name, double Seconds);
