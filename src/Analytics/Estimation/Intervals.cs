using MathNet.Numerics.Distributions;

namespace EmrMarket.Analytics.Estimation;

/// <summary>Confidence limits. All are two-sided with the error probability split evenly.</summary>
internal static class Intervals
{
    /// <summary>The normal quantile of a two-sided interval: 1.96 at 95 %.</summary>
    public static double NormalQuantile(double confidence) => Normal.InvCDF(0, 1, 0.5 + (confidence / 2));

    /// <summary>
    /// The confidence of each of <paramref name="cells"/> intervals that hold together (Bonferroni), or the confidence itself.
    /// </summary>
    public static double PerCell(EstimationOptions options, int cells) =>
        options.Simultaneous ? 1 - ((1 - options.Confidence) / Math.Max(1, cells)) : options.Confidence;

    /// <summary>Exact limits of a binomial probability from a count (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404).</summary>
    public static (double Low, double High) ClopperPearson(long count, long n, double confidence)
    {
        double tail = (1 - confidence) / 2;
        double low = count == 0 ? 0 : Beta.InvCDF(count, n - count + 1, tail);
        double high = count == n ? 1 : Beta.InvCDF(count + 1, n - count, 1 - tail);
        return (low, high);
    }

    /// <summary>
    /// The ratios rho that "numerator - rho * denominator = 0" does not reject (Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x). Null
    /// when the denominator is not distinguishable from zero at this confidence: the set is then unbounded and the ratio is not estimable.
    /// </summary>
    public static (double Low, double High)? Fieller(
        double numerator, double denominator, double varNumerator, double varDenominator, double covariance, double confidence)
    {
        double z2 = NormalQuantile(confidence);
        z2 *= z2;
        double a = (denominator * denominator) - (z2 * varDenominator);
        if (!(a > 0))
        {
            return null;
        }

        double b = (numerator * denominator) - (z2 * covariance);
        double c = (numerator * numerator) - (z2 * varNumerator);
        double root = Math.Sqrt(Math.Max(0, (b * b) - (a * c)));
        return ((b - root) / a, (b + root) / a);
    }
}
