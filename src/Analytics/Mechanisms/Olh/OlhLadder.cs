using System.Runtime.CompilerServices;
using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Mechanisms.Olh;

/// <summary>The OLH channels of one domain size, and the sampler. Word w of a fact's coins: 0 is the hash's multiplier, 1 its addend, the
/// next ones replace the cell at the top grade and at each lower one.</summary>
internal sealed class OlhLadder : IReportLadder
{
    // 2^16 cells and 2^16 values leave the hash's collision probability exact: at most 15 low bits of a (v - w) are fixed, and 32 - 16 are
    // cut off.
    private const int MaxCellBits = 16;

    private readonly WindowLaw[] _laws;
    private readonly OlhChannel[] _channels;
    private readonly string _use;

    /// <summary>
    /// A ladder of given laws, index 0 for grade 1: the laws of <see cref="Create"/>, or those of a test that plants an error.
    /// </summary>
    internal OlhLadder(int domainSize, WindowLaw[] laws, GradeLadder grades)
    {
        _laws = laws;
        _channels = [.. laws.Select((law, i) => new OlhChannel(domainSize, law, grades[i + 1]))];
        _use = LadderUse.Of("olh", domainSize, 0, grades);
    }

    /// <summary>Chooses the numbers of cells and computes the laws from the top grade down.</summary>
    public static OlhLadder Create(int domainSize, GradeLadder grades)
    {
        int[] cells = LadderShapes.Choose(grades, [.. Enumerable.Range(1, MaxCellBits).Select(bits => 1 << bits)], Variance, Weight);
        var laws = new WindowLaw[grades.Count];
        WindowLaw law = WindowLaw.Clear(cells[^1], window: 1);
        for (int grade = grades.Count; grade >= 1; grade--)
        {
            law = law.Merge(law.Outputs / cells[grade - 1]).Randomise(grades[grade]);
            laws[grade - 1] = law;
        }

        return new OlhLadder(domainSize, laws, grades);
    }

    public Channel this[int grade] => _channels[grade - 1];

    public IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> factKeys, ReadOnlySpan<int> grades)
    {
        ushort[] values = ValueRounding.Round(key, column, factKeys.Span);
        (ushort[]?[] wanted, int lowest) = LadderOutputs.Allocate<ushort>(grades, _laws.Length, values.Length);
        uint[] multipliers = GC.AllocateUninitializedArray<uint>(values.Length);
        uint[] addends = GC.AllocateUninitializedArray<uint>(values.Length);
        CoinCipher cipher = key.CipherFor(_use);
        RecordBlocks.ForEach(values.Length, (start, count) =>
        {
            Span<uint> planes = CoinPlanes.Align(stackalloc uint[CoinPlanes.Length + CoinPlanes.Padding]);
            for (int i = start; i < start + count; i += CoinPlanes.Batch)
            {
                int n = Math.Min(CoinPlanes.Batch, start + count - i);
                DrawBatch(
                    new CoinWords(cipher, key.ValueVersion, factKeys.Span.Slice(i, n), values.AsSpan(i, n), planes),
                    multipliers.AsSpan(i, n), addends.AsSpan(i, n), wanted, lowest, i);
            }
        });

        return LadderOutputs.Collect(grades, grade => new HashReports(multipliers, addends, wanted[grade]!));
    }

    [SkipLocalsInit]
    private void DrawBatch(CoinWords coins, Span<uint> multipliers, Span<uint> addends, ushort[]?[] wanted, int lowest, int offset)
    {
        Span<uint> state = CoinPlanes.Align(stackalloc uint[CoinPlanes.Batch + CoinPlanes.Padding])[..multipliers.Length];
        coins.Next().CopyTo(multipliers);
        coins.Next().CopyTo(addends);
        int cellBits = BitOperations.Log2((uint)_laws[^1].Outputs);
        for (int i = 0; i < state.Length; i++)
        {
            state[i] = ((multipliers[i] * coins.Values[i]) + addends[i]) >> (32 - cellBits);
        }

        int outputs = _laws[^1].Outputs;
        for (int grade = _laws.Length; grade >= lowest; grade--)
        {
            WindowLaw law = _laws[grade - 1];
            int drop = BitOperations.Log2((uint)(outputs / law.Outputs));
            for (int i = 0; drop > 0 && i < state.Length; i++)
            {
                state[i] >>= drop;
            }

            outputs = law.Outputs;
            WindowLadder.Replace(state, coins.Next(), (uint)outputs, law.ReplaceBelow);
            if (wanted[grade] is { } output)
            {
                WindowLadder.Narrow(state, output.AsSpan(offset, state.Length));
            }
        }
    }

    /// <summary>The variance of a frequency per report near frequency 0, q(1-q)/(p-q)^2 (Wang et al. 2017, section 4.4).</summary>
    private static double Variance(int cells, double odds)
    {
        double p = odds / (odds + cells - 1);
        double q = 1.0 / cells;
        return q * (1 - q) / ((p - q) * (p - q));
    }

    /// <summary>Merging g/g' cells leaves odds of (e^epsilon + g/g' - 1) / (g/g'); the lower grade needs at least e^epsilon'.</summary>
    private static double Weight(int cells) => 1.0 / cells;
}
