using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>
/// One mechanism at one grade over one domain: the conditional law of a report given the truth, as it is really sampled (integer
/// thresholds), not as it is written on paper. A report y "supports" value v when y counts for v; every estimator is built on the two
/// support probabilities.
/// </summary>
public abstract class Channel
{
    /// <summary>Domain size k (for DSW: cells d), at least 2.</summary>
    public abstract int DomainSize { get; }

    /// <summary>The nominal loss. The realised one is never above it (each mechanism's proof.md).</summary>
    public abstract EpsilonMicro Epsilon { get; }

    /// <summary>The realised P[report supports v | truth = v], exactly.</summary>
    public abstract Rational ExactP { get; }

    /// <summary>
    /// The realised P[report supports v | truth = w], w other than v, exactly (averaged over the other values where it depends on w: DSW).
    /// </summary>
    public abstract Rational ExactQ { get; }

    /// <summary>
    /// The realised e^epsilon, exactly: the probability of a report given a value that it supports, over that given a value that it does
    /// not support. It is the same for every report and pair of values, hence the largest likelihood ratio that one report can give
    /// anybody. Null when there is no bound: the value itself is released.
    /// </summary>
    public virtual Rational? ExactOdds => null;

    /// <summary><see cref="ExactP"/> to the nearest double.</summary>
    public double P => (double)ExactP;

    /// <summary><see cref="ExactQ"/> to the nearest double.</summary>
    public double Q => (double)ExactQ;

    /// <summary>
    /// The number of reports that support each value, length <see cref="DomainSize"/>: the sufficient statistic of frequencies; adds over
    /// batches. O(n) to O(n k).
    /// </summary>
    public abstract long[] CountSupport(ReportColumn reports);

    /// <summary>
    /// Per value a bitmap over reports ("report i supports value v"), from which joint support counts of several attributes are popcounts
    /// of ANDs.
    /// </summary>
    /// <param name="reports">The reports.</param>
    /// <param name="values">The values wanted, each in 0..DomainSize-1.</param>
    public abstract SupportBitmaps Support(ReportColumn reports, ReadOnlySpan<int> values);
}
