using System.Collections.Concurrent;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms.Ss;

/// <summary>
/// Subset selection: a report is a subset of d values, d near k / (e^epsilon + 1), that holds the truth with probability p = d e^epsilon / (d e^epsilon + k - d)
/// and is otherwise uniform. Of all mechanisms it has the least error for every k; at d = 1 it is GRR. Guarantee: proof.md.
/// Source: Ye and Barg, IEEE Transactions on Information Theory 2018, doi:10.1109/TIT.2018.2809790.
/// </summary>
public sealed class SsMechanism : IMechanism
{
    /// <summary>The largest domain; beyond it a report of k bits costs more than its advantage over OLH is worth.</summary>
    public const int MaxDomainSize = 1024;

    private readonly ConcurrentDictionary<string, SsLadder> _ladders = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Id => "ss";

    /// <inheritdoc/>
    public string Name => "Subset selection";

    /// <inheritdoc/>
    public bool CanRandomise(AttributeDomain domain, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(domain);
        reason = domain.Size < 2 ? "the domain has fewer than two values: there is nothing to hide, so declare it Public or leave it out"
            : domain.Size > MaxDomainSize ? $"the domain has {domain.Size} values, ss takes at most {MaxDomainSize}: use olh"
            : null;
        return reason is null;
    }

    /// <inheritdoc/>
    public IReportLadder CreateLadder(AttributeDomain domain, GradeLadder grades)
    {
        ArgumentNullException.ThrowIfNull(grades);
        if (!CanRandomise(domain, out string? reason))
        {
            throw new ArgumentException($"{Id} cannot randomise this attribute: {reason}.", nameof(domain));
        }

        return _ladders.GetOrAdd(LadderUse.Of(Id, domain.Size, 0, grades), _ => SsLadder.Create(domain.Size, grades));
    }
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
