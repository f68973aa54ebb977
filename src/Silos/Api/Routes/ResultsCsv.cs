using System.Globalization;
using System.Text;
using System.Text.Json;
using EmrMarket.Silos.Reporting;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>A request's results as CSV (RFC 4180): one line per figure, and one without numbers for a refused statistic.</summary>
internal static class ResultsCsv
{
    private static readonly string[] Numbers = ["estimate", "standardError", "low", "high", "expectedHalfWidth", "guaranteedHalfWidth"];

    /// <summary>Writes the table of a results document (docs/WIRE.md, "Results").</summary>
    public static string Write(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        StringBuilder text = new();
        ResultsTable.WriteLine(text,
            ["requestId", "statistic", "section", "figure", .. Numbers, "records", "effectiveRecords", "confidence", "epsilonMicro",
                "estimator", "refusal"]);
        string request = document.RootElement.GetProperty("requestId").GetUInt64().ToString(CultureInfo.InvariantCulture);
        foreach (JsonElement answer in document.RootElement.GetProperty("statistics").EnumerateArray())
        {
            string id = Text(answer, "id");
            if (answer.GetProperty("result") is not { ValueKind: JsonValueKind.Object } result)
            {
                ResultsTable.WriteLine(text,
                    [request, id, "", "", .. Numbers.Select(_ => ""), "", "", "", "", "", Text(answer, "refusal")]);
                continue;
            }

            WriteCells(result, "");
            foreach (JsonElement section in result.GetProperty("sections").EnumerateArray())
            {
                WriteCells(section, Text(section, "name"));
            }

            void WriteCells(JsonElement owner, string section)
            {
                string epsilon = result.GetProperty("epsilon") is { ValueKind: JsonValueKind.Object } loss
                    ? Text(loss, "micro") : Text(result, "epsilon");
                foreach (JsonElement cell in owner.GetProperty("cells").EnumerateArray())
                {
                    ResultsTable.WriteLine(
                        text,
                        [request, id, section, Text(cell, "value"), .. Numbers.Select(number => Text(cell, number)), Text(result, "n"),
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
