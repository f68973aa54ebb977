using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Planning;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Statistical.Estimation;

/// <summary>Intervals on fixed records cover them at the nominal rate; one-sided promises are kept or exceeded.</summary>
public sealed class CoverageTests
{
    private const int Repetitions = 2_000;
    private const int ManyRepetitions = 20_000;
    private static readonly double[] Shares = [0.5, 0.3, 0.12, 0.06, 0.02];
    private static readonly AttributeDefinition Race = Coverage.Categorical("race", 5, "grr");

    [Theory]
    [InlineData("grr", 3)]
    [InlineData("ss", 3)]
    [InlineData("oue", 2)]
    [InlineData("olh", 4)]
    public void Frequency_intervals_cover_fixed_records_at_the_nominal_rate(string mechanism, int grade) =>
        FrequencyIntervalsCover(mechanism, grade, Repetitions);

    [Theory]
    [Trait("Duration", "Long")]
    [InlineData("grr", 3)]
    [InlineData("ss", 2)]
    [InlineData("oue", 4)]
    [InlineData("olh", 3)]
    public void Frequency_intervals_cover_fixed_records_at_the_nominal_rate_over_many_repetitions(string mechanism, int grade) =>
        FrequencyIntervalsCover(mechanism, grade, ManyRepetitions);

    [Fact]
    public void Stratified_intervals_cover_when_the_grade_depends_on_the_value_and_unweighted_ones_do_not()
    {
        int[] truth = Fixed(3_000);
        int[] strict = [.. truth.Where((v, i) => v == 0 ? i % 3 > 0 : i % 4 == 0)];
        int[] loose = [.. truth.Where((v, i) => !(v == 0 ? i % 3 > 0 : i % 4 == 0))];
        long[] covered = Coverage.Count(Repetitions, 3, seed =>
        {
            ReportBatch[] batches = [new([Coverage.Draw(Race, 2, strict, seed)]), new([Coverage.Draw(Race, 4, loose, seed + 1_000_000)])];
            return
            [
                Coverage.Covers(Frequency(batches).Cells[0], Share(truth, 0)),
                Kept(Frequency(batches), truth),
                Coverage.Covers(Frequency(batches, EstimationOptions.Default with { Combination = CombinationRule.Unweighted })
                    .Cells[0], Share(truth, 0)),
            ];
        });
        Coverage.AssertNominal(covered[..1], Repetitions, 0.95);
        Coverage.AssertAtLeast(covered[1..2], Repetitions, 0.95);
        Assert.False(Coverage.MayBeAtLeast(covered[2], Repetitions, 0.95));
    }

    [Fact]
    public void Records_that_share_a_draw_are_covered_and_would_not_be_if_they_were_taken_for_independent()
    {
        AttributeDefinition race = Coverage.Categorical("race", 5, "grr", constant: true);
        int[] persons = [.. Enumerable.Range(0, 2_000).Select(i => i < 1_200 ? i / 4 : i)];
        int[] truth = [.. persons.Select(p => Fixed(2_000)[p])];
        long[] covered = Coverage.Count(Repetitions, 3, seed =>
        {
            AttributeReports reports = Coverage.Draw(race, 3, truth, seed, persons);
            StatisticResult result = Frequency([new ReportBatch([reports], persons)]);
            StatisticResult ignoring = Frequency([new ReportBatch([reports with { Attribute = race with { ConstantPerPerson = false } }])]);
            return [Coverage.Covers(result.Cells[0], Share(truth, 0)), Kept(result, truth), Coverage.Covers(
                ignoring.Cells[0], Share(truth, 0))];
        });
        Coverage.AssertNominal(covered[..1], Repetitions, 0.95);
        Coverage.AssertAtLeast(covered[1..2], Repetitions, 0.95);
        Assert.False(Coverage.MayBeAtLeast(covered[2], Repetitions, 0.95));
    }

    [Fact]
    public void Means_and_bins_cover_fixed_records_at_the_nominal_rate_and_quantiles_at_least() => MeansAndBinsCover(Repetitions);

    [Fact]
    [Trait("Duration", "Long")]
    public void Means_and_bins_cover_fixed_records_at_the_nominal_rate_over_many_repetitions() => MeansAndBinsCover(ManyRepetitions);

    [Fact]
    public void Means_among_the_present_cover_fixed_records_at_the_nominal_rate()
    {
        AttributeDefinition dose = Coverage.Grid("dose", 10) with { Optional = true };
        AttributeDefinition present = Coverage.Categorical("dose.present", 2, "grr");
        int[] truth = [.. Enumerable.Range(0, 3_000).Select(i => i % 5 == 0 ? EmrMarket.Analytics.Records.RecordColumn.Missing : i % 7)];
        double mean = truth.Where(t => t < 10).Average();
        long[] covered = Coverage.Count(Repetitions, 1, seed => [Coverage.Covers(StatisticEstimator.Estimate(
            StatisticRequest.Mean("dose"),
            [new([Coverage.Draw(dose, 4, truth, seed), Coverage.Draw(present, 4, [.. truth.Select(t => t < 10 ? 1 : 0)], seed
                + 1_000_000)])]).Cells[0], mean)]);
        Coverage.AssertNominal(covered, Repetitions, 0.95);
    }

