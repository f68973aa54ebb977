using EmrMarket.Analytics.Mechanisms;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation.Frequencies;

/// <summary>
/// Cochran's Q in vector form (Cochran 1954, doi:10.2307/3001666): do all grades describe people with the same distribution? Its covariance is that of one report's
/// estimates at the pooled distribution, off-diagonal terms included: the diagonal alone, or the variance at a frequency of zero, rejects true nulls far too often.
/// </summary>
internal static class Homogeneity
{
    /// <summary>More values than this are tested on the most frequent ones: the test inverts a matrix of this size.</summary>
    private const int MaxValues = 128;

    /// <summary>The test, or null when there is one grade only or no value to compare.</summary>
    public static TestOutcome? Test(IReadOnlyList<StratumEstimate> strata, double[] pooledFrequency)
    {
        double[] pooled = NormSub.Project(pooledFrequency);
        bool fixedSize = strata.All(s => HasFixedSupportSize(s.Tally.Channel));

        // Reports that support a fixed number of values have estimates that add to one: one value carries no information of its own.
        int usable = fixedSize ? pooled.Length - 1 : pooled.Length;
        int[] values = [.. Enumerable.Range(0, pooled.Length).OrderByDescending(v => pooled[v]).Take(Math.Min(usable, MaxValues))];
        if (strata.Count < 2 || values.Length == 0 || strata.Any(s => s.NullVariance == 0))
        {
            return null;
        }

        var precision = Matrix<double>.Build.Dense(values.Length, values.Length);
        var weightedSum = Vector<double>.Build.Dense(values.Length);
        double quadratic = 0;
        foreach (StratumEstimate stratum in strata)
        {
            Matrix<double> inverse = Covariance(stratum, pooled, values).Cholesky().Solve(Matrix<double>.Build.DenseIdentity(values.Length));
            Matrix<double> stratumPrecision = inverse * DrawsPerVariance(stratum.Tally);
            var frequency = Vector<double>.Build.DenseOfEnumerable(values.Select(v => stratum.Frequency[v]));
            precision += stratumPrecision;
            weightedSum += stratumPrecision * frequency;
            quadratic += frequency * (stratumPrecision * frequency);
        }

        double statistic = Math.Max(0, quadratic - (weightedSum * precision.Cholesky().Solve(weightedSum)));
        int degrees = (strata.Count - 1) * values.Length;
        return new TestOutcome(
            "Cochran's Q: the grades describe the same distribution", statistic, degrees, 1 - ChiSquared.CDF(degrees, statistic));
    }

    /// <summary>True when p + (k - 1) q, the expected number of supported values, is a whole number exactly: GRR (1) and subset selection (d).</summary>
    internal static bool HasFixedSupportSize(Channel channel)
    {
        Rational p = channel.ExactP;
        Rational q = channel.ExactQ;
        return ((p.Numerator * q.Denominator) + ((channel.DomainSize - 1) * q.Numerator * p.Denominator)) % (p.Denominator * q.Denominator) == 0;
    }

    // n / (mean squared cluster size weighting): persons with several records are fewer independent units.
    private static double DrawsPerVariance(Tallies.SupportTally tally) => (double)tally.Records * tally.Records / tally.SumSquaredSizes;

    /// <summary>
    /// The covariance of one report's estimates at distribution f. For v other than w: P[supports both] = r (f_v + f_w) + s (1 - f_v - f_w), where, by symmetry, a support of
    /// fixed size D has r = p (D - 1) / (k - 1) and s = (q (D - 1) - r) / (k - 2), and independent supports have r = p q and s = q^2.
    /// </summary>
    private static Matrix<double> Covariance(StratumEstimate stratum, double[] pooled, int[] values)
    {
        int k = pooled.Length;
        double p = stratum.P;
        double q = stratum.Q;
        double scale = stratum.R * stratum.R;
        double size = p + ((k - 1) * q);
        bool fixedSize = HasFixedSupportSize(stratum.Tally.Channel);
        double withTruth = fixedSize ? p * (size - 1) / (k - 1) : p * q;
        double withoutTruth = !fixedSize ? q * q : k > 2 ? ((q * (size - 1)) - withTruth) / (k - 2) : 0;
        return Matrix<double>.Build.Dense(values.Length, values.Length, (i, j) =>
        {
            double fi = pooled[values[i]];
            double fj = pooled[values[j]];
            double supportI = q + ((p - q) * fi);
            double supportJ = q + ((p - q) * fj);
            double both = i == j ? supportI : (withTruth * (fi + fj)) + (withoutTruth * (1 - fi - fj));
            return (both - (supportI * supportJ)) * scale;
        });
    }
}
