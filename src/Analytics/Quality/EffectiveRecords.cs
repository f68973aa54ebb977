namespace EmrMarket.Analytics.Quality;

/// <summary>Effective records: how many unperturbed records would tell as much (docs/ESTIMATORS.md, "Effective records").</summary>
public static class EffectiveRecords
{
    /// <summary>
    /// (sum n_h)^2 / sum(M_h / Q_h): n Q at one grade. M_h is the number of records, or the sum of squared sizes of the groups of records
    /// that share one draw (Kish 1965: repeating a draw adds weight, not information).
    /// </summary>
    /// <param name="grades">Per grade: records, sum of squared group sizes, quality in 0..1.</param>
    public static double Of(IEnumerable<(long Records, long SumSquaredSizes, double Quality)> grades)
    {
        ArgumentNullException.ThrowIfNull(grades);
        double records = 0;
        double variance = 0;
        foreach ((long n, long squares, double quality) in grades)
        {
            records += n;
            variance += squares / quality;
        }

        return records == 0 ? 0 : records * records / variance;
    }
}
