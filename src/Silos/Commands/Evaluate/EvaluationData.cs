using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Reporting;

namespace EmrMarket.Silos.Commands.Evaluate;

/// <summary>The records of an evaluation and what is asked of them.</summary>
/// <param name="Name">What the data is called.</param>
/// <param name="Schema">Its schema.</param>
/// <param name="Records">The records.</param>
/// <param name="Files">The files that were read.</param>
/// <param name="Notes">What a reader must know about them.</param>
internal sealed record EvaluationData(
    string Name, Schema Schema, RecordTable Records, IReadOnlyList<FileInformation> Files, IReadOnlyList<string> Notes)
{
    private const string SyntheticSchema = "synthetic";

    // The built-in set is one fixed set: its seed never changes, whatever the seed of the randomised reports.
    private static readonly byte[] SyntheticSeed = SHA256.HashData("emrmarket synthetic records v1"u8);

    /// <summary>Makes or reads the records.</summary>
    /// <exception cref="InputException">The schema or a file is wrong.</exception>
    /// <exception cref="CommandException">The options do not fit together.</exception>
    public static EvaluationData Load(EvaluateOptions options, CancellationToken cancellation)
    {
        if (options.Data.Count > 0)
        {
            return LoadFiles(options, cancellation);
        }

        if (options.Schema is not (null or SyntheticSchema))
        {
            throw new CommandException(ExitCode.Usage, $"--schema '{options.Schema}' needs the records: give --data FILE.");
        }

        int count = (int)(options.Records ?? EvaluateOptions.DefaultRecords);
        Schema schema = DataFolder.LoadSchema(SyntheticSchema);
        return new EvaluationData(
            "Synthetic hospital stays", schema, DataFolder.LoadSynthetic(SyntheticSeed).Generate(count), [],
            ["The records are synthetic: made from published marginals with correlations, missing values and several stays per person. "
                + "They show what the noise does, not what is true of patients."]);
    }

    private static EvaluationData LoadFiles(EvaluateOptions options, CancellationToken cancellation)
    {
        if (options.Schema is null)
        {
            throw new CommandException(
                ExitCode.Usage, $"--data needs --schema: a built-in one ({string.Join(", ", DataFolder.SchemaNames)}) or a file; 'emr "
                    + $"schema infer FILE' proposes one.");
        }

        Schema schema = DataFolder.LoadSchema(options.Schema);
        RecordTable records = new RecordLoader(schema).Load(options.Data, cancellation);
        var notes = new List<string>();
        if (records.Count == 0)
        {
            throw new CommandException(ExitCode.Usage, $"{string.Join(", ", options.Data)}: no records; an evaluation needs at least one.");
        }

        if (options.Records is { } most && most < records.Count)
        {
            // A file's order is seldom random, so that its head would be a biased picture of it.
            notes.Add($"A random choice of {most:#,0} of the {records.Count:#,0} records, the same in every run.");
            records = RecordSubset.Sample(records, (int)most, SHA256.HashData("emrmarket evaluate --records v1"u8));
        }

        long clipped = records.Columns.Sum(c => (long)c.Clipped);
        if (clipped > 0)
        {
            notes.Add(
                $"{clipped:#,0} values lay outside their attribute's declared bounds and count as the nearest bound, in the truth too.");
        }

        if (!schema.Publishable)
        {
            notes.Add("The schema was inferred and nobody has confirmed it: its domains may show what only the data should know. Fine at "
                + "home, not to be published.");
        }

        return new EvaluationData(schema.Document.Title, schema, records, [.. options.Data.Select(Describe)], notes);
    }

    private static FileInformation Describe(string file)
    {
        using FileStream stream = File.OpenRead(file);
        return new FileInformation(Path.GetFileName(file), stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
    }

    /// <summary>The plan in data/evaluations for the schema, or one that the schema itself suggests.</summary>
    public EvaluationPlan Plan()
    {
        string file = Path.Combine(AppContext.BaseDirectory, "data", "evaluations", Schema.Name + ".json");
        if (!File.Exists(file))
        {
            return EvaluationPlan.Of(Schema);
        }

        PlanDocument plan = JsonSerializer.Deserialize<PlanDocument>(File.ReadAllText(file, Encoding.UTF8), JsonSerializerOptions.Web)
            ?? throw new JsonException($"{file} is empty.");
        return EvaluationPlan.Of(
            Schema, [.. plan.Statistics.Select(StatisticRequest.Parse)], (plan.Sensitive.Attribute, plan.Sensitive.Label));
    }

    private sealed record PlanDocument(IReadOnlyList<string> Statistics, SensitiveDocument Sensitive);

    private sealed record SensitiveDocument(string Attribute, string Label);
}
