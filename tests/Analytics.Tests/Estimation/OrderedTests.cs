using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Estimation;

public sealed class OrderedTests
{
    public static TheoryData<int, int> GridsAndGrades()
    {
        var data = new TheoryData<int, int>();
        foreach (int cells in (int[])[2, 3, 5, 7, 14, 64])
        {
            foreach (int grade in (int[])[1, 3, 6])
            {
                data.Add(cells, grade);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(GridsAndGrades))]
    public void Functional_is_unbiased_for_every_truth_and_its_variance_is_that_of_the_law(int cells, int grade)
    {
        Channel channel = Samples.ChannelOf(Samples.Grid("x", cells), grade);
        double[][] law = Samples.Law(channel);
        var random = new Random(cells);
        double[][] functions =
        [
            OrderedSample.Identity(cells),
            [.. Enumerable.Range(0, cells).Select(v => (double)v * v)],
            [.. Enumerable.Range(0, cells).Select(v => v <= cells / 3 ? 1.0 : 0.0)],
            [.. Enumerable.Range(0, cells).Select(_ => random.NextDouble())],
        ];
        foreach (double[] c in functions)
        {
            var functional = new UnbiasedFunctional(OrderedSample.Wave(channel), c);
            double size = c.Max(Math.Abs);
            for (int v = 0; v < cells; v++)
            {
                double mean = law[v].Select((p, y) => p * functional.Phi[y]).Sum();
                double square = law[v].Select((p, y) => p * functional.Phi[y] * functional.Phi[y]).Sum();
                Assert.Equal(c[v] / size, mean / size, 8);
                Assert.Equal(1, (square - (mean * mean) + 1e-9) / (functional.VarianceGivenTruth[v] + 1e-9), 6);
            }
        }
    }

    [Theory]
    [MemberData(nameof(GridsAndGrades))]
    public void Functional_of_the_mean_is_never_worse_than_the_straight_line(int cells, int grade)
    {
        Channel channel = Samples.ChannelOf(Samples.Grid("x", cells), grade);
        SquareWave wave = OrderedSample.Wave(channel);
        double[][] law = Samples.Law(channel);
        var best = new UnbiasedFunctional(wave, OrderedSample.Identity(cells));

        // (j - q D (D - 1) / 2) / ((p - q) w) - b is unbiased too.
        double[] line = [.. Enumerable.Range(0, wave.Outputs).Select(j =>
            ((j - (wave.Q * wave.Outputs * (wave.Outputs - 1) / 2)) / ((wave.P - wave.Q) * wave.Window)) - wave.HalfWidth)];
        double lineNoise = Enumerable.Range(0, cells).Average(v =>
        {
            (double mean, double variance) = Samples.Moments(line.Select((x, y) => (x, law[v][y])));
            Assert.Equal(v, mean, 6);
            return variance;
        });
        Assert.True(best.VarianceGivenTruth.Average() <= lineNoise * (1 + 1e-9));
    }

    [Fact]
    public void Functional_is_the_least_variance_one_at_the_uniform_reference()
    {
        // Any other unbiased functional differs by a function of the residue class whose weighted total is zero; moving along any of them
        // must not lower the variance.
        Channel channel = Samples.ChannelOf(Samples.Grid("x", 9), 3);
        SquareWave wave = OrderedSample.Wave(channel);
        double[][] law = Samples.Law(channel);
        double[] reference = [.. Enumerable.Range(0, wave.Outputs).Select(y => law.Average(row => row[y]))];
        var best = new UnbiasedFunctional(wave, [0, 0, 0, 1, 1, 1, 1, 1, 1]);
        double Variance(double[] phi) => phi.Select((x, y) => reference[y] * x * x).Sum();
        double[] classes = [.. Enumerable.Range(0, wave.Window).Select(r => reference.Where((_, y) => y % wave.Window == r).Sum())];
        for (int r = 1; r < wave.Window; r++)
        {
            foreach (double step in (double[])[-0.1, 0.1])
            {
                double[] moved = [.. best.Phi.Select(
                    (x, y) => x + (y % wave.Window == 0 ? step / classes[0] : y % wave.Window == r ? -step / classes[r] : 0))];
                Assert.All(Enumerable.Range(0, 9), v => Assert.Equal(best.Truth[v], law[v].Select((p, y) => p * moved[y]).Sum(), 9));
                Assert.True(Variance(moved) > Variance(best.Phi));
            }
        }
    }

    [Theory]
    [InlineData(StatisticKind.Mean)]
    [InlineData(StatisticKind.Bins)]
    public void Estimates_and_their_variances_are_unbiased_over_every_outcome(StatisticKind kind)
    {
        AttributeDefinition stay = Samples.Grid("stay", 4, min: 10, step: 5);
        double[][] law = Samples.Law(Samples.ChannelOf(stay, 5));
        int[] truth = [0, 1, 1, 3];
        StatisticRequest request = kind == StatisticKind.Mean ? StatisticRequest.Mean("stay") : StatisticRequest.Bins("stay", 2);
        var outcomes = Samples.Outcomes([.. truth.Select(t => law[t])]).Select(o => (
            StatisticEstimator.Estimate(request, [new ReportBatch([Samples.Coded(stay, 5, o.Outcome)])]).Cells[0], o.Probability)).ToList();
        (double mean, double variance) = Samples.Moments(outcomes.Select(o => (o.Item1.Estimate, o.Probability)));
        Assert.Equal(kind == StatisticKind.Mean ? 16.25 : 0.75, mean, 8);

        var functional = new UnbiasedFunctional(
            OrderedSample.Wave(Samples.ChannelOf(stay, 5)), kind == StatisticKind.Mean ? [0, 5, 10, 15] : [1, 1, 0, 0]);
        Assert.Equal(truth.Sum(t => functional.VarianceGivenTruth[t]) / 16, variance, 6);
        Assert.True(outcomes[0].Item1.ExpectedHalfWidth >= 1.959 * Math.Sqrt(variance));
        Assert.Equal(kind == StatisticKind.Mean ? "mean" : "10..15", outcomes[0].Item1.Value);
    }

    [Fact]
    public void Variance_of_the_records_is_unbiased_over_every_outcome_but_for_kept_ranges()
    {
        AttributeDefinition stay = Samples.Grid("stay", 3);
        double[][] law = Samples.Law(Samples.ChannelOf(stay, 6));
        int[] truth = [0, 2, 2, 1, 0, 2];
        (double mean, _) = Samples.Moments(Samples.Outcomes([.. truth.Select(t => law[t])]).Select(o => (
            StatisticEstimator.Estimate(StatisticRequest.Mean("stay"), [new ReportBatch([Samples.Coded(stay, 6, o.Outcome)])]).Cells[1]
                .Estimate, o.Probability)));

        // The correction for the mean's own variance is kept within its possible range, which moves it by a small part of 1/n.
        double average = truth.Average();
        Assert.InRange(
            mean, truth.Average(t => (t - average) * (t - average)) - 0.02, truth.Average(t => (t - average) * (t - average)) + 0.02);
    }

    [Fact]
    public void Mean_among_the_present_is_recovered_from_values_that_are_mostly_missing()
    {
        AttributeDefinition stay = Samples.Grid("stay", 20, optional: true);
        AttributeDefinition present = Samples.Categorical("stay.present", 2, "grr");
        var random = new Random(3);
        const int N = 400_000;
        bool[] has = [.. Enumerable.Range(0, N).Select(_ => random.NextDouble() < 0.4)];
        int[] truth = [.. has.Select(h => h ? random.Next(5) : EmrMarket.Analytics.Records.RecordColumn.Missing)];
        ReportBatch batch = new([Samples.Drawn(stay, 5, truth, 4), Samples.Drawn(present, 5, [.. has.Select(h => h ? 1 : 0)], 5)]);
        StatisticResult result = StatisticEstimator.Estimate(
            StatisticRequest.Mean("stay"), [batch], EstimationOptions.Default with { Confidence = 1 - 1e-7 });
        double mean = truth.Where(t => t < 20).Average();
        Assert.InRange(mean, result.Cells[0].Low, result.Cells[0].High);
        Assert.True(result.Cells[0].High - result.Cells[0].Low < 0.6);
        Assert.Equal(IntervalKind.Fieller, result.Cells[0].IntervalKind);
        Assert.Null(result.Cells[0].GuaranteedHalfWidth);
        Assert.Equal(6_000_000, result.Epsilon.Micro);

        double variance = truth.Where(t => t < 20).Average(t => (t - mean) * (t - mean));
        Assert.InRange(variance, result.Cells[1].Low, result.Cells[1].High);
        StatisticResult bins = StatisticEstimator.Estimate(
            StatisticRequest.Bins("stay", 5), [batch], EstimationOptions.Default with { Confidence = 1 - 1e-7, Consistent = true });
        Assert.InRange(1, bins.Cells[0].Low, bins.Cells[0].High);
        Assert.Equal(1, bins.Sections[0].Cells.Sum(c => c.Estimate), 9);
        Assert.InRange(bins.Sections[0].Cells[0].Estimate, 0.8, 1.0);
    }

    [Fact]
    public void Quantiles_of_clear_values_are_the_smallest_value_that_reaches_the_share()
    {
        AttributeDefinition age = Samples.Grid("age", 10, min: 100) with { Mechanism = null, Tier = Tier.Public };
        ReportBatch batch = new([Samples.Coded(age, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)]);
        StatisticResult result = StatisticEstimator.Estimate(StatisticRequest.Quantile("age", 0.05, 0.5, 0.95), [batch]);
        Assert.Equal([100, 104, 109], result.Cells.Select(c => c.Estimate));
        Assert.All(result.Cells, c => Assert.Equal((c.Estimate, c.Estimate), (c.Low, c.High)));
    }

    [Fact]
    public void Isotonic_sequence_is_the_least_squares_one()
    {
        Assert.Equal([1, 2, 2, 4], OrderedEstimator.Isotonic([1, 3, 1, 4]).Select(x => Math.Round(x, 12)));
        Assert.Equal([2, 2, 2], OrderedEstimator.Isotonic([3, 2, 1]).Select(x => Math.Round(x, 12)));
    }

    [Fact]
    public void Smoothing_by_running_sums_equals_the_dense_matrix()
    {
        Channel channel = Samples.ChannelOf(Samples.Grid("x", 12), 4);
        SquareWave wave = OrderedSample.Wave(channel);
        double[][] law = Samples.Law(channel);
        var random = new Random(11);
        long[] outputs = [.. Enumerable.Range(0, wave.Outputs).Select(_ => (long)random.Next(20, 2_000))];
        double[] dense = SlowSmoothing(law, outputs);
        double[] fast = SmoothedDistribution.Estimate(wave, outputs);
        Assert.Equal(1, fast.Sum(), 12);
        for (int v = 0; v < dense.Length; v++)
        {
            Assert.Equal(dense[v], fast[v], 9);
        }
    }

    [Fact]
    public void Smoothing_is_close_to_a_smooth_truth()
    {
        Channel channel = Samples.ChannelOf(Samples.Grid("x", 32), 5);
        SquareWave wave = OrderedSample.Wave(channel);
        double[] truth = [.. Enumerable.Range(0, 32).Select(v => Math.Exp(-Math.Pow((v - 12) / 6.0, 2)))];
        double total = truth.Sum();
        truth = [.. truth.Select(t => t / total)];
        var law = new double[wave.Outputs];
        wave.OutputProbabilities(truth, law);
        double[] curve = SmoothedDistribution.Estimate(wave, [.. law.Select(p => (long)(p * 1e8))]);
        Assert.True(curve.Zip(truth, (a, b) => Math.Abs(a - b)).Sum() / 2 < 0.05);
    }

    // The same algorithm with matrices, as plainly as the paper writes it.
    private static double[] SlowSmoothing(double[][] law, long[] outputs)
    {
        int d = law.Length;
        double[] f = [.. Enumerable.Repeat(1.0 / d, d)];
        double last = double.NegativeInfinity;
        for (int iteration = 0; iteration < 10_000; iteration++)
        {
            double[] predicted = [.. Enumerable.Range(0, outputs.Length).Select(y => Enumerable.Range(0, d).Sum(v => f[v] * law[v][y]))];
            double likelihood = outputs.Select((c, y) => c * Math.Log(predicted[y])).Sum();
            if (likelihood - last < 1e-3)
            {
                break;
            }

            last = likelihood;
            double[] updated = [.. Enumerable.Range(0, d).Select(v => f[v] * outputs.Select((c, y) => c * law[v][y] / predicted[y]).Sum())];
            for (int v = 0; v < d; v++)
            {
                f[v] = v == 0 ? ((2 * updated[0]) + updated[1]) / 3
                    : v == d - 1 ? ((2 * updated[v]) + updated[v - 1]) / 3
                    : (updated[v - 1] + (2 * updated[v]) + updated[v + 1]) / 4;
            }

            double sum = f.Sum();
            f = [.. f.Select(x => x / sum)];
        }

        return f;
    }
}
