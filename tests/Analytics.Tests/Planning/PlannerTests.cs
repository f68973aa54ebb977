using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Planning;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Analytics.Tests.Estimation;

namespace EmrMarket.Analytics.Tests.Planning;

public sealed class PlannerTests
{
    private static readonly Schema Schema = Schema.Parse(
        """
        {
          "format": 1, "name": "plan", "version": "1", "title": "Planning", "publishable": true,
          "attributes": [
            { "name": "smoker", "tier": "private", "mechanism": "grr", "labels": ["no", "yes"] },
            { "name": "race", "tier": "moderate", "mechanism": "grr", "labels": ["a", "b", "c"] },
            { "name": "stay", "tier": "low", "mechanism": "dsw", "grid": { "min": 0, "max": 26, "step": 2, "unit": "days" } },
            { "name": "dose", "tier": "low", "mechanism": "dsw", "grid": { "min": 0, "max": 9, "step": 1, "unit": "mg" }, "optional": true }
          ],
          "layouts": [ { "name": "plan" } ]
        }
        """, "plan.json");

    private static readonly TierRates Rates = new(
        TokenAmount.Zero, new TokenAmount(1_000_000), new TokenAmount(1_000_000), new TokenAmount(1_000_000));

    [Fact]
    public void Target_is_met_by_the_least_number_of_records_at_every_grade()
    {
        Plan plan = Planner.Answer(Question("frequency:smoker") with { TargetHalfWidth = 0.01 });
        Assert.Equal(6, plan.Options.Count);
        foreach (PlanOption option in plan.Options)
        {
            double epsilon = Samples.Ladder[option.Grade].Value;
            double p = Math.Exp(epsilon) / (Math.Exp(epsilon) + 1);
            double exact = Math.Pow(1.959963984540054 / 0.01, 2) * p * (1 - p) / Math.Pow((2 * p) - 1, 2);
            Assert.Equal(Math.Ceiling(exact), option.Records, exact * 1e-5);
            Assert.True(option.ExpectedHalfWidth <= 0.01);
            Assert.True(option.GuaranteedHalfWidth > 0.01);
            Assert.Equal(option.AskPerRecord * option.Records, option.Cost);
        }
    }

    [Fact]
    public void Guaranteed_target_takes_more_records_than_an_expected_one()
    {
        PlanQuestion question = Question("frequency:smoker") with { TargetHalfWidth = 0.01 };
        Plan expected = Planner.Answer(question);
        Plan guaranteed = Planner.Answer(question with { Guaranteed = true });
        Assert.All(expected.Options.Zip(guaranteed.Options), o => Assert.True(o.Second.Records > o.First.Records));
        Assert.All(guaranteed.Options, o => Assert.InRange(o.GuaranteedHalfWidth!.Value, 0.0099, 0.01));
    }

    [Fact]
    public void Interior_grade_is_the_bargain_at_linear_asks()
    {
        // With two values the ask per effective record is epsilon / tanh^2(epsilon / 2) times the rate.
        Plan plan = Planner.Answer(Question("frequency:smoker") with { Records = 1000 });
        double[] expected = [8.3, 4.7, 3.4, 4.3];
        int[] grades = [2, 3, 4, 6];
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(expected[i], plan.Options[grades[i] - 1].AskPerEffectiveRecord / 1e6, 1);
        }

