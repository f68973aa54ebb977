namespace EmrMarket.Analytics.Estimation.Frequencies;

/// <summary>
/// The Norm-Sub step: adds one constant to all estimates and cuts negative ones to zero, so that they add to a total; the Euclidean
/// projection on the simplex (Wang et al., NDSS 2020, doi:10.14722/ndss.2020.24186). It lowers the squared error but biases small values
/// up: intervals stay those of the unbiased estimates.
/// </summary>
internal static class NormSub
{
    /// <summary>The label of results that it produced.</summary>
    public const string Label = "Norm-Sub: shifted by a constant and cut at zero to add to one; not unbiased";

    /// <summary>The projected values. O(k log k).</summary>
    public static double[] Project(ReadOnlySpan<double> estimates, double total = 1)
    {
        double[] descending = estimates.ToArray();
        Array.Sort(descending);
        Array.Reverse(descending);
        double sum = 0;
        double shift = 0;
        for (int i = 0; i < descending.Length; i++)
        {
            sum += descending[i];
            double candidate = (total - sum) / (i + 1);
            if (descending[i] + candidate <= 0)
            {
                break;
            }

            shift = candidate;
        }

        var projected = new double[estimates.Length];
        for (int i = 0; i < projected.Length; i++)
        {
            projected[i] = Math.Max(0, estimates[i] + shift);
        }

        return projected;
    }
}
