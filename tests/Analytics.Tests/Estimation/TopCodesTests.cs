using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Estimation.TopCodes;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Estimation;

public sealed class TopCodesTests
{
    [Theory]
    [InlineData(50, 0.25, 1e-3)]
    [InlineData(200, 0.02, 1e-6)]
    [InlineData(9, 0.5, 0.01)]
    public void Least_count_is_where_the_exact_binomial_tail_falls_below_the_bound(int n, double q, double tail)
    {
        double Tail(long c)
        {
            double sum = 0;
            for (long i = c; i <= n; i++)
            {
                double log = 0;
                for (long j = 1; j <= i; j++)
                {
                    log += Math.Log((double)(n - i + j) / j);
                }

                sum += Math.Exp(log + (i * Math.Log(q)) + ((n - i) * Math.Log(1 - q)));
            }

            return sum;
        }

        long least = TopCodesEstimator.LeastCount(n, q, tail);
        Assert.True(Tail(least) <= tail);
        Assert.True(Tail(least - 1) > tail);
    }

    [Fact]
    public void Threshold_at_which_no_count_is_rare_enough_shows_nothing() =>
        Assert.Equal(10, TopCodesEstimator.LeastCount(9, 0.5, 0.001));

    [Theory]
    [InlineData("grr")]
    [InlineData("ss")]
    [InlineData("oue")]
    [InlineData("olh")]
    public void Group_counts_equal_a_plain_loop_over_records_and_persons(string mechanism)
    {
        AttributeDefinition code = Samples.Categorical("code", 70, mechanism);
        var random = new Random(2);
        int[] truth = [.. Enumerable.Range(0, 500).Select(_ => random.Next(70))];
        int[] persons = [.. Enumerable.Range(0, 500).Select(i => i < 200 ? i / 4 : i)];
        int[][] groups = [[.. Enumerable.Range(0, 51)], [7], [.. Enumerable.Range(51, 19)]];
        AttributeReports reports = Samples.Drawn(code, 3, truth, 8);
        var tally = new GroupTally(reports.Channel, groups, constantPerPerson: false);
        tally.Add(reports.Reports, new ReportBatch([reports], persons).Persons);
        for (int g = 0; g < groups.Length; g++)
        {
            SupportBitmaps bitmaps = reports.Channel.Support(reports.Reports, groups[g]);
            double[] z = new double[500];
            for (int i = 0; i < 500; i++)
            {
                for (int v = 0; v < groups[g].Length; v++)
                {
                    z[i] += ((double)(bitmaps[v][i / 64] >> (i % 64) & 1) - reports.Channel.Q) / (reports.Channel.P - reports.Channel.Q);
                }
            }

            double share = z.Average();
            (double estimate, double onRecords) = tally.Estimate(g, InferenceTarget.Records);
            Assert.Equal(share, estimate, 8);
            Assert.Equal(Math.Max(0, z.Sum(x => (x * x) - x)) / 250_000, onRecords, 8);
            double clusters = Enumerable.Range(0, 500).GroupBy(i => persons[i]).Sum(p => Math.Pow(p.Sum(i => z[i] - share), 2));
            Assert.Equal(clusters / 250_000 * 350 / 349, tally.Estimate(g, InferenceTarget.Population).Variance, 8);
        }
    }

    [Fact]
    public void Roll_up_variance_is_unbiased_over_every_outcome()
    {
        AttributeDefinition code = Samples.Categorical("code", 4, "grr");
        Channel channel = Samples.ChannelOf(code, 4);
        double[][] law = Samples.Law(channel);
        int[] truth = [0, 2, 3];
        var outcomes = Samples.Outcomes([.. truth.Select(t => law[t])]).Select(o =>
        {
            AttributeReports reports = Samples.Coded(code, 4, o.Outcome);
            var tally = new GroupTally(channel, [[0, 1]], constantPerPerson: false);
            tally.Add(reports.Reports, PersonClusters.Singletons(3));
            return (Estimate: tally.Estimate(0, InferenceTarget.Records), o.Probability);
        }).ToList();
        (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Estimate.Share, o.Probability)));
        (double claimed, _) = Samples.Moments(outcomes.Select(o => (o.Estimate.Variance, o.Probability)));
        Assert.Equal(1 / 3.0, mean, 9);
        Assert.Equal(variance, claimed, 9);
    }

    [Fact]
    public void Frequent_diagnoses_are_shown_and_rolled_up_to_chapters()
    {
        var labels = Icd9.Categories().Append("missing").ToList();
        var code = new AttributeDefinition
        {
            Name = "diagnosis", Source = "diagnosis", Domain = new CategoricalDomain(labels, Ordered: false), Tier = Tier.Private,
            Mechanism = "olh",
        };
        var random = new Random(4);
        int heart = labels.IndexOf("428");
        int chest = labels.IndexOf("786");
        int[] truth = [.. Enumerable.Range(0, 60_000)
            .Select(_ => random.NextDouble() switch { < 0.3 => heart, < 0.5 => chest, _ => random.Next(2000) })];
        StatisticResult result = StatisticEstimator.Estimate(
            StatisticRequest.TopCodes("diagnosis"), [new ReportBatch([Samples.Drawn(code, 5, truth, 1)])],
            EstimationOptions.Default with { Confidence = 1 - 1e-7 });
        Assert.Equal(["428", "786"], result.Cells.Take(2).Select(c => c.Value));
        Assert.InRange(truth.Count(t => t == heart) / 60_000.0, result.Cells[0].Low, result.Cells[0].High);
        StatisticSection chapters = Assert.Single(result.Sections);
        Assert.Equal(19, chapters.Cells.Count);
        foreach (StatisticCell chapter in chapters.Cells)
        {
            double share = truth.Count(t => t < 2090 && Icd9.ChapterOf(labels[t].Split('.')[0]) == chapter.Value) / 60_000.0;
            Assert.InRange(share, chapter.Low, chapter.High);
        }
    }
}
