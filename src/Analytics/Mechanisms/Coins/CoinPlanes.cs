using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EmrMarket.Analytics.Mechanisms.Coins;

/// <summary>Coins of a batch of facts, turned so that word w of all facts lies together, as vector code wants it.</summary>
internal static class CoinPlanes
{
    /// <summary>Facts per batch: counters, coins and planes stay in the first-level cache.</summary>
    public const int Batch = 256;

    /// <summary>Words of the planes of one block: <see cref="Coin.WordsPerBlock"/> planes of <see cref="Batch"/> words.</summary>
    public const int Length = Coin.WordsPerBlock * Batch;

    /// <summary>Words of a buffer on the stack that <see cref="Align"/> may shorten by the start of a cache line.</summary>
    public const int Padding = CacheLineBytes / sizeof(uint);

    private const int CacheLineBytes = 64;

    // The lower and the upper halves of two vectors, by the numbers of their quarters.
    private const byte Lower = 0b01_00_01_00;
    private const byte Upper = 0b11_10_11_10;

    /// <summary>
    /// A buffer on the stack without the words before its first cache line: vectors of a whole line that straddle two cost twice as much.
    /// </summary>
    public static unsafe Span<uint> Align(Span<uint> buffer)
    {
        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(buffer));
        return buffer[(int)(((0 - address) & (CacheLineBytes - 1)) / sizeof(uint))..];
    }

    /// <summary>Draws one block per fact and writes word w of fact i to <c>planes[w * Batch + i]</c>.</summary>
    [SkipLocalsInit]
    public static void Fill(
        CoinCipher cipher, ReadOnlySpan<ulong> facts, ushort version, ReadOnlySpan<ushort> values, int step, int block, Span<uint> planes)
    {
        Span<uint> words = Align(stackalloc uint[Length + Padding])[..(Coin.WordsPerBlock * facts.Length)];
        cipher.EncryptFacts(facts, version, values, step, block, MemoryMarshal.Cast<uint, Vector128<byte>>(words));
        Turn(words, planes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn(ReadOnlySpan<uint> words, Span<uint> planes)
    {
        planes = planes[..Length];
        int facts = words.Length / Coin.WordsPerBlock;
        ref uint source = ref MemoryMarshal.GetReference(words);
        ref uint plane = ref MemoryMarshal.GetReference(planes);
        int i = 0;
        if (Avx512F.IsSupported)
        {
            Vector512<uint> firstTwo = Vector512.Create(0u, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
            Vector512<uint> lastTwo = firstTwo + Vector512.Create(2u);
            for (; i <= facts - 16; i += 16)
            {
                Vector512<uint> z0 = Vector512.LoadUnsafe(ref source, (nuint)(Coin.WordsPerBlock * i));
                Vector512<uint> z1 = Vector512.LoadUnsafe(ref source, (nuint)((Coin.WordsPerBlock * i) + 16));
                Vector512<uint> z2 = Vector512.LoadUnsafe(ref source, (nuint)((Coin.WordsPerBlock * i) + 32));
                Vector512<uint> z3 = Vector512.LoadUnsafe(ref source, (nuint)((Coin.WordsPerBlock * i) + 48));
                Vector512<uint> low = Avx512F.PermuteVar16x32x2(z0, firstTwo, z1);
                Vector512<uint> high = Avx512F.PermuteVar16x32x2(z2, firstTwo, z3);
                Avx512F.Shuffle4x128(low, high, Lower).StoreUnsafe(ref plane, (nuint)i);
                Avx512F.Shuffle4x128(low, high, Upper).StoreUnsafe(ref plane, (nuint)(Batch + i));
                low = Avx512F.PermuteVar16x32x2(z0, lastTwo, z1);
                high = Avx512F.PermuteVar16x32x2(z2, lastTwo, z3);
                Avx512F.Shuffle4x128(low, high, Lower).StoreUnsafe(ref plane, (nuint)((2 * Batch) + i));
                Avx512F.Shuffle4x128(low, high, Upper).StoreUnsafe(ref plane, (nuint)((3 * Batch) + i));
            }
        }

        for (; i < facts; i++)
        {
            for (int w = 0; w < Coin.WordsPerBlock; w++)
            {
                planes[(w * Batch) + i] = words[(Coin.WordsPerBlock * i) + w];
            }
        }
    }
}
