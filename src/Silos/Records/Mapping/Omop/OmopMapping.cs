using System.Globalization;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Omop;

/// <summary>A mapping of tables whose expressions are read.</summary>
internal sealed class OmopMapping
{
    private readonly List<MappedConcept> _compared = [];

    private OmopMapping(RecordMapping mapping) => Mapping = mapping;

    /// <summary>The mapping.</summary>
    public RecordMapping Mapping { get; }

    /// <summary>The tables that are read: persons first, then visits, then what belongs to them.</summary>
    public IReadOnlyList<OmopTable> Tables { get; private set; } = [];

    /// <summary>All concepts that the mapping names, with what it calls them.</summary>
    public IEnumerable<MappedConcept> Concepts => Mapping.Document.Columns.SelectMany(column => column.Concepts ?? []).Concat(_compared);

    /// <summary>The concepts of the columns that count what lies below them too.</summary>
    public ILookup<long, Dictionary<long, string>> Roots => Tables.SelectMany(table => table.Sources).SelectMany(source => source.Columns)
        .Where(column => Mapping.Document.Columns[column.Index].Descendants)
        .SelectMany(column => Mapping.Document.Columns[column.Index].Concepts!.Select(concept => (concept.Id, column.Labels!)))
        .ToLookup(pair => pair.Id, pair => pair.Item2);

    /// <summary>Reads the expressions.</summary>
    /// <exception cref="InputException">The mapping is none of OMOP, or an expression is none.</exception>
    public static OmopMapping Compile(RecordMapping mapping)
    {
        if (mapping.Document.Kind != MappingKind.Omop)
        {
            throw mapping.Refuse("mapping-kind", "kind", "the mapping is none of tables of OMOP",
                "Name one whose kind is 'omop' (docs/OMOP.md).");
        }

        OmopMapping compiled = new(mapping);
        List<OmopTable> tables = [];
        for (int s = 0; s < mapping.Document.Sources.Count; s++)
        {
            MappingSource source = mapping.Document.Sources[s];
            string part = "sources." + source.Name;
            if (!OmopTables.Readable.Contains(source.Reads, StringComparer.Ordinal))
            {
                throw Refuse(part + ".reads", $"there is no such table; there are {string.Join(", ", OmopTables.Readable)}");
            }

            OmopTable? table = tables.Find(known => known.Name == source.Reads);
            if (table is null)
            {
                tables.Add(table = new OmopTable(source.Reads));
            }

            table.Sources.Add(compiled.Source(table, s, part));
        }

        compiled.Tables = [.. tables.OrderBy(table => table.Sources.Min(source => mapping.Document.Sources[source.Index].Defines switch
        {
            MappedUnit.Person => 0,
            MappedUnit.Visit => 1,
            _ => 2,
        }))];
        return compiled;

        InputException Refuse(string at, string message) => mapping.Refuse("mapping-expression", at, message,
            "docs/OMOP.md describes expressions.");
    }

    private OmopSource Source(OmopTable table, int index, string part)
    {
        MappingSource source = Mapping.Document.Sources[index];
        return new OmopSource
        {
            Index = index,
            Defines = source.Defines,
            Where = Condition(table, source.Where, part + ".where"),
            Person = Column(table, source.Person, part + ".person", OmopType.Integer),
            Visit = source.Visit is { } visit ? Column(table, visit, part + ".visit", OmopType.Integer) : null,
            Date = source.Date is { } date ? Column(table, date, part + ".date", OmopType.Date) : null,
            Columns =
            [
                .. Enumerable.Range(0, Mapping.Document.Columns.Count).Where(c => Mapping.SourceOf[c] == index)
                    .Select(c => Value(table, c, "columns." + Mapping.Document.Columns[c].Name)),
            ],
        };
    }

