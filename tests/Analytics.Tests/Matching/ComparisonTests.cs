using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Matching.Comparison;

namespace EmrMarket.Analytics.Tests.Matching;

public sealed class ComparisonTests
{
    [Fact]
    public void Every_rule_is_feasible_and_none_beats_the_exact_match()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var problem = Markets.Random(seed, maxClasses: 8, maxRequests: 6, maxMembers: 9, maxQuota: 3, maxRecords: 30, maxWeight: 20);
            var asks = Asks(problem, seed);
            var random = new Random(seed);
            var exact = ExactMatcher.Solve(problem);
            var best = MatchMetrics.Of(problem, exact.SalesByClass, asks, [.. exact.Classes.Select(c => c.Premium)]);
            Assert.Equal(0, best.BlockingPairs);

            var none = new long[problem.Classes.Count];
            var greedy = SerialMatch.Greedy(problem);
            foreach (var sales in new[] { greedy, SerialMatch.Random(problem, random.Next), DeferredAcceptance.Match(problem, asks) })
            {
                AssertFeasible(problem, sales);
                Assert.True(MatchMetrics.Of(problem, sales, asks, none).Welfare <= best.Welfare);
            }

            Assert.True(2 * MatchMetrics.Of(problem, greedy, asks, none).Welfare >= best.Welfare);
        }
    }

    [Fact]
    public void Deferred_acceptance_leaves_no_pair_that_would_rather_trade_at_posted_prices()
    {
        for (var seed = 0; seed < 1000; seed++)
        {
            var problem = Markets.Random(seed, maxClasses: 8, maxRequests: 6, maxMembers: 5, maxQuota: 3, maxRecords: 20, maxWeight: 6);
            var asks = Asks(problem, seed);
            var sales = DeferredAcceptance.Match(problem, asks);
            var held = sales.ToDictionary(s => (s.ClassIndex, s.RequestIndex), s => s.Records);
            for (var c = 0; c < problem.Classes.Count; c++)
            {
                for (var j = 0; j < problem.Requests.Count; j++)
                {
                    if (problem.Weights[c, j] < 0 || held.GetValueOrDefault((c, j)) == problem.Classes[c].Members)
                    {
                        continue;
                    }

                    var (mine, theirs) = (sales.Where(s => s.ClassIndex == c).ToList(), sales.Where(s => s.RequestIndex == j).ToList());
                    var classWants = mine.Sum(s => s.Records) < problem.Classes[c].Capacity
                        || mine.Exists(s => s.RequestIndex != j
                            && (asks[c, s.RequestIndex], -s.RequestIndex).CompareTo((asks[c, j], -j)) < 0);
                    var requestWants = theirs.Sum(s => s.Records) < problem.Requests[j].Records
                        || theirs.Exists(s => problem.Weights[s.ClassIndex, j] < problem.Weights[c, j]);
                    Assert.False(classWants && requestWants, $"seed {seed}: class {c} and request {j} block");
                }
            }
        }
    }

    [Fact]
    public void Deferred_acceptance_may_lose_welfare_that_prices_save()
    {
        // Both requests like class 0 best; it is paid more by request 1, which would have done almost as well elsewhere.
        var problem = Markets.Of([(1, 1), (1, 1)], [(1, 0), (1, 0)], new long[,] { { 10, 10 }, { 0, 9 } });
        var asks = WeightMatrix.Create(2, 2, static (_, row) => (row[0], row[1]) = (1, 2));
        var sales = DeferredAcceptance.Match(problem, asks);
        Assert.Equal([new Sale(0, 1, 1), new Sale(1, 0, 1)], sales);
        var metrics = MatchMetrics.Of(problem, sales, asks, [0, 0]);
        Assert.Equal(10, metrics.Welfare);
        Assert.Equal(1, metrics.BlockingPairs);
        Assert.Equal(19, MatchMetrics.Of(problem, ExactMatcher.Solve(problem).SalesByClass, asks, [1, 0]).Welfare);
    }

    [Fact]
    public void Random_match_draws_every_order_of_pairs()
    {
        var problem = Markets.Of([(1, 1)], [(1, 0), (1, 0), (1, 0)], new long[,] { { 1, 1, 1 } });
        var random = new Random(3);
        var winners = Enumerable.Range(0, 300).Select(_ => Assert.Single(SerialMatch.Random(problem, random.Next)).RequestIndex).Distinct();
        Assert.Equal([0, 1, 2], winners.Order());
    }

    [Theory]
    [InlineData(new double[] { }, 0.0)]
    [InlineData(new[] { 0.0, 0.0 }, 0.0)]
    [InlineData(new[] { 5.0, 5.0, 5.0 }, 0.0)]
    [InlineData(new[] { 0.0, 0.0, 0.0, 8.0 }, 0.75)]
    [InlineData(new[] { 4.0, 1.0, 3.0, 2.0 }, 0.25)]
    public void Gini_equals_half_the_relative_mean_difference(double[] amounts, double expected)
        => Assert.Equal(expected, MatchMetrics.Gini(amounts), 12);

    [Fact]
    public void Earnings_of_a_class_are_dealt_over_its_members()
    {
        // Three members, five sales of 4 tokens: two members earn 8 and one 4.
        var problem = Markets.Of([(3, 2)], [(3, 0), (2, 0)], new long[,] { { 1, 1 } });
        var asks = WeightMatrix.Create(1, 2, static (_, row) => row.Fill(3));
        var metrics = MatchMetrics.Of(problem, [new Sale(0, 0, 3), new Sale(0, 1, 2)], asks, [1]);
        Assert.Equal(MatchMetrics.Gini([8, 8, 4]), metrics.GiniOfPayments);
        Assert.Equal(1.0, metrics.ShareMatched);
        Assert.Equal(5, metrics.Records);
    }

    private static WeightMatrix Asks(MatchProblem problem, int seed)
    {
        var random = new Random(seed);
        return WeightMatrix.Create(problem.Classes.Count, problem.Requests.Count, (_, row) =>
        {
            for (var j = 0; j < row.Length; j++)
            {
                row[j] = random.Next(5);
            }
        });
    }

    private static void AssertFeasible(MatchProblem problem, IReadOnlyList<Sale> sales)
    {
        Assert.Equal(sales.OrderBy(s => s.ClassIndex).ThenBy(s => s.RequestIndex), sales);
        Assert.Equal(sales.Count, sales.Select(s => (s.ClassIndex, s.RequestIndex)).Distinct().Count());
        Assert.All(sales, s => Assert.InRange(s.Records, 1, problem.Classes[s.ClassIndex].Members));
        Assert.All(sales, s => Assert.True(problem.Weights[s.ClassIndex, s.RequestIndex] >= 0));
        Assert.All(sales.GroupBy(s => s.ClassIndex), g => Assert.True(g.Sum(s => (long)s.Records) <= problem.Classes[g.Key].Capacity));
        Assert.All(sales.GroupBy(s => s.RequestIndex), g => Assert.True(g.Sum(s => (long)s.Records) <= problem.Requests[g.Key].Records));
    }
}
