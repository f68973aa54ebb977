using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EmrMarket.Analytics.Matching.Solving;

/// <summary>
/// The inner loop of the network simplex: over one row, the greatest w - v and where it first occurs. With hardware vectors and without
/// it gives the same answers, so the match is the same on every machine.
/// </summary>
internal static class RowPricing
{
    /// <summary>
    /// The greatest w[j] - v[j]; both spans equally long, not empty, a multiple of <see cref="Vector{T}.Count"/>, no overflow.
    /// </summary>
    public static T MaxDifference<T>(ReadOnlySpan<T> weights, ReadOnlySpan<T> duals, bool vectorised)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
        => vectorised ? MaxDifferenceVector(weights, duals) : MaxDifferenceScalar(weights, duals);

    /// <summary>The lowest j with w[j] - v[j] equal to <paramref name="difference"/>, which occurs.</summary>
    public static int FirstIndexOf<T>(ReadOnlySpan<T> weights, ReadOnlySpan<T> duals, T difference, bool vectorised)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var start = 0;
        if (vectorised)
        {
            var wanted = new Vector<T>(difference);
            var w = MemoryMarshal.Cast<T, Vector<T>>(weights);
            var v = MemoryMarshal.Cast<T, Vector<T>>(duals);
            var block = 0;
            while (!Vector.EqualsAny(w[block] - v[block], wanted))
            {
                block++;
            }

            start = block * Vector<T>.Count;
        }

        while (weights[start] - duals[start] != difference)
        {
            start++;
        }

        return start;
    }

    private static T MaxDifferenceVector<T>(ReadOnlySpan<T> weights, ReadOnlySpan<T> duals)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var w = MemoryMarshal.Cast<T, Vector<T>>(weights);
        var v = MemoryMarshal.Cast<T, Vector<T>>(duals)[..w.Length];
        // Four accumulators hide the latency of the maximum behind the loads.
        var a = new Vector<T>(T.MinValue);
        var b = a;
        var c = a;
        var d = a;
        var i = 0;
        for (; i + 4 <= w.Length; i += 4)
        {
            a = Vector.Max(a, w[i] - v[i]);
            b = Vector.Max(b, w[i + 1] - v[i + 1]);
            c = Vector.Max(c, w[i + 2] - v[i + 2]);
            d = Vector.Max(d, w[i + 3] - v[i + 3]);
        }

        for (; i < w.Length; i++)
        {
            a = Vector.Max(a, w[i] - v[i]);
        }

        a = Vector.Max(Vector.Max(a, b), Vector.Max(c, d));
        var best = a[0];
        for (var lane = 1; lane < Vector<T>.Count; lane++)
        {
            best = T.Max(best, a[lane]);
        }

        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T MaxDifferenceScalar<T>(ReadOnlySpan<T> weights, ReadOnlySpan<T> duals)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var best = T.MinValue;
        for (var j = 0; j < weights.Length; j++)
        {
            var difference = weights[j] - duals[j];
            best = difference > best ? difference : best;
        }

        return best;
    }
}