    private OmopColumn Value(OmopTable table, int index, string part)
    {
        MappingColumn column = Mapping.Document.Columns[index];
        string[] parts = column.Value?.Split('-', StringSplitOptions.TrimEntries) ?? [];
        if (column.Codes is not null)
        {
            throw Refuse(part + ".codes", "codes are FHIR's; tables have concepts, each with its name");
        }

        if (column.Descendants && (column.Concepts is null || column.Summary is not (Summary.Exists or Summary.Count)))
        {
            throw Refuse(part + ".descendants", "what lies below a concept is counted by 'exists' and 'count' alone, and needs concepts");
        }

        if (parts.Length > 3 || (parts.Length > 1 && column.Concepts is not null))
        {
            throw Refuse(part + ".value", "a value is a column, or a year, a month and a day joined by '-'");
        }

        int[] columns = [.. parts.Select(name => Column(table, name, part + ".value", parts.Length > 1 || column.Concepts is not null
            ? OmopType.Integer : null))];
        foreach (int number in columns.Where(number => OmopTables.IsIdentifier(table.Columns[number])))
        {
            throw Refuse(part + ".value",
                $"'{table.Columns[number]}' leads to a person or a carer by itself and is never a value of a record");
        }

        Dictionary<long, string>? labels = null;
        foreach (MappedConcept concept in column.Concepts ?? [])
        {
            labels ??= [];
            if (!labels.TryAdd(concept.Id, concept.As ?? concept.Id.ToString(CultureInfo.InvariantCulture)))
            {
                throw Refuse(string.Create(CultureInfo.InvariantCulture, $"{part}.concepts.{concept.Id}"), "the concept is named twice");
            }
        }

        return new OmopColumn(index, Condition(table, column.Where, part + ".where"), columns, labels);
    }

    private OmopCondition? Condition(OmopTable table, string? text, string part)
    {
        try
        {
            return text is null ? null : OmopCondition.Parse(text, name =>
            {
                int number = Column(table, name, part, null);
                return (number, OmopTables.TypeOf(table.Columns[number]));
            }, _compared);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw Refuse(part, e.Message);
        }
    }

    private int Column(OmopTable table, string name, string part, OmopType? type)
    {
        if (!OmopTables.Columns(table.Name)!.Contains(name, StringComparer.Ordinal))
        {
            throw Refuse(part,
                $"'{table.Name}' of CDM 5.4 has no such column; it has {string.Join(", ", OmopTables.Columns(table.Name)!)}");
        }

        if (type is { } expected && OmopTables.TypeOf(name) != expected)
        {
            throw Refuse(part, $"'{name}' holds no {expected.ToString().ToLowerInvariant()}");
        }

        int known = table.Columns.IndexOf(name);
        if (known < 0)
        {
            known = table.Columns.Count;
            table.Columns.Add(name);
        }

        return known;
    }

    private InputException Refuse(string part, string message) => Mapping.Refuse("mapping-expression", part, message,
        "docs/OMOP.md describes expressions.");
}

/// <summary>A table that is read.</summary>
/// <param name="Name">Its name.</param>
internal sealed record OmopTable(string Name)
{
    /// <summary>The columns that are needed; expressions name them by their places here.</summary>
    public List<string> Columns { get; } = [];

    /// <summary>What is made of its rows.</summary>
    public List<OmopSource> Sources { get; } = [];
}

/// <summary>A source of a mapping, with its expressions.</summary>
internal sealed record OmopSource
{
    public required int Index { get; init; }

    public required MappedUnit? Defines { get; init; }

    public required OmopCondition? Where { get; init; }

    public required int Person { get; init; }

    public required int? Visit { get; init; }

    public required int? Date { get; init; }

    public required IReadOnlyList<OmopColumn> Columns { get; init; }
}

/// <summary>A column of the mapped file, with its expressions.</summary>
/// <param name="Index">Its place among the mapping's columns.</param>
/// <param name="Where">Which rows count; null for all.</param>
/// <param name="Value">The columns of its value: none, one, or the parts of a date.</param>
/// <param name="Labels">What concepts become; null where the value is taken as it is. Grows by what lies below them.</param>
internal sealed record OmopColumn(int Index, OmopCondition? Where, int[] Value, Dictionary<long, string>? Labels);
