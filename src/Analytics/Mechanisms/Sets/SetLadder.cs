using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Mechanisms.Sets;

/// <summary>What ladders do alike whose reports are sets of values: they allocate, draw block by block, and hand out a column per
/// grade.</summary>
/// <param name="domainSize">k, the bits of a report.</param>
/// <param name="gradeCount">Number of grades.</param>
/// <param name="use">What separates its coins from another ladder's.</param>
internal abstract class SetLadder(int domainSize, int gradeCount, string use) : IReportLadder
{
    public abstract Channel this[int grade] { get; }

    public IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> factKeys, ReadOnlySpan<int> grades)
    {
        ushort[] values = ValueRounding.Round(key, column, factKeys.Span);
        int words = BitRows.WordsFor(domainSize);
        (ulong[]?[] wanted, int lowest) = LadderOutputs.Allocate<ulong>(grades, gradeCount, (long)values.Length * words);
        CoinCipher cipher = key.CipherFor(use);
        RecordBlocks.ForEach(values.Length, (start, count) =>
            DrawBlock(cipher, key.ValueVersion, values.AsSpan(start, count), factKeys.Span.Slice(start, count), wanted, lowest, start));
        return LadderOutputs.Collect(grades, grade => new SetReports(wanted[grade]!, words));
    }

    /// <summary>Draws some records' reports from the top grade down to the lowest wanted one.</summary>
    /// <param name="cipher">The coins.</param>
    /// <param name="version">The version of the values.</param>
    /// <param name="values">The values.</param>
    /// <param name="facts">The facts that they are of.</param>
    /// <param name="wanted">By grade the words of all records' reports; null for a grade that is not wanted.</param>
    /// <param name="lowest">The lowest wanted grade.</param>
    /// <param name="offset">The first of these records among all.</param>
    private protected abstract void DrawBlock(
        CoinCipher cipher, ushort version, ReadOnlySpan<ushort> values, ReadOnlySpan<ulong> facts, ulong[]?[] wanted, int lowest,
        int offset);
}
