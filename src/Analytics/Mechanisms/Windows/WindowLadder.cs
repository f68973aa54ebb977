using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Mechanisms.Windows;

/// <summary>The laws of a window mechanism at all grades, and the sampler that draws a ladder of its reports. Word w of a fact's coins
/// serves one purpose only: 0 replaces at the top grade, 1 picks the place in the window (when it has more than one), the next ones replace
/// at the next lower grades.</summary>
internal sealed class WindowLadder
{
    private readonly WindowLaw[] _laws;
    private readonly int _outputs;
    private readonly int _window;
    private readonly string _use;

    /// <summary>
    /// A ladder of given laws, index 0 for grade 1: the laws of <see cref="Create"/>, or those of a test that plants an error.
    /// </summary>
    internal WindowLadder(string mechanism, WindowLaw[] laws, GradeLadder grades)
    {
        (_outputs, _window, _laws) = (laws[0].Outputs, laws[0].Window, laws);
        _use = LadderUse.Of(mechanism, _outputs, _window, grades);
    }

    /// <summary>Computes the laws from the top grade down.</summary>
    /// <param name="mechanism">The mechanism's id, part of what separates its coins from another ladder's.</param>
    /// <param name="outputs">Number of outputs D.</param>
    /// <param name="window">Outputs in a window, W, at most D.</param>
    /// <param name="grades">The ladder of losses.</param>
    public static WindowLadder Create(string mechanism, int outputs, int window, GradeLadder grades)
    {
        var laws = new WindowLaw[grades.Count];
        WindowLaw law = WindowLaw.Clear(outputs, window);
        for (int grade = grades.Count; grade >= 1; grade--)
        {
            law = law.Randomise(grades[grade]);
            laws[grade - 1] = law;
        }

        return new WindowLadder(mechanism, laws, grades);
    }

    /// <summary>The law of a grade in 1..Count.</summary>
    public WindowLaw this[int grade] => _laws[grade - 1];

