using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Mechanisms.Oue;

/// <summary>The OUE channels of one domain size, and the sampler that flips bits from grade to grade.</summary>
internal sealed class OueLadder : IReportLadder
{
    private readonly int _k;
    private readonly OueLaw[] _laws;
    private readonly OueChannel[] _channels;
    private readonly string _use;

    /// <summary>A ladder of given laws, index 0 for grade 1: the laws of <see cref="Create"/>, or those of a test that plants an error.</summary>
    internal OueLadder(int domainSize, OueLaw[] laws, GradeLadder grades)
    {
        (_k, _laws) = (domainSize, laws);
        _channels = [.. laws.Select((law, i) => new OueChannel(domainSize, law, grades[i + 1]))];
        _use = LadderUse.Of("oue", domainSize, 0, grades);
    }

    /// <summary>Computes the laws from the top grade down.</summary>
    public static OueLadder Create(int domainSize, GradeLadder grades)
    {
        var laws = new OueLaw[grades.Count];
        OueLaw law = OueLaw.Clear;
        for (int grade = grades.Count; grade >= 1; grade--)
        {
            law = law.Randomise(grades[grade]);
            laws[grade - 1] = law;
        }

        return new OueLadder(domainSize, laws, grades);
    }

    public Channel this[int grade] => _channels[grade - 1];

    public IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> factKeys, ReadOnlySpan<int> grades)
    {
        ushort[] values = ValueRounding.Round(key, column, factKeys.Span);
        int words = BitRows.WordsFor(_k);
        (ulong[]?[] wanted, int lowest) = LadderOutputs.Allocate<ulong>(grades, _laws.Length, (long)values.Length * words);
        CoinCipher cipher = key.CipherFor(_use);
        RecordBlocks.ForEach(values.Length, (start, count) =>
            DrawBlock(cipher, key.ValueVersion, values.AsSpan(start, count), factKeys.Span.Slice(start, count), wanted, lowest, start));
        return LadderOutputs.Collect(grades, grade => new SetReports(wanted[grade]!, words));
    }

    [SkipLocalsInit]
    private void DrawBlock(
        CoinCipher cipher, ushort version, ReadOnlySpan<ushort> values, ReadOnlySpan<ulong> facts, ulong[]?[] wanted, int lowest, int offset)
    {
        int words = BitRows.WordsFor(_k);
        ulong last = BitRows.LastWordMask(_k);
        Span<ulong> row = stackalloc ulong[words];
        var coins = new CoinStream(cipher, stackalloc Vector128<byte>[CoinStream.BufferBlocks]);
        for (int i = 0; i < values.Length; i++)
        {
            coins.Start(facts[i], version, values[i]);
            row.Clear();
            for (int grade = _laws.Length; grade >= lowest; grade--)
            {
                uint flipBelow = _laws[grade - 1].FlipBelow;
                for (int w = 0; w < words; w++)
                {
                    row[w] ^= Bernoulli(ref coins, flipBelow);
                }

                row[^1] &= last;
                if (grade == _laws.Length)
                {
                    // The truth's bit is replaced by a fair coin; the other words go through the same motions with an empty mask.
                    uint coin = coins.Next32() & 1;
                    int bit = values[i] % 64;
                    for (int w = 0; w < words; w++)
                    {
                        ulong here = w == values[i] / 64 ? 1UL : 0UL;
                        row[w] = (row[w] & ~(here << bit)) | ((here & coin) << bit);
                    }
                }

                if (wanted[grade] is { } output)
                {
                    row.CopyTo(output.AsSpan((offset + i) * words));
                }
            }
        }
    }

    /// <summary>
    /// 64 independent bits, each 1 with probability threshold / 2^32 exactly: 64 comparisons "uniform 32-bit number &lt; threshold" at once, bit by bit
    /// from the most significant, until every one is decided (7.3 words of coins on average, whatever the truth).
    /// </summary>
    internal static ulong Bernoulli(ref CoinStream coins, uint threshold)
    {
        ulong below = 0;
        ulong equal = ulong.MaxValue;
        for (uint rest = threshold; rest != 0 && equal != 0; rest <<= 1)
        {
            // Where the threshold's bit is 1, a coin of 0 decides for "below"; where it is 0, a coin of 1 decides for "not below".
            ulong word = coins.Next64();
            ulong one = (ulong)((int)rest >> 31);
            below |= equal & ~word & one;
            equal &= ~(word ^ one);
        }

        return below;
    }
}
