using System.Runtime.CompilerServices;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Mechanisms.Oue;

/// <summary>The OUE channels of one domain size, and the sampler that flips bits from grade to grade.</summary>
internal sealed class OueLadder : SetLadder
{
    private readonly int _k;
    private readonly OueLaw[] _laws;
    private readonly OueChannel[] _channels;
    private readonly BernoulliLanes _lanes;

    /// <summary>
    /// A ladder of given laws, index 0 for grade 1: the laws of <see cref="Create"/>, or those of a test that plants an error.
    /// </summary>
    internal OueLadder(int domainSize, OueLaw[] laws, GradeLadder grades)
        : base(domainSize, laws.Length, LadderUse.Of("oue", domainSize, BernoulliLanes.Version, grades))
    {
        (_k, _laws) = (domainSize, laws);
        _channels = [.. laws.Select((law, i) => new OueChannel(domainSize, law, grades[i + 1]))];

        // Lane 0 is the truth's fair coin; the flips of all values follow, the top grade's first.
        _lanes = new BernoulliLanes([1u << 31, .. laws.Reverse().SelectMany(law => Enumerable.Repeat(law.FlipBelow, domainSize))]);
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

    public override Channel this[int grade] => _channels[grade - 1];

    [SkipLocalsInit]
    private protected override void DrawBlock(
        CoinCipher cipher, ushort version, ReadOnlySpan<ushort> values, ReadOnlySpan<ulong> facts, ulong[]?[] wanted, int lowest,
        int offset)
    {
        int words = BitRows.WordsFor(_k);
        int lanes = 1 + ((_laws.Length + 1 - lowest) * _k);
        int stride = BernoulliLanes.WordsFor(lanes);
        ulong[] drawn = new ulong[BernoulliLanes.Batch * stride];
        Span<ulong> rows = stackalloc ulong[BernoulliLanes.Batch];
        for (int start = 0; start < values.Length; start += BernoulliLanes.Batch)
        {
            ReadOnlySpan<ushort> batch = values[start..Math.Min(start + BernoulliLanes.Batch, values.Length)];
            _lanes.Draw(cipher, facts.Slice(start, batch.Length), version, batch, lanes, drawn);
            for (int w = 0; w < words; w++)
            {
                rows.Clear();
                ulong valid = w == words - 1 ? BitRows.LastWordMask(_k) : ulong.MaxValue;
                for (int grade = _laws.Length; grade >= lowest; grade--)
                {
                    int position = 1 + ((_laws.Length - grade) * _k) + (64 * w);
                    for (int i = 0; i < batch.Length; i++)
                    {
                        rows[i] ^= BernoulliLanes.Word(drawn.AsSpan(i * stride), position) & valid;
                    }

                    if (grade == _laws.Length)
                    {
                        SetTruth(rows, batch, w, drawn, stride);
                    }

                    if (wanted[grade] is { } output)
                    {
                        int first = ((offset + start) * words) + w;
                        for (int i = 0; i < batch.Length; i++)
                        {
                            output[first + (i * words)] = rows[i];
                        }
                    }
                }
            }
        }
    }

    /// <summary>The truth's bit is replaced by a fair coin; the other words go through the same motions with an empty mask.</summary>
    private static void SetTruth(Span<ulong> rows, ReadOnlySpan<ushort> values, int w, ReadOnlySpan<ulong> drawn, int stride)
    {
        for (int i = 0; i < values.Length; i++)
        {
            ulong here = w == values[i] >> 6 ? 1UL : 0UL;
            int bit = values[i] & 63;
            rows[i] = (rows[i] & ~(here << bit)) | ((here & drawn[i * stride]) << bit);
        }
    }
}
