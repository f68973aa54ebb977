using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping.Fhir.Files;
using EmrMarket.Silos.Records.Mapping.Fhir.Paths;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>
/// Reads files of FHIR R4 into rows. Resources may be in any order, in one file or many. What is wrong with one of them is reported with
/// its place, and the others count; what is wrong with a file as a whole refuses all of them, so that no row is made of half of what is
/// known.
/// </summary>
internal sealed class FhirReader : IResourceSink
{
    private readonly FhirMapping _mapping;
    private readonly MappingReport _report;
    private readonly RowAccumulator _rows;
    private readonly ResourceTree _tree;
    private readonly PathContext _context;
    private readonly Fact _fact = new();
    private readonly List<PathItem> _items = [];
    private int _file;
    private long _index;

    private FhirReader(FhirMapping mapping, MappingLimits limits)
    {
        (_mapping, _report, _tree) = (mapping, new MappingReport(limits), new ResourceTree(limits.Depth));
        (_rows, _context) = (new RowAccumulator(mapping.Mapping, _report, limits), new PathContext(_tree));
    }

    /// <summary>Reads files and folders to their end.</summary>
    /// <param name="mapping">The mapping.</param>
    /// <param name="paths">Files, and folders of files.</param>
    /// <param name="limits">What the load may take.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>All that they say, to be written.</returns>
    /// <exception cref="InputException">The mapping is none of FHIR, or a file as a whole cannot be read.</exception>
    public static RowAccumulator Read(
        RecordMapping mapping, IReadOnlyList<string> paths, MappingLimits limits, CancellationToken cancellationToken)
    {
        var reader = new FhirReader(FhirMapping.Compile(mapping), limits);
        foreach (string file in FhirPaths.Expand(paths))
        {
            reader._file = reader._report.AddFile(limits.FileNamesOnly ? Path.GetFileName(file) : file);
            reader._index = 0;
            FhirFile.Read(file, limits, reader, cancellationToken);
            if (reader._index == 0)
            {
                throw new InputException(new InputProblem("no-resources", file, 0, "", "the file holds no resource",
                    "Leave it out, or name another."));
            }
        }

        return reader._rows;
    }

    /// <inheritdoc/>
    public void TooLarge(long line, long offset) =>
        _report.Add(new MappingIssue(IssueCode.TooLong, new Place(_file, -1, line, offset, ++_index),
            "the resource is larger than a resource may be"));

    /// <inheritdoc/>
    public void Take(ReadOnlySpan<byte> json, bool isEntry, long line, long offset)
    {
        var place = new Place(_file, -1, line, offset, ++_index);
        if (_tree.Parse(json) is { } fault)
        {
            _report.Add(new MappingIssue(fault.Code, place with { Offset = offset + fault.Offset }, fault.Message, fault.Path));
            return;
        }

        if (isEntry)
        {
            TakeEntry(0, place);
        }
        else if (_tree.TextMember(0, "resourceType"u8) == "Bundle" && _tree.Member(0, "entry"u8) is >= 0 and var entries)
        {
            // A bundle on a line of NDJSON.
            _index--;
            for (int entry = ResourceTree.First(entries); entry < _tree.End(entries); entry = _tree.End(entry))
            {
                TakeEntry(entry, place with { Index = ++_index });
            }
        }
        else
        {
            TakeResource(0, null, place);
        }
    }

    private void TakeEntry(int entry, in Place place)
    {
        if (_tree.Kind(entry) != NodeKind.Object)
        {
            _report.Add(new MappingIssue(IssueCode.Structure, place, "the bundle's entry is no object", "Bundle.entry"));
        }
        else if (_tree.Member(entry, "resource"u8) is >= 0 and var resource)
        {
            TakeResource(resource, _tree.TextMember(entry, "fullUrl"u8), place);
        }

        // An entry without a resource only says what a server is to do.
    }

