using EmrMarket.Analytics.Matching;

namespace EmrMarket.Analytics.Tests.Matching;

/// <summary>Every planted fault is caught under its own number.</summary>
public sealed class MatchVerifierTests
{
    // Class 0 is sold out to requests 0 and 2; request 2 is not filled, so it would take more at any premium below 5. Class 1 serves
    // request 1 and keeps members. Class 2 goes to request 2 whole.
    private static readonly MatchProblem Problem = Markets.Of(
        [(10, 1), (10, 2), (5, 1)],
        [(6, 0), (6, 0), (50, 0)],
        new[,] { { 9, 8, 5 }, { WeightMatrix.Inadmissible, 4, WeightMatrix.Inadmissible }, { 1, 1, 1 } });

    private static readonly MatchOutcome Right = ExactMatcher.Solve(Problem);

    [Fact]
    public void Right_outcome_has_no_fault()
    {
        Assert.Empty(MatchVerifier.FindFaults(Problem, Right));
        Assert.Equal([5L, 0, 0], Right.Classes.Select(c => c.Premium));
        Assert.Equal([4L, 4, 0], Right.Requests.Select(r => r.Surplus));
    }

    [Fact]
    public void Lower_premium_is_a_blocking_pair()
        => AssertOnly(MatchFaultKind.BlockingPair, WithClass(0, c => c with { Premium = c.Premium - 1 }));

    [Fact]
    public void Higher_surplus_is_an_overcharge()
        => AssertOnly(MatchFaultKind.Overcharge, WithRequest(0, r => r with { Surplus = r.Surplus + 100 }));

    [Fact]
    public void Premium_of_an_unsold_class_is_caught()
        => Assert.Contains(
            Faults(WithClass(1, c => c with { Premium = 1 })), f => f is { Kind: MatchFaultKind.UnsoldPremium, ClassIndex: 1 });

    [Fact]
    public void Surplus_of_an_unfilled_request_is_caught()
        => Assert.Contains(
            Faults(WithRequest(2, r => r with { Surplus = 1 })), f => f is { Kind: MatchFaultKind.UnfilledSurplus, RequestIndex: 2 });

    [Fact]
    public void Quantities_beyond_class_quota_and_demand_are_caught()
    {
        var beyondMembers = WithSales(s => s.ClassIndex == 0 && s.RequestIndex == 0 ? s with { Records = 11 } : s);
        Assert.Contains(Faults(beyondMembers), f => f is { Kind: MatchFaultKind.QuantityExceeded, ClassIndex: 0, RequestIndex: 0 });
        Assert.Contains(Faults(beyondMembers), f => f is { Kind: MatchFaultKind.QuantityExceeded, ClassIndex: 0, RequestIndex: -1 });
        Assert.Contains(Faults(beyondMembers), f => f is { Kind: MatchFaultKind.QuantityExceeded, ClassIndex: -1, RequestIndex: 0 });
    }

    [Fact]
    public void Sale_of_an_inadmissible_pair_is_caught()
        => Assert.Contains(
            Faults(WithSales(s => s.ClassIndex == 1 ? s with { RequestIndex = 2 } : s)),
            f => f is { Kind: MatchFaultKind.Inadmissible, ClassIndex: 1, RequestIndex: 2 });

    [Fact]
    public void Lists_that_differ_are_caught()
    {
        var altered = Right with
        {
            SalesByRequest = [.. Right.SalesByRequest.Select((s, i) => i == 0 ? s with { Records = s.Records - 1 } : s)],
        };
        Assert.Contains(Faults(altered), f => f.Kind == MatchFaultKind.SalesDiffer);
        AssertOnly(MatchFaultKind.SalesDiffer, Right with
        {
            SalesByRequest = [.. Right.SalesByRequest.Skip(1)],
        }, alsoAllowed: [MatchFaultKind.UnfilledSurplus, MatchFaultKind.UnsupportedPremium]);
        AssertOnly(MatchFaultKind.SalesDiffer, Right with
        {
            SalesByClass = [.. Right.SalesByClass.Skip(1)],
        }, alsoAllowed: [MatchFaultKind.UnsoldPremium, MatchFaultKind.BlockingPair, MatchFaultKind.UnsupportedPremium]);
    }

