using System.Globalization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Tests.Evaluation;

public sealed class ExperimentTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    public static TheoryData<string> Names => [.. ExperimentCatalogue.All.Select(e => e.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Experiment_gives_finite_numbers_and_plots_whatever_the_number_of_threads(string name)
    {
        IExperiment experiment = ExperimentCatalogue.All.First(e => e.Name == name);
        ExperimentResult one = experiment.Run(Context(threads: 1), new Silent(), default);
        ExperimentResult two = experiment.Run(Context(threads: 2), new Silent(), default);

        Assert.NotEmpty(one.Findings);
        Assert.All(one.Numbers.Values, v => Assert.True(double.IsFinite(v)));
        Assert.NotEmpty(one.Figures);
        Assert.All(one.Figures.SelectMany(f => f.Series)
            .SelectMany(s => s.Points), p => Assert.True(double.IsFinite(p.X) && double.IsFinite(p.Y)));
        Assert.All(one.Figures, f => Assert.InRange(f.Series.Count, 1, 8));
        Assert.Equal(one.Numbers, two.Numbers);
    }

    [Fact]
    public void Grades_experiment_finds_the_bias_of_pooling_when_the_choice_depends_on_the_value()
    {
        ExperimentResult result = new GradeMixes().Run(Context(threads: 2) with { Repetitions = 6 }, new Silent(), default);

        // Holders are stricter, so pooling with one average channel misses some of them; stratifying does not. Standard error of these
        // biases: below 0.03.
        Assert.True(result.Numbers["precision.selected.bias"] < -0.03, result.Numbers["precision.selected.bias"]
            .ToString(CultureInfo.InvariantCulture));
        Assert.True(Math.Abs(result.Numbers["stratified.selected.bias"]) < Math.Abs(result.Numbers["precision.selected.bias"]));
    }

    [Fact]
    public void Repetitions_have_keys_of_their_own()
    {
        ExperimentContext context = Context(threads: 1);
        string[] keys =
            [.. new[] { "a", "b" }.SelectMany(name => Enumerable.Range(0, 5).Select(r => Convert.ToHexString(context.KeyOf(name, r))))];
        Assert.Equal(keys.Length, keys.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void Sample_is_a_set_of_that_size_and_a_function_of_its_key()
    {
        using var first = new KeyedRandom(Key);
        using var second = new KeyedRandom(Key);
        int[] sample = first.Sample(1000, 300);
        Assert.Equal(sample, second.Sample(1000, 300));
        Assert.Equal(300, sample.Distinct().Count());
        Assert.All(sample, i => Assert.InRange(i, 0, 999));
        Assert.Equal(Enumerable.Range(0, 50), first.Sample(50, 50));
    }

    [Fact]
    public void Subset_keeps_records_whole_and_counts_its_own_persons()
    {
        RecordTable table = Tables.Random(60, 3);
        int[] places = [0, 1, 7, 30, 59];
        RecordTable subset = RecordSubset.Take(table, places);

        Assert.Equal(places.Length, subset.Count);
        Assert.Equal(subset.PersonKeys.Distinct().Count(), subset.PersonCount);
        for (int i = 0; i < places.Length; i++)
        {
            Assert.Equal(table.RecordKeys[places[i]], subset.RecordKeys[i]);
            Assert.Equal(table.PersonKeys[places[i]], subset.PersonKeys[i]);
            Assert.All(
                Enumerable.Range(0, table.Columns.Count), c => Assert.Equal(table.Columns[c].Codes[places[i]], subset.Columns[c].Codes[i]));
        }
    }

    [Fact]
    public void Summary_leaves_out_what_is_public_and_counts_what_is_not()
    {
        EvaluatedStatistic Statistic(string id, bool isPublic, params EvaluatedCell[] cells) => new()
        {
            Id = id, Kind = StatisticKind.Frequency, Attributes = [id], Unit = "share", Estimator = "", PostProcessing = "none",
            Interval = "normal", Confidence = 0.9,
            Grades = [isPublic ? null : new AttributeGrade("grr", 2, 0.5)], Epsilon = 0.5, N = 10, EffectiveRecords = 5, Cells = cells,
        };
        EvaluationSummary summary = EvaluationSummary.Of(
        [
            Statistic("region", true, new EvaluatedCell("north", 0.5, 0.5, 0, 0.5, 0.5, 0, 0)),
            Statistic("ill", false, new EvaluatedCell("no", 0.7, 0.72, 0.02, 0.68, 0.76, 0.04, 0.05), new EvaluatedCell(
                "yes", 0.3, 0.2, 0.02, 0.16, 0.24, 0.04, 0.05)),
        ]);

        Assert.Equal((2, 1, 1.8), (summary.Intervals, summary.Covered, summary.ExpectedCovered));
        Assert.Equal((2, 1), (summary.Guaranteed, summary.GuaranteeMissed));
        Assert.Equal(("ill", "yes"), (summary.LargestErrorId, summary.LargestErrorCell));
        Assert.Equal(0.1, summary.LargestError, 12);
    }

    private static ExperimentContext Context(int threads) => new()
    {
        Schema = Tables.Schema,
        Records = Tables.Random(6000, 1),
        Plan = EvaluationPlan.Of(
            Tables.Schema, [StatisticRequest.Table("sex", "ill"), StatisticRequest.Logistic("ill", ["yes"], "sex")], ("ill", "yes")),
        SiteKey = Key,
        Size = ExperimentSize.Quick,
        Repetitions = 2,
        Threads = threads,
    };

    private sealed class Silent : IProgress<double>
    {
        public void Report(double value)
        {
        }
    }
}
