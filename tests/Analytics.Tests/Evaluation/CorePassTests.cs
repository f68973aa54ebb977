using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Tests.Evaluation;

public sealed class CorePassTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private static readonly StatisticRequest[] Requests =
    [
        StatisticRequest.Frequency("ill"), StatisticRequest.Mean("age"), StatisticRequest.Bins("age", 2),
        StatisticRequest.Quantile("weight", 0.5),
        StatisticRequest.Table("sex", "ill"), StatisticRequest.Table("sex", "age"), StatisticRequest.Linear("age", "sex", "weight"),
        StatisticRequest.Logistic("ill", ["yes"], "sex", "age"),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(250)]
    public void Batches_whose_reports_are_dropped_give_what_the_whole_gives(int size)
    {
        RecordTable table = Tables.Random(4_000, 5);
        CorePass.Answer[] whole = [.. Estimate(table, table.Count, Requests, out _)];
        CorePass.Answer[] parts = [.. Estimate(table, size, Requests, out int passes)];

        Assert.Equal(2, passes);
        Assert.Equal(whole.Select(a => a.Refusal), parts.Select(a => a.Refusal));
        foreach ((CorePass.Answer one, CorePass.Answer other) in whole.Zip(parts))
        {
            double[] Numbers(CorePass.Answer answer) =>
                [.. answer.Result?.Cells.SelectMany(c => new[] { c.Estimate, c.Low, c.High }).Where(double.IsFinite) ?? []];
            Assert.Equal(one.Result?.N, other.Result?.N);
            Assert.Equal(Numbers(one).Length, Numbers(other).Length);

            // Integer sums are equal; those of regressions are to rounding.
            Assert.All(Numbers(one).Zip(Numbers(other)), pair => Assert.Equal(pair.First, pair.Second, 1e-7));
        }
    }

    [Fact]
    public void Statistic_that_is_refused_does_not_stop_the_others()
    {
        RecordTable table = Tables.Random(300, 6);
        StatisticRequest[] requests =
            [StatisticRequest.Frequency("sex"), StatisticRequest.Logistic("ill", ["nowhere"], "sex"), StatisticRequest.Mean("sex")];
        CorePass.Answer[] answers = [.. Estimate(table, 100, requests, out int passes)];

        Assert.Equal(1, passes);
        Assert.NotNull(answers[0].Result);
        Assert.Contains("labels", answers[1].Refusal, StringComparison.Ordinal);
        Assert.Null(answers[1].Result);
    }

    private static IReadOnlyList<CorePass.Answer> Estimate(RecordTable table, int size, StatisticRequest[] requests, out int passes)
    {
        int called = 0;
        var site = new SiteReports(Tables.Schema, 2);
        IReadOnlyList<CorePass.Answer> answers = new CorePass(Tables.Schema, EstimationOptions.Default, 2).Estimate(
            requests,
            names =>
            {
                called++;
                return site.Stream(table.InPersonBatches(size), Key, names);
            },
            table.Count);
        passes = called;
        return answers;
    }
}
