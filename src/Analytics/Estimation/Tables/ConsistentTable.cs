using EmrMarket.Analytics.Estimation.Frequencies;

namespace EmrMarket.Analytics.Estimation.Tables;

/// <summary>
/// The non-negative table nearest to the unbiased one (least squares) whose margins are the attributes' own consistent frequencies:
/// alternating projections with Dykstra's correction (Boyle and Dykstra 1986, doi:10.1007/978-1-4613-9940-7_3). The product of the margins
/// is always feasible, so a solution exists.
/// </summary>
internal static class ConsistentTable
{
    /// <summary>The label of results that it produced.</summary>
    public const string Label = "nearest non-negative table with the attributes' Norm-Sub margins; not unbiased";

    private const int MaxRounds = 2_000;
    private const double Tolerance = 1e-10;

    /// <summary>Projects a table.</summary>
    /// <param name="estimates">The unbiased shares, last attribute fastest.</param>
    /// <param name="sizes">The domain sizes.</param>
    /// <param name="margins">Per attribute its unbiased frequencies.</param>
    public static double[] Project(double[] estimates, int[] sizes, double[][] margins)
    {
        double[][] targets = [.. margins.Select(m => NormSub.Project(m))];
        double[] table = [.. estimates];
        var correction = new double[table.Length];
        for (int round = 0; round < MaxRounds; round++)
        {
            FitMargins(table, sizes, targets);
            double moved = 0;
            for (int cell = 0; cell < table.Length; cell++)
            {
                double shifted = table[cell] + correction[cell];
                double kept = Math.Max(0, shifted);
                correction[cell] = shifted - kept;
                moved = Math.Max(moved, Math.Abs(kept - table[cell]));
                table[cell] = kept;
            }

            if (moved < Tolerance)
            {
                break;
            }
        }

        return table;
    }

    // The projection on the tables with these margins: margins of a product set are orthogonal after the total is right, so one pass over
    // the attributes is exact.
    private static void FitMargins(double[] table, int[] sizes, double[][] targets)
    {
        int stride = table.Length;
        for (int a = 0; a < sizes.Length; a++)
        {
            stride /= sizes[a];
            var sums = new double[sizes[a]];
            for (int cell = 0; cell < table.Length; cell++)
            {
                sums[cell / stride % sizes[a]] += table[cell];
            }

            for (int cell = 0; cell < table.Length; cell++)
            {
                int v = cell / stride % sizes[a];
                table[cell] += (targets[a][v] - sums[v]) * sizes[a] / table.Length;
            }
        }
    }
}
