using System.Numerics;

namespace EmrMarket.Analytics.Estimation;

/// <summary>
/// Which records of a batch belong to one person. Only persons with several records are listed: the others are clusters of one.
/// </summary>
internal sealed class PersonClusters
{
    private readonly int[] _offsets;
    private readonly int[] _records;
    private int[][]? _ranks;

    /// <summary>Groups records by person.</summary>
    public PersonClusters(int[] personIndex)
    {
        int[] order = [.. Enumerable.Range(0, personIndex.Length)];
        int[] keys = [.. personIndex];
        Array.Sort(keys, order);
        List<int> offsets = [0];
        List<int> records = [];
        for (int start = 0, end; start < keys.Length; start = end)
        {
            end = start + 1;
            while (end < keys.Length && keys[end] == keys[start])
            {
                end++;
            }

            Persons++;
            long size = end - start;
            SumSquaredSizes += size * size;
            MaxSize = Math.Max(MaxSize, end - start);
            if (size > 1)
            {
                records.AddRange(order.AsSpan(start, end - start));
                offsets.Add(records.Count);
            }
        }

        (_offsets, _records) = ([.. offsets], [.. records]);
    }

    private PersonClusters(int records)
    {
        (_offsets, _records) = ([0], []);
        Persons = SumSquaredSizes = records;
        MaxSize = records == 0 ? 0 : 1;
    }

    /// <summary>Number of persons.</summary>
    public long Persons { get; }

    /// <summary>The sum over persons of the squared number of their records.</summary>
    public long SumSquaredSizes { get; }

    /// <summary>The most records of one person.</summary>
    public int MaxSize { get; }

    /// <summary>Number of persons with more than one record.</summary>
    public int Repeated => _offsets.Length - 1;

    /// <summary>The records of the i-th person with more than one.</summary>
    public ReadOnlySpan<int> this[int i] => _records.AsSpan(_offsets[i], _offsets[i + 1] - _offsets[i]);

    /// <summary>
    /// The persons with several records, those with most first, by rank: entry r holds the r-th record of every person with more than r.
    /// Bitmaps over ranks turn pairs of records of one person into bits at one place.
    /// </summary>
    public int[][] Ranks => _ranks ??= RankRecords();

    /// <summary>Every record is a person.</summary>
    public static PersonClusters Singletons(int records) => new(records);

    private int[][] RankRecords()
    {
        int[] bySize = [.. Enumerable.Range(0, Repeated).OrderByDescending(i => this[i].Length)];
        var ranks = new int[Repeated == 0 ? 0 : MaxSize][];
        for (int r = 0; r < ranks.Length; r++)
        {
            int rank = r;
            ranks[r] = [.. bySize.TakeWhile(i => this[i].Length > rank).Select(i => this[i][rank])];
        }

        return ranks;
    }

    /// <summary>
    /// For an integer x_i per record: the sums over persons s of (size_s * X_s) and of X_s^2 with X_s the sum of x over the person's
    /// records, given the same sums as if every record were a person (sum of x, sum of x^2).
    /// </summary>
    public (Int128 SizeTimesSum, Int128 SquaredSum) Sums<T>(Int128 sum, Int128 sumOfSquares, Func<int, T> valueOfRecord)
        where T : IBinaryInteger<T>
    {
        for (int i = 0; i < Repeated; i++)
        {
            ReadOnlySpan<int> records = this[i];
            Int128 total = 0;
            foreach (int record in records)
            {
                Int128 x = Int128.CreateChecked(valueOfRecord(record));
                total += x;
                sumOfSquares -= x * x;
            }

            sum += total * (records.Length - 1);
            sumOfSquares += total * total;
        }

        return (sum, sumOfSquares);
    }
}