    [Fact]
    public void Cells_and_rates_of_tables_cover_fixed_records_at_the_nominal_rate()
    {
        AttributeDefinition sex = Coverage.Categorical("sex", 2, "grr");
        int[] race = Fixed(4_000);
        int[] sexes = [.. race.Select((r, i) => (i % 10) < 3 + r ? 1 : 0)];
        double joint = Enumerable.Range(0, 4_000).Count(i => race[i] == 1 && sexes[i] == 1) / 4_000.0;
        double rate = joint / (sexes.Count(s => s == 1) / 4_000.0);
        const int Cell = 3;
        long[] covered = Coverage.Count(Repetitions, 2, seed =>
        {
            StatisticResult table = StatisticEstimator.Estimate(
                StatisticRequest.Table("race", "sex"),
                [new([Coverage.Draw(Race, 4, race, seed), Coverage.Draw(sex, 4, sexes, seed + 1_000_000)])]);
            return [Coverage.Covers(table.Cells[Cell], joint), Coverage.Covers(table.Sections[0].Cells[Cell], rate)];
        });
        Coverage.AssertNominal(covered, Repetitions, 0.95);
    }

    /// <summary>
    /// The mean half-width of the estimator's own intervals over repetitions, against the formula at the same shares. The mean of R
    /// repetitions is normal to good approximation, so it is off by more than 6.5 standard errors with probability below 10^-10; the
    /// formula leaves out a part of the order of the squared relative error of the group's share, for which three of it are allowed.
    /// </summary>
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void Planned_half_width_of_rates_is_that_of_the_intervals_on_the_average(int grade)
    {
        const int Repeated = 400;
        AttributeDefinition sex = Coverage.Categorical("sex", 2, "grr");
        int[] race = Fixed(8_000);
        int[] sexes = [.. race.Select((r, i) => (i % 10) < 3 + r ? 1 : 0)];
        double share = sexes.Count(s => s == 1) / 8_000.0;
        double rate = race.Zip(sexes).Count(both => both == (1, 1)) / 8_000.0 / share;
        double outside = race.Zip(sexes).Count(both => both == (1, 0)) / 8_000.0 / (1 - share);
        const int Cell = 3;
        double[] halves = new double[Repeated];
        Parallel.For(0, Repeated, seed =>
        {
            StatisticCell cell = StatisticEstimator.Estimate(
                StatisticRequest.Table("race", "sex"),
                [new([Coverage.Draw(Race, grade, race, seed + 5_000_000), Coverage.Draw(sex, grade, sexes, seed + 6_000_000)])])
                .Sections[0].Cells[Cell];
            halves[seed] = (cell.High - cell.Low) / 2;
        });
        Channel[] channels = [Coverage.ChannelOf(Race, grade), Coverage.ChannelOf(sex, grade)];
        double planned = PlannedRate.HalfWidth(channels, share, rate, outside, 8_000, 0.95)!.Value;
        (double p, double q) = (channels[1].P, channels[1].Q);
        double group = 1.959963984540054 * Math.Sqrt(p * (1 - p) / ((p - q) * (p - q)) / 8_000) / share;
        double mean = halves.Average();
        double error = Math.Sqrt(halves.Sum(half => (half - mean) * (half - mean)) / Repeated / (Repeated - 1));
        Assert.InRange(mean, planned - (6.5 * error), (planned * (1 + (3 * group * group))) + (6.5 * error));

        // A formula that forgot the noise in the group's share would be told from it.
        Assert.True(PlannedRate.HalfWidth([channels[0], new PublicChannel(2)], share, rate, outside, 8_000, 0.95) < mean - (6.5 * error));
    }

    [Fact]
    public void Roll_ups_by_hash_cover_fixed_records_at_the_nominal_rate()
    {
        // Neighbouring codes under one hash are dependent, which the counted squares take in.
        var code = new AttributeDefinition
        {
            Name = "code", Source = "code", Domain = new CategoricalDomain([.. Icd9.Categories().Take(999)], Ordered: false),
            Tier = Tier.Private, Mechanism = "olh",
        };
        int[] truth = [.. Enumerable.Range(0, 1_000).Select(i => i % 3 == 0 ? 400 : i % 997)];
        const int Repeated = 600;
        double heart = truth.Count(t => t is >= 389 and <= 458) / 1_000.0;
        long[] covered = Coverage.Count(Repeated, 1, seed =>
        {
            StatisticResult result = StatisticEstimator.Estimate(
                StatisticRequest.TopCodes("code"), [new([Coverage.Draw(code, 5, truth, seed)])],
                EstimationOptions.Default with { Confidence = 0.15 });
            StatisticCell cell = result.Sections[0].Cells.Single(c => c.Value == "390-459");

            // Intervals hold together over the 17 chapters; one chapter's own 95 % interval is the estimate plus and minus 1.96 errors.
            return [Math.Abs(cell.Estimate - heart) <= 1.959963984540054 * cell.StandardError];
        });
        Coverage.AssertNominal(covered, Repeated, 0.95);
    }

