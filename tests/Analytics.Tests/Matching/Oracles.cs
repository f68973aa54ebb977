using EmrMarket.Analytics.Matching;

namespace EmrMarket.Analytics.Tests.Matching;

/// <summary>Slow, plain answers to compare the solver with. None shares code with it.</summary>
internal static class Oracles
{
    /// <summary>The greatest welfare, and the most sales of a match that has it, by trying every match.</summary>
    public static (long Welfare, long Sales) BruteForce(MatchProblem problem)
    {
        var unfilled = problem.Requests.Select(r => r.Records).ToArray();
        return BestFrom(0, 0, problem.Classes[0].Capacity);

        (long Welfare, long Sales) BestFrom(int c, int j, long unsold)
        {
            if (j == unfilled.Length)
            {
                return c + 1 == problem.Classes.Count ? (0, 0) : BestFrom(c + 1, 0, problem.Classes[c + 1].Capacity);
            }

            var weight = problem.Weights[c, j];
            var most = weight == WeightMatrix.Inadmissible ? 0 : Math.Min(Math.Min(problem.Classes[c].Members, unsold), unfilled[j]);
            var best = (long.MinValue, 0L);
            for (long x = 0; x <= most; x++)
            {
                unfilled[j] -= x;
                var (welfare, sales) = BestFrom(c, j + 1, unsold - x);
                var found = ((weight * x) + welfare, sales + x);
                best = found.CompareTo(best) > 0 ? found : best;
                unfilled[j] += x;
            }

            return best;
        }
    }

    /// <summary>Every optimal dual with entries in [0, maxWeight], by trying all of them.</summary>
    public static IEnumerable<(long[] U, long[] V)> BruteForceDuals(MatchProblem problem, long maxWeight, long welfare)
    {
        var (classes, requests) = (problem.Classes.Count, problem.Requests.Count);
        var values = new long[classes + requests];
        while (true)
        {
            long dual = 0;
            for (var j = 0; j < requests; j++)
            {
                dual += problem.Requests[j].Records * values[classes + j];
            }

            for (var c = 0; c < classes && dual <= welfare; c++)
            {
                dual += problem.Classes[c].Capacity * values[c];
                for (var j = 0; j < requests; j++)
                {
                    if (problem.Weights[c, j] is var w && w > 0)
                    {
                        dual += problem.Classes[c].Members * Math.Max(0, w - values[c] - values[classes + j]);
                    }
                }
            }

            if (dual == welfare)
            {
                yield return (values[..classes], values[classes..]);
            }

            var digit = 0;
            while (digit < values.Length && values[digit] == maxWeight)
            {
                values[digit++] = 0;
            }

            if (digit == values.Length)
            {
                yield break;
            }

            values[digit]++;
        }
    }

    /// <summary>
    /// Minimum-cost flow by successive longest paths (Bellman and Ford) from a source over classes and requests to a sink, one arc per
    /// pair. Stops when a path gains nothing.
    /// </summary>
    public static List<Sale> SuccessivePaths(MatchProblem problem)
    {
        var (classes, requests) = (problem.Classes.Count, problem.Requests.Count);
        var (source, sink) = (classes + requests, classes + requests + 1);
        var arcs = new List<(int From, int To, long Room, long Gain)>();
        void Add(int from, int to, long room, long gain)
        {
            arcs.Add((from, to, room, gain));
            arcs.Add((to, from, 0, -gain));
        }

        for (var c = 0; c < classes; c++)
        {
            Add(source, c, problem.Classes[c].Capacity, 0);
        }

        for (var j = 0; j < requests; j++)
        {
            Add(classes + j, sink, problem.Requests[j].Records, 0);
        }

        var firstPair = arcs.Count;
        for (var c = 0; c < classes; c++)
        {
            for (var j = 0; j < requests; j++)
            {
                var weight = problem.Weights[c, j];
                Add(c, classes + j, weight >= 0 ? problem.Classes[c].Members : 0, Math.Max(0, weight));
            }
        }

        while (true)
        {
            var distance = new long?[classes + requests + 2];
            var by = new int[distance.Length];
            distance[source] = 0;
            for (var changed = true; changed;)
            {
                changed = false;
                for (var a = 0; a < arcs.Count; a++)
                {
                    var (from, to, room, gain) = arcs[a];
                    if (room > 0 && distance[from] is { } d && (distance[to] is not { } known || d + gain > known))
                    {
                        (distance[to], by[to], changed) = (d + gain, a, true);
                    }
                }
            }

            if (distance[sink] is not > 0)
            {
                break;
            }

            var push = long.MaxValue;
            for (var node = sink; node != source; node = arcs[by[node]].From)
            {
                push = Math.Min(push, arcs[by[node]].Room);
            }

            for (var node = sink; node != source; node = arcs[by[node]].From)
            {
                var a = by[node];
                arcs[a] = arcs[a] with { Room = arcs[a].Room - push };
                arcs[a ^ 1] = arcs[a ^ 1] with { Room = arcs[a ^ 1].Room + push };
            }
        }

        var sales = new List<Sale>();
        for (var pair = 0; pair < classes * requests; pair++)
        {
            var sold = arcs[firstPair + (2 * pair) + 1].Room;
            if (sold > 0)
            {
                sales.Add(new Sale(pair / requests, pair % requests, (int)sold));
            }
        }

        return sales;
    }

    /// <summary>
    /// The least u and greatest v that go with an optimal match: starting from u = 0, raise each u and lower each v until complementary
    /// slackness holds. No step raises u beyond the least, so the first fixed point is the least one.
    /// </summary>
    public static (long[] U, long[] V) LeastPremiums(MatchProblem problem, IReadOnlyList<Sale> sales)
    {
        var sold = sales.ToDictionary(s => (s.ClassIndex, s.RequestIndex), s => s.Records);
        var filled = new long[problem.Requests.Count];
        foreach (var sale in sales)
        {
            filled[sale.RequestIndex] += sale.Records;
        }

        var (u, v) = (new long[problem.Classes.Count], new long[problem.Requests.Count]);
        for (var changed = true; changed;)
        {
            changed = false;
            for (var j = 0; j < v.Length; j++)
            {
                v[j] = filled[j] < problem.Requests[j].Records
                    ? 0
                    : sales.Where(s => s.RequestIndex == j).Min(s => problem.Weights[s.ClassIndex, j] - u[s.ClassIndex]);
            }

            for (var c = 0; c < u.Length; c++)
            {
                for (var j = 0; j < v.Length; j++)
                {
                    if (problem.Weights[c, j] != WeightMatrix.Inadmissible && sold.GetValueOrDefault((c, j)) < problem.Classes[c].Members
                        && problem.Weights[c, j] - v[j] > u[c])
                    {
                        (u[c], changed) = (problem.Weights[c, j] - v[j], true);
                    }
                }
            }
        }

        return (u, v);
    }
}
