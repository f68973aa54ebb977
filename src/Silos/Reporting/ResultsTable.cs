using System.Globalization;
using System.Text;
using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting;

/// <summary>results.csv: one line per cell of the core pass; a refused statistic has one line without numbers.</summary>
internal static class ResultsTable
{
    private static readonly string[] Header =
    [
        "id", "kind", "attributes", "unit", "estimator", "epsilon", "n", "effectiveRecords", "confidence", "value", "truth", "estimate",
        "error",
        "standardError", "low", "high", "covered", "expectedHalfWidth", "guaranteedHalfWidth", "refusal",
    ];

    /// <summary>The table.</summary>
    public static string Write(IReadOnlyList<EvaluatedStatistic> statistics)
    {
        var text = new StringBuilder();
        WriteLine(text, Header);
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

    /// <summary>Adds one line of CSV (RFC 4180).</summary>
    internal static void WriteLine(StringBuilder text, IEnumerable<string> fields) =>
        text.AppendJoin(',', fields.Select(Quoted)).Append('\n');

    /// <summary>A field as RFC 4180 has it.</summary>
    private static string Quoted(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string N(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? "";
}
