using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Tables;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Estimation;

public sealed class TableTests
{
    private static readonly AttributeDefinition Race = Samples.Categorical("race", 3, "grr");
    private static readonly AttributeDefinition Sex = Samples.Categorical("sex", 2, "grr");
    private static readonly AttributeDefinition Site = Samples.Categorical("site", 2, "");
    private static readonly (int Race, int Sex)[] Truth = [(0, 1), (2, 0), (0, 0)];

    /// <summary>Every outcome of three records' reports of race at grade 4 and sex at grade 5, as a batch.</summary>
    private static List<(ReportBatch Batch, double Probability)> Outcomes()
    {
        double[][] race = Samples.Law(Samples.ChannelOf(Race, 4));
        double[][] sex = Samples.Law(Samples.ChannelOf(Sex, 5));
        return
        [
            .. Samples.Outcomes([.. Truth.SelectMany(t => new[] { race[t.Race], sex[t.Sex] })]).Select(o => (
                new ReportBatch(
                [
                    Samples.Coded(Race, 4, [.. o.Outcome.Where((_, i) => i % 2 == 0)]),
                    Samples.Coded(Sex, 5, [.. o.Outcome.Where((_, i) => i % 2 == 1)]),
                ]), o.Probability)),
        ];
    }

    [Fact]
    public void Cells_and_their_covariances_are_unbiased_over_every_outcome()
    {
        var outcomes = Outcomes().Select(o => (Stratum: Stratum([o.Batch], "race", "sex"), o.Probability)).ToList();
        for (int cell = 0; cell < 6; cell++)
        {
            int[][] subsets = [[3, 3], [3, 2], [3, 1], [1, 1], [2, 2]];
            foreach (int[] subset in subsets)
            {
                (double first, _) = Samples.Moments(outcomes.Select(o => (o.Stratum.Share(cell, subset[0]), o.Probability)));
                (double second, _) = Samples.Moments(outcomes.Select(o => (o.Stratum.Share(cell, subset[1]), o.Probability)));
                (double product, _) = Samples.Moments(
                    outcomes.Select(o => (o.Stratum.Share(cell, subset[0]) * o.Stratum.Share(cell, subset[1]), o.Probability)));
                (double claimed, _) = Samples.Moments(outcomes.Select(o => (
                    o.Stratum.Covariance(cell, subset[0], subset[1], InferenceTarget.Records), o.Probability)));
                Assert.Equal(Truth.Count(t => Matches(t, cell, subset[0])) / 3.0, first, 9);
                Assert.Equal(product - (first * second), claimed, 9);
            }
        }
    }

    [Fact]
    public void Covariances_of_different_cells_from_the_pair_law_are_unbiased_over_every_outcome()
    {
        var outcomes = Outcomes().Select(o =>
        {
            JointStratum stratum = Stratum([o.Batch], "race", "sex");
            return (Stratum: stratum, Association: new Association([stratum], InferenceTarget.Records), o.Probability);
        }).ToList();
        (int V, int W)[] shares = [(0, 0), (0, 1), (2, 0), (1, 1), (-1, 0), (-1, 1)];
        foreach ((int v, int w) in shares)
        {
            foreach ((int otherV, int otherW) in shares)
            {
                double Share(JointStratum s, int row, int column) => row < 0 ? s.Share(column, 2) : s.Share((row * 2) + column, 3);
                (double first, _) = Samples.Moments(outcomes.Select(o => (Share(o.Stratum, v, w), o.Probability)));
                (double second, _) = Samples.Moments(outcomes.Select(o => (Share(o.Stratum, otherV, otherW), o.Probability)));
                (double product, _) = Samples.Moments(
                    outcomes.Select(o => (Share(o.Stratum, v, w) * Share(o.Stratum, otherV, otherW), o.Probability)));
                (double claimed, _) = Samples.Moments(
                    outcomes.Select(o => (o.Association.Covariance(v, w, otherV, otherW), o.Probability)));
                Assert.Equal(product - (first * second), claimed, 9);
            }
        }
    }

