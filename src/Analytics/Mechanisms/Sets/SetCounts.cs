using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace EmrMarket.Analytics.Mechanisms.Sets;

/// <summary>Sufficient statistics of reports that are sets of values.</summary>
internal static class SetCounts
{
    // Counters are held bit-sliced: bit i of plane j is bit j of the counter of position i.
    private const int Planes = 16;
    private const int LowPlanes = 3;
    private const int VectorsPerGroup = 1 << LowPlanes;
    private const int LanesPerVector = 8;

    /// <summary>The sets of a report column over k values.</summary>
    /// <exception cref="ArgumentException">The reports are of another mechanism or another domain size.</exception>
    public static SetReports SetsOf(ReportColumn reports, int k) =>
        reports is not SetReports sets
            ? throw new ArgumentException($"Expected reports of sets of values; got {reports?.GetType().Name ?? "none"}.", nameof(reports))
            : sets.WordsPerReport == BitRows.WordsFor(k)
                ? sets
                : throw new ArgumentException($"A report has {sets.WordsPerReport} words; {k} values take {BitRows.WordsFor(k)}. The "
                    + $"reports belong to another domain.", nameof(reports));

    /// <summary>
    /// How many sets hold each value: O(n k / 512) by carry-save addition of whole rows (Muła, Kurz and Lemire 2018,
    /// doi:10.1093/comjnl/bxx046).
    /// </summary>
    public static long[] Count(SetReports sets, int k)
    {
        ReadOnlySpan<ulong> words = sets.Words;
        int width = sets.WordsPerReport;
        long[] counts = new long[64 * width];
        int vectors = words.Length / LanesPerVector;

        // Vectors that hold the same columns in the same lanes are so far apart: next to each other for rows of 1, 2, 4 or 8 words.
        int step = width / (int)BigInteger.GreatestCommonDivisor(width, LanesPerVector);
        for (int first = 0; first < Math.Min(step, vectors); first++)
        {
            CountEvery(words, first, step, width, vectors, counts);
        }

        for (int i = vectors * LanesPerVector; i < words.Length; i++)
        {
            for (ulong rest = words[i]; rest != 0; rest &= rest - 1)
            {
                counts[(64 * (i % width)) + BitOperations.TrailingZeroCount(rest)]++;
            }
        }

        return counts[..k];
    }

    /// <summary>Bit i of bitmap j: set i holds <paramref name="values"/>[j].</summary>
    public static SupportBitmaps Bitmaps(SetReports sets, ReadOnlySpan<int> values, int k)
    {
        int width = sets.WordsPerReport;
        int n = sets.Count;
        int blocks = (n + 63) / 64;
        ulong[] bits = new ulong[values.Length * blocks];
        foreach (int value in values)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(values));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value, k, nameof(values));
        }

        Span<ulong> square = stackalloc ulong[64];
        for (int w = 0; w < width; w++)
        {
            if (!values.ContainsAnyInRange(64 * w, (64 * w) + 63))
            {
                continue;
            }

            for (int block = 0; block < blocks; block++)
            {
                square.Clear();
                int rows = Math.Min(64, n - (64 * block));
                for (int i = 0; i < rows; i++)
                {
                    square[i] = sets.Words[(((64 * block) + i) * width) + w];
                }

                Transpose(square);
                for (int j = 0; j < values.Length; j++)
                {
                    if (values[j] / 64 == w)
                    {
                        bits[(j * blocks) + block] = square[values[j] % 64];
                    }
                }
            }
        }

        return new SupportBitmaps(bits, blocks);
    }

    private static void CountEvery(ReadOnlySpan<ulong> words, int first, int step, int width, int vectors, long[] counts)
    {
        Span<Vector512<ulong>> planes = stackalloc Vector512<ulong>[Planes];
        ref ulong source = ref MemoryMarshal.GetReference(words);
        int at = first;
        while (at < vectors)
        {
            planes.Clear();
            Vector512<ulong> ones = default;
            Vector512<ulong> twos = default;
            Vector512<ulong> fours = default;

            // A counter of 16 planes holds up to 65,535; stop one group short of it.
            for (int group = 0; group < (1 << (Planes - LowPlanes)) - 1 && at + ((VectorsPerGroup - 1) * step) < vectors; group++)
            {
                Vector512<ulong> twosA = Add(ref ones, Load(ref source, at), Load(ref source, at + step));
                Vector512<ulong> twosB = Add(ref ones, Load(ref source, at + (2 * step)), Load(ref source, at + (3 * step)));
                Vector512<ulong> foursA = Add(ref twos, twosA, twosB);
                twosA = Add(ref ones, Load(ref source, at + (4 * step)), Load(ref source, at + (5 * step)));
                twosB = Add(ref ones, Load(ref source, at + (6 * step)), Load(ref source, at + (7 * step)));
                Vector512<ulong> carry = Add(ref fours, foursA, Add(ref twos, twosA, twosB));
                for (int plane = LowPlanes; plane < Planes; plane++)
                {
                    Vector512<ulong> sum = planes[plane] ^ carry;
                    carry &= planes[plane];
                    planes[plane] = sum;
                }

                at += VectorsPerGroup * step;
            }

            (planes[0], planes[1], planes[2]) = (ones, twos, fours);
            if (at + ((VectorsPerGroup - 1) * step) >= vectors)
            {
                for (; at < vectors; at += step)
                {
                    Vector512<ulong> carry = Load(ref source, at);
                    for (int plane = 0; plane < Planes; plane++)
                    {
                        Vector512<ulong> sum = planes[plane] ^ carry;
                        carry &= planes[plane];
                        planes[plane] = sum;
                    }
                }
            }

            Flush(planes, first, width, counts);
        }

        static Vector512<ulong> Load(ref ulong source, int vector) => Vector512.LoadUnsafe(ref source, (nuint)(LanesPerVector * vector));

        // A full adder: the sum stays, the carry is returned.
        static Vector512<ulong> Add(ref Vector512<ulong> sum, Vector512<ulong> a, Vector512<ulong> b)
        {
            Vector512<ulong> half = sum ^ a;
            Vector512<ulong> carry = (sum & a) | (half & b);
            sum = half ^ b;
            return carry;
        }
    }

    private static void Flush(ReadOnlySpan<Vector512<ulong>> planes, int first, int width, long[] counts)
    {
        for (int lane = 0; lane < LanesPerVector; lane++)
        {
            Span<long> column = counts.AsSpan(64 * (((LanesPerVector * first) + lane) % width), 64);
            for (int plane = 0; plane < planes.Length; plane++)
            {
                for (ulong rest = planes[plane][lane]; rest != 0; rest &= rest - 1)
                {
                    column[BitOperations.TrailingZeroCount(rest)] += 1L << plane;
                }
            }
        }
    }

    /// <summary>
    /// Transposes a 64 x 64 bit matrix by swapping ever smaller off-diagonal squares (Warren, Hacker's Delight, section 7-3).
    /// </summary>
    private static void Transpose(Span<ulong> rows)
    {
        ulong mask = 0x00000000FFFFFFFF;
        for (int size = 32; size != 0; size >>= 1, mask ^= mask << size)
        {
            for (int i = 0; i < 64; i = (i + size + 1) & ~size)
            {
                ulong swap = ((rows[i] >> size) ^ rows[i + size]) & mask;
                rows[i] ^= swap << size;
                rows[i + size] ^= swap;
            }
        }
    }
}
