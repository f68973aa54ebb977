using System.Globalization;
using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Silos.Reporting;
using EmrMarket.Silos.Reporting.Sharing;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>A request's results as CSV (RFC 4180): one line per figure, and one without numbers for a refused statistic.</summary>
internal static class ResultsCsv
{
    private static readonly string[] Numbers = ["estimate", "standardError", "low", "high", "expectedHalfWidth", "guaranteedHalfWidth"];

    /// <summary>Writes the table of a results document (docs/WIRE.md, "Results").</summary>
    /// <param name="json">The document.</param>
    /// <param name="schema">The schema, which knows the units.</param>
    public static string Write(string json, Schema schema)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        IReadOnlyList<StatisticAnswer> answers = RequestResults.Read(json).Statistics;
        StringBuilder text = new();
        ResultsTable.WriteLine(text, RequestTable.Columns.Select(column => column.Name));
        string request = document.RootElement.GetProperty("requestId").GetUInt64().ToString(CultureInfo.InvariantCulture);
        foreach ((int index, JsonElement answer) in document.RootElement.GetProperty("statistics").EnumerateArray().Index())
        {
            string id = Text(answer, "id");
            if (answer.GetProperty("result") is not { ValueKind: JsonValueKind.Object } result)
            {
                ResultsTable.WriteLine(text,
                    [request, id, "", "", "", .. Numbers.Select(_ => ""), "", "", "", "", "", Text(answer, "refusal")]);
                continue;
            }

            // Numbers stand as they are in the document; what only the schema knows is told by the answer that it was read into.
            StatisticResult known = answers[index].Result!;
            WriteCells(result, "", known.Cells);
            foreach ((int s, JsonElement section) in result.GetProperty("sections").EnumerateArray().Index())
            {
                WriteCells(section, Text(section, "name"), known.Sections[s].Cells);
            }

            void WriteCells(JsonElement owner, string section, IReadOnlyList<StatisticCell> cells)
            {
                string epsilon = result.GetProperty("epsilon") is { ValueKind: JsonValueKind.Object } loss
                    ? Text(loss, "micro") : Text(result, "epsilon");
                foreach ((int c, JsonElement cell) in owner.GetProperty("cells").EnumerateArray().Index())
                {
                    ResultsTable.WriteLine(
                        text,
                        [request, id, section, Text(cell, "value"), ResultFigure.UnitOf(known, cells[c], schema),
                            .. Numbers.Select(number => Text(cell, number)), Text(result, "n"),
                            Text(result, "effectiveRecords"), Text(result, "confidence"), epsilon,
                            Text(result, "estimator"), ""]);
                }
            }
        }

        return text.ToString();
    }

    // A number that is not finite stands as text in the document, and as nothing here.
    private static string Text(JsonElement owner, string name) => !owner.TryGetProperty(name, out JsonElement value)
        ? "" : value.ValueKind switch
    {
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.String when value.GetString() is { } text => text is "NaN" or "Infinity" or "-Infinity" ? "" : text,
        _ => "",
    };
}
