using System.Runtime.CompilerServices;

namespace EmrMarket.Analytics.Estimation.Ordered;

/// <summary>
/// The law of a discrete square wave: of d + 2b outputs those in the window v..v+2b of the truth v have probability p each, the others q
/// each. A Public grid attribute is the case b = 0, p = 1, q = 0.
/// </summary>
/// <param name="Cells">The number of grid cells d.</param>
/// <param name="HalfWidth">b, at least 0.</param>
/// <param name="P">Probability of one output within the window.</param>
/// <param name="Q">Probability of one output outside.</param>
internal sealed record SquareWave(int Cells, int HalfWidth, double P, double Q)
{
    /// <summary>The window's width w = 2b + 1.</summary>
    public int Window => (2 * HalfWidth) + 1;

    /// <summary>The number of outputs d + 2b.</summary>
    public int Outputs => Cells + (2 * HalfWidth);

    /// <summary>The probabilities of all outputs when the truth has this distribution. O(d) by a running sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void OutputProbabilities(ReadOnlySpan<double> truth, Span<double> outputs)
    {
        double inWindow = 0;
        for (int j = 0; j < Outputs; j++)
        {
            inWindow += (j < Cells ? truth[j] : 0) - (j >= Window ? truth[j - Window] : 0);
            outputs[j] = Q + ((P - Q) * inWindow);
        }
    }

    /// <summary>For each truth v the expectation of a function of the output. O(d) by a running sum.</summary>
    public double[] ExpectationGivenTruth(ReadOnlySpan<double> function)
    {
        double all = 0;
        double inWindow = 0;
        foreach (double value in function)
        {
            all += value;
        }

        for (int j = 0; j < Window; j++)
        {
            inWindow += function[j];
        }

        var expectation = new double[Cells];
        for (int v = 0; v < Cells; v++)
        {
            expectation[v] = (Q * all) + ((P - Q) * inWindow);
            inWindow += (v + Window < Outputs ? function[v + Window] : 0) - function[v];
        }

        return expectation;
    }
}
