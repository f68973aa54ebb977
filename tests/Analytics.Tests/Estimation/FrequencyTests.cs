using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Estimation;

public sealed class FrequencyTests
{
    private static readonly AttributeDefinition Race = Samples.Categorical("race", 3, "grr");

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(6)]
    public void One_grade_is_unbiased_and_its_variance_is_the_closed_form_over_every_outcome(int grade)
    {
        int[] truth = [0, 0, 2, 1];
        Channel channel = Samples.ChannelOf(Race, grade);
        double[][] law = Samples.Law(channel);
        var outcomes = Samples.Outcomes([.. truth.Select(t => law[t])])
            .Select(o => (Estimate: Estimate([new ReportBatch([Samples.Coded(Race, grade, o.Outcome)])]), o.Probability)).ToList();
        for (int v = 0; v < 3; v++)
        {
            (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Estimate.Cells[v].Estimate, o.Probability)));
            double f = truth.Count(t => t == v) / 4.0;
            (double p, double q) = (channel.P, channel.Q);
            Assert.Equal(f, mean, 9);
            double closed = ((f * p * (1 - p)) + ((1 - f) * q * (1 - q))) / (4 * (p - q) * (p - q));
            Assert.Equal(1, variance / closed, 9);

            // The half-width promised beforehand is never smaller than the truth's.
            Assert.True(outcomes[0].Estimate.Cells[v].ExpectedHalfWidth >= 1.959 * Math.Sqrt(variance));
        }
    }

    [Fact]
    public void Standard_error_is_the_closed_form_at_the_estimate()
    {
        // 1,000 reports of 3 values: counts 450, 350, 200 at epsilon 1: p = e/(e+2), q = 1/(e+2).
        int[] codes = [.. Enumerable.Repeat(0, 450), .. Enumerable.Repeat(1, 350), .. Enumerable.Repeat(2, 200)];
        StatisticResult result = Estimate([new ReportBatch([Samples.Coded(Race, 3, codes)])]);
        double p = Math.E / (Math.E + 2);
        double q = 1 / (Math.E + 2);
        double f = (0.45 - q) / (p - q);
        double error = Math.Sqrt(((f * p * (1 - p)) + ((1 - f) * q * (1 - q))) / 1000) / (p - q);
        Assert.Equal(f, result.Cells[0].Estimate, 7);
        Assert.Equal(error, result.Cells[0].StandardError, 7);
        Assert.Equal(f - (1.959963984540054 * error), result.Cells[0].Low, 7);
        Assert.Equal(IntervalKind.Normal, result.Cells[0].IntervalKind);
        Assert.Equal(1000 * Math.Pow((Math.E - 1) / (Math.E + 2), 2), result.EffectiveRecords, 5);
    }

    [Fact]
    public void Clopper_Pearson_limits_have_the_exact_binomial_tails_mapped_linearly()
    {
        int[] codes = [.. Enumerable.Repeat(0, 21), .. Enumerable.Repeat(1, 12), .. Enumerable.Repeat(2, 7)];
        var options = EstimationOptions.Default with { Target = InferenceTarget.Population };
        StatisticResult result = Estimate([new ReportBatch([Samples.Coded(Race, 3, codes)])], options);
        Channel channel = Samples.ChannelOf(Race, 3);
        StatisticCell cell = result.Cells[0];
        Assert.Equal(IntervalKind.ClopperPearson, cell.IntervalKind);
        double low = channel.Q + ((channel.P - channel.Q) * cell.Low);
        double high = channel.Q + ((channel.P - channel.Q) * cell.High);
        Assert.Equal(0.025, Enumerable.Range(21, 20).Sum(c => Binomial(40, c, low)), 8);
        Assert.Equal(0.025, Enumerable.Range(0, 22).Sum(c => Binomial(40, c, high)), 8);
    }

    [Fact]
    public void Simultaneous_intervals_are_those_of_the_divided_error_probability()
    {
        int[] codes = [.. Enumerable.Range(0, 3000).Select(i => i % 7 % 3)];
        ReportBatch[] batch = [new ReportBatch([Samples.Coded(Race, 3, codes)])];
        StatisticResult one = Estimate(batch, EstimationOptions.Default with { Confidence = 1 - (0.05 / 3) });
        StatisticResult all = Estimate(batch, EstimationOptions.Default with { Simultaneous = true });
        Assert.Equal(one.Cells[1].Low, all.Cells[1].Low, 12);
        Assert.Equal(one.Cells[1].High, all.Cells[1].High, 12);
    }

    [Fact]
    public void Public_attribute_is_exact_on_its_records()
    {
        AttributeDefinition site = Samples.Categorical("site", 2, "");
        StatisticResult result = Estimate([new ReportBatch([Samples.Coded(site, 0, 0, 1, 1, 1)])], attribute: "site");
        Assert.Equal([0.25, 0.75], result.Cells.Select(c => c.Estimate));
        Assert.All(result.Cells, c => Assert.Equal((0, 0), (c.StandardError, c.GuaranteedHalfWidth)));
        Assert.Equal(4, result.EffectiveRecords);
    }

    [Fact]
    public void Records_that_share_a_draw_have_the_variance_of_one_draw_over_every_outcome()
    {
        // Two persons with 3 and 1 records and one report each, repeated over the person's records.
        AttributeDefinition constant = Samples.Categorical("race", 3, "grr", constant: true);
        double[][] law = Samples.Law(Samples.ChannelOf(constant, 3));
        int[] persons = [0, 0, 0, 1];
        var outcomes = Samples.Outcomes([law[0], law[1]]).Select(o => (
            Cells: Estimate(
                [new ReportBatch([Samples.Coded(constant, 3, o.Outcome[0], o.Outcome[0], o.Outcome[0], o.Outcome[1])], persons)]),
            o.Probability)).ToList();
        (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Cells.Cells[0].Estimate, o.Probability)));
        double noise = law[0][0] * (1 - law[0][0]) / Math.Pow(law[0][0] - law[0][1], 2);
        double silent = law[0][1] * (1 - law[0][1]) / Math.Pow(law[0][0] - law[0][1], 2);
        Assert.Equal(0.75, mean, 9);
        Assert.Equal(((9 * noise) + silent) / 16, variance, 9);

        // Kish: weights 3 and 1 are worth 16/10 equal ones, each at the quality of its report.
        Assert.Equal(1.6 * Math.Pow((Math.E - 1) / (Math.E + 2), 2), outcomes[0].Cells.EffectiveRecords, 6);
    }

    [Fact]
    public void Population_variance_is_unbiased_over_persons_of_equal_size()
    {
        // Three persons with two records each, every person's pair of truths drawn from a law with strong dependence, then randomised.
        double[][] channel = Samples.Law(Samples.ChannelOf(Race, 4));
        (int First, int Second, double Probability)[] pairs = [(0, 0, 0.5), (1, 1, 0.3), (2, 0, 0.2)];
        var pairLaw = new double[9];
        foreach ((int first, int second, double probability) in pairs)
        {
            for (int y = 0; y < 9; y++)
            {
                pairLaw[y] += probability * channel[first][y / 3] * channel[second][y % 3];
            }
        }

        var options = EstimationOptions.Default with { Target = InferenceTarget.Population };
        int[] persons = [0, 0, 1, 1, 2, 2];
        var outcomes = Samples.Outcomes([pairLaw, pairLaw, pairLaw]).Select(o =>
        {
            int[] codes = [.. o.Outcome.SelectMany(y => new[] { y / 3, y % 3 })];
            return (Cell: Estimate([new ReportBatch([Samples.Coded(Race, 4, codes)], persons)], options).Cells[0], o.Probability);
        }).ToList();
        (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Cell.Estimate, o.Probability)));
        (double claimed, _) = Samples.Moments(outcomes.Select(o => (o.Cell.StandardError * o.Cell.StandardError, o.Probability)));
        Assert.Equal(0.6, mean, 9);
        Assert.Equal(variance, claimed, 9);
        Assert.Equal(IntervalKind.Normal, outcomes[0].Cell.IntervalKind);
    }

    [Theory]
    [InlineData(CombinationRule.Stratified, true)]
    [InlineData(CombinationRule.Precision, false)]
    [InlineData(CombinationRule.Unweighted, false)]
    public void Only_the_stratified_rule_is_unbiased_when_the_grade_depends_on_the_value(CombinationRule rule, bool unbiased)
    {
        // Everybody with value 0 allows grade 2 only, the others grade 5.
        double[][] strict = Samples.Law(Samples.ChannelOf(Race, 2));
        double[][] loose = Samples.Law(Samples.ChannelOf(Race, 5));
        var outcomes = Samples.Outcomes([strict[0], strict[0], loose[1], loose[2]]).Select(o => (
            Estimate(
                [
                    new ReportBatch([Samples.Coded(Race, 2, o.Outcome[..2])]),
                    new ReportBatch([Samples.Coded(Race, 5, o.Outcome[2..])]),
                ],
                EstimationOptions.Default with { Combination = rule }).Cells[0].Estimate, o.Probability));
        (double mean, _) = Samples.Moments(outcomes);
        Assert.Equal(unbiased, Math.Abs(mean - 0.5) < 1e-9);
    }

    [Theory]
    [InlineData(CombinationRule.Stratified)]
    [InlineData(CombinationRule.Precision)]
    [InlineData(CombinationRule.Unweighted)]
    public void All_weighted_rules_are_unbiased_when_the_grades_describe_the_same_people(CombinationRule rule)
    {
        double[][] strict = Samples.Law(Samples.ChannelOf(Race, 2));
        double[][] loose = Samples.Law(Samples.ChannelOf(Race, 5));
        var outcomes = Samples.Outcomes([strict[0], strict[2], loose[0], loose[2]]).Select(o => (
            Estimate(
                [
                    new ReportBatch([Samples.Coded(Race, 2, o.Outcome[..2])]),
                    new ReportBatch([Samples.Coded(Race, 5, o.Outcome[2..])]),
                ],
                EstimationOptions.Default with { Combination = rule }).Cells, o.Probability)).ToList();
        (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Cells[0].Estimate, o.Probability)));
        Assert.Equal(0.5, mean, 9);
        Assert.True(variance > 0);
    }

    [Fact]
    public void Precision_rule_has_less_variance_than_stratified_and_says_when_the_grades_differ()
    {
        var random = new Random(7);
        int[] many = [.. Enumerable.Range(0, 40_000).Select(_ => random.Next(3))];
        int[] skewed = [.. many.Select(v => v == 0 ? 1 : v)];
        ReportBatch Strict(int[] truth) => new([Samples.Drawn(Race, 2, truth, 1)]);
        ReportBatch Loose(int[] truth) => new([Samples.Drawn(Race, 5, truth, 2)]);
        StatisticResult stratified = Estimate([Strict(many), Loose(many)]);
        StatisticResult precision = Estimate(
            [Strict(many), Loose(many)], EstimationOptions.Default with { Combination = CombinationRule.Precision });
        Assert.True(precision.Cells[0].StandardError < stratified.Cells[0].StandardError / 2);
        Assert.Null(precision.Cells[0].GuaranteedHalfWidth);
        Assert.Contains(stratified.Warnings, w => w.Contains("enlarge the error", StringComparison.Ordinal));

        StatisticResult different = Estimate(
            [Strict(skewed), Loose(many)], EstimationOptions.Default with { Combination = CombinationRule.Precision });
        Assert.True(Assert.Single(different.Tests).PValue < 1e-9);
        Assert.Contains(different.Warnings, w => w.Contains("different people", StringComparison.Ordinal));
    }

    [Fact]
    public void Shrunk_rule_claims_no_interval_and_lies_between_its_neighbours()
    {
        ReportBatch[] batches =
        [
            new ReportBatch([Samples.Coded(Race, 2, [.. Enumerable.Range(0, 900).Select(i => i % 3)])]),
            new ReportBatch([Samples.Coded(Race, 5, [.. Enumerable.Range(0, 900).Select(i => i % 4 % 3)])]),
        ];
        double At(CombinationRule rule) => Estimate(batches, EstimationOptions.Default with { Combination = rule }).Cells[0].Estimate;
        StatisticResult shrunk = Estimate(batches, EstimationOptions.Default with { Combination = CombinationRule.Shrunk });
        Assert.InRange(
            shrunk.Cells[0].Estimate,
            Math.Min(At(CombinationRule.Stratified), At(CombinationRule.Precision)) - 1e-12,
            Math.Max(At(CombinationRule.Stratified), At(CombinationRule.Precision)) + 1e-12);
        Assert.All(shrunk.Cells, c => Assert.Equal((IntervalKind.None, double.NaN), (c.IntervalKind, c.Low)));
    }

    [Fact]
    public void Norm_Sub_is_the_projection_on_the_simplex_and_leaves_intervals_alone()
    {
        double[] projected = NormSub.Project([0.7, -0.2, 0.6, 0.1]);
        Assert.Equal([0.55, 0, 0.45, 0], projected.Select(x => Math.Round(x, 12)));

        ReportBatch[] batch = [new ReportBatch([Samples.Coded(Race, 1, [.. Enumerable.Repeat(0, 80), .. Enumerable.Repeat(1, 20)])])];
        StatisticResult plain = Estimate(batch);
        StatisticResult consistent = Estimate(batch, EstimationOptions.Default with { Consistent = true });
        Assert.Equal(1, consistent.Cells.Sum(c => c.PostProcessed!.Value), 12);
        Assert.Equal(plain.Cells.Select(c => (c.Estimate, c.Low, c.High)), consistent.Cells.Select(c => (c.Estimate, c.Low, c.High)));
        Assert.Equal(NormSub.Label, consistent.PostProcessing);
        Assert.Null(plain.PostProcessing);
    }

    [Fact]
    public void Reports_of_an_attribute_that_is_not_there_are_refused_by_name()
    {
        var refusal = Assert.Throws<EstimationRefusedException>(
            () => Estimate([new ReportBatch([Samples.Coded(Race, 1, 0)])], attribute: "weight"));
        Assert.Contains("'weight'", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<EstimationRefusedException>(() => Estimate([]));
    }

    internal static StatisticResult Estimate(
        IEnumerable<ReportBatch> batches, EstimationOptions? options = null, string attribute = "race") =>
        StatisticEstimator.Estimate(StatisticRequest.Frequency(attribute), batches, options);

    private static double Binomial(int n, int c, double p)
    {
        double coefficient = 1;
        for (int i = 1; i <= c; i++)
        {
            coefficient *= (double)(n - c + i) / i;
        }

        return coefficient * Math.Pow(p, c) * Math.Pow(1 - p, n - c);
    }
}
