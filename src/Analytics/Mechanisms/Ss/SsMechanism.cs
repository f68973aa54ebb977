using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms.Ss;

/// <summary>
/// Subset selection: a report is a subset of d values, d near k / (e^epsilon + 1), that holds the truth with probability p = d e^epsilon /
/// (d e^epsilon + k - d) and is otherwise uniform. Of all mechanisms it has the least error for every k; at d = 1 it is GRR. Guarantee:
/// proof.md. Source: Ye and Barg, IEEE Transactions on Information Theory 2018, doi:10.1109/TIT.2018.2809790.
/// </summary>
public sealed class SsMechanism() : LadderMechanism("ss", "Subset selection", MaxDomainSize)
{
    /// <summary>The largest domain; beyond it a report of k bits costs more than its advantage over OLH is worth.</summary>
    public const int MaxDomainSize = 1024;

    /// <inheritdoc/>
    private protected override IReportLadder Create(int size, int shape, GradeLadder grades) => SsLadder.Create(size, grades);
}

/// <summary>SS at one grade: a report supports the values of its subset.</summary>
public sealed class SsChannel : Channel
{
    private readonly SsLaw _law;

    internal SsChannel(SsLaw law, EpsilonMicro epsilon) => (_law, Epsilon) = (law, epsilon);

    /// <summary>Number of values d in every report.</summary>
    public int SubsetSize => _law.SubsetSize;

    /// <inheritdoc/>
    public override int DomainSize => _law.DomainSize;

    /// <inheritdoc/>
    public override EpsilonMicro Epsilon { get; }

    /// <inheritdoc/>
    public override Rational ExactP => _law.Membership;

    /// <inheritdoc/>
    public override Rational ExactQ => _law.OtherMembership;

    /// <inheritdoc/>
    /// <remarks>A subset with the truth against one without: [p / C(k-1, d-1)] / [(1-p) / C(k-1, d)].</remarks>
    public override Rational? ExactOdds => _law.Membership * (DomainSize - SubsetSize) / ((Rational.One - _law.Membership) * SubsetSize);

    /// <inheritdoc/>
    public override long[] CountSupport(ReportColumn reports) => SetCounts.Count(SetCounts.SetsOf(reports, DomainSize), DomainSize);

    /// <inheritdoc/>
    public override SupportBitmaps Support(ReportColumn reports, ReadOnlySpan<int> values) =>
        SetCounts.Bitmaps(SetCounts.SetsOf(reports, DomainSize), values, DomainSize);
}
