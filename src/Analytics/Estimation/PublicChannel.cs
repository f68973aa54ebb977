using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation;

/// <summary>
/// The channel of a Public attribute: the report is the value. It lets Public and randomised attributes meet in one table or model.
/// </summary>
/// <param name="domainSize">Domain size k.</param>
public sealed class PublicChannel(int domainSize) : Channel
{
    /// <inheritdoc/>
    public override int DomainSize { get; } = domainSize;

    /// <inheritdoc/>
    public override EpsilonMicro Epsilon => EpsilonMicro.Zero;

    /// <inheritdoc/>
    public override Rational ExactP { get; } = new(1, 1);

    /// <inheritdoc/>
    public override Rational ExactQ { get; } = new(0, 1);

    /// <inheritdoc/>
    public override long[] CountSupport(ReportColumn reports)
    {
        var counts = new long[DomainSize];
        foreach (ushort code in Codes(reports))
        {
            counts[code]++;
        }

        return counts;
    }

    /// <inheritdoc/>
    public override SupportBitmaps Support(ReportColumn reports, ReadOnlySpan<int> values)
    {
        ushort[] codes = Codes(reports);
        int words = (codes.Length + 63) / 64;
        var bits = new ulong[words * values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            Span<ulong> row = bits.AsSpan(i * words, words);
            for (int record = 0; record < codes.Length; record++)
            {
                row[record >> 6] |= (codes[record] == values[i] ? 1UL : 0UL) << record;
            }
        }

        return new SupportBitmaps(bits, words);
    }

    private static ushort[] Codes(ReportColumn reports) => reports is CodeReports { Codes: var codes }
        ? codes
        : throw new ArgumentException(
            $"The values of a Public attribute are one code each; got {reports?.GetType().Name ?? "none"}.", nameof(reports));
}
