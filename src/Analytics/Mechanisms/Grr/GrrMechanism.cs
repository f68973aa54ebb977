using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Mechanisms.Grr;

/// <summary>
/// Generalised (k-ary) randomised response: the truth with probability p, each other value with probability q = p / e^epsilon. The best
/// choice for small domains, k &lt; 3 e^epsilon + 2. Guarantee: proof.md. Squared error of a frequency per report: q(1-q)/(p-q)^2 near
/// frequency 0. Source: Kairouz, Bonawitz and Ramage 2016, https://proceedings.mlr.press/v48/kairouz16.html.
/// </summary>
public sealed class GrrMechanism() : LadderMechanism("grr", "Generalised randomised response", MaxDomainSize)
{
    /// <summary>
    /// The largest domain: beyond it the error of GRR is hopeless, and 32-bit thresholds would no longer be far finer than q.
    /// </summary>
    public const int MaxDomainSize = 4096;

    /// <inheritdoc/>
    private protected override int ShapeOf(int size) => 1;

    /// <inheritdoc/>
    private protected override IReportLadder Create(int size, int shape, GradeLadder grades) =>
        new GrrLadder(WindowLadder.Create(Id, size, window: shape, grades), grades);
}

/// <summary>The GRR channels of one domain size.</summary>
internal sealed class GrrLadder : IReportLadder
{
    private readonly WindowLadder _reports;
    private readonly GrrChannel[] _channels;

    public GrrLadder(WindowLadder reports, GradeLadder grades)
    {
        _reports = reports;
        _channels = [.. Enumerable.Range(1, grades.Count).Select(grade => new GrrChannel(_reports[grade], grades[grade]))];
    }

    public Channel this[int grade] => _channels[grade - 1];

    public IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> factKeys, ReadOnlySpan<int> grades) =>
        _reports.Draw(key, column, factKeys, grades);
}

/// <summary>GRR at one grade: a report supports the value it names.</summary>
public sealed class GrrChannel : Channel
{
    private readonly WindowLaw _law;

    internal GrrChannel(WindowLaw law, EpsilonMicro epsilon) => (_law, Epsilon) = (law, epsilon);

    /// <inheritdoc/>
    public override int DomainSize => _law.Outputs;

    /// <inheritdoc/>
    public override EpsilonMicro Epsilon { get; }

    /// <inheritdoc/>
    public override Rational ExactP => _law.Inside;

    /// <inheritdoc/>
    public override Rational ExactQ => _law.Outside;

    /// <inheritdoc/>
    public override Rational? ExactOdds => _law.Inside / _law.Outside;

    /// <inheritdoc/>
    public override long[] CountSupport(ReportColumn reports) =>
        WindowCounts.Histogram(WindowCounts.CodesOf(reports, DomainSize), DomainSize);

    /// <inheritdoc/>
    public override SupportBitmaps Support(ReportColumn reports, ReadOnlySpan<int> values) =>
        WindowCounts.Bitmaps(WindowCounts.CodesOf(reports, DomainSize), values, DomainSize, window: 1);
}
