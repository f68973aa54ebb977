using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Regression;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Tests.Estimation;

public sealed class RegressionTests
{
    private static readonly AttributeDefinition Outcome = Samples.Categorical("outcome", 2, "grr");
    private static readonly AttributeDefinition Race = Samples.Categorical("race", 3, "grr");
    private static readonly AttributeDefinition Stay = Samples.Grid("stay", 6, min: 10, step: 2);
    private static readonly AttributeDefinition Cost = Samples.Grid("cost", 9, min: -1, step: 0.5m);

    [Fact]
    public void Linear_model_of_clear_values_is_least_squares_with_its_sandwich()
    {
        (int[] race, int[] stay, int[] cost, _) = Data(800, 1);
        ReportBatch batch = new([Clear(Cost, cost), Clear(Race, race), Clear(Stay, stay)]);
        StatisticResult result = StatisticEstimator.Estimate(StatisticRequest.Linear("cost", "race", "stay"), [batch]);
        var x = Matrix<double>.Build.Dense(
            800, 4, (i, j) => j switch { 0 => 1, 1 => race[i] == 1 ? 1 : 0, 2 => race[i] == 2 ? 1 : 0, _ => 10 + (2.0 * stay[i]) });
        var y = Vector<double>.Build.Dense(800, i => -1 + (0.5 * cost[i]));
        Vector<double> beta = x.QR().Solve(y);
        Vector<double> residual = y - (x * beta);
        Matrix<double> bread = (x.TransposeThisAndMultiply(x)).Inverse();
        Matrix<double> meat = x.TransposeThisAndMultiply(Scaled(x, residual.PointwiseMultiply(residual)));
        Matrix<double> sandwich = bread * meat * bread * 800 / 799;
        Assert.Equal(["intercept", "race=race1", "race=race2", "stay"], result.Cells.Select(c => c.Value));
        for (int j = 0; j < 4; j++)
        {
            Assert.Equal(beta[j], result.Cells[j].Estimate, 8);
            Assert.Equal(Math.Sqrt(sandwich[j, j]), result.Cells[j].StandardError, 8);
        }
    }

    [Fact]
    public void Logistic_model_of_clear_values_with_two_covariates_is_maximum_likelihood()
    {
        (int[] race, int[] stay, _, int[] outcome) = Data(3_000, 2);
        AttributeDefinition stayLabels = Samples.Categorical("stay", 6, "grr");
        ReportBatch batch = new([Clear(Outcome, outcome), Clear(Race, race), Clear(stayLabels, stay)]);
        StatisticResult result = StatisticEstimator.Estimate(StatisticRequest.Logistic("outcome", ["outcome1"], "race", "stay"), [batch]);
        var x = Matrix<double>.Build.Dense(3_000, 8, (i, j) => j == 0 ? 1 : j < 3 ? (race[i] == j ? 1 : 0) : stay[i] == j - 2 ? 1 : 0);
        var y = Vector<double>.Build.Dense(3_000, i => outcome[i]);
        Vector<double> beta = Vector<double>.Build.Dense(8);
        Matrix<double> information = x.TransposeThisAndMultiply(x);
        for (int iteration = 0; iteration < 30; iteration++)
        {
            Vector<double> p = (x * beta).Map(t => 1 / (1 + Math.Exp(-t)));
            information = x.TransposeThisAndMultiply(Scaled(x, p.PointwiseMultiply(1 - p)));
            beta += information.Solve(x.TransposeThisAndMultiply(y - p));
        }

        Matrix<double> inverse = information.Inverse();
        for (int j = 0; j < 8; j++)
        {
            // The weak prior is all that separates the two: it moves a coefficient by a small part of its error.
            Assert.InRange((result.Cells[j].Estimate - beta[j]) / Math.Sqrt(inverse[j, j]), -0.15, 0.15);
            Assert.InRange(result.Cells[j].StandardError / Math.Sqrt(inverse[j, j]), 0.95, 1.05);
        }
    }

    [Theory]
    [InlineData(StatisticKind.Linear)]
    [InlineData(StatisticKind.Logistic)]
    public void Models_from_reports_cover_those_from_clear_values(StatisticKind kind)
    {
        (int[] race, int[] stay, int[] cost, int[] outcome) = Data(120_000, 3);
        StatisticRequest request = kind == StatisticKind.Linear ? StatisticRequest.Linear("cost", "race", "stay")
            : StatisticRequest.Logistic("outcome", ["outcome1"], "race", "stay");
        ReportBatch clear = new([Clear(Cost, cost), Clear(Outcome, outcome), Clear(Race, race), Clear(Stay, stay)]);
        ReportBatch[] reports =
        [
            new([Samples.Drawn(Cost, 6, cost[..60_000], 1), Samples.Drawn(
                Outcome, 6, outcome[..60_000], 2), Samples.Drawn(Race, 6, race[..60_000], 3), Samples.Drawn(Stay, 6, stay[..60_000], 4)]),
            new([Samples.Drawn(Cost, 5, cost[60_000..], 1), Samples.Drawn(
                Outcome, 5, outcome[60_000..], 2), Samples.Drawn(Race, 5, race[60_000..], 3), Samples.Drawn(Stay, 5, stay[60_000..], 4)]),
        ];
        var options = EstimationOptions.Default with { Confidence = 1 - 1e-7 };
        StatisticResult truth = StatisticEstimator.Estimate(request, [clear], options);
        StatisticResult result = StatisticEstimator.Estimate(request, reports, options);
        for (int j = 0; j < truth.Cells.Count; j++)
        {
            Assert.InRange(truth.Cells[j].Estimate, result.Cells[j].Low, result.Cells[j].High);
            Assert.True(result.Cells[j].StandardError > truth.Cells[j].StandardError);
            Assert.True(result.Cells[j].StandardError < 60 * truth.Cells[j].StandardError);
        }

        Assert.Equal(InferenceTarget.Population, result.Target);
        Assert.Equal(kind == StatisticKind.Logistic, result.PostProcessing is not null);
        Assert.Equal(12_000_000, result.Epsilon.Micro);
    }

