using System.Globalization;
using System.Text.Json.Nodes;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Reporting.Sharing;

/// <summary>The metadata beside the CSV of a request's results.</summary>
internal static class RequestTable
{
    private const string NoFigure = "Empty where a statistic was refused.";
    private const string NoNumber = "Empty where there is none: not claimed, not finite, or refused.";

    /// <summary>The columns of the CSV, in order.</summary>
    public static IReadOnlyList<TableColumn> Columns { get; } =
    [
        new("requestId", "Request", "The request's number on the ledger.", "nonNegativeInteger") { Required = true },
        new("statistic", "Statistic", "The statistic in its text form, such as mean:length_of_stay.") { Required = true },
        new("section", "Section", "What was computed from the statistic's own figures, such as rates in groups. Empty for those figures."),
        new("figure", "Figure", $"What the row is about: a value, a table's cell, a term of a model. {NoFigure}"),
        new("unit", "Unit",
            "The unit of estimate, standardError, low, high, expectedHalfWidth and guaranteedHalfWidth; 1 for shares of the "
            + $"records and pure numbers. {NoFigure}"),
        Number("estimate", "Estimate", "The estimate; noise may carry it out of the possible range."),
        Number("standardError", "Standard error", "Its standard error.") with { Minimum = 0 },
        Number("low", "Low", "The lower end of the confidence interval."),
        Number("high", "High", "The upper end of the confidence interval."),
        Number("expectedHalfWidth", "Expected half-width", "The half-width that was expected before the data were seen.") with
        {
            Minimum = 0,
        },
        Number("guaranteedHalfWidth", "Guaranteed half-width",
            "The half-width that holds with the confidence whatever the data, from public quantities alone.") with { Minimum = 0 },
        new("records", "Records", $"The records that the statistic was computed from. {NoFigure}", "nonNegativeInteger"),
        new("effectiveRecords", "Effective records",
            $"Unperturbed records that would carry as much information. {NoFigure}", "double") { Minimum = 0 },
        new("confidence", "Confidence", $"The confidence of interval and guarantee. {NoFigure}", "double") { Minimum = 0, Maximum = 1 },
        new("epsilonMicro", "Epsilon, millionths",
            $"The largest loss of local differential privacy that any one record bore for the statistic. {NoFigure}", "nonNegativeInteger")
        {
            Unit = "millionths of epsilon (natural logarithm)",
        },
        new("estimator", "Estimator", $"How it was estimated. {NoFigure}"),
        new("refusal", "Refusal", "Why the statistic was refused; empty where it was answered."),
    ];

    /// <summary>The metadata.</summary>
    /// <param name="dossier">The results and where they come from.</param>
    /// <param name="url">The CSV file, relative to where the metadata stands.</param>
    public static string Write(RequestDossier dossier, string url)
    {
        Citation citation = Citation.Of(dossier);
        return TableMetadata.Write(
            url,
            new Dictionary<string, JsonNode?>(StringComparer.Ordinal)
            {
                ["dc:title"] = citation.Title,
                ["dc:description"] =
                    "Statistics estimated from records whose sensitive attributes were randomised under local differential "
                    + "privacy at their sites; one row per figure, or per refused statistic.",
                ["dc:identifier"] = citation.Key,
                ["dc:publisher"] = $"EmrMarket, {citation.OnLedger[..citation.OnLedger.LastIndexOf('/')]}",
                ["dc:issued"] = TableMetadata.Time(citation.Date),
                ["dc:bibliographicCitation"] = citation.Sentence,
                ["schema:measurementTechnique"] = "local differential privacy",
                ["prov:wasDerivedFrom"] = new JsonArray(
                [
                    JsonValue.Create($"terms, keccak-256 {citation.Key}"), JsonValue.Create($"request {citation.OnLedger}"),
                    JsonValue.Create($"schema {dossier.Schema.Name}, SHA-256 {dossier.Schema.Id}"),
                    .. dossier.Deliveries.Select(delivery => JsonValue.Create(string.Create(CultureInfo.InvariantCulture,
                        $"delivery of site {delivery.Site}, {delivery.Records} records, SHA-256 {delivery.DataHash}, transaction "
                            + $"eip155:{dossier.ChainId}/0x{delivery.Place.Transaction}"))),
                ]),
                ["notes"] = new JsonArray([.. dossier.Results.Statistics.SelectMany(answer => answer.Result?.Warnings ?? [])
                    .Distinct(StringComparer.Ordinal).Select(warning => JsonValue.Create(warning))]),
            },
            Columns);
    }

    private static TableColumn Number(string name, string title, string description) =>
        new(name, title, $"{description} In the row's unit. {NoNumber}", "double");
}
