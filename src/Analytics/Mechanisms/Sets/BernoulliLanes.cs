using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms.Sets;

/// <summary>
/// Many independent bits of one fact at once, bit i with probability thresholds[i] / 2^32 exactly: comparisons "uniform 32-bit number &lt;
/// threshold", all lanes of a word one plane of bits at a time from the most significant, until every comparison is decided. The first
/// planes are whole blocks of coins; half of the lanes being decided by each plane, the next ones take coins for the undecided lanes only,
/// one after the other from a stream. A coin serves one comparison at most, and which one depends on earlier coins and on thresholds alone.
/// </summary>
internal sealed class BernoulliLanes
{
    /// <summary>
    /// The version of the order in which lanes take coins, part of what names a ladder's coins: another order must never meet these.
    /// </summary>
    public const int Version = 2;

    /// <summary>Comparisons per group: the bits of a block.</summary>
    public const int LanesPerGroup = 128;

    /// <summary>Facts that are drawn together, which keeps the cipher busy.</summary>
    public const int Batch = 16;

    /// <summary>Blocks of coins that a group may use.</summary>
    public const int BlocksPerGroup = 32;

    /// <summary>Planes that are whole blocks.</summary>
    public const int WholePlanes = 2;

    private const int WordsPerGroup = LanesPerGroup / LanesPerWord;
    private const int LanesPerWord = 64;

    // The whole planes and the first block of the streams; more are seldom needed.
    private const int FirstBlocks = WholePlanes + 1;

    // So many planes are decided without looking whether any lane is left: one word in twenty is not done then.
    private const int UncheckedPlanes = 10;

    // Thresholds of so few bits are settled by two planes of the stream.
    private const int FewPlanes = WholePlanes + 2;

    // Per word: the lanes whose thresholds are not 0; the thresholds' bits by plane; the number of planes until their last bit.
    private readonly ulong[] _open;
    private readonly ulong[] _ones;
    private readonly int[] _depth;

    /// <summary>Prepares the comparisons.</summary>
    public BernoulliLanes(IReadOnlyList<uint> thresholds)
    {
        int words = WordsPerGroup * GroupsFor(thresholds.Count);
        _open = new ulong[words];
        _ones = new ulong[words * Coin.Bits];
        _depth = new int[words];
        for (int lane = 0; lane < thresholds.Count; lane++)
        {
            int word = lane / LanesPerWord;
            ulong bit = 1UL << (lane % LanesPerWord);
            _open[word] |= thresholds[lane] != 0 ? bit : 0;
            _depth[word] = Math.Max(_depth[word], Coin.Bits - BitOperations.TrailingZeroCount(thresholds[lane]));
            for (int plane = 0; plane < Coin.Bits; plane++)
            {
                _ones[(word * Coin.Bits) + plane] |= (thresholds[lane] << plane & 0x80000000) != 0 ? bit : 0;
            }
        }
    }

    /// <summary>Groups that hold so many lanes.</summary>
    public static int GroupsFor(int lanes) => (lanes + LanesPerGroup - 1) / LanesPerGroup;

    /// <summary>Words that <see cref="Draw"/> writes for so many lanes, with one of padding for unaligned reads.</summary>
    public static int WordsFor(int lanes) => (WordsPerGroup * GroupsFor(lanes)) + 1;

