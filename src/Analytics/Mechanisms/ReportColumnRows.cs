namespace EmrMarket.Analytics.Mechanisms;

/// <summary>Reports of some records out of many.</summary>
public static class ReportColumnRows
{
    /// <summary>The reports at these places, in this order.</summary>
    /// <exception cref="ArgumentException">The reports are of an unknown form.</exception>
    public static ReportColumn Take(this ReportColumn column, int[] places) => column switch
    {
        CodeReports codes => new CodeReports(Pick(codes.Codes, places)),
        HashReports hashes => new HashReports(Pick(hashes.Multipliers, places), Pick(hashes.Addends, places), Pick(hashes.Cells, places)),
        SetReports sets => new SetReports(PickRows(sets, places), sets.WordsPerReport),
        _ => throw new ArgumentException($"Reports of the form {column?.GetType().Name} are not known.", nameof(column)),
    };

    private static T[] Pick<T>(T[] values, int[] places)
    {
        T[] picked = new T[places.Length];
        for (int i = 0; i < places.Length; i++)
        {
            picked[i] = values[places[i]];
        }

        return picked;
    }

    private static ulong[] PickRows(SetReports sets, int[] places)
    {
        int width = sets.WordsPerReport;
        ulong[] picked = new ulong[places.Length * width];
        for (int i = 0; i < places.Length; i++)
        {
            sets.Words.AsSpan(places[i] * width, width).CopyTo(picked.AsSpan(i * width));
        }

        return picked;
    }
}
