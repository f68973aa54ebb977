using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Tests.Records;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Maps texts as a load does, and reads back the file that it wrote.</summary>
internal sealed class MappedTexts : IDisposable
{
    private readonly TestFolder _folder = new();
    private int _files;

    /// <summary>A mapping of persons: sex, age, how many observations, their last, least, greatest, first and mean value, and whether there
    /// is a condition of a list.</summary>
    public const string Persons =
        """
        { "format": 1, "kind": "fhir", "name": "t", "version": "1", "title": "t", "rows": { "per": "person", "record": "id" },
          "sources": [
            { "name": "p", "reads": "Patient", "defines": "person", "person": "id" },
            { "name": "o", "reads": "Observation", "person": "subject", "date": "effective.ofType(dateTime)" },
            { "name": "c", "reads": "Condition", "person": "subject" }
          ],
          "columns": [
            { "name": "sex", "source": "p", "value": "gender", "summary": "only" },
            { "name": "age", "source": "p", "value": "birthDate", "summary": "only", "as": "age", "at": "2020-06-15" },
            { "name": "count", "source": "o", "summary": "count" },
            { "name": "last", "source": "o", "value": "value.ofType(Quantity).value", "summary": "last" },
            { "name": "first", "source": "o", "value": "value.ofType(Quantity).value", "summary": "first" },
            { "name": "min", "source": "o", "value": "value.ofType(Quantity).value", "summary": "min" },
            { "name": "max", "source": "o", "value": "value.ofType(Quantity).value", "summary": "max" },
            { "name": "mean", "source": "o", "value": "value.ofType(Quantity).value", "summary": "mean", "digits": 1 },
            { "name": "ill", "source": "c", "value": "code.coding.code", "codes": ["x", "y"], "summary": "exists" }
          ] }
        """;

    /// <summary>A mapping of visits.</summary>
    public const string Visits =
        """
        { "format": 1, "kind": "fhir", "name": "t", "version": "1", "title": "t",
          "rows": { "per": "visit", "record": "visit", "person": "id" },
          "sources": [
            { "name": "p", "reads": "Patient", "defines": "person", "person": "id" },
            { "name": "e", "reads": "Encounter", "defines": "visit", "person": "subject", "visit": "id", "date": "period.start" },
            { "name": "o", "reads": "Observation", "person": "subject", "visit": "encounter" }
          ],
          "columns": [
            { "name": "sex", "source": "p", "value": "gender", "summary": "only" },
            { "name": "age", "source": "p", "value": "birthDate", "summary": "only", "as": "age", "at": "visit" },
            { "name": "class", "source": "e", "value": "class.code", "summary": "only" },
            { "name": "here", "source": "o", "summary": "count" },
            { "name": "ever", "source": "o", "per": "person", "summary": "count" }
          ] }
        """;

    /// <summary>A place in the folder.</summary>
    public string Place(string name) => _folder.Place(name);

    /// <summary>Writes a file.</summary>
    public string File(string text, string? name = null) => _folder.Write(name ?? $"file-{++_files}", text);

    /// <summary>Writes a file.</summary>
    public string File(byte[] bytes, string? name = null) => _folder.Write(name ?? $"file-{++_files}", bytes);

    /// <summary>Maps files: the rows by id, without the id, and the report.</summary>
    public (SortedDictionary<string, string> Rows, MappingReport Report) Map(string mapping, IReadOnlyList<string> files,
        MappingLimits? limits = null)
    {
        RowAccumulator read = FhirReader.Read(
            RecordMapping.Parse(mapping, "mapping"), files, limits ?? MappingLimits.Default, CancellationToken.None);
        string output = _folder.Place("rows.csv");
        MappedRecords.Write(read, output, CancellationToken.None);
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string line in System.IO.File.ReadAllLines(output)[1..])
        {
            rows.Add(line[..line.IndexOf(',', StringComparison.Ordinal)], line[(line.IndexOf(',', StringComparison.Ordinal) + 1)..]);
        }

        return (rows, read.Report);
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>A patient.</summary>
    public static string Patient(string id, string rest = "\"gender\":\"female\"") => $$"""{"resourceType":"Patient","id":"{{id}}",{{rest}}}""";

    /// <summary>An observation of a number.</summary>
    public static string Observation(string reference, string date, string value) => $$$"""
        {"resourceType":"Observation","subject":{"reference":"{{{reference}}}"},"effectiveDateTime":"{{{date}}}","valueQuantity":{"value":{{{value}}}}}
        """;

    /// <summary>A bundle of entries.</summary>
    public static string Bundle(params IEnumerable<string> entries) =>
        $$"""{"resourceType":"Bundle","type":"collection","entry":[{{string.Join(',', entries)}}]}""";

    /// <summary>An entry.</summary>
    public static string Entry(string fullUrl, string resource) => $$"""{"fullUrl":"{{fullUrl}}","resource":{{resource}}}""";
}
