using System.Numerics;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation.Tallies;

/// <summary>
/// The sufficient statistic of frequencies at one grade: integers that add over batches. Beside the support counts it holds what clustering
/// by person needs; where every record is a person, the three arrays are equal.
/// </summary>
public sealed class SupportTally : ClusteredTally
{
    private readonly long[] _support;
    private readonly long[] _sizeTimesSupport;
    private readonly long[] _squaredSupport;

    /// <summary>An empty tally.</summary>
    /// <param name="channel">The channel that all reports came through.</param>
    /// <param name="constantPerPerson">True when all records of a person carry the same report.</param>
    public SupportTally(Channel channel, bool constantPerPerson)
    {
        ArgumentNullException.ThrowIfNull(channel);
        (Channel, ConstantPerPerson) = (channel, constantPerPerson);
        _support = new long[channel.DomainSize];
        _sizeTimesSupport = new long[channel.DomainSize];
        _squaredSupport = new long[channel.DomainSize];
    }

    /// <summary>The channel.</summary>
    public Channel Channel { get; }

    /// <summary>True when all records of a person carry the same report: then the report is one draw that counts several times.</summary>
    public bool ConstantPerPerson { get; }

    /// <summary>Per value the number of reports that support it.</summary>
    public ReadOnlySpan<long> Support => _support;

    /// <summary>Per value the sum over persons of (records of the person) * (supporting reports of the person).</summary>
    public ReadOnlySpan<long> SizeTimesSupport => _sizeTimesSupport;

    /// <summary>Per value the sum over persons of (supporting reports of the person)^2.</summary>
    public ReadOnlySpan<long> SquaredSupport => _squaredSupport;

    /// <summary>Adds a batch. O(n) to O(n k) by the channel, and O(k) per record of persons with several.</summary>
    internal void Add(ReportColumn reports, PersonClusters persons)
    {
        long[] counts = Channel.CountSupport(reports);
        Count(reports.Count, persons);
        for (int v = 0; v < counts.Length; v++)
        {
            _support[v] += counts[v];
            _sizeTimesSupport[v] += counts[v];
            _squaredSupport[v] += counts[v];
        }

        if (persons.Repeated == 0)
        {
            return;
        }

        int[][] ranks = persons.Ranks;
        ReportColumn[] columns = [.. ranks.Select(r => reports.Take(r))];
        // 64 values at a time bound the bitmaps to 8 bytes per record.
        for (int start = 0; start < counts.Length; start += 64)
        {
            int[] values = [.. Enumerable.Range(start, Math.Min(64, counts.Length - start))];
            SupportBitmaps[] bitmaps = [.. columns.Select(c => Channel.Support(c, values))];
            Parallel.For(0, values.Length, i =>
            {
                // As if every record were a person, a person was counted `supporting` times in both sums. What is missing is, per pair of
                // its records, the supports of both, and twice whether both support.
                long size = 0;
                long both = 0;
                for (int s = 1; s < ranks.Length; s++)
                {
                    for (int r = 0; r < s; r++)
                    {
                        (long either, long together) = Pairs(bitmaps[r][i], bitmaps[s][i], ranks[s].Length);
                        size += either;
                        both += together;
                    }
                }

                _sizeTimesSupport[values[i]] += size;
                _squaredSupport[values[i]] += 2 * both;
            });
        }
    }

    /// <summary>
    /// Over the first <paramref name="count"/> bits: the set bits of both bitmaps added up, and the bits that are set in both.
    /// </summary>
    private static (long Either, long Together) Pairs(ReadOnlySpan<ulong> first, ReadOnlySpan<ulong> second, int count)
    {
        long either = 0;
        long together = 0;
        for (int w = 0; w < (count + 63) / 64; w++)
        {
            // The second bitmap ends here; the first may go on.
            ulong mask = w < count / 64 ? ulong.MaxValue : (1UL << (count % 64)) - 1;
            either += BitOperations.PopCount(first[w] & mask) + BitOperations.PopCount(second[w]);
            together += BitOperations.PopCount(first[w] & second[w]);
        }

        return (either, together);
    }

    /// <summary>The sum of two tallies of the same channel; associative and commutative.</summary>
    /// <exception cref="ArgumentException">The channels differ.</exception>
    public static SupportTally Merge(SupportTally left, SupportTally right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if (left.Channel.DomainSize != right.Channel.DomainSize || left.Channel.ExactP != right.Channel.ExactP
            || left.Channel.ExactQ != right.Channel.ExactQ || left.ConstantPerPerson != right.ConstantPerPerson)
        {
            throw new ArgumentException(
                "Only tallies of one channel add up; these two have different domains, support probabilities or clustering.",
                nameof(right));
        }

        var sum = new SupportTally(left.Channel, left.ConstantPerPerson);
        sum.Count(left);
        sum.Count(right);
        for (int v = 0; v < sum._support.Length; v++)
        {
            sum._support[v] = left._support[v] + right._support[v];
            sum._sizeTimesSupport[v] = left._sizeTimesSupport[v] + right._sizeTimesSupport[v];
            sum._squaredSupport[v] = left._squaredSupport[v] + right._squaredSupport[v];
        }

        return sum;
    }
}
