using EmrMarket.Analytics.Matching;
using EmrMarket.Analytics.Matching.Solving;

namespace EmrMarket.Analytics.Tests.Matching;

public sealed class ExactMatcherTests
{
    [Fact]
    public void Welfare_sales_and_least_premiums_equal_brute_force_on_small_markets()
    {
        var severalDuals = 0;
        for (var seed = 0; seed < 3000; seed++)
        {
            var problem = Markets.Random(seed, maxClasses: 3, maxRequests: 3, maxMembers: 2, maxQuota: 2, maxRecords: 4, maxWeight: 3);
            var outcome = ExactMatcher.Solve(problem);

            var (welfare, mostSales) = Oracles.BruteForce(problem);
            Assert.Equal(welfare, Markets.Welfare(problem, outcome.SalesByClass));
            Assert.Equal(mostSales, outcome.SalesByClass.Sum(s => s.Records));

            var duals = Oracles.BruteForceDuals(problem, 3, welfare).ToList();
            var least = Enumerable.Range(0, problem.Classes.Count).Select(c => duals.Min(d => d.U[c])).ToArray();
            var greatest = Enumerable.Range(0, problem.Requests.Count).Select(j => duals.Max(d => d.V[j])).ToArray();
            Assert.Equal(least, outcome.Classes.Select(c => c.Premium));
            Assert.Equal(greatest, outcome.Requests.Select(r => r.Surplus));
            // The lattice: both ends are reached by one dual, and only one has the least u together with the greatest v.
            Assert.Single(duals, d => d.U.SequenceEqual(least) && d.V.SequenceEqual(greatest));
            severalDuals += duals.Count > 1 ? 1 : 0;
        }

        Assert.True(severalDuals > 500, $"only {severalDuals} markets had a choice of prices");
    }

    [Fact]
    public void Outcome_passes_every_check_on_small_markets()
    {
        for (var seed = 0; seed < 20_000; seed++)
        {
            var problem = Markets.Random(
                seed, maxClasses: 6, maxRequests: 5, maxMembers: 4, maxQuota: 3, maxRecords: 12, maxWeight: 1 + (seed % 9));
            var (outcome, _) = ExactMatcher.Solve(problem, SolverOptions.Default with { SampleAbove = seed % 2 == 0 ? 500 : 1 }, default);
            Assert.True(OptimalityCertificate.Of(problem, outcome).Holds, $"seed {seed}: {Markets.Describe(outcome)}");
            Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
        }
    }

    [Fact]
    public void Outcome_equals_successive_paths_and_relaxed_prices_on_middle_markets()
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var problem = Markets.Random(
                seed, maxClasses: 40, maxRequests: 15, maxMembers: 30, maxQuota: 4, maxRecords: 200, maxWeight: 10 + (seed * 37));
            var outcome = ExactMatcher.Solve(problem);

