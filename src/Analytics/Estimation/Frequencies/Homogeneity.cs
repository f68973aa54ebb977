using EmrMarket.Analytics.Mechanisms.Olh;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation.Frequencies;

/// <summary>
/// Cochran's Q in vector form (Cochran 1954, doi:10.2307/3001666): do all grades describe people with the same distribution? Its covariance
/// is that of one report's estimates at the pooled distribution, off-diagonal terms included: the diagonal alone, or the variance at a
/// frequency of zero, rejects true nulls far too often.
/// </summary>
internal static class Homogeneity
{
    /// <summary>More values than this are tested on the most frequent ones: the test inverts a matrix of this size.</summary>
    private const int MaxValues = 128;

    /// <summary>The test, or null when there is one grade only or no value to compare.</summary>
    public static TestOutcome? Test(IReadOnlyList<StratumEstimate> strata, double[] pooledFrequency)
    {
        double[] pooled = NormSub.Project(pooledFrequency);
        bool fixedSize = strata.All(s => new PairLaw(s.Tally.Channel).HasFixedSize);

        // Reports that support a fixed number of values have estimates that add to one: one value carries no information of its own.
        int usable = fixedSize ? pooled.Length - 1 : pooled.Length;
        int[] values = [.. Enumerable.Range(0, pooled.Length).OrderByDescending(v => pooled[v]).Take(Math.Min(usable, MaxValues))];
        if (strata.Count < 2 || values.Length == 0 || strata.Any(s => s.NullVariance == 0))
        {
            return null;
        }

        if (strata.Any(s => s.Tally.Channel is OlhChannel))
        {
            return LargestOfValues(strata, values);
        }

        var precision = Matrix<double>.Build.Dense(values.Length, values.Length);
        var weightedSum = Vector<double>.Build.Dense(values.Length);
        double quadratic = 0;
        foreach (StratumEstimate stratum in strata)
        {
            Matrix<double> inverse = new PairLaw(stratum.Tally.Channel).Covariance(pooled, values).Cholesky()
                .Solve(Matrix<double>.Build.DenseIdentity(values.Length));
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

    /// <summary>
    /// One hash supports several values in a way that is only pairwise independent, so their joint covariance is not known: each value is
    /// tested on its own, and the smallest of the p-values is multiplied by their number (Bonferroni).
    /// </summary>
    private static TestOutcome LargestOfValues(IReadOnlyList<StratumEstimate> strata, int[] values)
    {
        double largest = values.Max(v =>
        {
            double weight = strata.Sum(s => 1 / s.VarianceInPopulation[v]);
            double pooled = strata.Sum(s => s.Frequency[v] / s.VarianceInPopulation[v]) / weight;
            return strata.Sum(s => (s.Frequency[v] - pooled) * (s.Frequency[v] - pooled) / s.VarianceInPopulation[v]);
        });
        int degrees = strata.Count - 1;
        return new TestOutcome(
            $"Cochran's Q: the grades describe the same distribution (largest of {values.Length} values, Bonferroni)", largest, degrees,
            Math.Min(1, values.Length * (1 - ChiSquared.CDF(degrees, largest))));
    }

    // n / (mean squared cluster size weighting): persons with several records are fewer independent units.
    private static double DrawsPerVariance(Tallies.SupportTally tally) => (double)tally.Records * tally.Records / tally.SumSquaredSizes;
}
