using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Windows;

namespace EmrMarket.Analytics.Mechanisms.Olh;

/// <summary>
/// OLH at one grade: a report supports the values that its hash sends to its cell. Cell of v: the top log2 g bits of a v + b (mod 2^32).
/// </summary>
public sealed class OlhChannel : Channel
{
    // As many as keep their hashes and steps in registers.
    private const int ReportsPerPass = 8;

    private readonly WindowLaw _law;

    internal OlhChannel(int domainSize, WindowLaw law, EpsilonMicro epsilon) => (DomainSize, _law, Epsilon) = (domainSize, law, epsilon);

    /// <summary>Number of cells g, a power of two.</summary>
    public int Cells => _law.Outputs;

    /// <inheritdoc/>
    public override int DomainSize { get; }

    /// <inheritdoc/>
    public override EpsilonMicro Epsilon { get; }

    /// <inheritdoc/>
    public override Rational ExactP => _law.Inside;

    /// <inheritdoc/>
    /// <remarks>Exactly 1/g: b is uniform, so v's cell is uniform whatever the truth's is (docs/MECHANISMS.md, "Local hashing").</remarks>
    public override Rational ExactQ => new(1, Cells);

    private int CellBits => BitOperations.Log2((uint)Cells);

    /// <inheritdoc/>
    public override Rational? ExactOdds => _law.Inside / _law.Outside;

    /// <inheritdoc/>
    public override long[] CountSupport(ReportColumn reports)
    {
        HashReports hashes = HashesOf(reports);
        int[] counts = new int[DomainSize];
        ReadOnlySpan<uint> multipliers = hashes.Multipliers;
        ReadOnlySpan<uint> addends = hashes.Addends;
        ReadOnlySpan<ushort> cells = hashes.Cells;
        int i = 0;
        for (; i <= cells.Length - ReportsPerPass; i += ReportsPerPass)
        {
            CountPass(
                multipliers.Slice(i, ReportsPerPass), addends.Slice(i, ReportsPerPass), cells.Slice(i, ReportsPerPass), counts);
        }

        for (; i < cells.Length; i++)
        {
            CountOne(multipliers[i], addends[i], cells[i], counts, 0);
        }

        return Array.ConvertAll(counts, count => (long)count);
    }

    /// <inheritdoc/>
    public override SupportBitmaps Support(ReportColumn reports, ReadOnlySpan<int> values)
    {
        HashReports hashes = HashesOf(reports);
        int n = hashes.Count;
        int words = (n + 63) / 64;
        ulong[] bits = new ulong[values.Length * words];
        for (int j = 0; j < values.Length; j++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(values[j], nameof(values));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(values[j], DomainSize, nameof(values));
            Span<ulong> row = bits.AsSpan(j * words, words);
            uint value = (uint)values[j];
            int shift = 32 - CellBits;
            int i = 0;
            for (; i <= n - Vector512<uint>.Count; i += Vector512<uint>.Count)
            {
                Vector512<uint> hash = ((Vector512.Create(hashes.Multipliers, i) * value) + Vector512.Create(hashes.Addends, i)) >>> shift;
                (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(hashes.Cells, i));
                row[i / 64] |= Vector512.Equals(hash, Vector512.Create(low, high)).ExtractMostSignificantBits() << (i % 64);
            }

            for (; i < n; i++)
            {
                uint cell = ((hashes.Multipliers[i] * value) + hashes.Addends[i]) >> shift;
                row[i / 64] |= (cell == hashes.Cells[i] ? 1UL : 0UL) << (i % 64);
            }
        }

        return new SupportBitmaps(bits, words);
    }

