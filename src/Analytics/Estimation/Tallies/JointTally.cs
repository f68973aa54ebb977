using System.Numerics;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Estimation.Tallies;

/// <summary>
/// The sufficient statistic of a table of two or three attributes at one grade each: how many records support each combination of values,
/// for every subset of the attributes; and, for persons with several records, how often two records of one person show two patterns of
/// support. Integers that add over batches.
/// </summary>
public sealed class JointTally : ClusteredTally
{
    private readonly long[][] _joint;
    private readonly long[] _pairs;
    private readonly long[] _othersTimesPattern;

    /// <summary>An empty tally.</summary>
    /// <param name="channels">The channel of each attribute; two or three.</param>
    /// <param name="constantPerPerson">Per attribute whether all records of a person carry the same report.</param>
    public JointTally(IReadOnlyList<Channel> channels, IReadOnlyList<bool> constantPerPerson)
    {
        ArgumentNullException.ThrowIfNull(channels);
        ArgumentNullException.ThrowIfNull(constantPerPerson);
        Channels = [.. channels];
        ConstantPerPerson = [.. constantPerPerson];
        _joint = new long[Patterns][];
        for (int subset = 0; subset < Patterns; subset++)
        {
            _joint[subset] = new long[Product(subset)];
        }

        // Only the full set of attributes has cells with patterns.
        _pairs = new long[Cells * Patterns * Patterns];
        _othersTimesPattern = new long[Cells * Patterns];
    }

    /// <summary>The channels.</summary>
    public IReadOnlyList<Channel> Channels { get; }

    /// <summary>Per attribute whether all records of a person carry the same report.</summary>
    public IReadOnlyList<bool> ConstantPerPerson { get; }

    /// <summary>Number of cells: the product of the domain sizes; the last attribute runs fastest.</summary>
    public int Cells => Product(Patterns - 1);

    /// <summary>
    /// Number of patterns of support of one cell: a bit per attribute, set when the record supports the cell's value of it.
    /// </summary>
    internal int Patterns => 1 << Channels.Count;

    /// <summary>The code of an attribute in a cell.</summary>
    internal int Code(int cell, int attribute)
    {
        for (int a = Channels.Count - 1; a > attribute; a--)
        {
            cell /= Channels[a].DomainSize;
        }

        return cell % Channels[attribute].DomainSize;
    }

    /// <summary>The number of records that support a cell's values of a subset of the attributes (a bit each).</summary>
    internal long Joint(int cell, int subset)
    {
        int index = 0;
        for (int a = 0; a < Channels.Count; a++)
        {
            if ((subset >> a & 1) == 1)
            {
                index = (index * Channels[a].DomainSize) + Code(cell, a);
            }
        }

        return _joint[subset][index];
    }

    /// <summary>The number of records with each pattern of support of a cell, by inclusion and exclusion.</summary>
    internal long[] PatternCounts(int cell)
    {
        var counts = new long[Patterns];
        for (int pattern = 0; pattern < Patterns; pattern++)
        {
            counts[pattern] = Joint(cell, pattern);
        }

        for (int a = 0; a < Channels.Count; a++)
        {
            for (int pattern = 0; pattern < Patterns; pattern++)
            {
                if ((pattern >> a & 1) == 0)
                {
                    counts[pattern] -= counts[pattern | 1 << a];
                }
            }
        }

        return counts;
    }

    /// <summary>For a cell, the number of ordered pairs of different records of one person with these patterns.</summary>
    internal ReadOnlySpan<long> PairCounts(int cell) => _pairs.AsSpan(cell * Patterns * Patterns, Patterns * Patterns);

    /// <summary>For a cell, per pattern the sum over its records of the number of other records of their person.</summary>
    internal ReadOnlySpan<long> OthersTimesPattern(int cell) => _othersTimesPattern.AsSpan(cell * Patterns, Patterns);

