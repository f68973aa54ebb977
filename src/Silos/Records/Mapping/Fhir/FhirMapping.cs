using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping.Fhir.Paths;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>A column's paths.</summary>
/// <param name="Index">The column.</param>
/// <param name="Where">Its condition; null for none.</param>
/// <param name="Value">Its value; null for none.</param>
internal sealed record ColumnPaths(int Index, PathNode? Where, PathNode? Value);

/// <summary>A source's paths.</summary>
/// <param name="Index">The source.</param>
/// <param name="Source">What the mapping says of it.</param>
/// <param name="Where">Its condition; null for none.</param>
/// <param name="Person">Whose it is.</param>
/// <param name="Visit">Of which visit; null for none.</param>
/// <param name="Date">When; null for none.</param>
/// <param name="Columns">The columns that it fills.</param>
internal sealed record SourcePaths(
    int Index, MappingSource Source, PathNode? Where, PathNode Person, PathNode? Visit, PathNode? Date, ColumnPaths[] Columns)
{
    /// <summary>All of them.</summary>
    public IEnumerable<PathNode> Paths =>
        new[] { Where, Person, Visit, Date }.Concat(Columns.SelectMany(column => new[] { column.Where, column.Value })).OfType<PathNode>();
}

/// <summary>A mapping of FHIR resources with its paths read and checked.</summary>
internal sealed class FhirMapping
{
    private readonly Dictionary<string, SourcePaths[]> _byType;

    private FhirMapping(RecordMapping mapping, Dictionary<string, SourcePaths[]> byType)
    {
        (Mapping, _byType) = (mapping, byType);
        FollowsMedications = byType.Values.SelectMany(sources => sources).SelectMany(source => source.Paths)
            .Any(path => path.Has(PathFunction.Resolve));
    }

    /// <summary>The mapping.</summary>
    public RecordMapping Mapping { get; }

    /// <summary>Whether a path follows references to Medications.</summary>
    public bool FollowsMedications { get; }

    /// <summary>The sources that read a type of resource.</summary>
    public SourcePaths[] For(string type) => _byType.TryGetValue(type, out SourcePaths[]? sources) ? sources : [];

    /// <summary>Reads a mapping's paths.</summary>
    /// <exception cref="InputException">It is no mapping of FHIR, a path is not in the subset, or one asks for a direct
    /// identifier.</exception>
    public static FhirMapping Compile(RecordMapping mapping)
    {
        MappingDocument document = mapping.Document;
        if (document.Kind != MappingKind.Fhir)
        {
            throw mapping.Refuse("mapping-kind", "kind", "this mapping is not one of FHIR resources",
                "Name a mapping with \"kind\": \"fhir\".");
        }

        var sources = new List<SourcePaths>();
        for (int s = 0; s < document.Sources.Count; s++)
        {
            MappingSource source = document.Sources[s];
            string part = "sources." + source.Name;
            if (!FhirTypes.Resources.Contains(source.Reads))
            {
                throw mapping.Refuse("mapping-source", part + ".reads", $"'{source.Reads}' is no type of resource of FHIR R4");
            }

            PathNode? Read(string? path, string member) => path is null ? null : Parse(mapping, path, $"{part}.{member}");
            sources.Add(new SourcePaths(
                s, source, Read(source.Where, "where"), Read(source.Person, "person")!, Read(source.Visit, "visit"),
                    Read(source.Date, "date"),
                [.. Enumerable.Range(0, document.Columns.Count).Where(c => mapping.SourceOf[c] == s).Select(c => Column(mapping, c))]));
            if (source.Where is not null)
            {
                Refuse(mapping, sources[^1].Where!, part + ".where", onlyAge: false);
            }
        }

        return new FhirMapping(mapping, sources.GroupBy(source => source.Source.Reads, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.ToArray(), StringComparer.Ordinal));
    }

    private static ColumnPaths Column(RecordMapping mapping, int index)
    {
        MappingColumn column = mapping.Document.Columns[index];
        string part = "columns." + column.Name;
        PathNode? where = column.Where is null ? null : Parse(mapping, column.Where, part + ".where"),
            value = column.Value is null ? null : Parse(mapping, column.Value, part + ".value");
        if (where is not null)
        {
            Refuse(mapping, where, part + ".where", onlyAge: false);
        }

        if (value is not null)
        {
            Refuse(mapping, value, part + ".value", column.As == ValueForm.Age);
        }

        return new ColumnPaths(index, where, value);
    }

    private static PathNode Parse(RecordMapping mapping, string path, string part)
    {
        try
        {
            return PathParser.Parse(path);
        }
        catch (PathSyntaxException e)
        {
            throw mapping.Refuse("mapping-path", part, e.Message, "docs/FHIR.md lists the subset of FHIRPath that mappings have.");
        }
    }

    private static void Refuse(RecordMapping mapping, PathNode path, string part, bool onlyAge)
    {
        if (DirectIdentifiers.Reason(path, onlyAge) is { } reason)
        {
            throw mapping.Refuse("mapping-identifier", part, $"it would make {reason} part of a record",
                "Direct identifiers are never mapped; the ids of persons and visits come from 'person' and 'visit' of the source.");
        }
    }
}
