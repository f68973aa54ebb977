using System.Runtime.Intrinsics;

namespace EmrMarket.Analytics.Mechanisms.Windows;

/// <summary>Sufficient statistics of window reports.</summary>
internal static class WindowCounts
{
    /// <summary>The codes of a report column, all below <paramref name="outputs"/>.</summary>
    /// <exception cref="ArgumentException">The reports are of another mechanism or another channel.</exception>
    public static ushort[] CodesOf(ReportColumn reports, int outputs)
    {
        if (reports is not CodeReports { Codes: var codes })
        {
            throw new ArgumentException($"Expected reports of one code each; got {reports?.GetType().Name ?? "none"}.", nameof(reports));
        }

        return EnsureBelow(codes, outputs);
    }

    /// <summary>The codes, all checked to be below <paramref name="outputs"/>.</summary>
    /// <exception cref="ArgumentException">A code is not.</exception>
    public static ushort[] EnsureBelow(ushort[] codes, int outputs)
    {
        int largest = Codes.Largest(codes);
        return largest < outputs
            ? codes
            : throw new ArgumentException(
                $"A report holds output {largest}; this channel has outputs 0..{outputs - 1}. The reports belong to another channel.",
                nameof(codes));
    }

    /// <summary>How often each output occurs.</summary>
    public static long[] Histogram(ushort[] codes, int outputs)
    {
        // Four tables, because equal neighbours would wait for each other's increment in one.
        const int Tables = 4;
        int[] counts = new int[Tables * outputs];
        int i = 0;
        for (; i <= codes.Length - Tables; i += Tables)
        {
            counts[codes[i]]++;
            counts[outputs + codes[i + 1]]++;
            counts[(2 * outputs) + codes[i + 2]]++;
            counts[(3 * outputs) + codes[i + 3]]++;
        }

        for (; i < codes.Length; i++)
        {
            counts[codes[i]]++;
        }

        long[] histogram = new long[outputs];
        for (int y = 0; y < outputs; y++)
        {
            histogram[y] = (long)counts[y] + counts[outputs + y] + counts[(2 * outputs) + y] + counts[(3 * outputs) + y];
        }

        return histogram;
    }

    /// <summary>Sums of the histogram over each window v..v+window-1, by one running sum.</summary>
    public static long[] SumWindows(long[] histogram, int window)
    {
        long[] sums = new long[histogram.Length - window + 1];
        long sum = 0;
        for (int y = 0; y < histogram.Length; y++)
        {
            sum += histogram[y] - (y >= window ? histogram[y - window] : 0);
            if (y >= window - 1)
            {
                sums[y - window + 1] = sum;
            }
        }

        return sums;
    }

    /// <summary>Bit i of bitmap j: report i lies in the window of <paramref name="values"/>[j].</summary>
    public static SupportBitmaps Bitmaps(ushort[] codes, ReadOnlySpan<int> values, int domainSize, int window)
    {
        int words = (codes.Length + 63) / 64;
        ulong[] bits = new ulong[values.Length * words];
        for (int j = 0; j < values.Length; j++)
        {
            int value = values[j];
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(values));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value, domainSize, nameof(values));
            Span<ulong> row = bits.AsSpan(j * words, words);
            int i = 0;
            Vector512<ushort> first = Vector512.Create((ushort)value);
            Vector512<ushort> size = Vector512.Create((ushort)window);
            for (; i <= codes.Length - 64; i += 64)
            {
                ulong low = Vector512.LessThan(Vector512.Create(codes, i) - first, size).ExtractMostSignificantBits();
                ulong high = Vector512.LessThan(Vector512.Create(codes, i + 32) - first, size).ExtractMostSignificantBits();
                row[i / 64] = low | (high << 32);
            }

            for (; i < codes.Length; i++)
            {
                row[i / 64] |= ((ushort)(codes[i] - value) < window ? 1UL : 0UL) << (i % 64);
            }
        }

        return new SupportBitmaps(bits, words);
    }
}
