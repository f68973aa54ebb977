using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms.Sets;

/// <summary>Random operations on a subset of 0..k-1 that is held as a row of bits. All are exchangeable: they treat every element alike.</summary>
internal static class BitRows
{
    /// <summary>Words of a row of k bits.</summary>
    public static int WordsFor(int k) => (k + 63) / 64;

    /// <summary>The valid bits of the last word of a row of k bits.</summary>
    public static ulong LastWordMask(int k) => k % 64 == 0 ? ulong.MaxValue : (1UL << (k % 64)) - 1;

    /// <summary>
    /// Draws a uniform subset of exactly <paramref name="size"/> elements: first each element with probability sixteenths / 16, then uniform elements
    /// are added or removed until the size is right. Given its size, an exchangeable subset is uniform.
    /// </summary>
    /// <param name="coins">The coins.</param>
    /// <param name="row">The row to overwrite.</param>
    /// <param name="k">Number of elements.</param>
    /// <param name="size">The subset's size, 0..k.</param>
    /// <param name="sixteenths">A density near 16 size / k, which makes few corrections: for speed only.</param>
    public static void DrawUniform(ref CoinStream coins, Span<ulong> row, int k, int size, int sixteenths)
    {
        row.Clear();
        int count = 0;
        if (sixteenths > 0)
        {
            int lowest = BitOperations.TrailingZeroCount(sixteenths);
            for (int w = 0; w < row.Length; w++)
            {
                // Bit-sliced "uniform four-bit number < sixteenths", least significant bit first.
                ulong word = coins.Next64();
                for (int bit = lowest + 1; bit < 4; bit++)
                {
                    ulong next = coins.Next64();
                    word = (sixteenths >> bit & 1) != 0 ? word | next : word & next;
                }

                row[w] = word;
            }

            row[^1] &= LastWordMask(k);
            count = Count(row);
        }

        Resize(ref coins, row, k, count, size);
    }

    /// <summary>Adds uniform outside elements, or removes uniform members, until the subset has <paramref name="size"/> members.</summary>
    public static void Resize(ref CoinStream coins, Span<ulong> row, int k, int count, int size)
    {
        while (count < size)
        {
            // A member is met with probability count / k, whichever the members are.
            uint element = coins.Uniform((uint)k);
            ulong bit = 1UL << (int)(element % 64);
            ref ulong word = ref row[(int)(element / 64)];
            count += (word & bit) == 0 ? 1 : 0;
            word |= bit;
        }

        for (; count > size; count--)
        {
            Clear(row, Select(row, (int)coins.Uniform((uint)count)));
        }
    }

    /// <summary>Number of members.</summary>
    public static int Count(ReadOnlySpan<ulong> row)
    {
        int count = 0;
        foreach (ulong word in row)
        {
            count += BitOperations.PopCount(word);
        }

        return count;
    }

    /// <summary>The member with <paramref name="rank"/> smaller members.</summary>
    public static int Select(ReadOnlySpan<ulong> row, int rank)
    {
        int w = 0;
        int members = BitOperations.PopCount(row[0]);
        while (rank >= members)
        {
            rank -= members;
            members = BitOperations.PopCount(row[++w]);
        }

        return (64 * w) + SelectInWord(row[w], rank);
    }

    /// <summary>Whether an element is a member, as 0 or 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Holds(ReadOnlySpan<ulong> row, int element) => row[element / 64] >> (element % 64) & 1;

    private static void Clear(Span<ulong> row, int element) => row[element / 64] &= ~(1UL << (element % 64));

    private static int SelectInWord(ulong word, int rank)
    {
        if (Bmi2.X64.IsSupported)
        {
            return BitOperations.TrailingZeroCount(Bmi2.X64.ParallelBitDeposit(1UL << rank, word));
        }

        for (; rank > 0; rank--)
        {
            word &= word - 1;
        }

        return BitOperations.TrailingZeroCount(word);
    }
}
