using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Statistical.Estimation;

/// <summary>Intervals for a population, whose records are drawn anew in every repetition, and the levels of tests.</summary>
public sealed class PopulationTests
{
    private const int Repetitions = 2_000;
    private static readonly EstimationOptions Population = EstimationOptions.Default with { Target = InferenceTarget.Population };

    [Theory]
    [InlineData(60)]
    [InlineData(1_000)]
    public void Exact_limits_cover_the_population_at_least_at_the_nominal_rate(int n)
    {
        AttributeDefinition race = Coverage.Categorical("race", 3, "grr");
        double[] shares = [0.9, 0.09, 0.01];
        long[] covered = Coverage.Count(Repetitions, 3, seed =>
        {
            StatisticResult result = StatisticEstimator.Estimate(
                StatisticRequest.Frequency("race"), [new([Coverage.Draw(race, 4, Sample(shares, n, seed), seed)])], Population);
            return [.. result.Cells.Select((c, v) => c.IntervalKind == IntervalKind.ClopperPearson && Coverage.Covers(c, shares[v]))];
        });
        Coverage.AssertAtLeast(covered, Repetitions, 0.95);
    }

    [Fact]
    public void Clustered_intervals_cover_the_population_and_unclustered_ones_do_not()
    {
        // 600 persons with one to five records, which mostly share their value.
        AttributeDefinition race = Coverage.Categorical("race", 2, "grr");
        int[] persons = [.. Enumerable.Range(0, 600).SelectMany(p => Enumerable.Repeat(p, 1 + (p % 5)))];
        long[] covered = Coverage.Count(Repetitions, 2, seed =>
        {
            int[] values = Sample([0.7, 0.3], 600, seed);
            var random = new Random(seed + 7_000_000);
            int[] truth = [.. persons.Select(p => random.NextDouble() < 0.95 ? values[p] : (random.NextDouble() < 0.7 ? 0 : 1))];
            AttributeReports reports = Coverage.Draw(race, 6, truth, seed);
            StatisticCell clustered = StatisticEstimator.Estimate(StatisticRequest.Frequency("race"), [new([reports], persons)], Population)
                .Cells[0];
            StatisticCell ignoring = StatisticEstimator.Estimate(StatisticRequest.Frequency("race"), [new([reports])], Population).Cells[0];
            return [Coverage.Covers(clustered, 0.7), Coverage.Covers(ignoring, 0.7)];
        });
        Coverage.AssertNominal(covered[..1], Repetitions, 0.95);
        Assert.False(Coverage.MayBeAtLeast(covered[1], Repetitions, 0.95));
    }

    [Theory]
    [InlineData("grr", "grr")]
    [InlineData("grr", "ss")]
    [InlineData("oue", "ss")]
    public void Independence_tests_reject_independent_attributes_at_their_level_and_find_dependent_ones(string first, string second)
    {
        AttributeDefinition race = Coverage.Categorical("race", 4, first);
        AttributeDefinition sex = Coverage.Categorical("sex", 3, second);
        const int Repeated = 800;
        long[] rejected = Coverage.Count(Repeated, 2, seed =>
        {
            int[] races = Sample([0.4, 0.3, 0.2, 0.1], 2_000, seed);
            int[] sexes = Sample([0.5, 0.3, 0.2], 2_000, seed + 5_000_000);
            double PValue(int[] other) => StatisticEstimator.Estimate(
                StatisticRequest.Table("race", "sex"),
                [new([Coverage.Draw(race, 4, races, seed), Coverage.Draw(sex, 4, other, seed + 1_000_000)])]).Tests.Single().PValue;
            return [PValue(sexes) < 0.05, PValue([.. races.Select((r, i) => i % 2 == 0 ? r % 3 : sexes[i])]) < 0.05];
        });
        Coverage.AssertNominal(rejected[..1], Repeated, 0.05);
        Assert.True(rejected[1] > Repeated * 0.8);
    }

    [Theory]
    [InlineData("grr", 2)]
    [InlineData("grr", 5)]
    [InlineData("ss", 8)]
    [InlineData("oue", 5)]
    public void Cochrans_Q_rejects_like_grades_at_its_level(string mechanism, int k)
    {
        AttributeDefinition race = Coverage.Categorical("race", k, mechanism);
        double[] shares = [.. Enumerable.Range(1, k).Select(v => 2.0 * v / (k * (k + 1)))];
        const int Repeated = 1_000;
        long[] rejected = Coverage.Count(Repeated, 1, seed => [StatisticEstimator.Estimate(
            StatisticRequest.Frequency("race"),
            [new([Coverage.Draw(race, 3, Sample(shares, 2_000, seed), seed)]), new(
                [Coverage.Draw(race, 5, Sample(shares, 1_500, seed + 5_000_000), seed + 1_000_000)])],
            EstimationOptions.Default with { Combination = CombinationRule.Precision }).Tests.Single().PValue < 0.05]);
        Coverage.AssertNominal(rejected, Repeated, 0.05);
    }

    [Fact]
    public void Codes_that_nobody_has_are_shown_with_the_family_wise_probability_at_most()
    {
        AttributeDefinition code = Coverage.Categorical("code", 200, "olh");
        int[] truth = [.. Enumerable.Repeat(17, 500)];
        const int Repeated = 2_000;
        long[] shown = Coverage.Count(Repeated, 1, seed => [StatisticEstimator.Estimate(
            StatisticRequest.TopCodes("code"), [new([Coverage.Draw(code, 3, truth, seed)])]).Cells.Any(c => c.Codes[0] != 17)]);
        Coverage.AssertAtMost(shown, Repeated, 0.05);
    }

    [Fact]
    public void Coefficients_of_least_squares_cover_the_population_at_the_nominal_rate()
    {
        AttributeDefinition race = Coverage.Categorical("race", 2, "grr");
        AttributeDefinition stay = Coverage.Grid("stay", 8);
        const int Repeated = 1_000;
        long[] covered = Coverage.Count(Repeated, 2, seed =>
        {
            int[] races = Sample([0.6, 0.4], 4_000, seed);
            int[] noise = Sample([0.25, 0.5, 0.25], 4_000, seed + 5_000_000);
            int[] stays = [.. races.Select((r, i) => 2 + (3 * r) + noise[i])];
            StatisticResult result = StatisticEstimator.Estimate(
                StatisticRequest.Linear("stay", "race"),
                [new([Coverage.Draw(race, 5, races, seed), Coverage.Draw(stay, 5, stays, seed + 1_000_000)])]);
            return [Coverage.Covers(result.Cells[0], 3), Coverage.Covers(result.Cells[1], 3)];
        });
        Coverage.AssertNominal(covered, Repeated, 0.95);
    }

    private static int[] Sample(double[] shares, int n, int seed)
    {
        var random = new Random(seed + 100_000_000);
        int[] sample = new int[n];
        for (int i = 0; i < n; i++)
        {
            double u = random.NextDouble();
            while (sample[i] < shares.Length - 1 && u >= shares[sample[i]])
            {
                u -= shares[sample[i]++];
            }
        }

        return sample;
    }
}