    /// <summary>Adds a batch. O(cells * n / 64), and O(cells) per pair of records of one person.</summary>
    internal void Add(IReadOnlyList<ReportColumn> reports, PersonClusters persons)
    {
        int attributes = Channels.Count;
        int n = reports[0].Count;
        Count(n, persons);
        SupportBitmaps[] supports =
            [.. Channels.Select((channel, a) => channel.Support(reports[a], [.. Enumerable.Range(0, channel.DomainSize)]))];
        _joint[0][0] += n;
        for (int a = 0; a < attributes; a++)
        {
            int attribute = a;
            Parallel.For(0, Channels[a].DomainSize, v => _joint[1 << attribute][v] += CountOnes(supports[attribute][v]));
        }

        Parallel.For(0, Channels[0].DomainSize, v =>
        {
            CountPairs(supports, 0, 1, v);
            if (attributes == 3)
            {
                CountPairs(supports, 0, 2, v);
                CountTriples(supports, v);
            }
        });
        if (attributes == 3)
        {
            Parallel.For(0, Channels[1].DomainSize, v => CountPairs(supports, 1, 2, v));
        }

        Parallel.For(0, Cells, cell =>
        {
            AddPersons(cell, supports, persons);
        });
    }

    private static long CountOnes(ReadOnlySpan<ulong> bits)
    {
        long count = 0;
        foreach (ulong word in bits)
        {
            count += BitOperations.PopCount(word);
        }

        return count;
    }

    private static long CountBoth(ReadOnlySpan<ulong> left, ReadOnlySpan<ulong> right)
    {
        long count = 0;
        right = right[..left.Length];
        for (int i = 0; i < left.Length; i++)
        {
            count += BitOperations.PopCount(left[i] & right[i]);
        }

        return count;
    }

    private int Product(int subset)
    {
        int product = 1;
        for (int a = 0; a < Channels.Count; a++)
        {
            product *= (subset >> a & 1) == 1 ? Channels[a].DomainSize : 1;
        }

        return product;
    }

    private void CountPairs(SupportBitmaps[] supports, int first, int second, int v)
    {
        long[] counts = _joint[1 << first | 1 << second];
        int size = Channels[second].DomainSize;
        for (int w = 0; w < size; w++)
        {
            counts[(v * size) + w] += CountBoth(supports[first][v], supports[second][w]);
        }
    }

    private void CountTriples(SupportBitmaps[] supports, int v)
    {
        ReadOnlySpan<ulong> first = supports[0][v];
        var both = new ulong[first.Length];
        int middle = Channels[1].DomainSize;
        int last = Channels[2].DomainSize;
        for (int w = 0; w < middle; w++)
        {
            System.Numerics.Tensors.TensorPrimitives.BitwiseAnd(first, supports[1][w], both);
            for (int x = 0; x < last; x++)
            {
                _joint[7][(((v * middle) + w) * last) + x] += CountBoth(both, supports[2][x]);
            }
        }
    }

    private void AddPersons(int cell, SupportBitmaps[] supports, PersonClusters persons)
    {
        Span<long> pairs = _pairs.AsSpan(cell * Patterns * Patterns, Patterns * Patterns);
        Span<long> sizes = _othersTimesPattern.AsSpan(cell * Patterns, Patterns);
        Span<int> own = stackalloc int[Patterns];
        for (int person = 0; person < persons.Repeated; person++)
        {
            ReadOnlySpan<int> records = persons[person];
            own.Clear();
            foreach (int record in records)
            {
                int pattern = 0;
                for (int a = 0; a < supports.Length; a++)
                {
                    pattern |= (int)(supports[a][Code(cell, a)][record >> 6] >> record & 1) << a;
                }

                own[pattern]++;
            }

            for (int i = 0; i < own.Length; i++)
            {
                sizes[i] += (long)own[i] * (records.Length - 1);
                for (int j = 0; own[i] > 0 && j < own.Length; j++)
                {
                    pairs[(i * Patterns) + j] += (long)own[i] * (own[j] - (i == j ? 1 : 0));
                }
            }
        }
    }
}
