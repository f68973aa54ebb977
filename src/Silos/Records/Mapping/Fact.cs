namespace EmrMarket.Silos.Records.Mapping;

/// <summary>What one resource, or one row of a table, says by one source of the mapping. Filled anew for each, so that nothing is
/// allocated.</summary>
internal sealed class Fact
{
    private readonly List<(int Column, string Text)> _values = [];

    /// <summary>The index of the source.</summary>
    public int Source { get; private set; }

    /// <summary>Where it stands.</summary>
    public Place Place { get; private set; }

    /// <summary>The id of the person.</summary>
    public string? Person { get; set; }

    /// <summary>The id of the visit; null for none.</summary>
    public string? Visit { get; set; }

    /// <summary>For a source that defines persons or visits: another name by which what it defines may be mentioned; null for
    /// none.</summary>
    public string? Alias { get; set; }

    /// <summary>When; null where that is not known.</summary>
    public MappedDate? Date { get; set; }

    /// <summary>The values, each with its column.</summary>
    public IReadOnlyList<(int Column, string Text)> Values => _values;

    /// <summary>Begins the next one.</summary>
    public void Begin(int source, in Place place)
    {
        (Source, Place, Person, Visit, Alias, Date) = (source, place, null, null, null, null);
        _values.Clear();
    }

    /// <summary>Adds a value of a column, which passed the column's <c>where</c>. For a column without a value: an empty text. Several
    /// values of one column are allowed where the summary does not take them as a value (<see cref="Summary.Exists"/>, <see
    /// cref="Summary.Count"/>) or where codes choose one.</summary>
    public void Add(int column, string text) => _values.Add((column, text));
}