    /// <summary>Draws the first so many lanes of a batch of facts, rounded up to a group.</summary>
    /// <param name="cipher">The ladder's generator.</param>
    /// <param name="facts">The fact ids, at most <see cref="Batch"/>.</param>
    /// <param name="version">The value version.</param>
    /// <param name="values">As many rounded values.</param>
    /// <param name="lanes">The number of lanes wanted.</param>
    /// <param name="words">Rows of <see cref="WordsFor"/> words, one per fact, overwritten.</param>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Draw(
        CoinCipher cipher, ReadOnlySpan<ulong> facts, ushort version, ReadOnlySpan<ushort> values, int lanes, Span<ulong> words)
    {
        Span<Vector128<byte>> coins = stackalloc Vector128<byte>[Batch * FirstBlocks];
        int stride = WordsFor(lanes);
        for (int group = 0; group < GroupsFor(lanes); group++)
        {
            for (int i = 0; i < facts.Length; i++)
            {
                for (int block = 0; block < FirstBlocks; block++)
                {
                    coins[(i * FirstBlocks) + block] =
                        Coin.Counter(facts[i], version, values[i], step: 0, (group * BlocksPerGroup) + block);
                }
            }

            cipher.Encrypt(coins[..(facts.Length * FirstBlocks)]);
            ref ulong coin = ref Unsafe.As<Vector128<byte>, ulong>(ref MemoryMarshal.GetReference(coins));
            for (int half = 0; half < WordsPerGroup; half++)
            {
                int word = (group * WordsPerGroup) + half;
                ref ulong ones = ref _ones[word * Coin.Bits];
                ulong open = _open[word];
                int depth = _depth[word];
                for (int i = 0; i < facts.Length; i++)
                {
                    ref ulong own = ref Unsafe.Add(ref coin, (i * FirstBlocks * WordsPerGroup) + half);
                    ulong below = 0;
                    ulong equal = open;
                    Compare(own, ones, ref below, ref equal);
                    Compare(Unsafe.Add(ref own, WordsPerGroup), Unsafe.Add(ref ones, 1), ref below, ref equal);
                    ulong first = Unsafe.Add(ref own, WholePlanes * WordsPerGroup);
                    words[(i * stride) + word] = TryDecide(ref ones, first, depth, ref below, equal)
                        ? below
                        : DecideRest(cipher, facts[i], version, values[i], word, first, below, equal);
                }
            }
        }
    }

    /// <summary>
    /// The next planes from the stream's first word, without asking whether it has coins enough or lanes are left until all is done.
    /// </summary>
    /// <returns>Whether it had, and none are; otherwise <paramref name="below"/> is as it was.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryDecide(ref ulong ones, ulong stream, int depth, ref ulong below, ulong equal)
    {
        ulong decided = below;
        int taken = 0;

        // Planes below a threshold's last bit change no result.
        Take(Unsafe.Add(ref ones, 2), ref stream, ref taken, ref decided, ref equal);
        Take(Unsafe.Add(ref ones, 3), ref stream, ref taken, ref decided, ref equal);
        if (depth > FewPlanes)
        {
            Take(Unsafe.Add(ref ones, 4), ref stream, ref taken, ref decided, ref equal);
            Take(Unsafe.Add(ref ones, 5), ref stream, ref taken, ref decided, ref equal);
            Take(Unsafe.Add(ref ones, 6), ref stream, ref taken, ref decided, ref equal);
            Take(Unsafe.Add(ref ones, 7), ref stream, ref taken, ref decided, ref equal);
            Take(Unsafe.Add(ref ones, 8), ref stream, ref taken, ref decided, ref equal);
            Take(Unsafe.Add(ref ones, 9), ref stream, ref taken, ref decided, ref equal);
        }

        bool done = taken <= LanesPerWord && (equal == 0 || depth <= (depth > FewPlanes ? UncheckedPlanes : FewPlanes));
        below = done ? decided : below;
        return done;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Take(ulong ones, ref ulong stream, ref int taken, ref ulong below, ref ulong equal)
        {
            int count = BitOperations.PopCount(equal);
            ulong coins = BitRows.Deposit(stream, equal);
            stream >>= count;
            taken += count;
            Compare(coins, ones, ref below, ref equal);
        }
    }

    /// <summary>
    /// One plane: where the threshold's bit is 1, a coin of 0 decides for "below"; where it is 0, a coin of 1 decides for "not below".
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Compare(ulong coins, ulong ones, ref ulong below, ref ulong equal)
    {
        below |= equal & ~coins & ones;
        equal &= ~(coins ^ ones);
    }

    /// <summary>
    /// All planes after the whole ones: where the stream's word has too few coins for the undecided lanes, the next begins.
    /// </summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong DecideRest(CoinCipher cipher, ulong fact, ushort version, ushort value, int word, ulong stream, ulong below, ulong equal)
    {
        Span<Vector128<byte>> coins = stackalloc Vector128<byte>[1];
        int block = (word / WordsPerGroup * BlocksPerGroup) + FirstBlocks;
        int left = LanesPerWord;
        for (int plane = WholePlanes; equal != 0 && plane < _depth[word]; plane++)
        {
            int count = BitOperations.PopCount(equal);
            if (count > left)
            {
                cipher.EncryptRun(fact, version, value, step: 0, block++, coins);
                (stream, left) = (coins[0].AsUInt64()[word % WordsPerGroup], LanesPerWord);
            }

            Compare(BitRows.Deposit(stream, equal), _ones[(word * Coin.Bits) + plane], ref below, ref equal);
            stream >>= count;
            left -= count;
        }

        return below;
    }

    /// <summary>Copies lanes position..position+k-1 to a row of bits.</summary>
    public static void CopyTo(ReadOnlySpan<ulong> words, int position, int k, Span<ulong> row)
    {
        for (int w = 0; w < row.Length; w++)
        {
            row[w] = Word(words, position + (LanesPerWord * w));
        }

        row[^1] &= BitRows.LastWordMask(k);
    }

    /// <summary>Lanes position..position+63, those of the next word above the last one included.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Word(ReadOnlySpan<ulong> words, int position)
    {
        int at = position >>> 6;
        int shift = position & (LanesPerWord - 1);

        // Two shifts, because a shift by 64 would be one by 0.
        return (words[at] >> shift) | (words[at + 1] << 1 << (LanesPerWord - 1 - shift));
    }
}