            var reference = Oracles.SuccessivePaths(problem);
            Assert.Equal(Markets.Welfare(problem, reference), Markets.Welfare(problem, outcome.SalesByClass));
            var (u, v) = Oracles.LeastPremiums(problem, reference);
            Assert.Equal(u, outcome.Classes.Select(c => c.Premium));
            Assert.Equal(v, outcome.Requests.Select(r => r.Surplus));
        }
    }

    [Fact]
    public void Hardware_vectors_row_width_perturbation_and_first_match_do_not_change_prices()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var problem = Markets.Random(
                seed, maxClasses: 60, maxRequests: 40, maxMembers: 9, maxQuota: 3, maxRecords: 40, maxWeight: 1 + (seed % 20));
            var (reference, report) = ExactMatcher.Solve(problem, SolverOptions.Default, default);
            Assert.False(report.Wide);
            foreach (var options in new[]
            {
                SolverOptions.Default with { Vectorised = false },
                SolverOptions.Default with { Wide = true },
                SolverOptions.Default with { Wide = true, Vectorised = false },
            })
            {
                var (outcome, _) = ExactMatcher.Solve(problem, options, default);
                Assert.Equal(reference.SalesByClass, outcome.SalesByClass);
                Assert.Equal(reference.Classes, outcome.Classes);
                Assert.Equal(reference.Requests, outcome.Requests);
            }

            // Another path to the optimum may end in another match of the same welfare; prices are unique.
            foreach (var options in new[] { SolverOptions.Default with { PivotLimit = 1 }, SolverOptions.Default with { SampleAbove = 2 } })
            {
                var (outcome, otherReport) = ExactMatcher.Solve(problem, options, default);
                Assert.True(report.Pivots <= 1 || otherReport.Perturbations == options.PivotLimit);
                Assert.Equal(report.Certificate.Welfare, otherReport.Certificate.Welfare);
                Assert.Equal(reference.Classes.Select(c => c.Premium), outcome.Classes.Select(c => c.Premium));
                Assert.Equal(reference.Requests, outcome.Requests);
                Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
            }
        }
    }

    [Fact]
    public void All_weights_equal_with_supply_equal_to_demand_is_solved()
    {
        var weights = new long[200, 40];
        for (var c = 0; c < 200; c++)
        {
            for (var j = 0; j < 40; j++)
            {
                weights[c, j] = 100;
            }
        }

        // Quotas that differ keep the classes from being merged into one.
        var problem = Markets.Of(
            [.. Enumerable.Range(0, 200).Select(c => (8, 1 + (c % 40)))], [.. Enumerable.Repeat((200L * 8 * 41 / 2 / 40, 0L), 40)],
            weights);
        var (outcome, report) = ExactMatcher.Solve(problem, SolverOptions.Default, default);
        Assert.Equal(200 * 8 * 41 / 2 * 100, report.Certificate.Welfare);
        Assert.All(outcome.Classes, c => Assert.Equal(0, c.Premium));
        Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
    }

    [Fact]
    public void Potentials_that_outgrow_32_bits_on_the_way_are_computed_in_64()
    {
        var wide = 0;
        for (var seed = 0; seed < 400; seed++)
        {
            var problem = Markets.Random(
                seed, maxClasses: 9, maxRequests: 9, maxMembers: 4, maxQuota: 3, maxRecords: 9, maxWeight: (1 << 28) - 1);
            var (outcome, report) = ExactMatcher.Solve(problem, SolverOptions.Default, default);
            Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
            Assert.Equal(Markets.Welfare(problem, Oracles.SuccessivePaths(problem)), report.Certificate.Welfare);
            wide += report.Wide ? 1 : 0;
        }

        // Every weight fits into 32 bits, so each of these met the overflow in the middle of a run.
        Assert.InRange(wide, 1, 399);
    }

    [Theory]
    [InlineData(1L << 28)]
    [InlineData(1L << 40)]
    [InlineData(1L << 56)]
    public void Weights_beyond_32_bits_are_solved_exactly(long scale)
    {
        for (var seed = 0; seed < 100; seed++)
        {
            var problem = Markets.Random(seed, maxClasses: 6, maxRequests: 5, maxMembers: 4, maxQuota: 3, maxRecords: 12, maxWeight: scale);
            var (outcome, report) = ExactMatcher.Solve(problem, SolverOptions.Default, default);
            Assert.True(report.Wide || problem.Weights.Largest < 1 << 28);
            Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
            Assert.Equal(Markets.Welfare(problem, Oracles.SuccessivePaths(problem)), report.Certificate.Welfare);
        }
    }

    [Fact]
    public void Weights_at_the_limit_are_solved_or_refused_and_never_wrong()
    {
        var refused = 0;
        for (var seed = 0; seed < 200; seed++)
        {
            var problem = Markets.Random(
                seed, maxClasses: 6, maxRequests: 5, maxMembers: 4, maxQuota: 3, maxRecords: 12, maxWeight: WeightMatrix.Limit);
            try
            {
                Assert.Empty(MatchVerifier.FindFaults(problem, ExactMatcher.Solve(problem)));
            }
            catch (OverflowException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1, 199);
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightMatrix.Create(1, 1, static (_, row) => row[0] = WeightMatrix.Limit + 1));
    }

    [Fact]
    public void Empty_markets_have_empty_outcomes()
    {
        foreach (var (classes, requests) in new[] { (0, 0), (3, 0), (0, 3) })
        {
            var problem = Markets.Of(
                [.. Enumerable.Repeat((1, 1), classes)], [.. Enumerable.Repeat((1L, 0L), requests)], new long[classes, requests]);
            var outcome = ExactMatcher.Solve(problem);
            Assert.Empty(outcome.SalesByClass);
            Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
        }
    }

    [Fact]
    public void Inadmissible_and_losing_pairs_never_trade()
    {
        var problem = Markets.Of(
            [(5, 2), (5, 2)], [(5, 0), (5, 0)], new[,] { { -1, WeightMatrix.Inadmissible }, { WeightMatrix.Inadmissible, 7 } });
        var outcome = ExactMatcher.Solve(problem);
        Assert.Equal([new Sale(1, 1, 5)], outcome.SalesByClass);
        Assert.Equal(0, outcome.Classes[1].Premium);
        Assert.Equal(7, outcome.Requests[1].Surplus);
    }

    [Fact]
    public void Classes_that_are_alike_share_prices_and_deal_sales_within_their_bounds()
    {
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            var kinds = Markets.Random(seed, maxClasses: 3, maxRequests: 5, maxMembers: 1, maxQuota: 3, maxRecords: 20, maxWeight: 4);
            var kindOf = Enumerable.Range(0, random.Next(2, 12)).Select(_ => random.Next(kinds.Classes.Count)).ToArray();
            var problem = new MatchProblem(
                [.. kindOf.Select(k => kinds.Classes[k] with { Members = random.Next(1, 6) })],
                kinds.Requests,
                WeightMatrix.Create(kindOf.Length, kinds.Requests.Count, (c, row) => kinds.Weights.CopyRow(kindOf[c], row)));
            var outcome = ExactMatcher.Solve(problem);
            Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
            for (var c = 1; c < kindOf.Length; c++)
            {
                Assert.Equal(outcome.Classes[Array.IndexOf(kindOf, kindOf[c])].Premium, outcome.Classes[c].Premium);
            }

            var reference = Oracles.SuccessivePaths(problem);
            Assert.Equal(Oracles.LeastPremiums(problem, reference).U, outcome.Classes.Select(c => c.Premium));
        }
    }

    [Fact]
    public void Bids_that_just_meet_the_ask_trade()
    {
        var problem = Markets.Of([(5, 1), (5, 1)], [(10, 10)], new long[,] { { 0 }, { 0 } });
        var outcome = ExactMatcher.Solve(problem);
        Assert.Equal([new Sale(0, 0, 5), new Sale(1, 0, 5)], outcome.SalesByClass);
        Assert.Empty(MatchVerifier.FindFaults(problem, outcome));
    }

    [Fact]
    public void Cancelled_solve_throws()
        => Assert.Throws<OperationCanceledException>(
            () => ExactMatcher.Solve(Markets.Of([(1, 1)], [(1, 0)], new long[,] { { 1 } }), new CancellationToken(canceled: true)));
}
