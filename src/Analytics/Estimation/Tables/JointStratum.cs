using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation.Tables;

/// <summary>
/// Unbiased estimates of joint shares, and of their covariances, from one tuple of grades. Everything about a cell is a function of its
/// pattern of support: z_a = (1[supports] - q_a)/(p_a - q_a), and the share of a subset of attributes is the mean of the product of their z
/// (docs/ESTIMATORS.md, "Tables").
/// </summary>
internal sealed class JointStratum
{
    private readonly double[,] _z;

    /// <summary>Prepares the estimates.</summary>
    public JointStratum(JointTally tally)
    {
        Tally = tally;
        _z = new double[tally.Channels.Count, 2];
        for (int a = 0; a < tally.Channels.Count; a++)
        {
            double p = tally.Channels[a].P;
            double q = tally.Channels[a].Q;
            (_z[a, 0], _z[a, 1]) = (-q / (p - q), (1 - q) / (p - q));
        }
    }

    /// <summary>What they are computed from.</summary>
    public JointTally Tally { get; }

    /// <summary>All attributes.</summary>
    public int All => Tally.Patterns - 1;

    /// <summary>The share of records that have a cell's values of a subset of the attributes.</summary>
    public double Share(int cell, int subset) => Sum(Tally.PatternCounts(cell), subset) / Tally.Records;

    /// <summary>The covariance of the shares of two subsets of a cell's attributes; with equal subsets, the variance.</summary>
    public double Covariance(int cell, int first, int second, InferenceTarget target) =>
        target == InferenceTarget.Records ? OnRecords(cell, first, second) : InPopulation(cell, first, second);

    /// <summary>The largest variance of one record's product, over all truths: what is expected before the data are seen.</summary>
    public static double WorstVariance(IReadOnlyList<Channel> channels)
    {
        double worst = 0;
        int all = (1 << channels.Count) - 1;
        for (int match = 0; match <= all; match++)
        {
            double square = 1;
            for (int a = 0; a < channels.Count; a++)
            {
                double p = channels[a].P;
                double q = channels[a].Q;
                double support = (match >> a & 1) == 1 ? p : q;
                square *= ((support * (1 - q) * (1 - q)) + ((1 - support) * q * q)) / ((p - q) * (p - q));
            }

            worst = Math.Max(worst, square - (match == all ? 1 : 0));
        }

        return worst;
    }

    // Sum over persons of Z_s W_s less the unbiased estimate of the product of their truths; only records that share a draw, or are the
    // same, contribute.
    private double OnRecords(int cell, int first, int second)
    {
        long[] counts = Tally.PatternCounts(cell);
        ReadOnlySpan<long> pairs = Tally.PairCounts(cell);
        double sum = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            sum += counts[i] * ((Z(i, first) * Z(i, second)) - Z(i, first | second));
            for (int j = 0; j < counts.Length; j++)
            {
                long count = pairs[(i * counts.Length) + j];
                sum += count == 0 ? 0 : count * ((Z(i, first) * Z(j, second)) - TruthOfPair(i, j, first, second));
            }
        }

        double n = Tally.Records;
        return sum / (n * n);
    }

    private double InPopulation(int cell, int first, int second)
    {
        if (Tally.Persons < 2)
        {
            return double.PositiveInfinity;
        }

        long[] counts = Tally.PatternCounts(cell);
        ReadOnlySpan<long> pairs = Tally.PairCounts(cell);
        ReadOnlySpan<long> others = Tally.OthersTimesPattern(cell);
        double n = Tally.Records;
        double f = Sum(counts, first) / n;
        double g = Sum(counts, second) / n;
        double sum = f * g * Tally.SumSquaredSizes;
        for (int i = 0; i < counts.Length; i++)
        {
            sum += counts[i] * Z(i, first) * Z(i, second);
            sum -= (counts[i] + others[i]) * ((g * Z(i, first)) + (f * Z(i, second)));
            for (int j = 0; j < counts.Length; j++)
            {
                sum += pairs[(i * counts.Length) + j] * Z(i, first) * Z(j, second);
            }
        }

        return sum / (n * n) * Tally.Persons / (Tally.Persons - 1);
    }

    // Unbiased for the product of two records' truths: a draw that both share counts once, since a truth of 0 or 1 is its own square.
    private double TruthOfPair(int i, int j, int first, int second)
    {
        double product = 1;
        for (int a = 0; a < Tally.Channels.Count; a++)
        {
            bool inFirst = (first >> a & 1) == 1;
            bool inSecond = (second >> a & 1) == 1;
            bool shared = inFirst && inSecond && Tally.ConstantPerPerson[a];
            product *= (inFirst ? _z[a, i >> a & 1] : 1) * (inSecond && !shared ? _z[a, j >> a & 1] : 1);
        }

        return product;
    }

    private double Z(int pattern, int subset)
    {
        double product = 1;
        for (int a = 0; a < Tally.Channels.Count; a++)
        {
            product *= (subset >> a & 1) == 1 ? _z[a, pattern >> a & 1] : 1;
        }

        return product;
    }

    private double Sum(long[] counts, int subset)
    {
        double sum = 0;
        for (int pattern = 0; pattern < counts.Length; pattern++)
        {
            sum += counts[pattern] * Z(pattern, subset);
        }

        return sum;
    }
}
