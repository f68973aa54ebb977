namespace EmrMarket.Analytics.Matching.Solving;

/// <summary>
/// Solves classes with the same weights and quota as one. Members of such classes are interchangeable for every request, so the optimal
/// welfare and the sets of optimal prices are the same; the sales of the merged class are dealt out by walking round its members, which
/// gives no member more than its quota and no request a member twice (docs/MATCHING.md).
/// </summary>
internal sealed class ClassMerging
{
    private readonly MatchProblem _original;
    private readonly List<List<int>> _groups = [];

    /// <summary>Finds the _groups. O(classes * requests).</summary>
    public ClassMerging(MatchProblem problem)
    {
        _original = problem;
        GroupOf = new int[problem.Classes.Count];
        var byHash = new Dictionary<int, List<int>>();
        for (var c = 0; c < GroupOf.Length; c++)
        {
            var hash = HashCode.Combine(problem.Classes[c].Quota, problem.Weights.RowHash(c));
            if (!byHash.TryGetValue(hash, out var candidates))
            {
                byHash.Add(hash, candidates = []);
            }

            var (self, group) = (c, -1);
            var known = candidates.FindIndex(g => IsAlike(_groups[g][0], self));
            group = known < 0 ? -1 : candidates[known];
            if (group < 0)
            {
                group = _groups.Count;
                _groups.Add([]);
                candidates.Add(group);
            }

            _groups[group].Add(c);
            GroupOf[c] = group;
        }

        if (_groups.Count == GroupOf.Length)
        {
            Merged = problem;
            return;
        }

        var supply = _groups.Select(g => problem.Classes[g[0]] with { Members = checked(g.Sum(c => problem.Classes[c].Members)) })
            .ToArray();
        Merged = new MatchProblem(supply, problem.Requests, problem.Weights.SelectRows([.. _groups.Select(static g => g[0])]));
    }

    /// <summary>The smaller problem, its classes in the order of their first members.</summary>
    public MatchProblem Merged { get; }

    /// <summary>The merged class of each class.</summary>
    public int[] GroupOf { get; }

    /// <summary>Deals the sales of the merged classes out.</summary>
    /// <param name="merged">Sorted by merged class, then request.</param>
    /// <returns>Sorted by class, then request.</returns>
    public List<Sale> Split(List<Sale> merged)
    {
        if (ReferenceEquals(Merged, _original))
        {
            return merged;
        }

        var sales = new List<Sale>(merged.Count);
        var (group, member, used) = (-1, 0, 0);
        foreach (var (g, j, records) in merged)
        {
            if (g != group)
            {
                (group, member, used) = (g, 0, 0);
            }

            // A request that goes all the way round meets the class in which it started twice.
            var (left, first) = (records, sales.Count);
            while (left > 0)
            {
                var c = _groups[g][member];
                var taken = Math.Min(left, _original.Classes[c].Members - used);
                if (sales.Count > first && sales[first].ClassIndex == c)
                {
                    sales[first] = sales[first] with { Records = sales[first].Records + taken };
                }
                else
                {
                    sales.Add(new Sale(c, j, taken));
                }

                left -= taken;
                used += taken;
                if (used == _original.Classes[c].Members)
                {
                    (member, used) = ((member + 1) % _groups[g].Count, 0);
                }
            }
        }

        sales.Sort(static (a, b) => a.ClassIndex != b.ClassIndex
            ? a.ClassIndex.CompareTo(b.ClassIndex)
            : a.RequestIndex.CompareTo(b.RequestIndex));
        return sales;
    }

    private bool IsAlike(int a, int b) => _original.Classes[a].Quota == _original.Classes[b].Quota && _original.Weights.RowsEqual(a, b);
}