    /// <summary>Draws the reports of the wanted grades; window of value v: outputs v..v+W-1.</summary>
    public IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> facts, ReadOnlySpan<int> grades)
    {
        ushort[] values = ValueRounding.Round(key, column, facts.Span);
        (ushort[]?[] wanted, int lowest) = LadderOutputs.Allocate<ushort>(grades, _laws.Length, values.Length);
        CoinCipher cipher = key.CipherFor(_use);
        RecordBlocks.ForEach(values.Length, (start, count) =>
        {
            Span<uint> planes = CoinPlanes.Align(stackalloc uint[CoinPlanes.Length + CoinPlanes.Padding]);
            for (int i = start; i < start + count; i += CoinPlanes.Batch)
            {
                int n = Math.Min(CoinPlanes.Batch, start + count - i);
                DrawBatch(new CoinWords(cipher, key.ValueVersion, facts.Span.Slice(i, n), values.AsSpan(i, n), planes), wanted, lowest, i);
            }
        });

        return LadderOutputs.Collect(grades, grade => new CodeReports(wanted[grade]!));
    }

    [SkipLocalsInit]
    private void DrawBatch(CoinWords coins, ushort[]?[] wanted, int lowest, int offset)
    {
        Span<uint> state = CoinPlanes.Align(stackalloc uint[CoinPlanes.Batch + CoinPlanes.Padding])[..coins.Values.Length];
        Widen(coins.Values, state);

        ReadOnlySpan<uint> first = coins.Next();
        if (_window > 1)
        {
            AddPlaceInWindow(in coins, coins.Next(), state);
        }

        for (int grade = _laws.Length; grade >= lowest; grade--)
        {
            Replace(state, grade == _laws.Length ? first : coins.Next(), (uint)_outputs, _laws[grade - 1].ReplaceBelow);
            if (wanted[grade] is { } output)
            {
                Narrow(state, output.AsSpan(offset, state.Length));
            }
        }
    }

    private void AddPlaceInWindow(in CoinWords coins, ReadOnlySpan<uint> words, Span<uint> state)
    {
        uint window = (uint)_window;
        for (int i = 0; i < state.Length; i++)
        {
            if (!Coin.TryUniform(words[i], window, out uint place))
            {
                place = Coin.UniformAfterRejection(coins.Cipher, coins.Facts[i], coins.Version, coins.Values[i], purpose: 1, window);
            }

            state[i] += place;
        }
    }

    /// <summary>
    /// One rung: the report becomes output floor(u D / 2^32) when the low half of u D is below D c, and stays otherwise. Both are computed
    /// for every record, so that time does not tell which it was.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Replace(Span<uint> state, ReadOnlySpan<uint> words, uint outputs, ulong replaceBelow)
    {
        Debug.Assert(replaceBelow <= 1UL << Coin.Bits, "A threshold has at most 33 bits.");
        if (replaceBelow == 0)
        {
            return;
        }

        words = words[..state.Length];
        uint last = (uint)(replaceBelow - 1);
        ref uint report = ref MemoryMarshal.GetReference(state);
        ref uint word = ref MemoryMarshal.GetReference(words);
        int i = 0;
        if (Avx512F.IsSupported)
        {
            Vector512<uint> size = Vector512.Create(outputs);
            Vector512<uint> limit = Vector512.Create(last);
            Vector512<ulong> upper = Vector512.Create(0xFFFFFFFF00000000);
            for (; i <= state.Length - Vector512<uint>.Count; i += Vector512<uint>.Count)
            {
                Vector512<uint> u = Vector512.LoadUnsafe(ref word, (nuint)i);
                Vector512<uint> old = Vector512.LoadUnsafe(ref report, (nuint)i);
                Vector512<ulong> even = Avx512F.Multiply(u, size);
                Vector512<ulong> odd = Avx512F.Multiply((u.AsUInt64() >> 32).AsUInt32(), size);
                Vector512<uint> high = ((even >> 32) | (odd & upper)).AsUInt32();
                Vector512<uint> low = Vector512.ConditionalSelect(upper, odd << 32, even).AsUInt32();
                Vector512.ConditionalSelect(Vector512.LessThanOrEqual(low, limit), high, old).StoreUnsafe(ref report, (nuint)i);
            }
        }
        else if (Avx2.IsSupported)
        {
            Vector256<uint> size = Vector256.Create(outputs);
            Vector256<uint> limit = Vector256.Create(last);
            Vector256<ulong> upper = Vector256.Create(0xFFFFFFFF00000000);
            for (; i <= state.Length - Vector256<uint>.Count; i += Vector256<uint>.Count)
            {
                Vector256<uint> u = Vector256.LoadUnsafe(ref word, (nuint)i);
                Vector256<uint> old = Vector256.LoadUnsafe(ref report, (nuint)i);
                Vector256<ulong> even = Avx2.Multiply(u, size);
                Vector256<ulong> odd = Avx2.Multiply((u.AsUInt64() >> 32).AsUInt32(), size);
                Vector256<uint> high = ((even >> 32) | (odd & upper)).AsUInt32();
                Vector256<uint> low = Vector256.ConditionalSelect(upper, odd << 32, even).AsUInt32();
                Vector256.ConditionalSelect(Vector256.LessThanOrEqual(low, limit), high, old).StoreUnsafe(ref report, (nuint)i);
            }
        }

        ReplaceScalar(state[i..], words[i..], outputs, replaceBelow);
    }

    /// <summary>The same, one record at a time: the tail, machines without vectors, and the tests' oracle.</summary>
    internal static void ReplaceScalar(Span<uint> state, ReadOnlySpan<uint> words, uint outputs, ulong replaceBelow)
    {
        for (int i = 0; i < state.Length; i++)
        {
            ulong product = (ulong)words[i] * outputs;
            state[i] = (uint)product < replaceBelow ? (uint)(product >> Coin.Bits) : state[i];
        }
    }

    private static void Widen(ReadOnlySpan<ushort> codes, Span<uint> state)
    {
        ref ushort code = ref MemoryMarshal.GetReference(codes);
        ref uint report = ref MemoryMarshal.GetReference(state);
        int i = 0;
        for (; i <= state.Length - Vector512<uint>.Count; i += Vector512<uint>.Count)
        {
            (Vector256<uint> lower, Vector256<uint> upper) = Vector256.Widen(Vector256.LoadUnsafe(ref code, (nuint)i));
            Vector512.Create(lower, upper).StoreUnsafe(ref report, (nuint)i);
        }

        for (; i < state.Length; i++)
        {
            state[i] = codes[i];
        }
    }

    /// <summary>Stores reports as 16-bit codes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Narrow(ReadOnlySpan<uint> state, Span<ushort> output)
    {
        output = output[..state.Length];
        ref uint report = ref MemoryMarshal.GetReference(state);
        ref ushort code = ref MemoryMarshal.GetReference(output);
        int i = 0;
        for (; i <= state.Length - Vector512<ushort>.Count; i += Vector512<ushort>.Count)
        {
            Vector512.Narrow(
                Vector512.LoadUnsafe(ref report, (nuint)i), Vector512.LoadUnsafe(ref report, (nuint)(i + Vector512<uint>.Count)))
                .StoreUnsafe(ref code, (nuint)i);
        }

        for (; i < state.Length; i++)
        {
            output[i] = (ushort)state[i];
        }
    }
}
