using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Mechanisms.Ss;

/// <summary>
/// The SS channels of one domain size, and the sampler that extends and re-randomises a record's subset from grade to grade.
/// </summary>
internal sealed class SsLadder : SetLadder
{
    private readonly int _k;
    private readonly SsLaw[] _laws;
    private readonly SsChannel[] _channels;
    private readonly BernoulliLanes _lanes;

    /// <summary>
    /// A ladder of given laws, index 0 for grade 1: the laws of <see cref="Create"/>, or those of a test that plants an error.
    /// </summary>
    internal SsLadder(SsLaw[] laws, GradeLadder grades)
        : base(laws[0].DomainSize, laws.Length, LadderUse.Of("ss", laws[0].DomainSize, BernoulliLanes.Version, grades))
    {
        (_k, _laws) = (laws[0].DomainSize, laws);
        _channels = [.. laws.Select((law, i) => new SsChannel(law, grades[i + 1]))];
        _lanes = Lanes(laws);
    }

    /// <summary>Chooses the sizes and computes the laws from the top grade down.</summary>
    public static SsLadder Create(int domainSize, GradeLadder grades)
    {
        int[] sizes = LadderShapes.Choose(
            grades, [.. Enumerable.Range(1, Math.Max(1, domainSize / 2))], (d, odds) => Variance(domainSize, d, odds), Weight);
        var laws = new SsLaw[grades.Count];
        SsLaw law = SsLaw.Clear(domainSize, sizes[^1]);
        for (int grade = grades.Count; grade >= 1; grade--)
        {
            law = law.Extend(sizes[grade - 1]).Randomise(grades[grade]);
            laws[grade - 1] = law;
        }

        return new SsLadder(laws, grades);
    }

    public override Channel this[int grade] => _channels[grade - 1];

    [SkipLocalsInit]
    private protected override void DrawBlock(
        CoinCipher cipher, ushort version, ReadOnlySpan<ushort> values, ReadOnlySpan<ulong> facts, ulong[]?[] wanted, int lowest,
        int offset)
    {
        int words = BitRows.WordsFor(_k);
        int lanes = ExtensionLane(lowest) + _k;
        int stride = BernoulliLanes.WordsFor(lanes);
        ulong[] drawn = new ulong[BernoulliLanes.Batch * stride];
        Span<ulong> row = stackalloc ulong[words];
        Span<ulong> fresh = stackalloc ulong[words];
        Span<ulong> added = stackalloc ulong[words];
        Span<ulong> none = stackalloc ulong[words];
        none.Clear();
        var coins = new CoinStream(cipher, stackalloc Vector128<byte>[CoinStream.BufferBlocks]);
        for (int i = 0; i < values.Length; i++)
        {
            int place = i % BernoulliLanes.Batch;
            if (place == 0)
            {
                int batch = Math.Min(BernoulliLanes.Batch, values.Length - i);
                _lanes.Draw(cipher, facts.Slice(i, batch), version, values.Slice(i, batch), lanes, drawn);
            }

            ReadOnlySpan<ulong> bits = drawn.AsSpan(place * stride, stride);
            coins.Start(facts[i], version, values[i], step: 1);
            for (int grade = _laws.Length; grade >= lowest; grade--)
            {
                SsLaw law = _laws[grade - 1];
                int size = law.SubsetSize;
                BernoulliLanes.CopyTo(bits, FreshLane(grade), _k, fresh);
                BitRows.Resize(ref coins, fresh, none, _k, size);
                if (grade == _laws.Length)
                {
                    Support(ref coins, row, fresh, values[i], size);
                }
                else
                {
                    BernoulliLanes.CopyTo(bits, ExtensionLane(grade), _k, added);
                    for (int w = 0; w < words; w++)
                    {
                        added[w] &= ~row[w];
                    }

                    BitRows.Resize(ref coins, added, row, _k, size - _laws[grade].SubsetSize);
                    for (int w = 0; w < words; w++)
                    {
                        row[w] |= added[w];
                    }
                }

                // Both subsets are drawn for every record and one is selected by a mask, so that time does not tell which.
                ulong keep = coins.Next32() < law.FreshBelow ? 0 : ulong.MaxValue;
                for (int w = 0; w < words; w++)
                {
                    row[w] = (row[w] & keep) | (fresh[w] & ~keep);
                }

                if (wanted[grade] is { } output)
                {
                    row.CopyTo(output.AsSpan((offset + i) * words));
                }
            }
        }
    }

    /// <summary>
    /// Turns a uniform subset into a uniform one among those that hold the value: if it is missing, it takes the place of a uniform member.
    /// Given that it is a member, the others are uniform already; given that it is not, so are those that a uniform removal leaves.
    /// </summary>
    private static void Support(ref CoinStream coins, Span<ulong> row, ReadOnlySpan<ulong> fresh, int value, int size)
    {
        int leaver = BitRows.Select(fresh, (int)coins.Uniform((uint)size));
        ulong outside = BitRows.Holds(fresh, value) ^ 1;
        fresh.CopyTo(row);
        row[leaver / 64] &= ~(outside << (leaver % 64));
        row[value / 64] |= 1UL << (value % 64);
    }

    // Where a grade's lanes begin: k for its fresh subset, then k for its extension (unused at the top).
    private int FreshLane(int grade) => 2 * (_laws.Length - grade) * _k;

    private int ExtensionLane(int grade) => FreshLane(grade) + _k;

    /// <summary>
    /// The lanes of all grades: densities in sixteenths that make few corrections, for speed only. Four planes of coins decide them.
    /// </summary>
    private static BernoulliLanes Lanes(SsLaw[] laws)
    {
        int k = laws[0].DomainSize;
        var thresholds = new List<uint>();
        for (int grade = laws.Length; grade >= 1; grade--)
        {
            int size = laws[grade - 1].SubsetSize;
            int before = grade == laws.Length ? 0 : laws[grade].SubsetSize;
            thresholds.AddRange(Enumerable.Repeat(Sixteenths(size, k), k));
            thresholds.AddRange(Enumerable.Repeat(grade == laws.Length ? 0 : Sixteenths(size - before, k - before), k));
        }

        return new BernoulliLanes(thresholds);

        static uint Sixteenths(int size, int among) => (uint)(((32 * size) + among) / (2 * among)) << 28;
    }

    /// <summary>
    /// The sum over all values of a report's frequency variances, uniform truth: [p(1-p) + (k-1) q(1-q)] / (p-q)^2 (Ye and Barg 2018,
    /// section IV).
    /// </summary>
    private static double Variance(int k, int d, double odds)
    {
        double p = d * odds / ((d * odds) + k - d);
        double q = ((p * (d - 1)) + ((1 - p) * d)) / (k - 1);
        return ((p * (1 - p)) + ((k - 1) * q * (1 - q))) / ((p - q) * (p - q));
    }

    /// <summary>
    /// Extension leaves P[truth outside] at (k-d') / (d e^epsilon + k - d); the lower grade needs it at least (k-d') / (d' e^epsilon' + k -
    /// d').
    /// </summary>
    private static double Weight(int subsetSize) => subsetSize;
}
