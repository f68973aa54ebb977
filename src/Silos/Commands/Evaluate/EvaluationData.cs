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
    public static EvaluationData Load(EvaluateOptions options)
    {
        if (options.Data.Count > 0)
        {
            throw new CommandException(ExitCode.Usage, "--data is not supported yet.");
        }

        if (options.Schema is not (null or SyntheticSchema))
        {
            throw new CommandException(ExitCode.Usage, $"--schema '{options.Schema}' needs the records: give --data FILE.");
        }

        int count = (int)(options.Records ?? EvaluateOptions.DefaultRecords);
        Schema schema = DataFolder.LoadSchema(SyntheticSchema);
        return new EvaluationData(
            "Synthetic hospital stays", schema, DataFolder.LoadSynthetic(SyntheticSeed).Generate(count), [],
            ["The records are synthetic: made from published marginals with correlations, missing values and several stays per person. They show what the noise does, not what is true of patients."]);
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
        return EvaluationPlan.Of(Schema, [.. plan.Statistics.Select(StatisticRequest.Parse)], (plan.Sensitive.Attribute, plan.Sensitive.Label));
    }

    private sealed record PlanDocument(IReadOnlyList<string> Statistics, SensitiveDocument Sensitive);

    private sealed record SensitiveDocument(string Attribute, string Label);
}
