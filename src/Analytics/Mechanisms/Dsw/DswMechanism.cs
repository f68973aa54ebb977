using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms.Dsw;

/// <summary>
/// Discrete square wave for ordered and numeric attributes of d cells: a report is one of d + 2b outputs, e^epsilon times as likely inside
/// the window of 2b + 1 outputs that starts at the truth as outside it. Means and moments are unbiased. Guarantee: proof.md. Source: Li,
/// Wang, Lopuhaä-Zwakenberg, Škorić and Li, SIGMOD 2020, doi:10.1145/3318464.3389700; discrete here, so that it can be sampled exactly.
/// </summary>
public sealed class DswMechanism() : LadderMechanism("dsw", "Discrete square wave", MaxCells)
{
    /// <summary>The largest grid: its d + 2b outputs must be 16-bit codes.</summary>
    public const int MaxCells = 32_768;

    /// <summary>
    /// The half-width b of the window, one for all grades of an attribute, because a ladder cannot change its outputs: floor(d / 4). The
    /// variance of a mean is at most a fifth above the least at grades 1 to 4 of the default ladder (docs/MECHANISMS.md, "Bandwidth").
    /// </summary>
    public static int Bandwidth(int cells) => cells / 4;

    /// <inheritdoc/>
    public override bool CanRandomise(AttributeDomain domain, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(domain);
        reason = "its labels have no order, which dsw needs: use grr, ss or olh, or declare the order";
        return domain is not CategoricalDomain { Ordered: false } && base.CanRandomise(domain, out reason);
    }

    /// <inheritdoc/>
    private protected override int ShapeOf(int size) => Bandwidth(size);

    /// <inheritdoc/>
    private protected override IReportLadder Create(int size, int shape, GradeLadder grades) =>
        new DswLadder(size, shape, WindowLadder.Create(Id, size + (2 * shape), (2 * shape) + 1, grades), grades);
}

/// <summary>The DSW channels of one grid.</summary>
internal sealed class DswLadder : IReportLadder
{
    private readonly WindowLadder _reports;
    private readonly DswChannel[] _channels;

    public DswLadder(int cells, int bandwidth, WindowLadder reports, GradeLadder grades)
    {
        _reports = reports;
        _channels =
            [.. Enumerable.Range(1, grades.Count).Select(grade => new DswChannel(cells, bandwidth, _reports[grade], grades[grade]))];
    }

    public Channel this[int grade] => _channels[grade - 1];

    public IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> factKeys, ReadOnlySpan<int> grades) =>
        _reports.Draw(key, column, factKeys, grades);
}
