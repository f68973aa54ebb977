using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>Some records of a table as a table of their own.</summary>
public static class RecordSubset
{
    /// <summary>The records at the given places; persons are numbered anew. Clipped values are not counted anew.</summary>
    public static RecordTable Take(RecordTable records, ReadOnlySpan<int> places)
    {
        ArgumentNullException.ThrowIfNull(records);
        int[] index = new int[records.PersonCount];
        Array.Fill(index, -1);
        int persons = 0;
        int[] personIndex = new int[places.Length];
        for (int i = 0; i < places.Length; i++)
        {
            ref int person = ref index[records.PersonIndex[places[i]]];
            person = person < 0 ? persons++ : person;
            personIndex[i] = person;
        }

        int[] kept = places.ToArray();
        return new RecordTable
        {
            RecordKeys = Pick(records.RecordKeys, kept),
            PersonKeys = Pick(records.PersonKeys, kept),
            PersonIndex = personIndex,
            PersonCount = persons,
            Columns =
            [
                .. records.Columns.Select(c => new RecordColumn
                {
                    Attribute = c.Attribute, Codes = Pick(c.Codes, kept), Fractions = c.Fractions is null ? null : Pick(c.Fractions, kept),
                }),
            ],
        };
    }

    /// <summary>
    /// A random choice of at most <paramref name="count"/> records, a function of the key (32 bytes); all records when there are no more.
    /// </summary>
    public static RecordTable Sample(RecordTable records, int count, byte[] key)
    {
        ArgumentNullException.ThrowIfNull(records);
        if (count >= records.Count)
        {
            return records;
        }

        using var random = new KeyedRandom(key);
        return Take(records, random.Sample(records.Count, count));
    }

    private static T[] Pick<T>(T[] values, int[] places)
    {
        var picked = new T[places.Length];
        for (int i = 0; i < picked.Length; i++)
        {
            picked[i] = values[places[i]];
        }

        return picked;
    }
}
