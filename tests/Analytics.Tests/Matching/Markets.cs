using EmrMarket.Analytics.Matching;

namespace EmrMarket.Analytics.Tests.Matching;

/// <summary>Reproducible small markets, full of ties.</summary>
internal static class Markets
{
    public static MatchProblem Of((int Members, int Quota)[] classes, (long Records, long MinRecords)[] requests, long[,] weights)
        => new(
            [.. classes.Select(c => new ClassSupply(c.Members, c.Quota))],
            [.. requests.Select((r, j) => new RequestDemand(j, r.Records, r.MinRecords))],
            WeightMatrix.Create(classes.Length, requests.Length, (c, row) =>
            {
                for (var j = 0; j < row.Length; j++)
                {
                    row[j] = weights[c, j];
                }
            }));

    public static MatchProblem Random(
        int seed, int maxClasses, int maxRequests, int maxMembers, int maxQuota, int maxRecords, long maxWeight, bool minRecords = false)
    {
        var random = new Random(seed);
        var classes = random.Next(1, maxClasses + 1);
        var requests = random.Next(1, maxRequests + 1);
        var weights = new long[classes, requests];
        for (var c = 0; c < classes; c++)
        {
            for (var j = 0; j < requests; j++)
            {
                weights[c, j] = random.Next(8) == 0 ? WeightMatrix.Inadmissible : random.NextInt64(-1, maxWeight + 1);
            }
        }

        return Of(
            [.. Enumerable.Range(0, classes).Select(_ => (random.Next(1, maxMembers + 1), random.Next(1, maxQuota + 1)))],
            [.. Enumerable.Range(0, requests).Select(_ => random.Next(1, maxRecords + 1))
                .Select(n => ((long)n, minRecords ? random.Next(0, n + 1) : 0L))],
            weights);
    }

    public static Int128 Welfare(MatchProblem problem, IEnumerable<Sale> sales)
        => sales.Aggregate((Int128)0, (sum, s) => sum + ((Int128)problem.Weights[s.ClassIndex, s.RequestIndex] * s.Records));

    public static string Describe(MatchOutcome outcome)
        => $"u=[{string.Join(',', outcome.Classes)}] v=[{string.Join(',', outcome.Requests)}] x=[{string.Join(',', outcome.SalesByClass)}]";
}