    [Fact]
    public void Optimal_prices_that_are_not_the_least_are_caught_whatever_support_they_name()
    {
        // Two researchers for one class of 2: any u in [3, 8] is optimal, 3 the least.
        var problem = Markets.Of([(2, 1)], [(2, 0), (2, 0)], new long[,] { { 8, 3 } });
        var least = ExactMatcher.Solve(problem);
        Assert.Equal(3, least.Classes[0].Premium);
        for (var premium = 4L; premium <= 8; premium++)
        {
            for (var support = -1; support <= 2; support++)
            {
                for (var by = -1; by <= 1; by++)
                {
                    for (var rank = 0; rank <= 2; rank++)
                    {
                        var greater = least with
                        {
                            Classes = [new ClassPremium(premium, support, by, rank)],
                            Requests = [new RequestSurplus(8 - premium, false), new RequestSurplus(0, false)],
                        };
                        Assert.True(OptimalityCertificate.Of(problem, greater).Holds);
                        Assert.Equal(MatchFaultKind.UnsupportedPremium, Assert.Single(MatchVerifier.FindFaults(problem, greater)).Kind);
                    }
                }
            }
        }
    }

    [Fact]
    public void Supports_in_a_circle_are_caught()
    {
        // Two classes of 2 and two requests of 2 at equal weights, each request served half by each class: the classes could name each
        // other.
        var problem = Markets.Of([(2, 1), (2, 1)], [(2, 0), (2, 0)], new long[,] { { 5, 5 }, { 5, 5 } });
        Sale[] half = [new(0, 0, 1), new(0, 1, 1), new(1, 0, 1), new(1, 1, 1)];
        for (var firstRank = 0; firstRank < 3; firstRank++)
        {
            for (var secondRank = 0; secondRank < 3; secondRank++)
            {
                var circle = new MatchOutcome(
                    [new ClassPremium(5, 0, 1, firstRank), new ClassPremium(5, 0, 0, secondRank)],
                    [new RequestSurplus(0, false), new RequestSurplus(0, false)],
                    half,
                    [.. half.OrderBy(s => s.RequestIndex).ThenBy(s => s.ClassIndex)]);
                Assert.True(OptimalityCertificate.Of(problem, circle).Holds);
                Assert.Contains(MatchVerifier.FindFaults(problem, circle), f => f.Kind == MatchFaultKind.UnsupportedPremium);
            }
        }
    }

    [Fact]
    public void Dropping_without_a_minimum_and_keeping_below_it_are_caught()
    {
        Assert.Contains(
            Faults(WithRequest(2, r => r with { Dropped = true })), f => f is { Kind: MatchFaultKind.Dropping, RequestIndex: 2 });

        var wanting = Markets.Of([(2, 1)], [(5, 3)], new long[,] { { 4 } });
        Assert.True(ExactMatcher.Solve(wanting).Requests[0].Dropped);
        var kept = new MatchOutcome([ClassPremium.None], [new RequestSurplus(0, false)], [new Sale(0, 0, 2)], [new Sale(0, 0, 2)]);
        Assert.Contains(MatchVerifier.FindFaults(wanting, kept), f => f.Kind == MatchFaultKind.Dropping);
        var soldThoughDropped = kept with { Requests = [new RequestSurplus(0, true)] };
        Assert.Contains(MatchVerifier.FindFaults(wanting, soldThoughDropped), f => f.Kind == MatchFaultKind.Inadmissible);
        Assert.Contains(MatchVerifier.FindFaults(wanting, soldThoughDropped), f => f.Kind == MatchFaultKind.Dropping);
    }

