using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms.Sets;

/// <summary>
/// Many independent bits of one fact at once, bit i with probability thresholds[i] / 2^32 exactly: 128 comparisons "uniform 32-bit number
/// &lt; threshold" per group, one plane of bits at a time from the most significant, until every comparison is decided. A block of coins is
/// one plane of one group, so which coins a bit is made of does not depend on when the comparison stopped; when it stops depends on coins
/// and thresholds alone.
/// </summary>
internal sealed class BernoulliLanes
{
    /// <summary>Comparisons per group: the bits of a block.</summary>
    public const int LanesPerGroup = 128;

    /// <summary>Facts that are drawn together, which keeps the cipher busy.</summary>
    public const int Batch = 16;

    /// <summary>Blocks of coins that belong to a group.</summary>
    public const int PlanesPerGroup = Coin.Bits;

    private const int WordsPerGroup = 2;
    private readonly int _count;

    // Per group: the lanes whose thresholds are not 0. Per group and plane: the thresholds' bits of that plane, and the lanes with bits
    // left below it.
    private readonly Vector128<ulong>[] _open;
    private readonly Vector128<ulong>[] _bits;
    private readonly Vector128<ulong>[] _left;

    // Per group: the number of planes after which nothing is left to decide.
    private readonly int[] _planes;

    /// <summary>Prepares the comparisons.</summary>
    public BernoulliLanes(IReadOnlyList<uint> thresholds)
    {
        _count = thresholds.Count;
        int groups = GroupsFor(_count);
        _open = new Vector128<ulong>[groups];
        _bits = new Vector128<ulong>[groups * PlanesPerGroup];
        _left = new Vector128<ulong>[groups * PlanesPerGroup];
        _planes = new int[groups];
        for (int i = 0; i < _count; i++)
        {
            int group = i / LanesPerGroup;
            for (int plane = 0; plane < PlanesPerGroup && thresholds[i] << plane != 0; plane++)
            {
                int at = (group * PlanesPerGroup) + plane;
                Include(ref plane == 0 ? ref _open[group] : ref _left[at - 1], i);
                _planes[group] = Math.Max(_planes[group], plane + 1);
                if ((thresholds[i] << plane & 0x80000000) != 0)
                {
                    Include(ref _bits[at], i);
                }
            }
        }

        static void Include(ref Vector128<ulong> lanes, int lane)
        {
            int half = lane % LanesPerGroup / 64;
            lanes = lanes.WithElement(half, lanes[half] | (1UL << (lane % 64)));
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
    public void Draw(CoinCipher cipher, ReadOnlySpan<ulong> facts, ushort version, ReadOnlySpan<ushort> values, int lanes, Span<ulong> words)
    {
        // Half of the open lanes are decided by each plane: eight planes settle most groups (four are all there is when thresholds have no
        // more bits).
        const int MostPlanes = 8;
        Span<Vector128<byte>> coins = stackalloc Vector128<byte>[Batch * MostPlanes];
        int stride = WordsFor(lanes);
        for (int group = 0; group < GroupsFor(lanes); group++)
        {
            int first = group * PlanesPerGroup;
            int planes = _planes[group] > MostPlanes / 2 ? MostPlanes : MostPlanes / 2;
            for (int i = 0; i < facts.Length; i++)
            {
                for (int plane = 0; plane < planes; plane++)
                {
                    coins[(i * planes) + plane] = Coin.Counter(facts[i], version, values[i], step: 0, first + plane);
                }
            }

            cipher.Encrypt(coins[..(facts.Length * planes)]);
            for (int i = 0; i < facts.Length; i++)
            {
                Vector128<ulong> below = default;
                Vector128<ulong> equal = _open[group];
                Decide(coins.Slice(i * planes, planes), first, ref below, ref equal);
                if (equal != default && planes < _planes[group])
                {
                    DecideRest(cipher, facts[i], version, values[i], first, planes, ref below, ref equal);
                }

                words[(i * stride) + (WordsPerGroup * group)] = below[0];
                words[(i * stride) + (WordsPerGroup * group) + 1] = below[1];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Decide(ReadOnlySpan<Vector128<byte>> coins, int at, ref Vector128<ulong> below, ref Vector128<ulong> equal)
    {
        for (int i = 0; i < coins.Length; i++)
        {
            // Where the threshold's bit is 1, a coin of 0 decides for "below"; where it is 0, a coin of 1 decides for "not below".
            Vector128<ulong> one = _bits[at + i];
            Vector128<ulong> word = coins[i].AsUInt64();
            below |= equal & ~word & one;
            equal &= ~(word ^ one) & _left[at + i];
        }
    }

    // The second half of a comparison's planes are seldom needed, by one fact at a time.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DecideRest(CoinCipher cipher, ulong fact, ushort version, ushort value, int first, int plane, ref Vector128<ulong> below, ref Vector128<ulong> equal)
    {
        Span<Vector128<byte>> coins = stackalloc Vector128<byte>[4];
        for (; plane < PlanesPerGroup && equal != default; plane += coins.Length)
        {
            cipher.EncryptRun(fact, version, value, step: 0, first + plane, coins);
            Decide(coins, first + plane, ref below, ref equal);
        }
    }

    /// <summary>Copies lanes position..position+k-1 to a row of bits.</summary>
    public static void CopyTo(ReadOnlySpan<ulong> words, int position, int k, Span<ulong> row)
    {
        int shift = position % 64;
        int at = position / 64;
        for (int w = 0; w < row.Length; w++)
        {
            // Two shifts, because a shift by 64 would be one by 0.
            row[w] = (words[at + w] >> shift) | (words[at + w + 1] << 1 << (63 - shift));
        }

        row[^1] &= BitRows.LastWordMask(k);
    }
}
