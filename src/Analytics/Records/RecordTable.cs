using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Records;

/// <summary>Raw records of one site in columns. Lives only at the site (or in an evaluator's own process).</summary>
public sealed class RecordTable
{
    /// <summary>Number of records n.</summary>
    public int Count => RecordKeys.Length;

    /// <summary>Per record: a 64-bit id, unique in the site, that keys the record's coins.</summary>
    public required ulong[] RecordKeys { get; init; }

    /// <summary>Per record: the 64-bit id of its person; several records may share it.</summary>
    public required ulong[] PersonKeys { get; init; }

    /// <summary>Per record: the dense index of its person, 0..PersonCount-1, for clustering.</summary>
    public required int[] PersonIndex { get; init; }

    /// <summary>Number of distinct persons.</summary>
    public required int PersonCount { get; init; }

    /// <summary>One column per attribute, in schema order.</summary>
    public required IReadOnlyList<RecordColumn> Columns { get; init; }

    /// <summary>The tables of a stream as one table; persons are matched across them. O(n).</summary>
    /// <param name="schema">The schema of the tables.</param>
    /// <param name="tables">The tables, in order; none gives an empty table.</param>
    public static RecordTable Concat(Schema schema, IReadOnlyList<RecordTable> tables)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(tables);
        if (tables.Count == 1)
        {
            return tables[0];
        }

        ulong[] persons = Join(tables, t => t.PersonKeys);
        var index = new KeyIndex(persons.Length);
        int[] personIndex = new int[persons.Length];
        for (int i = 0; i < persons.Length; i++)
        {
            personIndex[i] = index.Add(persons[i]).Index;
        }

        var columns = new RecordColumn[schema.Attributes.Count];
        for (int a = 0; a < columns.Length; a++)
        {
            int attribute = a;
            columns[a] = new RecordColumn
            {
                Attribute = schema.Attributes[a],
                Codes = Join(tables, t => t.Columns[attribute].Codes),
                Fractions = tables.Any(t => t.Columns[attribute].Fractions is not null)
                    ? Join(tables, t => t.Columns[attribute].Fractions ?? new uint[t.Count])
                    : null,
                Clipped = tables.Sum(t => t.Columns[attribute].Clipped),
            };
        }

        return new RecordTable
        {
            RecordKeys = Join(tables, t => t.RecordKeys),
            PersonKeys = persons,
            PersonIndex = personIndex,
            PersonCount = index.Count,
            Columns = columns,
        };
    }

    /// <summary>
    /// The records in tables of at most <paramref name="size"/> records, more only where one person has more: all records of a person are
    /// in one table, in their order. Each table is made when it is asked for. O(n) in all.
    /// </summary>
    public IEnumerable<RecordTable> InPersonBatches(int size)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        if (Count <= size)
        {
            yield return this;
            yield break;
        }

        // A counting sort by person keeps each person's records in their order.
        int[] starts = new int[PersonCount + 1];
        foreach (int person in PersonIndex)
        {
            starts[person + 1]++;
        }

        for (int person = 0; person < PersonCount; person++)
        {
            starts[person + 1] += starts[person];
        }

        int[] order = new int[Count], next = starts[..^1];
        for (int i = 0; i < order.Length; i++)
        {
            order[next[PersonIndex[i]]++] = i;
        }

        for (int first = 0, end; first < PersonCount; first = end)
        {
            end = first + 1;
            while (end < PersonCount && starts[end + 1] - starts[first] <= size)
            {
                end++;
            }

            yield return Take(order[starts[first]..starts[end]], first, end - first);
        }
    }

    private RecordTable Take(int[] records, int firstPerson, int persons) => new()
    {
        RecordKeys = Array.ConvertAll(records, i => RecordKeys[i]),
        PersonKeys = Array.ConvertAll(records, i => PersonKeys[i]),
        PersonIndex = Array.ConvertAll(records, i => PersonIndex[i] - firstPerson),
        PersonCount = persons,
        Columns =
        [
            .. Columns.Select(column => new RecordColumn
            {
                Attribute = column.Attribute,
                Codes = Array.ConvertAll(records, i => column.Codes[i]),
                Fractions = column.Fractions is { } fractions ? Array.ConvertAll(records, i => fractions[i]) : null,
            }),
        ],
    };

    private static T[] Join<T>(IReadOnlyList<RecordTable> tables, Func<RecordTable, T[]> part)
    {
        T[] whole = new T[tables.Sum(t => t.Count)];
        int at = 0;
        foreach (RecordTable table in tables)
        {
            T[] next = part(table);
            next.CopyTo(whole, at);
            at += next.Length;
        }

        return whole;
    }
}

/// <summary>The raw values of one attribute.</summary>
public sealed class RecordColumn
{
    /// <summary>The code that marks a missing value of a grid attribute (a categorical one has a label for it).</summary>
    public const ushort Missing = ushort.MaxValue;

    /// <summary>The attribute.</summary>
    public required AttributeDefinition Attribute { get; init; }

    /// <summary>
    /// Per record a code in 0..Size-1, or <see cref="Missing"/>. For a grid attribute with <see cref="Fractions"/>, the lower neighbouring
    /// cell.
    /// </summary>
    public required ushort[] Codes { get; init; }

    /// <summary>
    /// For grid attributes with values off the grid: per record the distance to the lower cell in cells, in 0..1, as a 32-bit fraction;
    /// otherwise null.
    /// </summary>
    public uint[]? Fractions { get; init; }

    /// <summary>Number of values that lay outside the declared bounds and were clipped.</summary>
    public int Clipped { get; init; }
}
