using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms.Sets;

/// <summary>
/// Random operations on a subset of 0..k-1 that is held as a row of bits. All are exchangeable: they treat every element alike.
/// </summary>
internal static class BitRows
{
    /// <summary>Words of a row of k bits.</summary>
    public static int WordsFor(int k) => (k + 63) / 64;

    /// <summary>The valid bits of the last word of a row of k bits.</summary>
    public static ulong LastWordMask(int k) => k % 64 == 0 ? ulong.MaxValue : (1UL << (k % 64)) - 1;

    /// <summary>
    /// Turns an exchangeable random subset of the elements outside <paramref name="excluded"/> into a uniform one of exactly <paramref
    /// name="size"/> elements: uniform elements are added, or removed, until the size is right. Given its size an exchangeable subset is
    /// uniform, and the walk keeps it so.
    /// </summary>
    /// <param name="coins">The coins.</param>
    /// <param name="row">The subset; holds no excluded element.</param>
    /// <param name="excluded">The elements that may not enter.</param>
    /// <param name="k">Number of elements.</param>
    /// <param name="size">The wanted size, at most the number of elements that are not excluded.</param>
    public static void Resize(ref CoinStream coins, Span<ulong> row, ReadOnlySpan<ulong> excluded, int k, int size)
    {
        int count = Count(row);
        while (count < size)
        {
            // The probability of meeting an element that cannot enter depends on the numbers of elements only, not on which they are.
            uint element = coins.Uniform((uint)k);
            int w = (int)(element / 64);
            ulong enters = (1UL << (int)(element % 64)) & ~(row[w] | excluded[w]);
            row[w] |= enters;
            count += enters != 0 ? 1 : 0;
        }

        for (; count > size; count--)
        {
            int leaver = Select(row, (int)coins.Uniform((uint)count));
            row[leaver / 64] &= ~(1UL << (leaver % 64));
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

    /// <summary>The low bits of a word, one after the other, at the places that a mask names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Deposit(ulong bits, ulong mask) =>
        Bmi2.X64.IsSupported ? Bmi2.X64.ParallelBitDeposit(bits, mask) : DepositPlain(bits, mask);

    /// <summary>The same, one bit at a time: machines without the instruction, and the tests' oracle.</summary>
    internal static ulong DepositPlain(ulong bits, ulong mask)
    {
        ulong deposited = 0;
        for (; mask != 0; mask &= mask - 1, bits >>= 1)
        {
            deposited |= (bits & 1) * (mask & (0 - mask));
        }

        return deposited;
    }

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
