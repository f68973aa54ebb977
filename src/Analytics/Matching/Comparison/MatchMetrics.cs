namespace EmrMarket.Analytics.Matching.Comparison;

/// <summary>What a match does for the market, however it came about.</summary>
/// <param name="Welfare">Sum of w x, token base units.</param>
/// <param name="Records">Records sold.</param>
/// <param name="ShareMatched">Records sold of those demanded, in [0, 1]; 0 without demand.</param>
/// <param name="BlockingPairs">Pairs of class and request that would both gain by trading one more record with each other, each giving up
/// its worst trade where it has no room.</param>
/// <param name="GiniOfPayments">Inequality of what the records earn, over all records of all classes, in [0, 1); 0 when nothing is
/// paid.</param>
public readonly record struct MatchMetrics(Int128 Welfare, long Records, double ShareMatched, long BlockingPairs, double GiniOfPayments)
{
    /// <summary>Measures a match. O(classes * requests + sales).</summary>
    /// <param name="problem">The market.</param>
    /// <param name="sales">Sorted by class, then request.</param>
    /// <param name="asks">What each class asks of each request per record.</param>
    /// <param name="premiums">Per class what is paid on top of the ask; all 0 at posted prices.</param>
    public static MatchMetrics Of(MatchProblem problem, IReadOnlyList<Sale> sales, WeightMatrix asks, IReadOnlyList<long> premiums)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(sales);
        ArgumentNullException.ThrowIfNull(asks);
        ArgumentNullException.ThrowIfNull(premiums);
        var filled = new long[problem.Requests.Count];
        var surplus = new long[filled.Length];
        Array.Fill(surplus, long.MaxValue);
        Int128 welfare = 0;
        foreach (var (c, j, records) in sales)
        {
            welfare += (Int128)problem.Weights[c, j] * records;
            filled[j] += records;
            surplus[j] = Math.Min(surplus[j], problem.Weights[c, j] - premiums[c]);
        }

        for (var j = 0; j < filled.Length; j++)
        {
            surplus[j] = filled[j] < problem.Requests[j].Records ? 0 : surplus[j];
        }

        var (sold, demanded) = (filled.Sum(), problem.Requests.Sum(static demand => demand.Records));
        return new MatchMetrics(
            welfare,
            sold,
            demanded == 0 ? 0 : (double)sold / demanded,
            CountBlockingPairs(problem, sales, premiums, surplus),
            Gini(Earnings(problem, sales, asks, premiums)));
    }

    /// <summary>
    /// The Gini coefficient, in [0, 1): half the mean absolute difference over the mean (Gini 1912; Sen 1973,
    /// doi:10.1093/0198281935.001.0001).
    /// </summary>
    /// <param name="amounts">At least 0; sorted in place.</param>
    public static double Gini(double[] amounts)
    {
        ArgumentNullException.ThrowIfNull(amounts);
        Array.Sort(amounts);
        var (total, weighted) = (0.0, 0.0);
        for (var i = 0; i < amounts.Length; i++)
        {
            total += amounts[i];
            weighted += (i + 1) * amounts[i];
        }

        return total == 0 ? 0 : (2 * weighted / (amounts.Length * total)) - ((amounts.Length + 1.0) / amounts.Length);
    }

    private static long CountBlockingPairs(MatchProblem problem, IReadOnlyList<Sale> sales, IReadOnlyList<long> premiums, long[] surplus)
    {
        long blocking = 0;
        var row = new long[surplus.Length];
        var at = 0;
        for (var c = 0; c < problem.Classes.Count; c++)
        {
            problem.Weights.CopyRow(c, row);
            for (; at < sales.Count && sales[at].ClassIndex == c; at++)
            {
                // A request that has the whole class cannot take more of it.
                if (sales[at].Records == problem.Classes[c].Members)
                {
                    row[sales[at].RequestIndex] = WeightMatrix.Inadmissible;
                }
            }

            for (var j = 0; j < row.Length; j++)
            {
                blocking += row[j] > premiums[c] && row[j] - premiums[c] > surplus[j] ? 1 : 0;
            }
        }

        return blocking;
    }

    /// <summary>Per record what it earns, the sales of a class walking round its members.</summary>
    private static double[] Earnings(MatchProblem problem, IReadOnlyList<Sale> sales, WeightMatrix asks, IReadOnlyList<long> premiums)
    {
        var first = new long[problem.Classes.Count + 1];
        for (var c = 0; c < problem.Classes.Count; c++)
        {
            first[c + 1] = first[c] + problem.Classes[c].Members;
        }

        var earned = new double[first[^1]];
        var (current, turn) = (-1, 0);
        foreach (var (c, j, records) in sales)
        {
            turn = c == current ? turn : 0;
            current = c;
            var payment = (double)(asks[c, j] + premiums[c]);
            for (var k = 0; k < records; k++)
            {
                earned[first[c] + turn] += payment;
                turn = turn + 1 == problem.Classes[c].Members ? 0 : turn + 1;
            }
        }

        return earned;
    }
}
