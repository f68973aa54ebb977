using EmrMarket.Analytics.Matching;

namespace EmrMarket.Analytics.Tests.Matching;

public sealed class MinRecordsTests
{
    [Fact]
    public void Requests_below_their_minimum_are_dropped_and_the_rest_is_optimal()
    {
        var dropped = 0;
        for (var seed = 0; seed < 5000; seed++)
        {
            var problem = Markets.Random(
                seed, maxClasses: 5, maxRequests: 5, maxMembers: 4, maxQuota: 2, maxRecords: 12, maxWeight: 1 + (seed % 9),
                minRecords: true);
            var outcome = ExactMatcher.Solve(problem);
            Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
            Assert.True(OptimalityCertificate.Of(problem, outcome).Holds);

            // The market without the dropped requests, solved by other means, has the same welfare and prices.
            var kept = Enumerable.Range(0, problem.Requests.Count).Where(j => !outcome.Requests[j].Dropped).ToArray();
            dropped += problem.Requests.Count - kept.Length;
            if (kept.Length == 0)
            {
                continue;
            }

            var rest = new MatchProblem(
                problem.Classes,
                [.. kept.Select(j => problem.Requests[j])],
                WeightMatrix.Create(problem.Classes.Count, kept.Length, (c, row) =>
                {
                    for (var k = 0; k < kept.Length; k++)
                    {
                        row[k] = problem.Weights[c, kept[k]];
                    }
                }));
            var reference = Oracles.SuccessivePaths(rest);
            Assert.Equal(Markets.Welfare(rest, reference), Markets.Welfare(problem, outcome.SalesByClass));
            Assert.Equal(Oracles.LeastPremiums(rest, reference).U, outcome.Classes.Select(c => c.Premium));
        }

        Assert.True(dropped > 1000, $"only {dropped} requests were dropped");
    }

    [Fact]
    public void Smallest_share_filled_goes_first()
    {
        // 6 records: request 0 is filled with 4 of 4; request 1 gets 2 of 3 and request 2 none of its 3 until request 1 is gone.
        var problem = Markets.Of([(6, 1)], [(4, 4), (3, 3), (2, 0)], new long[,] { { 9, 8, 1 } });
        var outcome = ExactMatcher.Solve(problem);
        Assert.Equal([false, true, false], outcome.Requests.Select(r => r.Dropped));
        Assert.Equal([new Sale(0, 0, 4), new Sale(0, 2, 2)], outcome.SalesByClass);
    }

    [Fact]
    public void Equal_shares_drop_the_lower_id()
    {
        var problem = new MatchProblem(
            [new ClassSupply(2, 1), new ClassSupply(2, 1)],
            [new RequestDemand(7, 4, 3), new RequestDemand(5, 4, 3)],
            WeightMatrix.Create(2, 2, (c, row) =>
            {
                row.Fill(1);
                row[c] = 9;
            }));
        var outcome = ExactMatcher.Solve(problem);
        Assert.Equal([false, true], outcome.Requests.Select(r => r.Dropped));
        Assert.Equal([new Sale(0, 0, 2), new Sale(1, 0, 2)], outcome.SalesByClass);
    }
}
