using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records.Mapping;

/// <summary>A mapping whose parts fit together. What its expressions say is checked by the reader of its kind, when it compiles
/// them.</summary>
internal sealed class RecordMapping
{
    private const string Fix = "docs/FHIR.md describes the mapping.";

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    private RecordMapping(string file, MappingDocument document, int[] sourceOf, MappedUnit[] unitOf) =>
        (File, Document, SourceOf, UnitOf) = (file, document, sourceOf, unitOf);

    /// <summary>The mapping as the user named it, for messages.</summary>
    public string File { get; }

    /// <summary>What the file says.</summary>
    public MappingDocument Document { get; }

    /// <summary>By column: the index of its source.</summary>
    public IReadOnlyList<int> SourceOf { get; }

    /// <summary>By column: whose value it is.</summary>
    public IReadOnlyList<MappedUnit> UnitOf { get; }

    /// <summary>The header of the mapped file: the columns of ids, then the others.</summary>
    public IEnumerable<string> Header =>
        [Document.Rows.Record, .. Document.Rows.Person is { } person ? [person] : Array.Empty<string>(),
            .. Document.Columns.Select(c => c.Name)];

    /// <summary>Reads a mapping.</summary>
    /// <param name="json">The document.</param>
    /// <param name="file">What the user calls it.</param>
    /// <exception cref="InputException">It is no JSON, has unknown, missing or repeated members, or its parts do not fit
    /// together.</exception>
    public static RecordMapping Parse(string json, string file)
    {
        MappingDocument document;
        try
        {
            document = JsonSerializer.Deserialize<MappingDocument>(json, Options) ?? throw new JsonException("The document is null.");
        }
        catch (JsonException e)
        {
            throw new InputException(new InputProblem("mapping-json", file, e.LineNumber + 1 ?? 0, e.Path ?? "", e.Message, Fix));
        }

        return Check(document, file);
    }

    /// <summary>Whether the mapped rows are those of a layout of the schema.</summary>
    public bool Fits(Schema schema) => schema.Document.Layouts.Any(layout =>
        Header.ToHashSet(StringComparer.Ordinal).SetEquals(
            SchemaCompiler.ColumnsRead(schema.Document, layout).Concat(layout.DirectIdentifiers ?? []).Concat(layout.Ignored ?? [])));

    /// <summary>The built-in mappings whose rows are those of a layout of a schema.</summary>
    public static IReadOnlyList<RecordMapping> Fitting(Schema schema) =>
        [.. DataFolder.MappingNames.Select(DataFolder.LoadMapping).Where(mapping => mapping.Fits(schema))];

    /// <summary>Refuses a part of the mapping.</summary>
    /// <param name="code">A code, beginning with <c>mapping-</c>.</param>
    /// <param name="part">Which part, for example <c>columns.bmi.value</c>.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="fix">How to mend it; null to point at the documentation.</param>
    public InputException Refuse(string code, string part, string message, string? fix = null) => Refusal(File, code, part, message, fix);

    private static RecordMapping Check(MappingDocument document, string file)
    {
        InputException Refuse(string code, string part, string message, string? fix = null) => Refusal(file, code, part, message, fix);
        if (document.Format != 1)
        {
            throw Refuse("mapping-format", "format", "the format is not 1");
        }

        if (document.Name.Length is 0 or > 64
            || document.Name.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('_' or '-')))
        {
            throw Refuse("mapping-name", "name", "a name has 1 to 64 lower-case letters, digits, '_' and '-'");
        }

        bool visits = document.Rows.Per == MappedUnit.Visit;
        if (visits != document.Rows.Person is not null)
        {
            throw Refuse("mapping-rows", "rows.person", "rows per visit name a column of persons, rows per person do not");
        }

        if (document.Sources.Count is 0 or > 256 || document.Columns.Count is 0 or > 1024)
        {
            throw Refuse("mapping-empty", "sources", "a mapping has 1 to 256 sources and 1 to 1,024 columns");
        }

        Distinct([.. document.Sources.Select(source => source.Name)], "sources");
        Distinct([document.Rows.Record, .. document.Rows.Person is { } person ? [person] : Array.Empty<string>(),
            .. document.Columns.Select(c => c.Name)],
            "columns");
        foreach (MappingSource source in document.Sources.Where(source => !visits
            && (source.Visit is not null || source.Defines == MappedUnit.Visit)))
        {
            throw Refuse("mapping-source", $"sources.{source.Name}.visit", "rows are persons, so that no visit is read");
        }

