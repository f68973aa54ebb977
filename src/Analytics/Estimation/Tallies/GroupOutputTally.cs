using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation.Tallies;

/// <summary>
/// The sufficient statistic of a square wave's mean by group: per group how often each output occurred among the records that support it,
/// and among all. Integers that add over batches.
/// </summary>
public sealed class GroupOutputTally : ClusteredTally
{
    private readonly long[][] _supporting;
    private readonly long[] _all;

    /// <summary>An empty tally.</summary>
    /// <param name="groups">The channel of the grouping attribute.</param>
    /// <param name="values">The channel of the square wave.</param>
    /// <param name="outputs">Its number of outputs.</param>
    /// <param name="sharesDraws">True when records of a person share a draw of either attribute.</param>
    public GroupOutputTally(Channel groups, Channel values, int outputs, bool sharesDraws)
    {
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(values);
        (Groups, Values, SharesDraws) = (groups, values, sharesDraws);
        _supporting = [.. Enumerable.Range(0, groups.DomainSize).Select(_ => new long[outputs])];
        _all = new long[outputs];
    }

    /// <summary>The channel of the grouping attribute.</summary>
    public Channel Groups { get; }

    /// <summary>The channel of the square wave.</summary>
    public Channel Values { get; }

    /// <summary>True when records of a person share a draw of either attribute.</summary>
    public bool SharesDraws { get; }

    /// <summary>How often each output occurred among the records that support a group.</summary>
    public ReadOnlySpan<long> Supporting(int group) => _supporting[group];

    /// <summary>How often each output occurred.</summary>
    public ReadOnlySpan<long> All => _all;

    /// <summary>Adds a batch. O(n groups / 64 + supporting reports).</summary>
    internal void Add(ReportColumn groups, CodeReports values, PersonClusters persons)
    {
        Count(values.Count, persons);
        foreach (ushort code in values.Codes)
        {
            _all[code]++;
        }

        SupportBitmaps bitmaps = Groups.Support(groups, [.. Enumerable.Range(0, Groups.DomainSize)]);
        Parallel.For(0, Groups.DomainSize, group =>
        {
            ReadOnlySpan<ulong> bits = bitmaps[group];
            for (int word = 0; word < bits.Length; word++)
            {
                for (ulong rest = bits[word]; rest != 0; rest &= rest - 1)
                {
                    _supporting[group][values.Codes[(word << 6) + System.Numerics.BitOperations.TrailingZeroCount(rest)]]++;
                }
            }
        });
    }
}
