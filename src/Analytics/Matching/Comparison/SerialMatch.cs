namespace EmrMarket.Analytics.Matching.Comparison;

/// <summary>Matches without prices that the exact one is compared with: pairs in some order, each taking all that is left.</summary>
public static class SerialMatch
{
    /// <summary>
    /// Pairs by falling weight, lowest class and request first among equals: the myopic rule, at least half of the best welfare.
    /// </summary>
    public static IReadOnlyList<Sale> Greedy(MatchProblem problem)
    {
        var (pairs, weights) = AdmissiblePairs(problem);
        // A stable order: equal weights stay in the order of class and request.
        var order = Enumerable.Range(0, pairs.Length).OrderByDescending(i => weights[i]);
        return Take(problem, order.Select(i => pairs[i]));
    }

    /// <summary>Pairs in random order.</summary>
    /// <param name="problem">The market.</param>
    /// <param name="uniformBelow">Draws uniformly from 0 to its argument less one.</param>
    public static IReadOnlyList<Sale> Random(MatchProblem problem, Func<int, int> uniformBelow)
    {
        ArgumentNullException.ThrowIfNull(uniformBelow);
        var (pairs, _) = AdmissiblePairs(problem);
        for (var i = pairs.Length - 1; i > 0; i--)
        {
            var k = uniformBelow(i + 1);
            (pairs[i], pairs[k]) = (pairs[k], pairs[i]);
        }

        return Take(problem, pairs);
    }

    private static (int[] Pairs, long[] Weights) AdmissiblePairs(MatchProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        var (pairs, weights) = (new List<int>(), new List<long>());
        var row = new long[problem.Requests.Count];
        for (var c = 0; c < problem.Classes.Count; c++)
        {
            problem.Weights.CopyRow(c, row);
            for (var j = 0; j < row.Length; j++)
            {
                if (row[j] >= 0)
                {
                    pairs.Add((c * row.Length) + j);
                    weights.Add(row[j]);
                }
            }
        }

        return ([.. pairs], [.. weights]);
    }

    private static List<Sale> Take(MatchProblem problem, IEnumerable<int> pairs)
    {
        var unsold = problem.Classes.Select(static supply => supply.Capacity).ToArray();
        var unfilled = problem.Requests.Select(static demand => demand.Records).ToArray();
        var sales = new List<Sale>();
        foreach (var pair in pairs)
        {
            var (c, j) = Math.DivRem(pair, unfilled.Length);
            var records = (int)Math.Min(problem.Classes[c].Members, Math.Min(unsold[c], unfilled[j]));
            if (records > 0)
            {
                sales.Add(new Sale(c, j, records));
                unsold[c] -= records;
                unfilled[j] -= records;
            }
        }

        sales.Sort(static (a, b) => (a.ClassIndex, a.RequestIndex).CompareTo((b.ClassIndex, b.RequestIndex)));
        return sales;
    }
}