        if (document.Sources.FirstOrDefault(source => source.Defines == MappedUnit.Visit && source.Visit is null) is { } nameless)
        {
            throw Refuse("mapping-source", $"sources.{nameless.Name}.visit", "a source that defines visits says which");
        }

        if (!document.Sources.Any(source => source.Defines == document.Rows.Per))
        {
            throw Refuse("mapping-rows", "sources", $"no source defines what has a row: {(visits ? "visits" : "persons")}",
                $"Give one of them \"defines\": \"{(visits ? "visit" : "person")}\".");
        }

        int[] sourceOf = new int[document.Columns.Count];
        var unitOf = new MappedUnit[document.Columns.Count];
        for (int c = 0; c < sourceOf.Length; c++)
        {
            MappingColumn column = document.Columns[c];
            string part = "columns." + column.Name;
            sourceOf[c] = document.Sources.ToList().FindIndex(source => source.Name == column.Source);
            MappingSource source = sourceOf[c] >= 0 ? document.Sources[sourceOf[c]]
                : throw Refuse("mapping-column", part + ".source", "there is no such source");
            unitOf[c] = column.Per ?? (visits && source.Visit is not null && source.Defines != MappedUnit.Person ? MappedUnit.Visit
                : MappedUnit.Person);
            if (document.Kind != MappingKind.Omop && (column.Concepts is not null || column.Descendants))
            {
                throw Refuse("mapping-column", part + ".concepts", "concepts are of OMOP's tables; resources have codes");
            }

            if (column.Concepts is { } concepts && (column.Value is null || concepts.Count == 0))
            {
                throw Refuse("mapping-column", part + ".concepts",
                    "a list of concepts has one or more, and a value that is held against it");
            }

            CheckColumn(column, source, unitOf[c], visits, (member, message) =>
                throw Refuse("mapping-column", $"{part}.{member}", message));
        }

        return new RecordMapping(file, document, sourceOf, unitOf);

        void Distinct(string[] names, string part)
        {
            if (names.Any(name => name.Length is 0 or > 128 || name.Any(char.IsControl)))
            {
                throw Refuse("mapping-name", part, "a name has 1 to 128 characters, none of control");
            }

            if (names.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } repeated)
            {
                throw Refuse("mapping-duplicate", $"{part}.{repeated.Key}", "the name is given twice");
            }
        }
    }

    private static void CheckColumn(MappingColumn column, MappingSource source, MappedUnit unit, bool visits, Action<string, string> refuse)
    {
        if (unit == MappedUnit.Visit && (!visits || source.Visit is null))
        {
            refuse("per", "a value of a visit needs rows per visit and a source that knows visits");
        }

        bool counts = column.Summary is Summary.Exists or Summary.Count,
            computes = column.Summary is Summary.Min or Summary.Max or Summary.Mean;
        if (column.Value is null && !counts)
        {
            refuse("value", "only 'exists' and 'count' do without a value");
        }

        if (column.Codes is { } codes && (column.Value is null || codes.Count == 0))
        {
            refuse("codes", "a list of codes has one or more, and a value that is held against it");
        }

        if (column.Summary == Summary.Only && source.Defines != unit)
        {
            refuse("summary", "'only' is for what a source says that defines the unit; take 'first' or 'last' elsewhere");
        }

        if (column.Summary is Summary.First or Summary.Last && source.Date is null)
        {
            refuse("summary", "'first' and 'last' need a source with a date");
        }

        if (column.As is not null && counts || column.As == ValueForm.Text && computes)
        {
            refuse("as", "'exists' and 'count' take values as they are, 'min', 'max' and 'mean' take numbers");
        }

        bool age = column.As == ValueForm.Age;
        if (age && column.Summary != Summary.Only || age && (column.Codes is not null || column.Concepts is not null))
        {
            refuse("as", "an age has the summary 'only', and no codes or concepts");
        }

        bool day = column.At is "last" || column.At is "visit" && visits
            || DateOnly.TryParseExact(column.At, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);
        if (age != column.At is not null || age && !day)
        {
            refuse("at", "an age, and nothing else, is taken 'at' a date (YYYY-MM-DD), 'last' or, where rows are visits, 'visit'");
        }

        if (column.Digits is { } digits && (column.Summary != Summary.Mean || digits is < 0 or > 6))
        {
            refuse("digits", "a mean, and nothing else, has 0 to 6 digits");
        }
    }

    private static InputException Refusal(string file, string code, string part, string message, string? fix) =>
        new(new InputProblem(code, file, 0, part, message, fix ?? Fix));
}
