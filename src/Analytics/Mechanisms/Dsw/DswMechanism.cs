using System.Collections.Concurrent;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms.Dsw;

/// <summary>
/// Discrete square wave for ordered and numeric attributes of d cells: a report is one of d + 2b outputs, e^epsilon times as likely inside the window of 2b + 1
/// outputs that starts at the truth as outside it. Means and moments are unbiased. Guarantee: proof.md.
/// Source: Li, Wang, Lopuhaä-Zwakenberg, Škorić and Li, SIGMOD 2020, doi:10.1145/3318464.3389700; discrete here, so that it can be sampled exactly.
/// </summary>
public sealed class DswMechanism : IMechanism
{
    /// <summary>The largest grid: its d + 2b outputs must be 16-bit codes.</summary>
    public const int MaxCells = 32_768;

    private readonly ConcurrentDictionary<string, DswLadder> _ladders = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Id => "dsw";

    /// <inheritdoc/>
    public string Name => "Discrete square wave";

    /// <summary>
    /// The half-width b of the window, one for all grades of an attribute, because a ladder cannot change its outputs: floor(d / 4). The variance of a mean is
    /// at most a fifth above the least at grades 1 to 4 of the default ladder (docs/MECHANISMS.md, "Bandwidth").
    /// </summary>
    public static int Bandwidth(int cells) => cells / 4;

    /// <inheritdoc/>
    public bool CanRandomise(AttributeDomain domain, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(domain);
        reason = domain is CategoricalDomain { Ordered: false } ? "its labels have no order, which dsw needs: use grr, ss or olh, or declare the order"
            : domain.Size < 2 ? "the domain has fewer than two cells: there is nothing to hide, so declare it Public or leave it out"
            : domain.Size > MaxCells ? $"the domain has {domain.Size} cells, dsw takes at most {MaxCells}: use a larger step"
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

        int bandwidth = Bandwidth(domain.Size);
        return _ladders.GetOrAdd(
            LadderUse.Of(Id, domain.Size, bandwidth, grades),
            _ => new DswLadder(domain.Size, bandwidth, WindowLadder.Create(Id, domain.Size + (2 * bandwidth), (2 * bandwidth) + 1, grades), grades));
    }
}

/// <summary>The DSW channels of one grid.</summary>
internal sealed class DswLadder : IReportLadder
{
    private readonly WindowLadder _reports;
    private readonly DswChannel[] _channels;

    public DswLadder(int cells, int bandwidth, WindowLadder reports, GradeLadder grades)
    {
        _reports = reports;
        _channels = [.. Enumerable.Range(1, grades.Count).Select(grade => new DswChannel(cells, bandwidth, _reports[grade], grades[grade]))];
    }

    public Channel this[int grade] => _channels[grade - 1];

    public IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> factKeys, ReadOnlySpan<int> grades) =>
        _reports.Draw(key, column, factKeys, grades);
}
