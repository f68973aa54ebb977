namespace EmrMarket.Analytics.Estimation.Ordered;

/// <summary>
/// A function phi of one report whose expectation is c(v) for every truth v: the linear unbiased estimator of the mean of c over records.
/// Of all such functions it is the one of least variance when the truth is uniform (docs/ESTIMATORS.md, "Linear estimators of a square
/// wave"). O(d).
/// </summary>
/// <remarks>
/// Every window of w outputs meets each residue class modulo w exactly once. So E[phi] = c forces phi(j + w) - phi(j) = (c(j + 1) - c(j)) /
/// (p - q) within each class and leaves one constant per class free; the count of a class has a known expectation whatever the truth, so
/// its constant adds nothing but noise. The least variance gives every class the same mean of phi under the reference, which is the mean of
/// c.
/// </remarks>
internal sealed class UnbiasedFunctional
{
    /// <summary>Builds it.</summary>
    /// <param name="law">The channel.</param>
    /// <param name="truth">c(v) for v in 0..d-1.</param>
    public UnbiasedFunctional(SquareWave law, ReadOnlySpan<double> truth)
    {
        (Law, Truth) = (law, truth.ToArray());
        var reference = new double[law.Outputs];
        var uniform = new double[law.Cells];
        Array.Fill(uniform, 1.0 / law.Cells);
        law.OutputProbabilities(uniform, reference);
        Mean = Truth.Average();
        Phi = new double[law.Outputs];
        for (int residue = 0; residue < law.Window; residue++)
        {
            double weight = reference[residue];
            double weighted = 0;
            for (int j = residue + law.Window; j < law.Outputs; j += law.Window)
            {
                int v = j - law.Window;
                Phi[j] = Phi[v] + ((truth[v + 1] - truth[v]) / (law.P - law.Q));
                weight += reference[j];
                weighted += reference[j] * Phi[j];
            }

            double shift = Mean - (weighted / weight);
            for (int j = residue; j < law.Outputs; j += law.Window)
            {
                Phi[j] += shift;
            }
        }

        double[] squares = [.. Phi.Select(x => x * x)];
        VarianceGivenTruth = law.ExpectationGivenTruth(squares);
        for (int v = 0; v < law.Cells; v++)
        {
            VarianceGivenTruth[v] = Math.Max(0, VarianceGivenTruth[v] - (truth[v] * truth[v]));
        }
    }

    /// <summary>The channel.</summary>
    public SquareWave Law { get; }

    /// <summary>c(v).</summary>
    public double[] Truth { get; }

    /// <summary>The mean of c over all cells: what a uniform cell in place of a missing value contributes.</summary>
    public double Mean { get; }

    /// <summary>phi(j) for j in 0..d+2b-1.</summary>
    public double[] Phi { get; }

    /// <summary>The variance of phi given each truth.</summary>
    public double[] VarianceGivenTruth { get; }

    /// <summary>What n reports contribute to a guarantee about the mean of c.</summary>
    public GuaranteeTerm Term(long records, long sumSquaredSizes, int maxSize)
    {
        double low = Phi.Min();
        double high = Phi.Max();
        double deviation = Truth.Max(c => Math.Max(high - c, c - low));
        return new GuaranteeTerm(records, sumSquaredSizes, maxSize, high - low, Law.Q == 0 ? 0 : deviation, VarianceGivenTruth.Max());
    }
}
