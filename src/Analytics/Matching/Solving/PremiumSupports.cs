namespace EmrMarket.Analytics.Matching.Solving;

/// <summary>
/// Finds the witness that premiums are the least (E8): each class with a positive premium names a request that would take one more of its
/// records at any lower premium, and, where that request is filled, a class of lower rank whose own premium holds the request's surplus
/// down. Breadth first over the pairs with w = u + v, so ranks are as small as they can be. O(classes * requests).
/// </summary>
internal static class PremiumSupports
{
    private const int None = -1;

    /// <summary>Returns the premiums with their supports.</summary>
    /// <param name="problem">The market.</param>
    /// <param name="sales">An optimal match sorted by class, then request.</param>
    /// <param name="dropped">Requests that are no longer part of the market.</param>
    /// <param name="classDual">The least optimal u.</param>
    /// <param name="requestDual">The greatest optimal v.</param>
    /// <exception cref="InvalidOperationException">The premiums are not the least.</exception>
    public static ClassPremium[] Find(MatchProblem problem, List<Sale> sales, bool[] dropped, long[] classDual, long[] requestDual)
    {
        var (classCount, requestCount) = (classDual.Length, requestDual.Length);
        var premiums = new ClassPremium[classCount];
        var unfilled = problem.Requests.Select(static demand => demand.Records).ToArray();
        foreach (var sale in sales)
        {
            unfilled[sale.RequestIndex] -= sale.Records;
        }

        // holder: the class that holds the surplus of a request down; reached once that request can support others.
        var reached = new bool[requestCount];
        var holder = new int[requestCount];
        Array.Fill(holder, None);
        var frontier = new Queue<int>();
        void Reach(int request, int by)
        {
            if (!reached[request])
            {
                (reached[request], holder[request]) = (true, by);
                frontier.Enqueue(request);
            }
        }

        for (var j = 0; j < requestCount; j++)
        {
            if (unfilled[j] > 0 && !dropped[j])
            {
                Reach(j, None);
            }
        }

        var (supporters, firstSale) = (new List<int>[requestCount], new int[classCount + 1]);
        var row = new long[requestCount];
        var at = 0;
        var open = 0;
        for (var c = 0; c < classCount; c++)
        {
            firstSale[c] = at;
            premiums[c] = ClassPremium.None;
            if (classDual[c] == 0)
            {
                for (; at < sales.Count && sales[at].ClassIndex == c; at++)
                {
                    var j = sales[at].RequestIndex;
                    if (problem.Weights[c, j] == requestDual[j])
                    {
                        Reach(j, c);
                    }
                }

                continue;
            }

            open++;
            problem.Weights.CopyRow(c, row);
            for (; at < sales.Count && sales[at].ClassIndex == c; at++)
            {
                if (sales[at].Records == problem.Classes[c].Members)
                {
                    row[sales[at].RequestIndex] = WeightMatrix.Inadmissible;
                }
            }

            for (var j = 0; j < requestCount; j++)
            {
                if (row[j] - classDual[c] == requestDual[j] && row[j] >= 0 && !dropped[j])
                {
                    (supporters[j] ??= []).Add(c);
                }
            }
        }

        firstSale[classCount] = at;
        while (frontier.TryDequeue(out var j))
        {
            foreach (var c in supporters[j] ?? [])
            {
                if (premiums[c].Rank > 0)
                {
                    continue;
                }

                premiums[c] = new ClassPremium(classDual[c], j, holder[j], 1 + (holder[j] == None ? 0 : premiums[holder[j]].Rank));
                open--;
                for (var s = firstSale[c]; s < firstSale[c + 1]; s++)
                {
                    var other = sales[s].RequestIndex;
                    if (problem.Weights[c, other] - classDual[c] == requestDual[other])
                    {
                        Reach(other, c);
                    }
                }
            }
        }

        return open == 0 ? premiums : throw new InvalidOperationException($"{open} premiums have no support, a defect of the solver.");
    }
}
