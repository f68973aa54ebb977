namespace EmrMarket.Analytics.Mechanisms;

/// <summary>The arrays that a ladder fills: one per wanted grade, however often it was asked for.</summary>
internal static class LadderOutputs
{
    /// <summary>Allocates the arrays; index 0 is unused, a grade that is not wanted has none.</summary>
    /// <returns>The arrays by grade, and the lowest wanted grade (one above the top when none is wanted).</returns>
    /// <exception cref="ArgumentOutOfRangeException">A grade is not in 1..count.</exception>
    public static (T[]?[] Wanted, int Lowest) Allocate<T>(ReadOnlySpan<int> grades, int count, long length)
    {
        var wanted = new T[]?[count + 1];
        int lowest = count + 1;
        foreach (int grade in grades)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(grade, 1, nameof(grades));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(grade, count, nameof(grades));
            wanted[grade] ??= GC.AllocateUninitializedArray<T>(checked((int)length));
            lowest = Math.Min(lowest, grade);
        }

        return (wanted, lowest);
    }

    /// <summary>The report columns in the order asked for.</summary>
    public static IReadOnlyList<ReportColumn> Collect(ReadOnlySpan<int> grades, Func<int, ReportColumn> reports)
    {
        var columns = new ReportColumn[grades.Length];
        for (int i = 0; i < columns.Length; i++)
        {
            columns[i] = reports(grades[i]);
        }

        return columns;
    }
}
