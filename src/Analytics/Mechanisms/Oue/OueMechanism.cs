using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms.Oue;

/// <summary>
/// Optimised unary encoding: one bit per value; the truth's bit is a fair coin, every other bit is 1 with probability q = 1 / (e^epsilon +
/// 1). Its bits are independent, which makes it fast. Guarantee: proof.md. Squared error of a frequency per report: 4 e^epsilon /
/// (e^epsilon - 1)^2 near frequency 0. Source: Wang, Blocki, Li and Jha, USENIX Security 2017.
/// </summary>
public sealed class OueMechanism() : LadderMechanism("oue", "Optimised unary encoding", MaxDomainSize)
{
    /// <summary>The largest domain; beyond it a report of k bits costs more than the same error by OLH.</summary>
    public const int MaxDomainSize = 4096;

    /// <inheritdoc/>
    private protected override IReportLadder Create(int size, int shape, GradeLadder grades) => OueLadder.Create(size, grades);
}

/// <summary>OUE at one grade: a report supports the values whose bits are 1.</summary>
public sealed class OueChannel : Channel
{
    private readonly OueLaw _law;

    internal OueChannel(int domainSize, OueLaw law, EpsilonMicro epsilon) => (DomainSize, _law, Epsilon) = (domainSize, law, epsilon);

    /// <inheritdoc/>
    public override int DomainSize { get; }

    /// <inheritdoc/>
    public override EpsilonMicro Epsilon { get; }

    /// <inheritdoc/>
    public override Rational ExactP => new(1, 2);

    /// <inheritdoc/>
    public override Rational ExactQ => _law.Other;

    /// <inheritdoc/>
    /// <remarks>Two values differ in two bits: [p / (1-p)] [(1-q) / q], p = 1/2.</remarks>
    public override Rational? ExactOdds => (Rational.One - _law.Other) / _law.Other;

    /// <inheritdoc/>
    public override long[] CountSupport(ReportColumn reports) => SetCounts.Count(SetCounts.SetsOf(reports, DomainSize), DomainSize);

    /// <inheritdoc/>
    public override SupportBitmaps Support(ReportColumn reports, ReadOnlySpan<int> values) =>
        SetCounts.Bitmaps(SetCounts.SetsOf(reports, DomainSize), values, DomainSize);
}
