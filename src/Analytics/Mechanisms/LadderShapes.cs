using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>
/// Chooses the sizes (SS: elements of a subset; OLH: cells of a hash) of all grades of a ladder together. The best size of each grade alone
/// cannot always be derived from the best size of the next higher grade, so the chain with the least sum of squared excess variances is
/// taken, by dynamic programming. A choice of utility only: the loss of whatever is chosen is bounded by its thresholds.
/// docs/MECHANISMS.md, "Sizes along a ladder".
/// </summary>
internal static class LadderShapes
{
    /// <summary>The size of each grade, index 0 for grade 1.</summary>
    /// <param name="grades">The ladder.</param>
    /// <param name="candidates">The sizes to choose from.</param>
    /// <param name="variance">The variance of a frequency at a size and e^epsilon.</param>
    /// <param name="weight">
    /// w(size) such that a grade yields the next lower one exactly when w &lt;= w' and w (e^epsilon - 1) >= w' (e^epsilon' - 1), primes for
    /// the lower grade.
    /// </param>
    public static int[] Choose(
        GradeLadder grades,
        IReadOnlyList<int> candidates,
        Func<int, double, double> variance,
        Func<int, double> weight)
    {
        int count = candidates.Count;
        double[] weights = [.. candidates.Select(weight)];
        double[] cost = new double[count];
        var previous = new int[grades.Count][];
        double oddsBelow = 0;
        for (int grade = 1; grade <= grades.Count; grade++)
        {
            // A bound of a fraction, not Math.Exp: the choice must be the same on every platform.
            double odds = (double)ExponentialBounds.Lower(grades[grade]);
            double least = candidates.Min(size => variance(size, odds));
            double[] costHere = new double[count];
            int[] from = new int[count];
            for (int i = 0; i < count; i++)
            {
                double best = grade == 1 ? 0 : double.PositiveInfinity;
                from[i] = -1;
                for (int j = 0; grade > 1 && j < count; j++)
                {
                    if (cost[j] < best && weights[i] <= weights[j] && weights[i] * (odds - 1) >= weights[j] * (oddsBelow - 1))
                    {
                        (best, from[i]) = (cost[j], j);
                    }
                }

                double excess = (variance(candidates[i], odds) / least) - 1;
                costHere[i] = best + (excess * excess);
            }

            (cost, previous[grade - 1], oddsBelow) = (costHere, from, odds);
        }

        int[] sizes = new int[grades.Count];
        int at = Array.IndexOf(cost, cost.Min());
        for (int grade = grades.Count; grade >= 1; grade--)
        {
            sizes[grade - 1] = candidates[at];
            at = previous[grade - 1][at];
        }

        return sizes;
    }
}