    /// <summary>
    /// Some reports against all values, 16 values at a time: the hash of v + 16 is that of v plus 16 a. The cell is taken off the addend,
    /// so that the values of the cell are those whose hash falls below 2^32 / g.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CountPass(ReadOnlySpan<uint> multipliers, ReadOnlySpan<uint> addends, ReadOnlySpan<ushort> cells, Span<int> counts)
    {
        int shift = 32 - CellBits;
        int vectorised = counts.Length & ~15;
        Vector512<uint> limit = Vector512.Create(1u << shift);
        Vector512<uint> h0 = Start(multipliers[0], addends[0], cells[0], shift);
        Vector512<uint> h1 = Start(multipliers[1], addends[1], cells[1], shift);
        Vector512<uint> h2 = Start(multipliers[2], addends[2], cells[2], shift);
        Vector512<uint> h3 = Start(multipliers[3], addends[3], cells[3], shift);
        Vector512<uint> h4 = Start(multipliers[4], addends[4], cells[4], shift);
        Vector512<uint> h5 = Start(multipliers[5], addends[5], cells[5], shift);
        Vector512<uint> h6 = Start(multipliers[6], addends[6], cells[6], shift);
        Vector512<uint> h7 = Start(multipliers[7], addends[7], cells[7], shift);
        Vector512<uint> step0 = Vector512.Create(multipliers[0] << 4);
        Vector512<uint> step1 = Vector512.Create(multipliers[1] << 4);
        Vector512<uint> step2 = Vector512.Create(multipliers[2] << 4);
        Vector512<uint> step3 = Vector512.Create(multipliers[3] << 4);
        Vector512<uint> step4 = Vector512.Create(multipliers[4] << 4);
        Vector512<uint> step5 = Vector512.Create(multipliers[5] << 4);
        Vector512<uint> step6 = Vector512.Create(multipliers[6] << 4);
        Vector512<uint> step7 = Vector512.Create(multipliers[7] << 4);
        ref int count = ref MemoryMarshal.GetReference(counts);
        for (int v = 0; v < vectorised; v += 16)
        {
            // Two sums, so that a comparison does not wait for the one before.
            Vector512<int> sum = Vector512.LoadUnsafe(ref count, (nuint)v);
            Vector512<int> other = Vector512<int>.Zero;
            sum = CountBelow(sum, h0, limit);
            other = CountBelow(other, h1, limit);
            sum = CountBelow(sum, h2, limit);
            other = CountBelow(other, h3, limit);
            sum = CountBelow(sum, h4, limit);
            other = CountBelow(other, h5, limit);
            sum = CountBelow(sum, h6, limit);
            other = CountBelow(other, h7, limit);
            (sum + other).StoreUnsafe(ref count, (nuint)v);
            h0 += step0;
            h1 += step1;
            h2 += step2;
            h3 += step3;
            h4 += step4;
            h5 += step5;
            h6 += step6;
            h7 += step7;
        }

        for (int i = 0; i < cells.Length; i++)
        {
            CountOne(multipliers[i], addends[i], cells[i], counts, vectorised);
        }

        static Vector512<uint> Start(uint multiplier, uint addend, ushort cell, int shift) =>
            (Vector512<uint>.Indices * multiplier) + Vector512.Create(addend - ((uint)cell << shift));

        static Vector512<int> CountBelow(Vector512<int> sum, Vector512<uint> hash, Vector512<uint> limit) =>
            Vector512.ConditionalSelect(Vector512.LessThan(hash, limit).AsInt32(), sum + Vector512<int>.One, sum);
    }

    private void CountOne(uint multiplier, uint addend, ushort cell, Span<int> counts, int from)
    {
        int shift = 32 - CellBits;
        for (int v = from; v < counts.Length; v++)
        {
            counts[v] += ((multiplier * (uint)v) + addend) >> shift == cell ? 1 : 0;
        }
    }

    private HashReports HashesOf(ReportColumn reports)
    {
        if (reports is not HashReports hashes)
        {
            throw new ArgumentException(
                $"Expected reports of a hash and a cell each; got {reports?.GetType().Name ?? "none"}.", nameof(reports));
        }

        _ = WindowCounts.EnsureBelow(hashes.Cells, Cells);
        return hashes;
    }
}
