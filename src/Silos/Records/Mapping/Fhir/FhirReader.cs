using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping.Fhir.Files;
using EmrMarket.Silos.Records.Mapping.Fhir.Paths;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>
/// Reads files of FHIR R4 into rows. Resources may be in any order, in one file or many. What is wrong with one of them is reported with
/// its place, and the others count; what is wrong with a file as a whole refuses all of them, so that no row is made of half of what is
/// known.
/// </summary>
internal sealed class FhirReader : ResourceSplitter
{
    private readonly FhirMapping _mapping;
    private readonly MappingReport _report;
    private readonly RowAccumulator _rows;
    private readonly PathContext _context;
    private readonly Fact _fact = new();
    private readonly List<PathItem> _items = [];
    private int _file;

    private FhirReader(FhirMapping mapping, MedicationTable? medications, MappingLimits limits) : base(limits)
    {
        (_mapping, _report) = (mapping, new MappingReport(limits));
        (_rows, _context) = (new RowAccumulator(mapping.Mapping, _report, limits), new PathContext(Tree, medications));
    }

    /// <summary>Reads files and folders to their end; where the mapping follows Medications, twice.</summary>
    /// <param name="mapping">The mapping.</param>
    /// <param name="paths">Files, and folders of files.</param>
    /// <param name="limits">What the load may take.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>All that they say, to be written.</returns>
    /// <exception cref="InputException">The mapping is none of FHIR, or a file as a whole cannot be read.</exception>
    public static RowAccumulator Read(
        RecordMapping mapping, IReadOnlyList<string> paths, MappingLimits limits, CancellationToken cancellationToken)
    {
        FhirMapping compiled = FhirMapping.Compile(mapping);
        IReadOnlyList<string> files = FhirPaths.Expand(paths);
        FhirReader reader = new(
            compiled, compiled.FollowsMedications ? MedicationReader.Read(files, limits, cancellationToken) : null, limits);
        foreach (string file in files)
        {
            reader.Begin();
            reader._file = reader._report.AddFile(limits.FileNamesOnly ? Path.GetFileName(file) : file);
            FhirFile.Read(file, limits, reader, cancellationToken);
            if (reader.Index == 0)
            {
                throw new InputException(new InputProblem("no-resources", file, 0, "", "the file holds no resource",
                    "Leave it out, or name another."));
            }
        }

        return reader._rows;
    }

    /// <inheritdoc/>
    protected override void TakeFault(ResourceFault fault, long line, long offset, long index) =>
        _report.Add(new MappingIssue(fault.Code, new Place(_file, -1, line, offset, index), fault.Message, fault.Path));

    /// <inheritdoc/>
    protected override void TakeResource(int root, string? fullUrl, long line, long offset, long index)
    {
        Place place = new(_file, -1, line, offset, index);
        string? type = Tree.Kind(root) == NodeKind.Object ? Tree.TextMember(root, "resourceType"u8) : null;
        if (type is null || !FhirTypes.Resources.Contains(type))
        {
            _report.Add(new MappingIssue(IssueCode.Structure, place,
                type is null ? "it is no resource: an object with a resourceType" : "its resourceType is none of FHIR R4", "resourceType"));
            return;
        }

        place = place with { Type = _report.TypeOf(type) };
        TypeCount count = _report.Types[place.Type];
        count.Read++;
        bool used = _mapping.FollowsMedications && type == "Medication", wrong = false;
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
        string? text = item.Kind != ItemKind.Node || Tree.Kind(item.Node) == NodeKind.String ? _context.Value(item) : null;
        if (text is not null && FhirReference.IsId(text))
        {
            id = text;
            return true;
        }

        FhirReference reference = FhirReference.Follow(
            text ?? (item.Kind == ItemKind.Node ? FhirReference.TextOf(Tree, item.Node) : ""));
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
