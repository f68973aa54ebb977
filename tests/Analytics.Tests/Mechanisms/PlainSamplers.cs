using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Oue;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Mechanisms.Windows;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>
/// The ladders once more, one record, one coin and one bit at a time, with the platform's AES: written to be read. The oracle of the vectorised samplers,
/// report by report, and the baseline of their benchmarks. Each method returns one report per grade, index 0 for grade 1.
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
    public static (uint Multiplier, uint Addend, int[] Cells) Hash(PlainCoins coins, IReadOnlyList<WindowLaw> laws, ulong fact, ushort value)
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
        bool[] row = new bool[k];
        var rows = new bool[laws.Count][];
        int lane = 1;
        for (int grade = laws.Count; grade >= 1; grade--)
        {
            for (int v = 0; v < k; v++)
            {
                row[v] ^= coins.LaneBelow(lane++, laws[grade - 1].FlipBelow);
            }

            if (grade == laws.Count)
            {
                row[value] = coins.LaneBelow(0, 1u << 31);
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
        int lane = 0;
        SortedSet<int> set = [];
        var sets = new SortedSet<int>[laws.Count];
        for (int grade = laws.Count; grade >= 1; grade--)
        {
            int size = laws[grade - 1].SubsetSize;
            SortedSet<int> fresh = Uniform(coins, k, [], size, lane);
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
                set.UnionWith(Uniform(coins, k, [.. set], size - set.Count, lane));
            }

            lane += k;
            set = coins.Next32() < laws[grade - 1].FreshBelow ? fresh : set;
            sets[grade - 1] = [.. set];
        }

        return sets;
    }

    private static int Replace(uint word, WindowLaw law, int report)
    {
        ulong product = (ulong)word * (uint)law.Outputs;
        return (uint)product < law.ReplaceBelow ? (int)(product >> 32) : report;
    }

    /// <summary>A uniform subset of the elements that are not excluded: first by independent coins, then by single draws.</summary>
    private static SortedSet<int> Uniform(PlainCoins coins, int k, HashSet<int> excluded, int size, int firstLane)
    {
        int among = k - excluded.Count;
        uint sixteenths = (uint)Math.Round(16.0 * size / among, MidpointRounding.AwayFromZero);
        SortedSet<int> set = [.. Enumerable.Range(0, k).Where(v => !excluded.Contains(v) && coins.LaneBelow(firstLane + v, sixteenths << 28))];
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
    private readonly Dictionary<int, byte[]> _planes = [];
    private byte[] _block = [];
    private byte _step;
    private int _word;

    public PlainCoins(byte[] siteKey, string source, string use, ushort version = 0)
    {
        _version = version;
        byte[] column = HKDF.DeriveKey(HashAlgorithmName.SHA256, siteKey, 32, info: Encoding.UTF8.GetBytes("emrmarket ladder v1 " + source));
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
        _planes.Clear();
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

    /// <summary>
    /// Whether a lane's number is below a threshold: bit 31 - j of the number is the lane's bit of block 32 (lane / 128) + j of step 0, so the first
    /// bit in which number and threshold differ decides.
    /// </summary>
    public bool LaneBelow(int lane, uint threshold)
    {
        for (int plane = 0; plane < 32; plane++)
        {
            int at = (lane / 128 * 32) + plane;
            if (!_planes.TryGetValue(at, out byte[]? block))
            {
                _planes[at] = block = Block(0, at);
            }

            uint number = (uint)(block[lane % 128 / 8] >> (lane % 8) & 1);
            uint bit = threshold >> (31 - plane) & 1;
            if (number != bit)
            {
                return number < bit;
            }
        }

        return false;
    }

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