    [Fact]
    public void Wrong_channel_and_too_narrow_intervals_are_caught()
    {
        int[] truth = Fixed(2_000);
        long[] covered = Coverage.Count(Repetitions, 2, seed =>
        {
            AttributeReports reports = Coverage.Draw(Race, 3, truth, seed);
            AttributeReports other = reports with { Channel = Coverage.Draw(Race, 4, truth[..1], seed).Channel };
            return
            [
                Coverage.Covers(Frequency([new ReportBatch([other])]).Cells[0], Share(truth, 0)),
                Coverage.Covers(
                    Frequency([new ReportBatch([reports])], EstimationOptions.Default with { Confidence = 0.9 }).Cells[0], Share(truth, 0)),
            ];
        });
        Assert.All(covered, count => Assert.False(Coverage.MayBe(count, Repetitions, 0.95)));
    }

    private static void FrequencyIntervalsCover(string mechanism, int grade, int repetitions)
    {
        AttributeDefinition race = Coverage.Categorical("race", 5, mechanism);
        int[] truth = Fixed(2_000);
        long[] covered = Coverage.Count(repetitions, 6, seed =>
        {
            StatisticResult result = Frequency([new ReportBatch([Coverage.Draw(race, grade, truth, seed)])]);
            return [.. result.Cells.Select((c, v) => Coverage.Covers(c, Share(truth, v))), Kept(result, truth)];
        });
        Coverage.AssertNominal(covered[..5], repetitions, 0.95);
        Coverage.AssertAtLeast(covered[5..], repetitions, 0.95);
    }

    private static void MeansAndBinsCover(int repetitions)
    {
        AttributeDefinition stay = Coverage.Grid("stay", 14);
        int[] truth = [.. Enumerable.Range(0, 2_000).Select(i => (int)(13 * Math.Pow(i / 2_000.0, 2.5)))];
        double mean = truth.Average();
        int median = truth.Order().ElementAt(999);
        long[] covered = Coverage.Count(repetitions, 5, seed =>
        {
            ReportBatch[] batch = [new([Coverage.Draw(stay, 4, truth, seed)])];
            StatisticResult means = StatisticEstimator.Estimate(StatisticRequest.Mean("stay"), batch);
            StatisticResult bins = StatisticEstimator.Estimate(StatisticRequest.Bins("stay", 7), batch);
            StatisticResult quantile = StatisticEstimator.Estimate(StatisticRequest.Quantile("stay", 0.5), batch);
            return
            [
                Coverage.Covers(means.Cells[0], mean),
                Coverage.Covers(means.Cells[1], truth.Average(t => (t - mean) * (t - mean))),
                Coverage.Covers(bins.Cells[0], truth.Count(t => t < 7) / 2_000.0),
                Coverage.Covers(quantile.Cells[0], median),
                Math.Abs(means.Cells[0].Estimate - mean) <= means.Cells[0].GuaranteedHalfWidth,
            ];
        });
        Coverage.AssertNominal(covered[..3], repetitions, 0.95);
        Coverage.AssertAtLeast(covered[3..], repetitions, 0.95);
    }

    private static StatisticResult Frequency(IEnumerable<ReportBatch> batches, EstimationOptions? options = null) =>
        StatisticEstimator.Estimate(StatisticRequest.Frequency("race"), batches, options);

    private static bool Kept(StatisticResult result, int[] truth) =>
        result.Cells.Select((c, v) => Math.Abs(c.Estimate - Share(truth, v)) <= c.GuaranteedHalfWidth).All(kept => kept);

    private static double Share(int[] truth, int value) => truth.Count(t => t == value) / (double)truth.Length;

    private static int[] Fixed(int n)
    {
        int[] truth = new int[n];
        int at = 0;
        for (int v = 0; v < Shares.Length; v++)
        {
            for (int i = 0; i < (int)Math.Round(Shares[v] * n); i++)
            {
                truth[at++] = v;
            }
        }

        // Spread the values over the records, so that conditions on positions do not pick values.
        int[] order = [.. Enumerable.Range(0, n)];
        new Random(1).Shuffle(order);
        return [.. order.Select(i => truth[i])];
    }
}