        Assert.Contains(plan.Notes, n => n.Contains("cheapest at grade 4", StringComparison.Ordinal));
    }

    [Fact]
    public void Rate_in_a_group_of_public_records_is_as_exact_as_a_share_of_that_many_records()
    {
        // The group is known, so Fieller's limits are those of a mean over its records.
        Channel smoker = Samples.ChannelOf(Schema.Attributes[0], 4);
        double p = Math.Exp(Samples.Ladder[4].Value) / (Math.Exp(Samples.Ladder[4].Value) + 1);
        foreach (double rate in (double[])[0, 0.3, 1])
        {
            double exact = 1.959963984540054 * Math.Sqrt(p * (1 - p) / Math.Pow((2 * p) - 1, 2) / (0.2 * 5_000));
            Assert.Equal(exact, PlannedRate.HalfWidth([smoker, new PublicChannel(5)], 0.2, rate, 0.9, 5_000, 0.95)!.Value, exact * 1e-4);
        }
    }

    [Fact]
    public void Rates_in_groups_have_an_error_of_their_own_where_a_group_can_be_told_from_empty()
    {
        Plan plan = Planner.Answer(Question("table:smoker,race") with { Records = 20_000 });
        Assert.All(plan.Options.Skip(2), option => Assert.True(option.RateHalfWidth > option.ExpectedHalfWidth));
        Assert.Null(Planner.Answer(Question("table:smoker,race") with { Records = 100 }).Options[0].RateHalfWidth);
        Assert.Contains(plan.Notes,
            note => note.Contains("33.33%", StringComparison.Ordinal) || note.Contains("33.33 %", StringComparison.Ordinal));
        Assert.All(Planner.Answer(Question("frequency:race") with { Records = 20_000 }).Options,
            option => Assert.Null(option.RateHalfWidth));

        // The worst over rates is at least that of any rate.
        Channel[] channels = [Samples.ChannelOf(Schema.Attributes[0], 5), Samples.ChannelOf(Schema.Attributes[1], 5)];
        double worst = PlannedRate.Worst(channels, 1.0 / 3, 20_000, 0.95)!.Value;
        Assert.All(Enumerable.Range(0, 11),
            tenth => Assert.True(PlannedRate.HalfWidth(channels, 1.0 / 3, tenth / 10.0, 0.4, 20_000, 0.95) <= worst * (1 + 1e-12)));
    }

    [Fact]
    public void Grade_that_too_few_allow_is_named_with_its_numbers()
    {
        Plan plan = Planner.Answer(
            Question("frequency:race") with { TargetHalfWidth = 0.02, AvailableByGrade = [900_000, 80_000, 3_100, 3_100, 800, 90] });
        Assert.Contains("3,100 allow grade 3 for race", plan.Options[2].Limit!, StringComparison.Ordinal);
        Assert.NotNull(plan.Recommended);
        Assert.Null(plan.Recommended.Limit);
        Assert.True(plan.Options.Where(o => o.Limit is null).All(o => o.Cost >= plan.Recommended.Cost));
        Assert.True(plan.NextCheaper!.Cost < plan.Recommended.Cost);

        Plan none = Planner.Answer(Question("frequency:race") with { TargetHalfWidth = 0.02, AvailableByGrade = [10, 10, 10, 10, 10, 10] });
        Assert.Null(none.Recommended);
        Assert.All(none.Options, o => Assert.NotNull(o.Limit));
    }

    [Fact]
    public void Budget_is_never_overspent_and_buys_less_error_at_the_recommended_grade()
    {
        Plan plan = Planner.Answer(Question("mean:stay") with { Budget = new TokenAmount(7_000_000_000) });
        Assert.All(plan.Options, o => Assert.True(o.Cost.Units <= 7_000_000_000));
        Assert.All(plan.Options, o => Assert.True(o.Cost.Units + o.AskPerRecord.Units > 7_000_000_000));
        Assert.Equal(plan.Options.Min(o => o.ExpectedHalfWidth), plan.Recommended!.ExpectedHalfWidth);
        Assert.True(plan.NextBetter!.ExpectedHalfWidth < plan.Recommended.ExpectedHalfWidth);
        Assert.True(plan.NextCheaper!.Cost < plan.Recommended.Cost);
    }

    [Theory]
    [InlineData("frequency:race")]
    [InlineData("mean:stay")]
    [InlineData("bins:stay:3")]
    [InlineData("table:race,smoker")]
    public void Planned_half_width_is_the_one_that_the_estimate_then_carries(string statistic)
    {
        StatisticRequest request = StatisticRequest.Parse(statistic);
        Plan plan = Planner.Answer(Question(statistic) with { Records = 400 });
        var random = new Random(1);
        int[] truth = [.. Enumerable.Range(0, 400).Select(_ => random.Next(2))];
        ReportBatch batch = new(
            [.. request.Attributes.Select((name, i) => Samples.Drawn(Schema.Attributes[Schema.IndexOf(name)], 4, truth, i))]);
        StatisticResult result = StatisticEstimator.Estimate(request, [batch]);
        StatisticCell[] promised = [.. result.Cells.Where(c => c.ExpectedHalfWidth is not null)];
        Assert.Equal(plan.Options[3].ExpectedHalfWidth, promised.Max(c => c.ExpectedHalfWidth!.Value), 9);
        Assert.Equal(plan.Options[3].GuaranteedHalfWidth is null, promised.All(c => c.GuaranteedHalfWidth is null));
        if (plan.Options[3].GuaranteedHalfWidth is { } guaranteed)
        {
            Assert.Equal(guaranteed, promised.Max(c => c.GuaranteedHalfWidth!.Value), 9);
        }
    }

    [Fact]
    public void Presence_is_bought_with_an_optional_value_and_nothing_is_then_guaranteed()
    {
        Plan plan = Planner.Answer(Question("mean:dose") with { Records = 1000 });
        Assert.Equal(2 * Samples.Ladder[3].Micro, plan.Options[2].Epsilon.Micro);
        Assert.Null(plan.Options[2].GuaranteedHalfWidth);
        Assert.Contains(plan.Notes, n => n.Contains("missing", StringComparison.Ordinal));
    }

    [Fact]
    public void Questions_that_have_no_answer_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Planner.Answer(Question("frequency:race")));
        Assert.Throws<ArgumentException>(() => Planner.Answer(Question("frequency:race") with { TargetHalfWidth = -1 }));
        Assert.Throws<ArgumentException>(() => Planner.Answer(Question("frequency:race") with { Records = 5, TargetHalfWidth = 0.1 }));
        Assert.Contains("cannot be planned", Refusal("quantile:stay:0.5"), StringComparison.Ordinal);
        Assert.Contains("no attribute 'weight'", Refusal("frequency:weight"), StringComparison.Ordinal);

        static string Refusal(string statistic) =>
            Assert.Throws<EstimationRefusedException>(() => Planner.Answer(Question(statistic) with { Records = 5 })).Message;
    }

    private static PlanQuestion Question(string statistic) =>
        new() { Schema = Schema, Statistic = StatisticRequest.Parse(statistic), Rates = Rates };
}
