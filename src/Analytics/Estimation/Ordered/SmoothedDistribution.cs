using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace EmrMarket.Analytics.Estimation.Ordered;

/// <summary>
/// Expectation maximisation with smoothing (Li et al., SIGMOD 2020, doi:10.1145/3318464.3389700): a descriptive curve. Smoothing leaves a
/// bias, so no interval is claimed for it.
/// </summary>
internal static class SmoothedDistribution
{
    /// <summary>The paper's stopping rule for EM with smoothing: a gain in log-likelihood below this.</summary>
    private const double LogLikelihoodGain = 1e-3;
    private const int MaxIterations = 10_000;

    /// <summary>The curve over d cells, non-negative and adding to one. O(d) per iteration by running sums.</summary>
    /// <param name="law">The channel.</param>
    /// <param name="outputs">How often each of the d + 2b outputs occurred.</param>
    public static double[] Estimate(SquareWave law, ReadOnlySpan<long> outputs) => Run(law, outputs, MaxIterations).Curve;

    /// <summary>The same, and the number of iterations that it took, at most so many.</summary>
    internal static (double[] Curve, int Iterations) Run(SquareWave law, ReadOnlySpan<long> outputs, int iterations)
    {
        int d = law.Cells;
        var curve = new double[d];
        var updated = new double[d];
        Array.Fill(curve, 1.0 / d);
        var observed = new double[law.Outputs];
        for (int j = 0; j < observed.Length; j++)
        {
            observed[j] = outputs[j];
        }

        double total = TensorPrimitives.Sum<double>(observed);
        if (total == 0)
        {
            return (curve, 0);
        }

        var predicted = new double[law.Outputs];
        var ratio = new double[law.Outputs];
        double logLikelihood = double.NegativeInfinity;
        for (int iteration = 0; iteration < iterations; iteration++)
        {
            law.OutputProbabilities(curve, predicted);

            // Where nothing was observed the term vanishes, also where nothing is predicted.
            TensorPrimitives.Max(predicted, double.Epsilon, predicted);
            TensorPrimitives.Log(predicted, ratio);
            double next = TensorPrimitives.Dot<double>(observed, ratio);
            if (next - logLikelihood < LogLikelihoodGain)
            {
                return (curve, iteration);
            }

            logLikelihood = next;
            TensorPrimitives.Divide(observed, predicted, ratio);
            Maximise(law, ratio, curve, updated, total);
            Smooth(updated, curve);
        }

        return (curve, iterations);
    }

    // The M-step: f(u) * sum_j P[j | u] * observed_j / predicted_j, the sum over the window by a running sum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Maximise(SquareWave law, double[] ratio, double[] curve, double[] updated, double total)
    {
        double everywhere = law.Q * TensorPrimitives.Sum<double>(ratio);
        double inWindow = TensorPrimitives.Sum<double>(ratio.AsSpan(0, law.Window));
        double boost = law.P - law.Q;
        for (int u = 0; u < updated.Length; u++)
        {
            updated[u] = curve[u] * (everywhere + (boost * inWindow)) / total;
            inWindow += (u + law.Window < ratio.Length ? ratio[u + law.Window] : 0) - ratio[u];
        }
    }

    // Binomial weights 1, 2, 1; at an edge 2, 1: edges are smoothed too.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Smooth(double[] from, double[] to)
    {
        int last = from.Length - 1;
        for (int u = 1; u < last; u++)
        {
            to[u] = (from[u - 1] + (2 * from[u]) + from[u + 1]) / 4;
        }

        to[0] = ((2 * from[0]) + from[Math.Min(1, last)]) / 3;
        to[last] = ((2 * from[last]) + from[Math.Max(0, last - 1)]) / 3;
        TensorPrimitives.Divide(to, TensorPrimitives.Sum<double>(to), to);
    }
}
