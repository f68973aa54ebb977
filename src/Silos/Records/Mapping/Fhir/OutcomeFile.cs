using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>
/// What became of a load as an OperationOutcome of FHIR R4 (http://hl7.org/fhir/R4/operationoutcome.html): an issue for each resource or
/// row that was left out, the first hundred in full, and one that counts. It holds no value of a record; ids are for the site's own eyes.
/// </summary>
internal static class OutcomeFile
{
    private static readonly JsonWriterOptions Indented =
        new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The resource as JSON with a final line feed.</summary>
    public static string Text(MappingReport report)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Indented))
        {
            json.WriteStartObject();
            json.WriteString("resourceType", "OperationOutcome");
            json.WriteStartArray("issue");
            Write(json, "information", "informational", Summary(report), Counts(report), null);
            foreach (string note in report.Notes)
            {
                Write(json, "warning", "informational", note, null, null);
            }

            foreach (MappingIssue issue in report.Issues)
            {
                Write(json, "error", CodeOf(issue.Code), issue.Message, Where(report, issue), issue.Expression);
            }

            if (report.TotalIssues > report.Issues.Count)
            {
                Write(json, "warning", "incomplete", string.Create(
                    CultureInfo.InvariantCulture, $"{report.TotalIssues - report.Issues.Count} more issues are not listed"), null, null);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    /// <summary>What became of it in a sentence.</summary>
    public static string Summary(MappingReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{report.Types.Sum(type => type.Read)} resources or rows of {report.Files.Count} files gave {report.Rows} rows; "
            + $"{report.Types.Sum(type => type.Used)} were of use, {report.TotalIssues} issues, {report.RowsLeftOut} rows left out");

    /// <summary>Where an issue is: file, line, byte and the how many-eth resource, or the row.</summary>
    public static string Where(MappingReport report, MappingIssue issue)
    {
        var text = new StringBuilder();
        if (issue.Place is { } place)
        {
            text.Append(CultureInfo.InvariantCulture, $"{report.Files[place.File]}:{place.Line}");
            if (place.Offset >= 0)
            {
                text.Append(CultureInfo.InvariantCulture, $", byte {place.Offset}, resource {place.Index} of the file");
            }

            if (place.Type >= 0)
            {
                text.Append(CultureInfo.InvariantCulture, $", {report.Types[place.Type].Name}");
            }
        }

        if (issue.Unit is { } unit)
        {
            text.Append(text.Length > 0 ? "; " : "").Append(issue.Reading is null ? "id " : "row of id ").Append(unit);
        }

        return (issue.Reading is { } reading ? text.Append(CultureInfo.InvariantCulture, $" ({reading})") : text).ToString();
    }

    private static string Counts(MappingReport report) =>
        string.Join("; ", report.Types.OrderBy(type => type.Name, StringComparer.Ordinal).Select(
        type => string.Create(CultureInfo.InvariantCulture,
            $"{type.Name}: {type.Read} read, {type.Used} of use, {type.LeftOut} left out")));

    private static void Write(Utf8JsonWriter json, string severity, string code, string details, string? diagnostics, string? expression)
    {
        json.WriteStartObject();
        json.WriteString("severity", severity);
        json.WriteString("code", code);
        json.WriteStartObject("details");
        json.WriteString("text", details);
        json.WriteEndObject();
        if (diagnostics is { Length: > 0 })
        {
            json.WriteString("diagnostics", diagnostics);
        }

        if (expression is { Length: > 0 })
        {
            json.WriteStartArray("expression");
            json.WriteStringValue(expression);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    /// <summary>The code in the value set http://hl7.org/fhir/ValueSet/issue-type.</summary>
    private static string CodeOf(IssueCode code) => code switch
    {
        IssueCode.Structure => "structure",
        IssueCode.Required => "required",
        IssueCode.Value => "value",
        IssueCode.NotFound => "not-found",
        IssueCode.Duplicate => "duplicate",
        IssueCode.MultipleMatches => "multiple-matches",
        IssueCode.TooLong => "too-long",
        IssueCode.NotSupported => "not-supported",
        IssueCode.BusinessRule => "business-rule",
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "unknown code"),
    };
}
