using EmrMarket.Analytics.Estimation.Tallies;

namespace EmrMarket.Analytics.Estimation.Frequencies;

/// <summary>The unbiased frequencies of one grade's records with both variances (docs/ESTIMATORS.md, "Frequency").</summary>
internal sealed class StratumEstimate
{
    /// <summary>Computes them. O(k).</summary>
    public StratumEstimate(SupportTally tally)
    {
        (Tally, P, Q) = (tally, tally.Channel.P, tally.Channel.Q);
        int k = tally.Channel.DomainSize;
        (Frequency, VarianceOnRecords, VarianceInPopulation) = (new double[k], new double[k], new double[k]);
        double n = tally.Records;
        for (int v = 0; v < k; v++)
        {
            double share = tally.Support[v] / n;
            Frequency[v] = (share - Q) * R;
            VarianceOnRecords[v] = OnRecords(tally, v, Frequency[v]);

            // The sum over persons of (supporting reports - expected share of them)^2, from integers; persons are the independent units.
            double clusters = tally.SquaredSupport[v] - (2 * share * tally.SizeTimesSupport[v]) + (share * share * tally.SumSquaredSizes);
            VarianceInPopulation[v] = tally.Persons < 2
                ? double.PositiveInfinity
                : Math.Max(0, clusters) * R * R / (n * n) * tally.Persons / (tally.Persons - 1);
        }
    }

    /// <summary>What it was computed from.</summary>
    public SupportTally Tally { get; }

    /// <summary>P[report supports v | truth v].</summary>
    public double P { get; }

    /// <summary>P[report supports v | truth other].</summary>
    public double Q { get; }

    /// <summary>1 / (p - q).</summary>
    public double R => 1 / (P - Q);

    /// <summary>
    /// q (1 - q) / (p - q)^2: the variance of one report about a value that nobody has; the public weight of this grade's precision.
    /// </summary>
    public double NullVariance => Q * (1 - Q) * R * R;

    /// <summary>(C_v / n - q) / (p - q).</summary>
    public double[] Frequency { get; }

    /// <summary>The variance over the randomiser, given these records.</summary>
    public double[] VarianceOnRecords { get; }

    /// <summary>The variance when the persons too are a random sample.</summary>
    public double[] VarianceInPopulation { get; }

    /// <summary>The term of the guarantee.</summary>
    public GuaranteeTerm Term => Tally.ConstantPerPerson
        ? GuaranteeTerm.Frequency(P, Q, Tally.Records, Tally.SumSquaredSizes, Tally.MaxSize)
        : GuaranteeTerm.Frequency(P, Q, Tally.Records);

    /// <summary>The variance for a target.</summary>
    public double[] Variance(InferenceTarget target) => target == InferenceTarget.Records ? VarianceOnRecords : VarianceInPopulation;

    /// <summary>
    /// [F p(1 - p) + (M - F) q(1 - q)] / (n (p - q))^2 with M the sum of squared sizes of the groups that share a draw and F the part of M
    /// whose truth is v. F is estimated without bias and kept within 0..M, the range of the truth.
    /// </summary>
    private double OnRecords(SupportTally tally, int v, double frequency)
    {
        double n = tally.Records;
        double all = tally.ConstantPerPerson ? tally.SumSquaredSizes : n;
        double withValue = tally.ConstantPerPerson ? (tally.SizeTimesSupport[v] - (Q * all)) * R : frequency * n;
        withValue = Math.Clamp(withValue, 0, all);
        return ((withValue * P * (1 - P)) + ((all - withValue) * Q * (1 - Q))) * R * R / (n * n);
    }
}
