namespace EmrMarket.Analytics.Estimation;

/// <summary>
/// What one group of records contributes to a guarantee: public quantities of its channel and the sizes of its clusters, never its reports.
/// </summary>
/// <param name="Records">Number of records n.</param>
/// <param name="SumSquaredSizes">
/// The sum of squared sizes of the groups of records that share one draw; n when every record has its own.
/// </param>
/// <param name="MaxSize">The size of the largest such group.</param>
/// <param name="Range">The distance of the largest and smallest value that one report's estimate takes.</param>
/// <param name="MaxDeviation">The largest distance of one report's estimate from its expectation, over all truths.</param>
/// <param name="WorstVariance">The largest variance of one report's estimate, over all truths.</param>
public sealed record GuaranteeTerm(long Records, long SumSquaredSizes, int MaxSize, double Range, double MaxDeviation, double WorstVariance)
{
    /// <summary>
    /// The term of a frequency: R = 1/(p - q), max(p, 1 - q) R, max(p(1 - p), q(1 - q)) R^2 (docs/ESTIMATORS.md, "Guarantee").
    /// </summary>
    public static GuaranteeTerm Frequency(double p, double q, long records, long sumSquaredSizes, int maxSize)
    {
        double range = 1 / (p - q);
        return new GuaranteeTerm(
            records, sumSquaredSizes, maxSize, range, Math.Max(p, 1 - q) * range, Math.Max(p * (1 - p), q * (1 - q)) * range * range);
    }

    /// <summary>The same for records that each have their own draw.</summary>
    public static GuaranteeTerm Frequency(double p, double q, long records) => Frequency(p, q, records, records, 1);
}

/// <summary>
/// Half-widths known before the reports are: how far the `stratified` (or one grade's) estimate may lie from the value over these very
/// records. Nothing is guaranteed for ratios, quantiles, regressions, or for people beyond those matched.
/// </summary>
public static class Guarantee
{
    /// <summary>
    /// With probability at least <paramref name="confidence"/> all <paramref name="cells"/> errors are at most this: the smaller of
    /// Hoeffding's (1963, doi:10.1080/01621459.1963.10500830) and Bernstein's bound (Boucheron, Lugosi and Massart 2013, corollary 2.11,
    /// doi:10.1093/acprof:oso/9780199535255.001.0001) with a union over cells. Holds for every set of records.
    /// </summary>
    /// <returns>The half-width in the estimate's unit; 0 for attributes that are not randomised, infinite without records.</returns>
    public static double HalfWidth(IReadOnlyList<GuaranteeTerm> terms, int cells, double confidence)
    {
        ArgumentNullException.ThrowIfNull(terms);
        double level = Math.Log(2 * cells / (1 - confidence));
        double ranges = terms.Sum(t => t.SumSquaredSizes * t.Range * t.Range);
        double variances = terms.Sum(t => t.SumSquaredSizes * t.WorstVariance);
        if (terms.Count == 0 || variances == 0)
        {
            return terms.Count == 0 ? double.PositiveInfinity : 0;
        }

        double deviation = level * terms.Max(t => t.MaxSize * t.MaxDeviation);
        double hoeffding = Math.Sqrt(level * ranges / 2);
        double bernstein = (deviation / 3) + Math.Sqrt((deviation * deviation / 9) + (2 * level * variances));
        return Math.Min(hoeffding, bernstein) / terms.Sum(t => t.Records);
    }

    /// <summary>The half-width to expect for one cell: normal quantile times the standard error at the worst-case variance.</summary>
    public static double Expected(IReadOnlyList<GuaranteeTerm> terms, double confidence)
    {
        ArgumentNullException.ThrowIfNull(terms);
        return terms.Count == 0
            ? double.PositiveInfinity
            : Intervals.NormalQuantile(confidence) * Math.Sqrt(terms.Sum(t => t.SumSquaredSizes * t.WorstVariance))
                / terms.Sum(t => t.Records);
    }
}