    [Fact]
    public void Records_of_one_person_that_share_a_draw_are_not_counted_as_independent()
    {
        // Race is constant over a person's records: one draw for the first two records; sex is drawn per record.
        AttributeDefinition race = Race with { ConstantPerPerson = true };
        double[][] raceLaw = Samples.Law(Samples.ChannelOf(race, 4));
        double[][] sexLaw = Samples.Law(Samples.ChannelOf(Sex, 5));
        var outcomes = Samples.Outcomes([raceLaw[0], raceLaw[2], sexLaw[1], sexLaw[1], sexLaw[0]]).Select(o => (
            Stratum: Stratum(
                [
                    new ReportBatch(
                        [Samples.Coded(race, 4, o.Outcome[0], o.Outcome[0], o.Outcome[1]), Samples.Coded(Sex, 5, o.Outcome[2..])],
                        [5, 5, 9]),
                ], "race", "sex"), o.Probability)).ToList();
        for (int cell = 0; cell < 6; cell++)
        {
            (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Stratum.Share(cell, 3), o.Probability)));
            (double claimed, _) = Samples.Moments(
                outcomes.Select(o => (o.Stratum.Covariance(cell, 3, 3, InferenceTarget.Records), o.Probability)));
            Assert.Equal(cell == 1 ? 2 / 3.0 : cell == 4 ? 1 / 3.0 : 0, mean, 9);
            Assert.Equal(variance, claimed, 9);
        }
    }

    [Fact]
    public void Population_covariance_is_unbiased_over_persons_of_equal_size()
    {
        // Two persons of two records each; the person's truths are drawn from a law, then randomised.
        double[][] race = Samples.Law(Samples.ChannelOf(Race, 5));
        double[][] sex = Samples.Law(Samples.ChannelOf(Sex, 5));
        ((int Race, int Sex) First, (int Race, int Sex) Second, double Probability)[] persons =
            [((0, 1), (0, 1), 0.6), ((2, 0), (1, 1), 0.4)];
        var law = new double[36];
        foreach (((int Race, int Sex) first, (int Race, int Sex) second, double probability) in persons)
        {
            for (int y = 0; y < 36; y++)
            {
                law[y] += probability * race[first.Race][y / 12] * sex[first.Sex][y / 6 % 2]
                    * race[second.Race][y / 2 % 3] * sex[second.Sex][y % 2];
            }
        }

        var outcomes = Samples.Outcomes([law, law]).Select(o => (
            Stratum: Stratum(
                [
                    new ReportBatch(
                        [
                            Samples.Coded(Race, 5, [.. o.Outcome.SelectMany(y => new[] { y / 12, y / 2 % 3 })]),
                            Samples.Coded(Sex, 5, [.. o.Outcome.SelectMany(y => new[] { y / 6 % 2, y % 2 })]),
                        ], [0, 0, 1, 1]),
                ], "race", "sex"), o.Probability)).ToList();
        (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Stratum.Share(1, 3), o.Probability)));
        (double claimed, _) = Samples.Moments(
            outcomes.Select(o => (o.Stratum.Covariance(1, 3, 3, InferenceTarget.Population), o.Probability)));
        Assert.Equal(0.6, mean, 9);
        Assert.Equal(variance, claimed, 9);
    }

    [Fact]
    public void Three_attributes_are_recovered_and_their_rates_are_ratios_of_cells()
    {
        var random = new Random(5);
        int[][] truth = [.. Enumerable.Range(0, 3).Select(_ => new int[60_000])];
        for (int i = 0; i < 60_000; i++)
        {
            truth[2][i] = random.Next(2);
            truth[1][i] = random.NextDouble() < 0.3 + (0.4 * truth[2][i]) ? 1 : 0;
            truth[0][i] = random.NextDouble() < 0.5 ? 0 : truth[1][i] + 1;
        }

        ReportBatch batch = new(
            [Samples.Drawn(Race, 5, truth[0], 1), Samples.Drawn(Sex, 4, truth[1], 2), Samples.Drawn(Site, 0, truth[2], 3)]);
        StatisticResult result = StatisticEstimator.Estimate(
            StatisticRequest.Table("race", "sex", "site"), [batch],
            EstimationOptions.Default with { Confidence = 1 - 1e-7, Consistent = true });
        Assert.Equal(12, result.Cells.Count);
        foreach (StatisticCell cell in result.Cells)
        {
            double share = Enumerable.Range(0, 60_000)
                .Count(i => cell.Codes.Select((code, a) => truth[a][i] == code).All(equal => equal)) / 60_000.0;
            Assert.InRange(share, cell.Low, cell.High);
            Assert.True(cell.PostProcessed >= 0);
            Assert.True(cell.StandardError <= cell.ExpectedHalfWidth);
        }

        Assert.Equal(1, result.Cells.Sum(c => c.PostProcessed!.Value), 8);
        foreach (StatisticCell rate in Assert.Single(result.Sections).Cells)
        {
            int[] group = [.. Enumerable.Range(0, 60_000).Where(i => truth[1][i] == rate.Codes[1] && truth[2][i] == rate.Codes[2])];
            Assert.InRange(group.Count(i => truth[0][i] == rate.Codes[0]) / (double)group.Length, rate.Low, rate.High);
        }

        Assert.Equal(5_000_000, result.Epsilon.Micro);
    }

    [Fact]
    public void Consistent_table_has_the_margins_and_is_the_nearest()
    {
        double[] table = ConsistentTable.Project([0.5, -0.2, 0.3, 0.4], [2, 2], [[0.4, 0.6], [0.7, 0.3]]);
        Assert.Equal(0.4, table[0] + table[1], 8);
        Assert.Equal(0.7, table[0] + table[2], 8);
        Assert.All(table, x => Assert.True(x >= 0));

        // Tables with these margins are (t, 0.4 - t, 0.7 - t, t - 0.1): the nearest has t at the end or where the derivative vanishes.
        double Distance(double t) => Math.Pow(t - 0.5, 2) + Math.Pow(0.6 - t, 2) + Math.Pow(0.4 - t, 2) + Math.Pow(t - 0.5, 2);
        double best = Enumerable.Range(0, 3001).Select(i => 0.1 + (0.3 * i / 3000)).MinBy(Distance);
        Assert.Equal(best, table[0], 3);
    }

    [Fact]
    public void Wald_statistic_equals_Pearsons_for_randomised_response()
    {
        var random = new Random(9);
        int[] race = [.. Enumerable.Range(0, 5_000).Select(_ => random.Next(3))];
        int[] sex = [.. race.Select(r => random.NextDouble() < 0.4 + (0.1 * r) ? 1 : 0)];
        JointStratum stratum = Stratum([new ReportBatch([Samples.Drawn(Race, 6, race, 1), Samples.Drawn(Sex, 6, sex, 2)])], "race", "sex");
        double pearson = Association.Pearson(stratum.Tally);
        Assert.Equal(pearson, new Association([stratum], InferenceTarget.Population).Wald(stratum), 6);
    }

    [Fact]
    public void Ratios_cover_the_truth_and_say_when_they_cannot_be_estimated()
    {
        var random = new Random(6);
        int[] sex = [.. Enumerable.Range(0, 100_000).Select(_ => random.Next(2))];
        int[] race = [.. sex.Select(s => random.NextDouble() < 0.2 + (0.3 * s) ? 0 : 1)];
        ReportBatch batch = new([Samples.Drawn(Race, 6, race, 1), Samples.Drawn(Sex, 6, sex, 2)]);
        StatisticResult result = StatisticEstimator.Estimate(
            StatisticRequest.Table("race", "sex"), [batch], EstimationOptions.Default with { Confidence = 1 - 1e-7 });
        double Rate(int r, int s) =>
            Enumerable.Range(0, sex.Length).Count(i => race[i] == r && sex[i] == s) / (double)sex.Count(x => x == s);
        StatisticSection risks = result.Sections.Single(s => s.Name == "risk ratios");
        foreach (StatisticCell cell in risks.Cells.Where(c => c.Codes[0] < 2))
        {
            Assert.InRange(Rate(cell.Codes[0], cell.Codes[1]) / Rate(cell.Codes[0], 1 - cell.Codes[1]), cell.Low, cell.High);
        }

        // Nobody has the third value: its risk ratio is zero over zero.
        Assert.All(risks.Cells.Where(c => c.Codes[0] == 2), c => Assert.True(double.IsNaN(c.Estimate)));
        StatisticCell odds = result.Sections.Single(s => s.Name == "odds ratios")
            .Cells.Single(c => c.Codes[0] == 0 || (c.Codes[0] == 1 && race.Count(r => r == 0) > 50_000));
        double first = Rate(0, odds.Codes[1]) / Rate(1, odds.Codes[1]);
        double second = Rate(0, 1 - odds.Codes[1]) / Rate(1, 1 - odds.Codes[1]);
        Assert.InRange(first / second, odds.Low, odds.High);
        Assert.True(result.Tests.Single().PValue < 1e-9);
    }

    [Fact]
    public void Mean_by_group_is_recovered_over_every_outcome_and_from_many_records()
    {
        AttributeDefinition stay = Samples.Grid("stay", 3, min: 1);
        double[][] sexLaw = Samples.Law(Samples.ChannelOf(Sex, 6));
        double[][] stayLaw = Samples.Law(Samples.ChannelOf(stay, 6));
        (int Sex, int Stay)[] truth = [(0, 2), (1, 0), (1, 1)];
        var outcomes = Samples.Outcomes([.. truth.SelectMany(t => new[] { sexLaw[t.Sex], stayLaw[t.Stay] })]).Select(o => (
            Cells: StatisticEstimator.Estimate(
                StatisticRequest.Table("stay", "sex"),
                [new ReportBatch([Samples.Coded(stay, 6, [.. o.Outcome.Where((_, i) => i % 2 == 1)]), Samples.Coded(
                    Sex, 6, [.. o.Outcome.Where((_, i) => i % 2 == 0)])])],
                EstimationOptions.Default with { Confidence = 1e-9 }).Cells, o.Probability)).ToList();

        // The ratio itself is not unbiased; over outcomes where the group is estimable it is near its truth.
        double weight = outcomes.Where(o => !double.IsNaN(o.Cells[1].Estimate)).Sum(o => o.Probability);
        Assert.True(weight > 0.9);
        Assert.InRange(
            outcomes.Where(o => !double.IsNaN(o.Cells[1].Estimate)).Sum(o => o.Probability * o.Cells[1].Estimate) / weight, 1.2, 1.8);

        var random = new Random(8);
        int[] sex = [.. Enumerable.Range(0, 50_000).Select(_ => random.Next(2))];
        int[] days = [.. sex.Select(s => s == 0 ? random.Next(3) : random.Next(2))];
        StatisticResult result = StatisticEstimator.Estimate(
            StatisticRequest.Table("sex", "stay"), [new ReportBatch([Samples.Drawn(Sex, 5, sex, 1), Samples.Drawn(stay, 5, days, 2)])],
            EstimationOptions.Default with { Confidence = 1 - 1e-7 });
        for (int s = 0; s < 2; s++)
        {
            Assert.InRange(1 + days.Where((_, i) => sex[i] == s).Average(), result.Cells[s].Low, result.Cells[s].High);
            Assert.True(result.Cells[s].High - result.Cells[s].Low < 0.4);
        }
    }

    [Fact]
    public void Tables_that_would_mislead_are_refused()
    {
        AttributeDefinition stay = Samples.Grid("stay", 10);
        AttributeDefinition code = Samples.Categorical("code", 4000, "grr");
        ReportBatch batch = new(
            [Samples.Coded(stay, 3, 1), Samples.Coded(Sex, 3, 1), Samples.Coded(Race, 3, 1), Samples.Coded(code, 3, 1)]);
        Assert.Contains("dsw", Refusal("stay", "sex", "race"), StringComparison.Ordinal);
        Assert.Contains("12000 cells", Refusal("code", "race"), StringComparison.Ordinal);

        string Refusal(params string[] names) =>
            Assert.Throws<EstimationRefusedException>(() => StatisticEstimator.Estimate(StatisticRequest.Table(names), [batch])).Message;
    }

    private static JointStratum Stratum(ReportBatch[] batches, params string[] attributes) =>
        new(TableEstimator.Tally(attributes, batches, out _).Values.Single());

    private static bool Matches((int Race, int Sex) truth, int cell, int subset) =>
        ((subset & 1) == 0 || truth.Race == cell / 2) && ((subset & 2) == 0 || truth.Sex == cell % 2);
}
