namespace EmrMarket.Analytics.Matching.Comparison;

/// <summary>
/// Request-proposing deferred acceptance at posted prices (Gale and Shapley 1962, doi:10.1080/00029890.1962.11989827; many-to-many by
/// quotas: Roth 1984, Econometrica 52:47-57). Researchers prefer classes by their surplus, patients prefer requests by what they are paid;
/// no premium moves, so the match is stable without being efficient.
/// </summary>
public static class DeferredAcceptance
{
    /// <summary>Matches. O(classes * requests * log classes).</summary>
    /// <param name="problem">The market; a pair of negative weight never trades.</param>
    /// <param name="payments">What a member of the class is paid by the request; ties go to the lower request.</param>
    /// <returns>Sorted by class, then request.</returns>
    /// <exception cref="ArgumentException">The payments have another shape than the weights.</exception>
    public static IReadOnlyList<Sale> Match(MatchProblem problem, WeightMatrix payments)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(payments);
        if (payments.Classes != problem.Classes.Count || payments.Requests != problem.Requests.Count)
        {
            throw new ArgumentException(
                $"Payments are {payments.Classes} x {payments.Requests}, expected {problem.Classes.Count} x {problem.Requests.Count}.",
                nameof(payments));
        }

        var preferences = Preferences(problem);
        var next = new int[preferences.Length];
        var unfilled = problem.Requests.Select(static demand => demand.Records).ToArray();
        var unsold = problem.Classes.Select(static supply => supply.Capacity).ToArray();
        var held = problem.Classes.Select(static _ => new Dictionary<int, int>()).ToArray();
        var refused = new HashSet<(int Class, int Request)>();
        var waiting = new Queue<int>(Enumerable.Range(0, preferences.Length));
        while (waiting.TryDequeue(out var j))
        {
            while (unfilled[j] > 0 && next[j] < preferences[j].Length)
            {
                var c = preferences[j][next[j]];
                var room = problem.Classes[c].Members - held[c].GetValueOrDefault(j);
                if (room == 0 || refused.Contains((c, j)))
                {
                    next[j]++;
                    continue;
                }

                var proposed = (int)Math.Min(room, unfilled[j]);
                held[c][j] = held[c].GetValueOrDefault(j) + proposed;
                unfilled[j] -= proposed;
                unsold[c] -= proposed;
                while (unsold[c] < 0)
                {
                    var worst = held[c].Keys.MinBy(k => (payments[c, k], -k));
                    var released = (int)Math.Min(held[c][worst], -unsold[c]);
                    held[c][worst] -= released;
                    if (held[c][worst] == 0)
                    {
                        held[c].Remove(worst);
                    }

                    unsold[c] += released;
                    unfilled[worst] += released;
                    refused.Add((c, worst));
                    if (worst != j)
                    {
                        waiting.Enqueue(worst);
                    }
                }
            }
        }

        return [.. held.SelectMany(static (of, c) => of.OrderBy(static h => h.Key).Select(h => new Sale(c, h.Key, h.Value)))];
    }

    private static int[][] Preferences(MatchProblem problem)
        => [.. Enumerable.Range(0, problem.Requests.Count).Select(j =>
            Enumerable.Range(0, problem.Classes.Count).Where(c => problem.Weights[c, j] >= 0).OrderByDescending(c => problem.Weights[c, j])
                .ToArray())];
}
