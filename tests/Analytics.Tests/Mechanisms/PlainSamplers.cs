using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Oue;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Mechanisms.Windows;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>
/// The ladders once more, one record, one coin and one bit at a time, with the platform's AES: written to be read. The oracle of the
/// vectorised samplers, report by report, and the baseline of their benchmarks. Each method returns one report per grade, index 0 for grade
/// 1.
/// </summary>
internal static class PlainSamplers
{
    /// <summary>GRR and DSW: the place in the window, then "replace by a uniform output" from the top grade down.</summary>
    public static int[] Window(PlainCoins coins, IReadOnlyList<WindowLaw> laws, ulong fact, ushort value)
    {
        coins.Start(fact, value);
        uint top = coins.Next32();
        int report = value + (laws[0].Window > 1 ? (int)((ulong)coins.Next32() * (uint)laws[0].Window >> 32) : 0);
        int[] reports = new int[laws.Count];
        for (int grade = laws.Count; grade >= 1; grade--)
        {
            uint word = grade == laws.Count ? top : coins.Next32();
            reports[grade - 1] = report = Replace(word, laws[grade - 1], report);
        }

        return reports;
    }

    /// <summary>OLH: a hash, then its cell with fewer bits and more noise from grade to grade.</summary>
    public static (uint Multiplier, uint Addend, int[] Cells) Hash(
        PlainCoins coins, IReadOnlyList<WindowLaw> laws, ulong fact, ushort value)
    {
        coins.Start(fact, value);
        uint multiplier = coins.Next32();
        uint addend = coins.Next32();
        int outputs = laws[^1].Outputs;
        int cell = (int)((ulong)unchecked((multiplier * value) + addend) * (uint)outputs >> 32);
        int[] cells = new int[laws.Count];
        for (int grade = laws.Count; grade >= 1; grade--)
        {
            WindowLaw law = laws[grade - 1];
            cell /= outputs / law.Outputs;
            outputs = law.Outputs;
            cells[grade - 1] = cell = Replace(coins.Next32(), law, cell);
        }

        return (multiplier, addend, cells);
    }

    /// <summary>OUE: bits by "uniform 32-bit number below q", then flips.</summary>
    public static bool[][] Unary(PlainCoins coins, int k, IReadOnlyList<OueLaw> laws, ulong fact, ushort value)
    {
        coins.Start(fact, value);
        bool[] lanes = coins.Lanes([1u << 31, .. laws.Reverse().SelectMany(law => Enumerable.Repeat(law.FlipBelow, k))]);
        bool[] row = new bool[k];
        var rows = new bool[laws.Count][];
        int lane = 1;
        for (int grade = laws.Count; grade >= 1; grade--)
        {
            for (int v = 0; v < k; v++)
            {
                row[v] ^= lanes[lane++];
            }

            if (grade == laws.Count)
            {
                row[value] = lanes[0];
            }

            rows[grade - 1] = [.. row];
        }

        return rows;
    }

    /// <summary>SS: a uniform subset that takes the truth in, then growing subsets with more noise.</summary>
    public static SortedSet<int>[] Subset(PlainCoins coins, IReadOnlyList<SsLaw> laws, ulong fact, ushort value)
    {
        coins.Start(fact, value, step: 1);
        int k = laws[0].DomainSize;
        bool[] lanes = coins.Lanes(Densities(laws));
        int lane = 0;
        SortedSet<int> set = [];
        var sets = new SortedSet<int>[laws.Count];
        for (int grade = laws.Count; grade >= 1; grade--)
        {
            int size = laws[grade - 1].SubsetSize;
            SortedSet<int> fresh = Uniform(coins, k, [], size, lanes.AsSpan(lane, k));
            lane += k;
            if (grade == laws.Count)
            {
                int leaver = fresh.ElementAt((int)coins.Uniform((uint)size));
                set = [.. fresh];
                if (!set.Contains(value))
                {
                    set.Remove(leaver);
                    set.Add(value);
                }
            }
            else
            {
                set.UnionWith(Uniform(coins, k, [.. set], size - set.Count, lanes.AsSpan(lane, k)));
            }

            lane += k;
            set = coins.Next32() < laws[grade - 1].FreshBelow ? fresh : set;
            sets[grade - 1] = [.. set];
        }

        return sets;
    }

    /// <summary>Per grade from the top k lanes for the fresh subset and k for the extension, which the top has none of.</summary>
    private static uint[] Densities(IReadOnlyList<SsLaw> laws)
    {
        int k = laws[0].DomainSize;
        List<uint> densities = [];
        for (int grade = laws.Count; grade >= 1; grade--)
        {
            int before = grade == laws.Count ? laws[grade - 1].SubsetSize : laws[grade].SubsetSize;
            densities.AddRange(Enumerable.Repeat(Sixteenths(laws[grade - 1].SubsetSize, k), k));
            densities.AddRange(Enumerable.Repeat(Sixteenths(laws[grade - 1].SubsetSize - before, k - before), k));
        }

        return [.. densities];

        static uint Sixteenths(int size, int among) => (uint)Math.Round(16.0 * size / among, MidpointRounding.AwayFromZero) << 28;
    }

