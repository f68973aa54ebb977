namespace EmrMarket.Analytics.Matching;

/// <summary>
/// The least class duals among all optimal ones, with the supports that prove it. Optimal duals form a lattice (Shapley and Shubik 1971,
/// doi:10.1007/BF01753437); how far each u can fall from a given optimum is a shortest path in the reversed residual graph, whose arcs have
/// non-negative length there, so Dijkstra's algorithm finds it (docs/MATCHING.md). O(classes * requests + sales * log).
/// </summary>
internal static class LeastPremiums
{
    private const int None = -1;

    /// <summary>Moves optimal duals to the end of the lattice with the least u and the greatest v.</summary>
    /// <param name="problem">The market.</param>
    /// <param name="sales">An optimal match sorted by class.</param>
    /// <param name="dropped">Requests that are no longer part of the market; their pairs are ignored and their v stays 0.</param>
    /// <param name="classDual">Any optimal u; holds the least on return.</param>
    /// <param name="requestDual">The v that belongs to it; holds the greatest on return.</param>
    public static ClassPremium[] Canonicalise(
        MatchProblem problem, IReadOnlyList<Sale> sales, ReadOnlySpan<bool> dropped, Span<long> classDual, Span<long> requestDual)
    {
        var (classCount, requestCount) = (problem.Classes.Count, problem.Requests.Count);
        var premiums = new ClassPremium[classCount];
        var byClass = Index(sales, classCount, static sale => sale.ClassIndex);
        var byRequest = Index(sales, requestCount, static sale => sale.RequestIndex);

        // fall: how far u can fall, and v then rise; support: the node that stops it from falling further.
        var classFall = classDual.ToArray();
        var requestFall = new long[requestCount];
        var classSupport = new int[classCount];
        var requestSupport = new int[requestCount];
        var rank = new int[classCount];
        Array.Fill(classSupport, None);
        Array.Fill(requestSupport, None);
        var queue = new PriorityQueue<int, (long Fall, int Node)>();
        for (var j = 0; j < requestCount; j++)
        {
            long filled = 0;
            foreach (var at in byRequest.Of(j))
            {
                filled += sales[at].Records;
            }

            requestFall[j] = filled < problem.Requests[j].Records ? 0 : long.MaxValue;
            if (requestFall[j] == 0 && !dropped[j])
            {
                queue.Enqueue(classCount + j, (0, classCount + j));
            }
        }

        // Classes whose u is positive and not yet final.
        var (open, openCount) = (new int[classCount], 0);
        for (var c = 0; c < classCount; c++)
        {
            queue.Enqueue(c, (classFall[c], c));
            if (classFall[c] > 0)
            {
                open[openCount++] = c;
            }
        }

        var settled = new bool[classCount + requestCount];
        var fullFor = new int[classCount];
        Array.Fill(fullFor, None);
        while (queue.TryDequeue(out var node, out _))
        {
            if (settled[node])
            {
                continue;
            }

            settled[node] = true;
            if (node < classCount)
            {
                rank[node] = classSupport[node] == None ? 0 : 1 + (requestSupport[classSupport[node]] is var s && s == None ? 0 : rank[s]);
                foreach (var at in byClass.Of(node))
                {
                    var j = sales[at].RequestIndex;
                    var fall = classFall[node] + (problem.Weights[node, j] - classDual[node] - requestDual[j]);
                    if (fall < requestFall[j])
                    {
                        (requestFall[j], requestSupport[j]) = (fall, node);
                        queue.Enqueue(classCount + j, (fall, classCount + j));
                    }
                }

                continue;
            }

            var request = node - classCount;
            foreach (var at in byRequest.Of(request))
            {
                var c = sales[at].ClassIndex;
                if (sales[at].Records == problem.Classes[c].Members)
                {
                    fullFor[c] = request;
                }
            }

            var kept = 0;
            var reach = requestFall[request] + requestDual[request];
            for (var at = 0; at < openCount; at++)
            {
                var c = open[at];
                if (settled[c])
                {
                    continue;
                }

                open[kept++] = c;
                var weight = problem.Weights[c, request];
                if (weight < 0 || fullFor[c] == request)
                {
                    continue;
                }

                var fall = reach + (classDual[c] - weight);
                if (fall < classFall[c])
                {
                    (classFall[c], classSupport[c]) = (fall, request);
                    queue.Enqueue(c, (fall, c));
                }
            }

            openCount = kept;
        }

        for (var c = 0; c < classCount; c++)
        {
            classDual[c] -= classFall[c];
            premiums[c] = classDual[c] == 0
                ? ClassPremium.None
                : new ClassPremium(classDual[c], classSupport[c], requestSupport[classSupport[c]], rank[c]);
        }

        for (var j = 0; j < requestCount; j++)
        {
            requestDual[j] = dropped[j] || requestFall[j] == long.MaxValue ? 0 : requestDual[j] + requestFall[j];
        }

        return premiums;
    }

    /// <summary>Positions of the sales of each class or request, in order.</summary>
    private static SaleIndex Index(IReadOnlyList<Sale> sales, int owners, Func<Sale, int> ownerOf)
    {
        var start = new int[owners + 1];
        foreach (var sale in sales)
        {
            start[ownerOf(sale) + 1]++;
        }

        for (var i = 0; i < owners; i++)
        {
            start[i + 1] += start[i];
        }

        var (next, positions) = (start.ToArray(), new int[sales.Count]);
        for (var at = 0; at < sales.Count; at++)
        {
            positions[next[ownerOf(sales[at])]++] = at;
        }

        return new SaleIndex(start, positions);
    }

    private readonly record struct SaleIndex(int[] Start, int[] Positions)
    {
        public ReadOnlySpan<int> Of(int owner) => Positions.AsSpan(Start[owner], Start[owner + 1] - Start[owner]);
    }
}
