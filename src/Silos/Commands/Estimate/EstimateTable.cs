using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Reporting.Sharing;

namespace EmrMarket.Silos.Commands.Estimate;

/// <summary>The CSV of <c>emr estimate</c>, one line per cell, and the metadata beside it.</summary>
internal static class EstimateTable
{
    /// <summary>The columns, in order.</summary>
    public static IReadOnlyList<TableColumn> Columns { get; } =
    [
        new("id", "Statistic", "The statistic in its text form, such as mean:length_of_stay.") { Required = true },
        new("kind", "Kind", "Its kind.") { Required = true },
        new("attributes", "Attributes", "The attributes that it is about, separated by blanks.") { Required = true },
        new("estimator", "Estimator", "How it was estimated.") { Required = true },
        new("section", "Section", "What was computed from the statistic's own figures, such as rates in groups. Empty for those figures."),
        new("value", "Figure", "What the row is about: a value, a table's cell, a term of a model.") { Required = true },
        Number("estimate", "Estimate", "The estimate; noise may carry it out of the possible range."),
        Number("standardError", "Standard error", "Its standard error.") with { Minimum = 0 },
        Number("low", "Low", "The lower end of the confidence interval."),
        Number("high", "High", "The upper end of the confidence interval."),
        new("intervalKind", "Kind of interval", "What the interval is of.") { Required = true },
        Number("expectedHalfWidth", "Expected half-width", "The half-width that was expected before the data were seen.") with
        {
            Minimum = 0,
        },
        Number("guaranteedHalfWidth", "Guaranteed half-width",
            "The half-width that holds with the confidence whatever the data, from public quantities alone.") with { Minimum = 0 },
        Number("postProcessed", "Post-processed", "The estimate after values were made consistent; no interval is of it."),
        new("n", "Records", "The records that it was computed from.", "nonNegativeInteger") { Required = true },
        new("effectiveRecords", "Effective records", "Unperturbed records that would carry as much information.", "double") { Minimum = 0 },
        new("epsilon", "Epsilon", "The largest loss of local differential privacy that any one record bore for it.", "decimal")
        {
            Minimum = 0, Required = true, Unit = "epsilon (natural logarithm)",
        },
        new("confidence", "Confidence", "The confidence of interval and guarantee.", "double")
        {
            Minimum = 0, Maximum = 1, Required = true,
        },
        new("target", "Target", "Whom intervals are for: these records, or the population that they were drawn from.") { Required = true },
    ];

    /// <summary>The table.</summary>
    public static string Write(IReadOnlyList<StatisticResult> results)
    {
        StringBuilder csv = new();
        ResultsTable.WriteLine(csv, Columns.Select(column => column.Name));
        foreach (StatisticResult result in results)
        {
            foreach ((string section, StatisticCell cell) in result.Cells.Select(cell => ("", cell))
                .Concat(result.Sections.SelectMany(section => section.Cells.Select(cell => (section.Name, cell)))))
            {
                ResultsTable.WriteLine(csv,
                [
                    result.Id, Name(result.Kind), string.Join(' ', result.Attributes), result.Estimator, section, cell.Value,
                    N(cell.Estimate), N(cell.StandardError), N(cell.Low), N(cell.High), Name(cell.IntervalKind), N(cell.ExpectedHalfWidth),
                    N(cell.GuaranteedHalfWidth), N(cell.PostProcessed), N(result.N), N(result.EffectiveRecords), result.Epsilon.ToString(),
                    N(result.Confidence), Name(result.Target),
                ]);
            }
        }

        return csv.ToString();
    }

    /// <summary>What stands beside the table: its columns, and what it was computed from.</summary>
    /// <param name="file">The table's file, relative to where the metadata stands.</param>
    /// <param name="results">The statistics in the table.</param>
    /// <param name="schemas">Name and id of the schemas of the reports.</param>
    public static string Describe(string file, IReadOnlyList<StatisticResult> results, IEnumerable<(string Name, string Id)> schemas) =>
        TableMetadata.Write(
            file,
            new Dictionary<string, JsonNode?>(StringComparer.Ordinal)
            {
                ["dc:title"] = $"Estimates: {string.Join(", ", results.Select(result => result.Id))}",
                ["dc:description"] =
                    "Statistics estimated from records whose sensitive attributes were randomised under local differential privacy; "
                    + "one row per figure.",
                ["dc:creator"] = "EmrMarket " + typeof(EstimateTable).Assembly
                    .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0],
                ["schema:measurementTechnique"] = "local differential privacy",
                ["prov:wasDerivedFrom"] = new JsonArray(
                    [.. schemas.Distinct().Select(schema => JsonValue.Create($"reports of schema {schema.Name}, SHA-256 {schema.Id}"))]),
                ["notes"] = new JsonArray([.. results.SelectMany(result => result.Warnings).Distinct(StringComparer.Ordinal)
                    .Select(warning => JsonValue.Create(warning))]),
            },
            Columns);

    private static TableColumn Number(string name, string title, string description) =>
        new(name, title, $"{description} In the attribute's unit, or a share of the records. Empty where there is none.", "double");

    private static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static string N(double? value) => value is { } x && double.IsFinite(x) ? x.ToString("R", CultureInfo.InvariantCulture) : "";
}
