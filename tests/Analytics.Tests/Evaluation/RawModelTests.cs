using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Tests.Evaluation;

public sealed class RawModelTests
{
    [Fact]
    public void Linear_model_is_exact_where_the_outcome_is_a_function_of_the_covariates()
    {
        // age = 20 + 30 [male] + 2 (weight - 40) on the grids.
        ushort[] sex = [0, 0, 1, 1, 0, 1];
        ushort[] weight = [0, 1, 0, 1, 2, 2];
        ushort[] age = [.. sex.Zip(weight, (s, w) => (ushort)(2 + (3 * s) + w))];
        RecordTable table = Tables.Of(sex, new ushort[6], age, weight);

        IReadOnlyDictionary<string, double> fit = new RawModel(Tables.Schema, table, StatisticRequest.Linear("age", "sex", "weight")).Fit();

        Assert.Equal(30, fit["sex=male"], 9);
        Assert.Equal(2, fit["weight"], 9);
        Assert.Equal(20 - 80, fit["intercept"], 8);
    }

    [Fact]
    public void Logistic_model_of_one_yes_no_covariate_is_the_log_odds_ratio()
    {
        // Female: 1 of 4 ill; male: 6 of 8 ill. The saturated model's maximum is known in closed form.
        ushort[] sex = [.. Enumerable.Repeat((ushort)0, 4), .. Enumerable.Repeat((ushort)1, 8)];
        ushort[] ill = [1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0];
        RecordTable table = Tables.Of(sex, ill, new ushort[12]);

        IReadOnlyDictionary<string, double> fit = new RawModel(Tables.Schema, table, StatisticRequest.Logistic("ill", ["yes"], "sex"))
            .Fit();

        Assert.Equal(Math.Log(1.0 / 3), fit["intercept"], 9);
        Assert.Equal(Math.Log(6.0 / 2) - Math.Log(1.0 / 3), fit["sex=male"], 9);
    }

    [Fact]
    public void Logistic_model_meets_its_score_equations()
    {
        RecordTable table = Tables.Random(3000, 5);
        var model = new RawModel(Tables.Schema, table, StatisticRequest.Logistic("ill", ["yes"], "sex", "age"));
        IReadOnlyDictionary<string, double> fit = model.Fit();

        // At the maximum the residuals are orthogonal to every column of the model.
        double intercept = 0, male = 0, age = 0;
        for (int i = 0; i < table.Count; i++)
        {
            double residual = (model.Yes(i) ? 1 : 0) - (1 / (1 + Math.Exp(-model.Score(i, fit))));
            intercept += residual;
            male += residual * table.Columns[0].Codes[i];
            age += residual * 10 * table.Columns[2].Codes[i];
        }

        Assert.Equal(0, intercept, 6);
        Assert.Equal(0, male, 6);
        Assert.Equal(0, age, 4);
    }

    [Fact]
    public void Coefficients_that_the_records_cannot_tell_are_undefined()
    {
        // Nobody is male: that coefficient could be anything.
        RecordTable nobody = Tables.Of([0, 0, 0], [0, 1, 0], [1, 2, 3]);
        Assert.True(double.IsNaN(new RawModel(Tables.Schema, nobody, StatisticRequest.Linear("age", "sex")).Fit()["sex=male"]));

        // All males and no female is ill: the likelihood grows without end.
        RecordTable separated = Tables.Of([0, 0, 1, 1], [0, 0, 1, 1], [1, 2, 3, 4]);
        Assert.True(
            double.IsNaN(new RawModel(Tables.Schema, separated, StatisticRequest.Logistic("ill", ["yes"], "sex")).Fit()["sex=male"]));
    }

    [Fact]
    public void Area_under_the_curve_is_the_share_of_rightly_ordered_pairs()
    {
        RecordTable table = Tables.Random(400, 9);
        StatisticRequest request = StatisticRequest.Logistic("ill", ["yes"], "sex", "age");
        var model = new RawModel(Tables.Schema, table, request);
        var coefficients = new Dictionary<string, double>(StringComparer.Ordinal) { ["sex=male"] = 1, ["age"] = 0.05 };

        double pairs = 0, right = 0;
        for (int i = 0; i < table.Count; i++)
        {
            for (int j = 0; j < table.Count; j++)
            {
                if (model.Yes(i) && !model.Yes(j))
                {
                    double difference = Math.Round(model.Score(i, coefficients), 9) - Math.Round(model.Score(j, coefficients), 9);
                    pairs++;
                    right += difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
                }
            }
        }

        Assert.Equal(right / pairs, LogisticFromReports.Area(model, table.Count, coefficients), 12);
    }
}