    [Fact]
    public void Repeating_every_record_within_its_person_leaves_the_errors_as_they_were()
    {
        (int[] race, int[] stay, int[] cost, _) = Data(2_000, 5);
        StatisticRequest request = StatisticRequest.Linear("cost", "race", "stay");
        ReportBatch once = new([Clear(Cost, cost), Clear(Race, race), Clear(Stay, stay)]);
        ReportBatch twice = new(
            [Clear(Cost, [.. cost, .. cost]), Clear(Race, [.. race, .. race]), Clear(Stay, [.. stay, .. stay])],
            [.. Enumerable.Range(0, 4_000).Select(i => i % 2_000)]);
        double[] Errors(ReportBatch batch) =>
            [.. StatisticEstimator.Estimate(request, [batch]).Cells.Select(c => Math.Round(c.StandardError, 9))];
        Assert.Equal(Errors(once), Errors(twice));
    }

    [Fact]
    public void Pair_moments_are_unbiased_over_every_outcome()
    {
        AttributeDefinition cost = Samples.Grid("cost", 2);
        double[][] costLaw = Samples.Law(Samples.ChannelOf(cost, 4));
        double[][] raceLaw = Samples.Law(Samples.ChannelOf(Race, 3));
        double[][] outcomeLaw = Samples.Law(Samples.ChannelOf(Outcome, 5));
        (int Cost, int Race, int Outcome)[] truth = [(1, 2, 1), (0, 1, 0)];
        RegressionDesign? design = null;
        var outcomes = Samples.Outcomes([.. truth.SelectMany(t => new[] { costLaw[t.Cost], raceLaw[t.Race], outcomeLaw[t.Outcome] })])
            .Select(o =>
        {
            int[] Column(int a) => [.. o.Outcome.Where((_, i) => i % 3 == a)];
            AttributeReports[] reports =
                [Samples.Coded(Outcome, 5, Column(2)), Samples.Coded(cost, 4, Column(0)), Samples.Coded(Race, 3, Column(1))];
            design ??= new RegressionDesign(StatisticRequest.Logistic("outcome", ["outcome1"], "cost", "race"), reports);
            var moments = new PairMoments(design);
            moments.Add(new ReportBatch(reports));
            return (moments.Sum, o.Probability);
        }).ToList();
        for (int i = 0; i < design!.Columns.Count; i++)
        {
            for (int j = 0; j < design.Columns.Count; j++)
            {
                double Value((int Cost, int Race, int Outcome) t, int column) => design.Columns[column].Of(
                    design.Columns[column].Attribute switch { 0 => t.Outcome, 1 => t.Cost, _ => t.Race });
                (double mean, _) = Samples.Moments(outcomes.Select(o => (o.Sum[i, j], o.Probability)));
                Assert.Equal(truth.Sum(t => Value(t, i) * Value(t, j)), mean, 8);
            }
        }
    }

    [Fact]
    public void Models_that_would_be_noise_are_refused_with_the_number_that_would_do()
    {
        (int[] race, int[] stay, int[] cost, int[] outcome) = Data(500, 6);
        ReportBatch batch = new([Samples.Drawn(
            Cost, 1, cost, 1), Samples.Drawn(Outcome, 1, outcome, 2), Samples.Drawn(Race, 1, race, 3), Samples.Drawn(Stay, 1, stay, 4)]);
        Assert.Contains("at least 200", Refusal(StatisticRequest.Linear("cost", "race")), StringComparison.Ordinal);
        Assert.Contains("logistic:outcome", Refusal(StatisticRequest.Linear("outcome", "race")), StringComparison.Ordinal);
        Assert.Contains("outcome0, outcome1", Refusal(StatisticRequest.Logistic("outcome", ["yes"], "race")), StringComparison.Ordinal);

        string Refusal(StatisticRequest request) =>
            Assert.Throws<EstimationRefusedException>(() => StatisticEstimator.Estimate(request, [batch])).Message;
    }

    private static Matrix<double> Scaled(Matrix<double> rows, Vector<double> weights) =>
        Matrix<double>.Build.Dense(rows.RowCount, rows.ColumnCount, (i, j) => rows[i, j] * weights[i]);

    private static AttributeReports Clear(AttributeDefinition attribute, int[] values) =>
        Samples.Drawn(attribute with { Mechanism = null, Tier = Tier.Public }, 0, values, 0);

    private static (int[] Race, int[] Stay, int[] Cost, int[] Outcome) Data(int n, int seed)
    {
        var random = new Random(seed);
        int[] race = [.. Enumerable.Range(0, n).Select(_ => random.Next(3))];
        int[] stay = [.. race.Select(r => Math.Clamp(random.Next(4) + r, 0, 5))];
        int[] cost = [.. stay.Select((s, i) => Math.Clamp(s + (race[i] == 1 ? 2 : 0) + random.Next(3) - 1, 0, 8))];
        int[] outcome =
            [.. stay.Select((s, i) => random.NextDouble() < 1 / (1 + Math.Exp(1.5 - (0.5 * s) - (race[i] == 2 ? 0.8 : 0))) ? 1 : 0)];
        return (race, stay, cost, outcome);
    }
}
