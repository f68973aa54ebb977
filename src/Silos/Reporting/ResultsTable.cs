using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Silos.Reporting.Sharing;

namespace EmrMarket.Silos.Reporting;

/// <summary>results.csv: one line per cell of the core pass; a refused statistic has one line without numbers.</summary>
internal static class ResultsTable
{
    private const string NoNumber = "Empty where there is none.";

    /// <summary>The columns, in order.</summary>
    public static IReadOnlyList<TableColumn> Columns { get; } =
    [
        new("id", "Statistic", "The statistic in its text form.") { Required = true },
        new("kind", "Kind", "Its kind.") { Required = true },
        new("attributes", "Attributes", "The attributes that it is about, separated by blanks.") { Required = true },
        new("unit", "Unit", "The unit of truth, estimate, error, standardError, low, high and both half-widths."),
        new("estimator", "Estimator", $"How it was estimated. {NoNumber}"),
        new("epsilon", "Epsilon", "The largest loss of local differential privacy that any one record bore for it.", "double")
        {
            Minimum = 0, Unit = "epsilon (natural logarithm)",
        },
        new("n", "Records", "The records that it was computed from.", "nonNegativeInteger"),
        new("effectiveRecords", "Effective records", "Unperturbed records that would carry as much information.", "double") { Minimum = 0 },
        new("confidence", "Confidence", "The confidence of interval and guarantee.", "double") { Minimum = 0, Maximum = 1 },
        new("value", "Figure", "What the row is about: a value, a table's cell, a term of a model. Empty where the statistic was refused."),
        Number("truth", "Truth", "The number that the raw records give."),
        Number("estimate", "Estimate", "The estimate from randomised reports alone."),
        Number("error", "Error", "The estimate less the truth."),
        Number("standardError", "Standard error", "The estimate's standard error."),
        Number("low", "Low", "The lower end of the confidence interval."),
        Number("high", "High", "The upper end of the confidence interval."),
        new("covered", "Covered", $"Whether the interval holds the truth. {NoNumber}", "boolean"),
        Number("expectedHalfWidth", "Expected half-width", "The half-width that was expected before the data were seen."),
        Number("guaranteedHalfWidth", "Guaranteed half-width", "The half-width that holds with the confidence whatever the data."),
        new("refusal", "Refusal", "Why the statistic was refused; empty where it was answered."),
    ];

    /// <summary>The table.</summary>
    public static string Write(IReadOnlyList<EvaluatedStatistic> statistics)
    {
        var text = new StringBuilder();
        WriteLine(text, Columns.Select(column => column.Name));
        foreach (EvaluatedStatistic statistic in statistics)
        {
            foreach (EvaluatedCell? cell in statistic.Cells.Count == 0 ? [null] : statistic.Cells.AsEnumerable<EvaluatedCell?>())
            {
                WriteLine(text, Line(statistic, cell));
            }
        }

        return text.ToString();
    }

    private static string[] Line(EvaluatedStatistic statistic, EvaluatedCell? cell) =>
    [
        statistic.Id, statistic.Kind.ToString(), string.Join(' ', statistic.Attributes), statistic.Unit, statistic.Estimator,
        N(statistic.Epsilon),
        N(statistic.N), N(statistic.EffectiveRecords), N(statistic.Confidence), cell?.Value ?? "", N(cell?.Truth), N(cell?.Estimate),
        N(cell?.Error),
        N(cell?.StandardError), N(cell?.Low), N(cell?.High), cell?.Covered is { } covered ? (covered ? "true" : "false") : "",
        N(cell?.ExpectedHalfWidth), N(cell?.GuaranteedHalfWidth), statistic.Refusal ?? "",
    ];

    /// <summary>What stands beside the table: its columns, and how the run was made.</summary>
    /// <param name="file">The table's file.</param>
    /// <param name="run">The run.</param>
    public static string Describe(string file, RunInformation run) => TableMetadata.Write(
        file,
        new Dictionary<string, JsonNode?>(StringComparer.Ordinal)
        {
            ["dc:title"] = $"Estimates against the truth: {run.Data.Name}",
            ["dc:description"] =
                "Statistics estimated from reports randomised under local differential privacy, each beside the number that "
                + "the raw records give; one row per figure, or per refused statistic.",
            ["dc:creator"] = $"EmrMarket {run.Version}",
            ["dc:created"] = TableMetadata.Time(run.Finished),
            ["prov:wasDerivedFrom"] = new JsonArray(
            [
                JsonValue.Create($"schema {run.Data.Schema}, SHA-256 {run.Data.SchemaId}"),
                .. run.Data.Files.Select(source => JsonValue.Create($"{source.Name}, SHA-256 {source.Sha256}")),
            ]),
            ["notes"] = new JsonArray([.. run.Notes.Select(note => JsonValue.Create(note))]),
        },
        Columns);

    private static TableColumn Number(string name, string title, string description) =>
        new(name, title, $"{description} In the row's unit. {NoNumber}", "double");

    /// <summary>Adds one line of CSV (RFC 4180).</summary>
    internal static void WriteLine(StringBuilder text, IEnumerable<string> fields) =>
        text.AppendJoin(',', fields.Select(Quoted)).Append('\n');

    /// <summary>A field as RFC 4180 has it.</summary>
    private static string Quoted(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string N(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? "";
}