    private static int Replace(uint word, WindowLaw law, int report)
    {
        ulong product = (ulong)word * (uint)law.Outputs;
        return (uint)product < law.ReplaceBelow ? (int)(product >> 32) : report;
    }

    /// <summary>A uniform subset of the elements that are not excluded: first by independent coins, then by single draws.</summary>
    private static SortedSet<int> Uniform(PlainCoins coins, int k, HashSet<int> excluded, int size, ReadOnlySpan<bool> lanes)
    {
        SortedSet<int> set = [];
        for (int v = 0; v < k; v++)
        {
            if (lanes[v] && !excluded.Contains(v))
            {
                set.Add(v);
            }
        }

        while (set.Count < size)
        {
            int element = (int)coins.Uniform((uint)k);
            if (!excluded.Contains(element))
            {
                set.Add(element);
            }
        }

        while (set.Count > size)
        {
            set.Remove(set.ElementAt((int)coins.Uniform((uint)set.Count)));
        }

        return set;
    }
}

/// <summary>The coins of one ladder, straight from their definition in docs/MECHANISMS.md.</summary>
internal sealed class PlainCoins : IDisposable
{
    private readonly Aes _aes = Aes.Create();
    private readonly ushort _version;
    private readonly byte[] _counter = new byte[16];
    private byte[] _block = [];
    private byte _step;
    private int _word;

    public PlainCoins(byte[] siteKey, string source, string use, ushort version = 0)
    {
        _version = version;
        byte[] column = HKDF.DeriveKey(
            HashAlgorithmName.SHA256, siteKey, 32, info: Encoding.UTF8.GetBytes("emrmarket ladder v1 " + source));
        _aes.Key = HKDF.Expand(HashAlgorithmName.SHA256, column, 32, Encoding.UTF8.GetBytes(use));
    }

    /// <summary>The use of a ladder's coins: mechanism, two sizes, all losses.</summary>
    public static string Use(string mechanism, int size, int shape, GradeLadder grades) =>
        $"{mechanism} {size} {shape} {string.Join(',', Enumerable.Range(1, grades.Count).Select(grade => grades[grade].Micro))}";

    public void Start(ulong fact, ushort value, int step = 0)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_counter, fact);
        BinaryPrimitives.WriteUInt16LittleEndian(_counter.AsSpan(8), _version);
        BinaryPrimitives.WriteUInt16LittleEndian(_counter.AsSpan(10), value);
        _step = (byte)step;
        _word = 0;
    }

    /// <summary>The next word of the step's blocks.</summary>
    public uint Next32()
    {
        if (_word % 4 == 0)
        {
            _block = Block(_step, _word / 4);
        }

        return BinaryPrimitives.ReadUInt32LittleEndian(_block.AsSpan(4 * (_word++ % 4)));
    }

    /// <summary>Whether the number of each lane is below its threshold.</summary>
    public bool[] Lanes(uint[] thresholds) => PlainLanes.Compare(thresholds, number => Block(0, number));

    private byte[] Block(int step, int block)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_counter.AsSpan(12), (uint)step | ((uint)block << 8));
        return _aes.EncryptEcb(_counter, PaddingMode.None);
    }

    public uint Uniform(uint size)
    {
        while (true)
        {
            ulong product = (ulong)Next32() * size;
            if ((uint)product >= (1UL << 32) % size)
            {
                return (uint)(product >> 32);
            }
        }
    }

    public void Dispose() => _aes.Dispose();
}

/// <summary>
/// Comparisons "uniform number &lt; threshold", 64 lanes at a time, one bit of number and threshold after the other until they differ.
/// Planes 0 and 1 are whole blocks; from then on only undecided lanes take bits, in order, from the word's stream: its halves of blocks 2,
/// 3, ...; a plane for which the rest of a half is too short begins with the next one.
/// </summary>
internal static class PlainLanes
{
    public static bool[] Compare(uint[] thresholds, Func<int, byte[]> block)
    {
        bool[] below = new bool[thresholds.Length];
        for (int first = 0; first < thresholds.Length; first += 64)
        {
            int group = first / 128 * 32;
            ulong Half(int number) => BinaryPrimitives.ReadUInt64LittleEndian(block(group + number).AsSpan(first / 64 % 2 * 8));
            List<int> undecided =
                [.. Enumerable.Range(first, Math.Min(64, thresholds.Length - first)).Where(lane => thresholds[lane] != 0)];
            uint anyBit = undecided.Aggregate(0u, (bits, lane) => bits | thresholds[lane]);
            int next = 2;
            Queue<bool> stream = new();
            for (int plane = 0; undecided.Count > 0 && anyBit << plane != 0; plane++)
            {
                if (plane >= 2 && stream.Count < undecided.Count)
                {
                    ulong half = Half(next++);
                    stream = new Queue<bool>(Enumerable.Range(0, 64).Select(i => (half >> i & 1) == 1));
                }

                List<int> equal = [];
                foreach (int lane in undecided)
                {
                    bool number = plane < 2 ? (Half(plane) >> (lane - first) & 1) == 1 : stream.Dequeue();
                    bool threshold = (thresholds[lane] << plane & 0x80000000) != 0;
                    below[lane] = threshold && !number;
                    if (number == threshold)
                    {
                        equal.Add(lane);
                    }
                }

                undecided = equal;
            }
        }

        return below;
    }
}
