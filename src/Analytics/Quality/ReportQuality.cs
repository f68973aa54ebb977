using EmrMarket.Analytics.Estimation.Ordered;

namespace EmrMarket.Analytics.Quality;

/// <summary>The quality of one report of an attribute at a grade: the unperturbed records that it is worth, in 0..1 (docs/ESTIMATORS.md, "Effective records").</summary>
public static class ReportQuality
{
    /// <summary>(1/k)(1 - 1/k)(p - q)^2 / (P (1 - P)), P = p/k + (1 - 1/k) q: clear over report variance at the uniform reference.</summary>
    public static double OfFrequency(double p, double q, int domainSize)
    {
        double f = 1.0 / domainSize;
        double support = (p * f) + ((1 - f) * q);
        return f * (1 - f) * (p - q) * (p - q) / (support * (1 - support));
    }

    /// <summary>V / (V + N): V = (d^2 - 1)/12 the variance of a uniform cell, N the mean noise variance of one report's estimate of the cell.</summary>
    internal static double OfMean(SquareWave law)
    {
        double clear = (((double)law.Cells * law.Cells) - 1) / 12;
        return clear / (clear + OrderedSample.MeanNoise(law));
    }
}
