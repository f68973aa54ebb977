using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EmrMarket.Silos.Reporting.Sharing;

/// <summary>A column of a CSV file, as it is described beside it.</summary>
/// <param name="Name">Its name in the first line.</param>
/// <param name="Title">What it is called.</param>
/// <param name="Description">What it says, its unit, and what an empty cell means.</param>
/// <param name="Type">The datatype of its cells, of XML Schema.</param>
internal sealed record TableColumn(string Name, string Title, string Description, string Type = "string")
{
    /// <summary>The least value that may stand; none when null.</summary>
    public double? Minimum { get; init; }

    /// <summary>The largest value that may stand; none when null.</summary>
    public double? Maximum { get; init; }

    /// <summary>Whether every row has it.</summary>
    public bool Required { get; init; }

    /// <summary>The unit of its numbers in words; empty when a column of its own says it, or there is none.</summary>
    public string Unit { get; init; } = "";
}

/// <summary>
/// What stands beside a CSV file so that programs read it rightly: metadata of W3C's CSV on the Web
/// (https://www.w3.org/TR/tabular-metadata/), with Dublin Core, schema.org and PROV for where it comes from.
/// </summary>
internal static class TableMetadata
{
    /// <summary>The media type of what is written.</summary>
    public const string MediaType = "application/csvm+json";

    /// <summary>What the standard appends to a CSV file's name for its metadata.</summary>
    public const string FileSuffix = "-metadata.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = true, IndentSize = 1, NewLine = "\n",
    };

    /// <summary>Describes a table.</summary>
    /// <param name="url">The CSV file, relative to where the metadata stands.</param>
    /// <param name="properties">Title, origin and the like, by prefixed name (<c>dc:title</c>).</param>
    /// <param name="columns">Its columns in order.</param>
    public static string Write(string url, IEnumerable<KeyValuePair<string, JsonNode?>> properties, IEnumerable<TableColumn> columns)
    {
        JsonObject table = new()
        {
            ["@context"] = new JsonArray("http://www.w3.org/ns/csvw", new JsonObject { ["@language"] = "en" }), ["url"] = url,
        };
        foreach ((string name, JsonNode? value) in properties)
        {
            table[name] = value;
        }

        table["dialect"] = new JsonObject { ["encoding"] = "utf-8", ["delimiter"] = ",", ["header"] = true, ["doubleQuote"] = true };
        table["tableSchema"] = new JsonObject { ["columns"] = new JsonArray([.. columns.Select(Column)]) };
        return table.ToJsonString(Json) + "\n";
    }

    /// <summary>A time as a typed value.</summary>
    public static JsonObject Time(DateTimeOffset time) => new()
    {
        ["@value"] = time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture),
        ["@type"] = "xsd:dateTime",
    };

    private static JsonNode Column(TableColumn column)
    {
        JsonObject type = new() { ["base"] = column.Type };
        if (column.Minimum is { } minimum)
        {
            type["minimum"] = minimum;
        }

        if (column.Maximum is { } maximum)
        {
            type["maximum"] = maximum;
        }

        JsonObject described = new()
        {
            ["name"] = column.Name, ["titles"] = new JsonArray(column.Name, column.Title), ["dc:description"] = column.Description,
            ["datatype"] = type, ["null"] = "",
        };
        if (column.Required)
        {
            described["required"] = true;
        }

        if (column.Unit.Length > 0)
        {
            described["schema:unitText"] = column.Unit;
        }

        return described;
    }
}