    private void TakeResource(int root, string? fullUrl, Place place)
    {
        string? type = _tree.Kind(root) == NodeKind.Object ? _tree.TextMember(root, "resourceType"u8) : null;
        if (type is null || !FhirTypes.Resources.Contains(type))
        {
            _report.Add(new MappingIssue(IssueCode.Structure, place,
                type is null ? "it is no resource: an object with a resourceType" : "its resourceType is none of FHIR R4", "resourceType"));
            return;
        }

        int index = _report.TypeOf(type);
        place = place with { Type = index };
        TypeCount count = _report.Types[index];
        count.Read++;
        bool used = false, wrong = false;
        foreach (SourcePaths source in _mapping.For(type))
        {
            string expression = source.Source.Where ?? "";
            try
            {
                if (source.Where is { } where && !_context.Holds(where, root))
                {
                    continue;
                }

                if (!ReadFact(source, root, fullUrl, place, ref expression))
                {
                    continue;
                }

                used |= _rows.Add(_fact);
            }
            catch (PathException e)
            {
                _report.Add(new MappingIssue(e.Code, place, e.Message, $"{type}: {expression}"));
            }

            wrong |= !used;
        }

        count.Used += used ? 1 : 0;
        count.LeftOut += wrong && !used ? 1 : 0;
    }

    /// <summary>Reads what a resource says by a source; false when it says nothing, since it is about no person.</summary>
    private bool ReadFact(SourcePaths source, int root, string? fullUrl, in Place place, ref string expression)
    {
        _fact.Begin(source.Index, place);
        expression = source.Source.Person;
        if (!ReadId(source.Person, root, "Patient", out string? person))
        {
            return false;
        }

        string? visit = null;
        expression = source.Source.Visit ?? "";
        if (source.Visit is { } visits)
        {
            // A reference to something else than an encounter is as none.
            _ = ReadId(visits, root, "Encounter", out visit);
        }

        string? full = FhirReference.OfFullUrl(fullUrl);
        (_fact.Person, _fact.Visit) = source.Source.Defines switch
        {
            MappedUnit.Person => (person ?? full, visit),
            MappedUnit.Visit => (person, visit ?? full),
            _ => (person, visit),
        };
        _fact.Alias = source.Source.Defines is null ? null : full;
        if (source.Date is { } dates)
        {
            expression = source.Source.Date!;
            if (ReadOne(dates, root) is { } text)
            {
                _fact.Date = MappedDate.TryParse(text, out MappedDate date) ? date
                    : throw new PathException(IssueCode.Value, "it is no date or time");
            }
        }

        foreach (ColumnPaths column in source.Columns)
        {
            MappingColumn told = _mapping.Mapping.Document.Columns[column.Index];
            expression = told.Where ?? "";
            if (column.Where is { } where && !_context.Holds(where, root))
            {
                continue;
            }

            if (column.Value is not { } value)
            {
                _fact.Add(column.Index, "");
                continue;
            }

            expression = told.Value!;
            _context.Evaluate(value, root, _items);
            bool counts = told.Summary is Summary.Exists or Summary.Count && told.Codes is null;
            foreach (PathItem item in _items)
            {
                _fact.Add(column.Index, counts ? "" : _context.Value(item)
                    ?? throw new PathException(IssueCode.Value, $"what column '{told.Name}' takes is an object, not a value"));
                if (counts)
                {
                    break;
                }
            }
        }

        return true;
    }

    /// <summary>Reads an id, or the id of a reference; false when it refers to a resource of another type.</summary>
    private bool ReadId(PathNode path, int root, string type, out string? id)
    {
        id = null;
        _context.Evaluate(path, root, _items);
        if (_items.Count == 0)
        {
            return true;
        }

        if (_items.Count > 1)
        {
            throw new PathException(IssueCode.MultipleMatches, "it refers to several");
        }

        PathItem item = _items[0];
        string? text = item.Kind != ItemKind.Node || _tree.Kind(item.Node) == NodeKind.String ? _context.Value(item) : null;
        if (text is not null && FhirReference.IsId(text))
        {
            id = text;
            return true;
        }

        if (text is null && item.Kind == ItemKind.Node)
        {
            text = _tree.TextMember(item.Node, "reference"u8) ?? throw new PathException(
                IssueCode.NotSupported, "the reference is by an identifier or a name alone, which only a server can follow");
        }

        FhirReference reference = FhirReference.Parse(text ?? "", out string? reason) ?? throw new PathException(
            reason!.StartsWith("it is no", StringComparison.Ordinal) ? IssueCode.Value : IssueCode.NotSupported, reason);
        id = reference.Type is null || reference.Type == type ? reference.Id : null;
        return id is not null;
    }

    private string? ReadOne(PathNode path, int root)
    {
        _context.Evaluate(path, root, _items);
        return _items.Count switch
        {
            0 => null,
            1 => _context.Value(_items[0]) ?? throw new PathException(IssueCode.Value, "it is an object, not a value"),
            _ => throw new PathException(IssueCode.MultipleMatches, "it has several values where one is needed"),
        };
    }
}
