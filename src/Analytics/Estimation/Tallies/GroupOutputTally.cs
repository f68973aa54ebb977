using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation.Tallies;

/// <summary>
/// The sufficient statistic of a square wave's mean by group: per group how often each output occurred among the records that support it,
/// and among all. Integers that add over batches.
/// </summary>
public sealed class GroupOutputTally
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

    /// <summary>Number of records n.</summary>
    public long Records { get; private set; }

    /// <summary>The sum over persons of the squared number of their records.</summary>
    public long SumSquaredSizes { get; private set; }

    /// <summary>How often each output occurred among the records that support a group.</summary>
    public ReadOnlySpan<long> Supporting(int group) => _supporting[group];

    /// <summary>How often each output occurred.</summary>
    public ReadOnlySpan<long> All => _all;

    /// <summary>Adds a batch. O(n groups / 64 + supporting reports).</summary>
    internal void Add(ReportColumn groups, CodeReports values, PersonClusters persons)
    {
        Records += values.Count;
        SumSquaredSizes += persons.SumSquaredSizes;
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

    /// <summary>The sum of two tallies of the same channels; associative and commutative.</summary>
    /// <exception cref="ArgumentException">The channels differ.</exception>
    public static GroupOutputTally Merge(GroupOutputTally left, GroupOutputTally right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if (left._all.Length != right._all.Length || left._supporting.Length != right._supporting.Length
            || left.SharesDraws != right.SharesDraws
            || left.Groups.ExactP != right.Groups.ExactP || left.Groups.ExactQ != right.Groups.ExactQ
            || left.Values.ExactP != right.Values.ExactP || left.Values.ExactQ != right.Values.ExactQ)
        {
            throw new ArgumentException("Only tallies of the same channels add up; these two differ.", nameof(right));
        }

        var sum = new GroupOutputTally(left.Groups, left.Values, left._all.Length, left.SharesDraws)
        {
            Records = left.Records + right.Records,
            SumSquaredSizes = left.SumSquaredSizes + right.SumSquaredSizes,
        };
        System.Numerics.Tensors.TensorPrimitives.Add(left._all, right._all, sum._all);
        for (int group = 0; group < sum._supporting.Length; group++)
        {
            System.Numerics.Tensors.TensorPrimitives.Add(left._supporting[group], right._supporting[group], sum._supporting[group]);
        }

        return sum;
    }
}
