using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Reporting;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Estimate;

/// <summary>How results are printed.</summary>
internal enum ResultFormat
{
    /// <summary>Tables for people.</summary>
    Table,

    /// <summary>One JSON array of statistics.</summary>
    Json,

    /// <summary>One line per cell (RFC 4180).</summary>
    Csv,
}

/// <summary>Prints statistics: cells, sections, tests, and what a reader must know.</summary>
internal static class ResultWriter
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase), new FiniteOrNull(), new EpsilonAsNumber() },
    };

    /// <summary>Prints them.</summary>
    public static void Write(TextWriter output, ResultFormat format, IReadOnlyList<StatisticResult> results)
    {
        switch (format)
        {
            case ResultFormat.Json:
                output.WriteLine(JsonSerializer.Serialize(results, Options));
                break;
            case ResultFormat.Csv:
                output.Write(EstimateTable.Write(results));
                break;
            default:
                foreach (StatisticResult result in results)
                {
                    WriteTable(output, result);
                }

                break;
        }
    }

    private static void WriteTable(TextWriter output, StatisticResult result)
    {
        IAnsiConsole console = Output.Terminal(output);
        console.MarkupLineInterpolated($"[bold]{result.Id}[/]  {result.Estimator}");
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.N:N0} records worth {result.EffectiveRecords:N0}, epsilon {result.Epsilon}, {100 * result.Confidence:0.##} % "
            + $"intervals for {(result.Target == InferenceTarget.Records ? "these records" : "the population")}"));
        WriteCells(console, result.Cells, result.PostProcessing);
        foreach (StatisticSection section in result.Sections)
        {
            console.MarkupLineInterpolated($"[bold]{section.Name}[/]: {section.Note}");
            WriteCells(console, section.Cells, null);
        }

        foreach (TestOutcome test in result.Tests)
        {
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{test.Name}: {test.Statistic:0.##} on {test.DegreesOfFreedom} degrees of freedom, p = {test.PValue:0.####}"));
        }

        foreach (string warning in result.Warnings)
        {
            console.WriteLine(warning);
        }

        console.WriteLine();
    }

    private static void WriteCells(IAnsiConsole console, IReadOnlyList<StatisticCell> cells, string? postProcessing)
    {
        var table = new Table { Border = console.Profile.Capabilities.Unicode ? TableBorder.Simple : TableBorder.Ascii };
        table.AddColumn("value");
        (string Name, Func<StatisticCell, double?> Number)[] columns =
        [
            ("estimate", c => c.Estimate), ("standard error", c => c.StandardError), ("low", c => c.Low), ("high", c => c.High),
            ("expected ±", c => c.ExpectedHalfWidth), ("guaranteed ±", c => c.GuaranteedHalfWidth),
            ("post-processed", c => c.PostProcessed),
        ];
        (string Name, Func<StatisticCell, double?> Number)[] used =
            [.. columns.Where(column => cells.Any(c => column.Number(c) is { } x && !double.IsNaN(x)))];
        foreach ((string name, _) in used)
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        foreach (StatisticCell cell in cells)
        {
            table.AddRow([new Text(cell.Value), .. used.Select(column => new Text(column.Number(cell) is { } x ? Numbers.Short(x) : ""))]);
        }

        console.Write(table);
        if (postProcessing is not null)
        {
            console.WriteLine($"Post-processed: {postProcessing}.");
        }
    }

    /// <summary>JSON has no NaN: what is not estimable, or not claimed, is null.</summary>
    private sealed class FiniteOrNull : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value))
            {
                writer.WriteNumberValue(value);
            }
            else
            {
                writer.WriteNullValue();
            }
        }
    }

    /// <summary>Epsilon as a number: 1.5.</summary>
    private sealed class EpsilonAsNumber : JsonConverter<EpsilonMicro>
    {
        public override EpsilonMicro Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            new((long)(reader.GetDecimal() * 1_000_000));

        public override void Write(Utf8JsonWriter writer, EpsilonMicro value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(value.Micro / 1_000_000m);
    }
}