    [Fact]
    public void Malformed_outcomes_are_caught()
    {
        AssertOnly(MatchFaultKind.Malformed, WithClass(0, c => c with { Premium = -1 }));
        AssertOnly(MatchFaultKind.Malformed, WithRequest(0, r => r with { Surplus = long.MaxValue }));
        AssertOnly(MatchFaultKind.Malformed, WithSales(s => s with { ClassIndex = 99 }));
        AssertOnly(MatchFaultKind.Malformed, WithSales(s => s with { Records = 0 }));
        AssertOnly(MatchFaultKind.Malformed, Right with { SalesByClass = [.. Right.SalesByClass, Right.SalesByClass[0]] });
        AssertOnly(MatchFaultKind.Malformed, Right with { Classes = [] });
    }

    [Fact]
    public void Every_changed_premium_raised_surplus_or_changed_sale_of_random_markets_is_caught()
    {
        var random = new Random(1);
        for (var seed = 0; seed < 3000; seed++)
        {
            var problem = Markets.Random(
                seed, maxClasses: 5, maxRequests: 4, maxMembers: 4, maxQuota: 3, maxRecords: 12, maxWeight: 6, minRecords: seed % 2 == 0);
            var right = ExactMatcher.Solve(problem);
            var (c, j) = (random.Next(problem.Classes.Count), random.Next(problem.Requests.Count));
            var by = random.Next(1, 3) * (random.Next(2) == 0 ? 1 : -1);
            Assert.NotEmpty(MatchVerifier.FindFaults(problem, With(right, c, p => p with { Premium = p.Premium + by })));
            // A lower surplus may stand: nobody pays by it, and the premiums stay the least.
            Assert.NotEmpty(MatchVerifier.FindFaults(problem, WithSurplus(right, j, Math.Abs(by))));
            if (right.SalesByClass.Count > 0)
            {
                var at = random.Next(right.SalesByClass.Count);
                var altered = right with
                {
                    SalesByClass = [.. right.SalesByClass.Select((s, i) => i == at ? s with { Records = s.Records + by } : s)],
                };
                Assert.NotEmpty(MatchVerifier.FindFaults(problem, altered));
            }
        }
    }

    [Fact]
    public void Faults_stop_at_the_limit()
        => Assert.Equal(2, MatchVerifier.FindFaults(Problem, Right with { SalesByClass = [], SalesByRequest = [] }, limit: 2).Count);

    private static IReadOnlyList<MatchFault> Faults(MatchOutcome outcome) => MatchVerifier.FindFaults(Problem, outcome);

    private static void AssertOnly(MatchFaultKind kind, MatchOutcome outcome, MatchFaultKind[]? alsoAllowed = null)
    {
        var kinds = Faults(outcome).Select(f => f.Kind).Distinct().ToList();
        Assert.Contains(kind, kinds);
        Assert.All(
            kinds, k => Assert.True(k == kind || (alsoAllowed ?? [MatchFaultKind.UnsupportedPremium]).Contains(k), $"{k} besides {kind}"));
    }

    private static MatchOutcome With(MatchOutcome outcome, int c, Func<ClassPremium, ClassPremium> change)
        => outcome with { Classes = [.. outcome.Classes.Select((p, i) => i == c ? change(p) : p)] };

    private static MatchOutcome WithSurplus(MatchOutcome outcome, int j, long by)
        => outcome with { Requests = [.. outcome.Requests.Select((r, i) => i == j ? r with { Surplus = r.Surplus + by } : r)] };

    private static MatchOutcome WithClass(int c, Func<ClassPremium, ClassPremium> change) => With(Right, c, change);

    private static MatchOutcome WithRequest(int j, Func<RequestSurplus, RequestSurplus> change)
        => Right with { Requests = [.. Right.Requests.Select((r, i) => i == j ? change(r) : r)] };

    private static MatchOutcome WithSales(Func<Sale, Sale> change) => Right with
    {
        SalesByClass = [.. Right.SalesByClass.Select(change).OrderBy(s => s.ClassIndex).ThenBy(s => s.RequestIndex)],
        SalesByRequest = [.. Right.SalesByRequest.Select(change).OrderBy(s => s.RequestIndex).ThenBy(s => s.ClassIndex)],
    };
}
