namespace EmrMarket.Silos.Records.Mapping;

/// <summary>Where a resource, or a row of a table, stands.</summary>
/// <param name="File">The index in <see cref="MappingReport.Files"/>.</param>
/// <param name="Type">The index in <see cref="MappingReport.Types"/>; -1 while it is not known.</param>
/// <param name="Line">The line on which it begins, or on which it is no JSON any more; from 1.</param>
/// <param name="Offset">Bytes before that place, unpacked; -1 where that is not told.</param>
/// <param name="Index">The how many-eth of its file it is, from 1.</param>
internal readonly record struct Place(int File, int Type, long Line, long Offset, long Index);

/// <summary>What an issue is: the codes of FHIR's value set <c>issue-type</c> (http://hl7.org/fhir/R4/valueset-issue-type.html) that a load
/// can tell.</summary>
internal enum IssueCode
{
    /// <summary>It is no JSON, or not of the shape that the specification, or the table, has.</summary>
    Structure = 0,

    /// <summary>A member that the mapping needs is missing.</summary>
    Required,

    /// <summary>A value is of another type, unreadable, or none that the schema declares.</summary>
    Value,

    /// <summary>It refers to a person or visit that no file has.</summary>
    NotFound,

    /// <summary>A person or visit that was there before.</summary>
    Duplicate,

    /// <summary>Several values where one is needed.</summary>
    MultipleMatches,

    /// <summary>It is larger or deeper than the limits allow.</summary>
    TooLong,

    /// <summary>A form that is not read here.</summary>
    NotSupported,

    /// <summary>A rule of the schema about several rows of a person.</summary>
    BusinessRule,
}

/// <summary>A resource, row or value that was left out, and why. Holds no value of a record; an id only in <see cref="Unit"/>, for the
/// site's own eyes.</summary>
/// <param name="Code">What kind of issue.</param>
/// <param name="Place">Where; null where it is the whole row's of a person or visit.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Expression">The path in the resource, the column of the table, or the column of the mapped file; empty for all of
/// it.</param>
internal sealed record MappingIssue(IssueCode Code, Place? Place, string Message, string Expression = "")
{
    /// <summary>The person or visit whose row it is; null where a place says so.</summary>
    public string? Unit { get; init; }

    /// <summary>The stable code of the schema's reading that refused a value, such as <c>unknown-label</c>; null for others.</summary>
    public string? Reading { get; init; }
}

/// <summary>How many of a type were read, were of use, and were left out.</summary>
internal sealed class TypeCount(string name)
{
    /// <summary>The type of resource, or the table.</summary>
    public string Name => name;

    /// <summary>All that were read.</summary>
    public long Read { get; set; }

    /// <summary>Those that a source of the mapping took.</summary>
    public long Used { get; set; }

    /// <summary>Those that were left out since something is wrong with them.</summary>
    public long LeftOut { get; set; }
}

/// <summary>What became of all that a load read. Its memory is bounded: the first issues in full, the number of the others.</summary>
internal sealed class MappingReport(MappingLimits limits)
{
    private readonly List<MappingIssue> _issues = [];
    private readonly List<string> _notes = [];
    private readonly List<string> _files = [];
    private readonly List<TypeCount> _types = [];
    private readonly Dictionary<string, int> _typeIndex = new(StringComparer.Ordinal);

    /// <summary>The files, as the user named them.</summary>
    public IReadOnlyList<string> Files => _files;

    /// <summary>What is worth knowing and no fault of a resource or row: what was not read, and where vocabularies differ.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>What was read by type.</summary>
    public IReadOnlyList<TypeCount> Types => _types;

    /// <summary>The first issues in full.</summary>
    public IReadOnlyList<MappingIssue> Issues => _issues;

    /// <summary>How many issues there are in all.</summary>
    public long TotalIssues { get; private set; }

    /// <summary>Rows of the mapped file.</summary>
    public long Rows { get; set; }

    /// <summary>Rows that were left out, since they miss their person or the schema refuses a value.</summary>
    public long RowsLeftOut { get; set; }

    /// <summary>Begins a file.</summary>
    public int AddFile(string file)
    {
        _files.Add(file);
        return _files.Count - 1;
    }

    /// <summary>The index of a type. Types are of a small set: a caller keeps unknown names of its input away.</summary>
    public int TypeOf(string name)
    {
        if (!_typeIndex.TryGetValue(name, out int index))
        {
            _typeIndex.Add(name, index = _types.Count);
            _types.Add(new TypeCount(name));
        }

        return index;
    }

    /// <summary>Notes something that is no fault.</summary>
    public void Note(string text)
    {
        if (_notes.Count < limits.ListedIssues)
        {
            _notes.Add(text);
        }
    }

    /// <summary>Notes an issue.</summary>
    public void Add(MappingIssue issue)
    {
        TotalIssues++;
        if (_issues.Count < limits.ListedIssues)
        {
            _issues.Add(issue);
        }
    }
}
