using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Tests.Evaluation;

public sealed class TruthTests
{
    // Counted by hand: sex F M M F M, ill no yes yes unknown no, age 0 10 20 20 missing.
    private static readonly RecordTable Five = Tables.Of([0, 1, 1, 0, 1], [0, 1, 1, 2, 0], [0, 1, 2, 2, RecordColumn.Missing]);

    [Fact]
    public void Frequency_is_the_share_of_records() =>
        Assert.Equal([0.4, 0.4, 0.2], Of(StatisticRequest.Frequency("ill"), Cell("no", 0), Cell("yes", 1), Cell("unknown", 2)));

    [Fact]
    public void Mean_and_variance_are_over_the_records_where_the_value_is_present() =>
        Assert.Equal([12.5, 68.75], Of(StatisticRequest.Mean("age"), Cell("mean"), Cell("variance")));

    [Fact]
    public void Bins_are_shares_among_the_present() =>
        Assert.Equal([0.5, 0.5], Of(StatisticRequest.Bins("age", 2), Cell("0..10", 0, 1), Cell("20..30", 2, 3)));

    [Fact]
    public void Bins_split_a_value_off_the_grid_between_its_neighbours()
    {
        // 42.5 kg lies half way between two cells, 45 kg on one.
        RecordTable table = Tables.Of([0, 0], [0, 0], [0, 0], weight: [0, 1], fractions: [1u << 31, 0]);
        IReadOnlyList<double> truth = new Truth(Tables.Schema, table)
            .Of(StatisticRequest.Bins("weight", 1), Answer(Cell("40", 0, 0), Cell("45", 1, 1)));
        Assert.Equal([0.25, 0.75], truth);
    }

    [Fact]
    public void Quantile_is_the_smallest_value_that_reaches_the_probability() =>
        Assert.Equal([0, 10, 20], Of(StatisticRequest.Quantile("age", 0.25, 0.5, 0.51), Cell("0.25"), Cell("0.5"), Cell("0.51")));

    [Fact]
    public void Table_is_the_joint_share() =>
        Assert.Equal([0.4, 0, 0.2], Of(
            StatisticRequest.Table("sex", "ill"), Cell("male | yes", 1, 1), Cell("female | yes", 0, 1), Cell("male | no", 1, 0)));

    [Fact]
    public void Unknown_cell_is_a_fault_and_not_a_zero() =>
        Assert.Throws<InvalidOperationException>(() => Of(StatisticRequest.Mean("age"), Cell("median")));

    private static IReadOnlyList<double> Of(StatisticRequest request, params StatisticCell[] cells) =>
        new Truth(Tables.Schema, Five).Of(request, Answer(cells));

    private static StatisticCell Cell(string value, params int[] codes) => new() { Value = value, Codes = codes, Estimate = 0 };

    private static StatisticResult Answer(params StatisticCell[] cells) => new()
    {
        Id = "", Kind = StatisticKind.Frequency, Attributes = [], Estimator = "", N = 0, EffectiveRecords = 0, Cells = cells,
        Confidence = 0.95,
        Target = InferenceTarget.Records, ReportsByGrade = [], Epsilon = default,
    };
}
