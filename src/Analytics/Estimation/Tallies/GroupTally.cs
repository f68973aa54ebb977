using System.Numerics;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation.Tallies;

/// <summary>
/// The sufficient statistic of roll-ups: per group of codes, over records, the number of supported codes of the group and its square; over
/// persons, what clustering needs. Squares are counted and not derived, since the supports of several codes by one hash are not mutually
/// independent. Integers that add over batches.
/// </summary>
public sealed class GroupTally : ClusteredTally
{
    private readonly int[][] _groups;
    private readonly Int128[] _sum;
    private readonly Int128[] _squares;
    private readonly Int128[] _sizeTimesSum;
    private readonly Int128[] _personSquares;

    /// <summary>An empty tally.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="groups">The codes of each group.</param>
    /// <param name="constantPerPerson">True when all records of a person carry the same report.</param>
    public GroupTally(Channel channel, IReadOnlyList<int[]> groups, bool constantPerPerson)
    {
        ArgumentNullException.ThrowIfNull(channel);
        ArgumentNullException.ThrowIfNull(groups);
        (Channel, ConstantPerPerson, _groups) = (channel, constantPerPerson, [.. groups]);
        (_sum, _squares) = (new Int128[_groups.Length], new Int128[_groups.Length]);
        (_sizeTimesSum, _personSquares) = (new Int128[_groups.Length], new Int128[_groups.Length]);
    }

    /// <summary>The channel.</summary>
    public Channel Channel { get; }

    /// <summary>True when all records of a person carry the same report.</summary>
    public bool ConstantPerPerson { get; }

    /// <summary>Adds a batch. O(n / 64 * codes), the counts of 64 records side by side in bit planes.</summary>
    internal void Add(ReportColumn reports, PersonClusters persons)
    {
        Count(reports.Count, persons);
        Parallel.For(0, _groups.Length, g =>
        {
            ulong[][] planes = CountPlanes(reports, _groups[g]);
            Int128 sum = 0;
            Int128 squares = 0;
            for (int b = 0; b < planes.Length; b++)
            {
                sum += (Int128)PopCount(planes[b], planes[b]) << b;
                for (int c = 0; c < planes.Length; c++)
                {
                    squares += (Int128)PopCount(planes[b], planes[c]) << (b + c);
                }
            }

            (Int128 sizeTimesSum, Int128 personSquares) = persons.Sums(sum, squares, record =>
            {
                int count = 0;
                for (int b = 0; b < planes.Length; b++)
                {
                    count |= (int)(planes[b][record >> 6] >> record & 1) << b;
                }

                return count;
            });
            _sum[g] += sum;
            _squares[g] += squares;
            _sizeTimesSum[g] += sizeTimesSum;
            _personSquares[g] += personSquares;
        });
    }

    /// <summary>
    /// The share of records in a group, unbiased, and its variance. A record's estimate is (supported codes - |G| q) / (p - q).
    /// </summary>
    internal (double Share, double Variance) Estimate(int group, InferenceTarget target)
    {
        double r = 1 / (Channel.P - Channel.Q);
        double silent = _groups[group].Length * Channel.Q;
        double n = Records;
        double share = (((double)_sum[group] / n) - silent) * r;

        // The squares of z = (c - silent) r, over records and over persons, from the integer sums of c.
        double records = SumOfSquares((double)_squares[group], (double)_sum[group], n, silent) * r * r;
        double persons = SumOfSquares((double)_personSquares[group], (double)_sizeTimesSum[group], SumSquaredSizes, silent) * r * r;
        double sizes = ((double)_sizeTimesSum[group] - (silent * SumSquaredSizes)) * r;
        if (target == InferenceTarget.Records)
        {
            // A truth of 0 or 1 is its own square, so the unbiased estimate of the sum of squared truths is the sum of z.
            double excess = ConstantPerPerson ? persons - sizes : records - (share * n);
            return (share, Math.Max(0, excess) / (n * n));
        }

        double clusters = persons - (2 * share * sizes) + (share * share * SumSquaredSizes);
        return (share, Persons < 2 ? double.PositiveInfinity : Math.Max(0, clusters) / (n * n) * Persons / (Persons - 1));
    }

    private static double SumOfSquares(double squares, double sum, double count, double shift) =>
        squares - (2 * shift * sum) + (shift * shift * count);

    private static long PopCount(ulong[] left, ulong[] right)
    {
        long count = 0;
        for (int i = 0; i < left.Length; i++)
        {
            count += BitOperations.PopCount(left[i] & right[i]);
        }

        return count;
    }

    // Bit b of a record's count is in plane b: adding a bitmap is a ripple-carry addition of 64 records at once, which mostly ends after
    // two planes.
    private ulong[][] CountPlanes(ReportColumn reports, int[] codes)
    {
        const int CodesAtOnce = 64;
        int words = (reports.Count + 63) / 64;
        ulong[][] planes = [.. Enumerable.Range(0, BitOperations.Log2((uint)Math.Max(1, codes.Length)) + 1).Select(_ => new ulong[words])];
        for (int start = 0; start < codes.Length; start += CodesAtOnce)
        {
            ReadOnlySpan<int> some = codes.AsSpan(start, Math.Min(CodesAtOnce, codes.Length - start));
            SupportBitmaps bitmaps = Channel.Support(reports, some);
            for (int i = 0; i < some.Length; i++)
            {
                ReadOnlySpan<ulong> bits = bitmaps[i];
                for (int word = 0; word < words; word++)
                {
                    ulong carry = bits[word];
                    for (int b = 0; carry != 0; b++)
                    {
                        ulong both = planes[b][word] & carry;
                        planes[b][word] ^= carry;
                        carry = both;
                    }
                }
            }
        }

        return planes;
    }
}
