using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Quality;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation.Regression;

/// <summary>
/// Linear and logistic regression from debiased pairwise moments, with sandwich errors clustered by person (docs/ESTIMATORS.md,
/// "Regression").
/// </summary>
internal sealed class RegressionEstimator(StatisticRequest request, EstimationOptions options) : IAccumulation
{
    /// <summary>
    /// The standard deviation of the normal prior on log-odds that the ridge amounts to: weak, it only keeps noisy moments from having no
    /// fit.
    /// </summary>
    private const double PriorDeviation = 5;

    private readonly Dictionary<(string Attribute, int Grade), (AttributeReports Reports, long Records)> _grades = [];
    private RegressionDesign? _design;
    private PairMoments? _moments;
    private EpsilonMicro _epsilon = EpsilonMicro.Zero;
    private double _effective;
    private Fit? _fit;

    /// <inheritdoc/>
    /// <remarks>
    /// The first pass sums the moments that the model is fitted to; the second, given the fit, what each person adds to its error.
    /// </remarks>
    public void Add(ReportBatch batch)
    {
        if (_fit is { } fit)
        {
            fit.Meat.Add(batch);
            return;
        }

        AttributeReports[] reports = [.. request.Attributes.Select(name => batch[name])];
        _design ??= new RegressionDesign(request, reports);
        _moments ??= new PairMoments(_design);
        _moments.Add(batch);
        EpsilonMicro loss = reports.Aggregate(EpsilonMicro.Zero, (sum, r) => sum + r.Channel.Epsilon);
        _epsilon = loss > _epsilon ? loss : _epsilon;
        foreach (AttributeReports one in reports)
        {
            (string, int) key = (one.Attribute.Name, one.Grade);
            _grades[key] = (one, _grades.GetValueOrDefault(key).Records + batch.Count);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="EstimationRefusedException">The reports are too few or too noisy for the moments that the model needs.</exception>
    public bool EndPass()
    {
        if (_fit is not null)
        {
            return false;
        }

        if (_design is not { } design || _moments is not { Records: > 0 } moments)
        {
            throw new EstimationRefusedException($"There are no reports for '{request.Id}': widen the grades or the records asked for.");
        }

        (string Name, double Quality)[] qualities =
        [
            .. _grades.Values.GroupBy(g => g.Reports.Attribute.Name, StringComparer.Ordinal).Select(g => (
                g.Key,
                EffectiveRecords.Of(g.Select(x => (x.Records, x.Records, RegressionDesign.QualityOf(x.Reports)))) / moments.Records)),
        ];
        RegressionDesign.CheckOrder(qualities, moments.Records);
        _effective = moments.Records * qualities.OrderBy(q => q.Quality).Take(2).Aggregate(1.0, (product, q) => product * q.Quality);
        _fit = request.Kind == StatisticKind.Linear ? Linear(design, moments) : Logistic(design, moments, _effective);
        return true;
    }

    /// <inheritdoc/>
    /// <remarks>The intervals are always those of the population.</remarks>
    public StatisticResult Result()
    {
        Fit fit = _fit ?? throw new InvalidOperationException("A regression has a result after two passes over its reports.");
        Matrix<double> covariance = fit.Bread is { } bread ? bread * fit.Meat.Matrix * bread : fit.Meat.Matrix;
        return new StatisticResult
        {
            Id = request.Id,
            Kind = request.Kind,
            Attributes = [.. request.Attributes],
            Estimator = request.Kind == StatisticKind.Linear
                ? "least squares on debiased pairwise moments, sandwich errors"
                : "largest entropy with debiased pairwise moments, sandwich errors",
            N = _moments!.Records,
            EffectiveRecords = _effective,
            Cells = Cells(_design!, fit.Coefficients, covariance, options),
            Confidence = options.Confidence,
            Target = InferenceTarget.Population,
            ReportsByGrade = [.. _grades.Select(
                g => new GradeCount(g.Key.Attribute, g.Key.Grade, g.Value.Reports.Channel.Epsilon.Micro, g.Value.Records))],
            Epsilon = _epsilon,
            PostProcessing = request.Kind == StatisticKind.Logistic
                ? FormattableString.Invariant(
                    $"a normal prior of standard deviation {PriorDeviation} on log-odds per {_effective:0} effective records") : null,
            Warnings = [.. Warnings(request)],
        };
    }

    private static IEnumerable<string> Warnings(StatisticRequest request)
    {
        yield return "Describes the people who allow this use at these grades, not those who do not.";
        yield return "Errors are those of a population; on these records alone they are conservative.";
        if (request.Kind == StatisticKind.Logistic)
        {
            yield return "Assumes that covariates interact in pairs only (with two covariates it assumes nothing); the reference level is "
                + "each attribute's first label.";
        }
    }

    private static Fit Linear(RegressionDesign design, PairMoments moments)
    {
        int p = design.Outcome;
        Matrix<double> mean = moments.Sum / moments.Records;
        Matrix<double> gram = mean.SubMatrix(0, p, 0, p);
        MathNet.Numerics.LinearAlgebra.Factorization.Cholesky<double> cholesky;
        try
        {
            cholesky = gram.Cholesky();
        }
        catch (ArgumentException e)
        {
            throw new EstimationRefusedException(
                "The covariates' estimated moments are those of no data (their matrix is not positive definite): ask for higher grades, "
                + "more records, or fewer covariates.", e);
        }

        Vector<double> coefficients = cholesky.Solve(mean.Column(p, 0, p));
        Matrix<double> inverse = cholesky.Solve(Matrix<double>.Build.DenseIdentity(p));

        // Per record: estimate of x (y - x'b), products within an attribute replaced by their own estimates.
        var meat = new SandwichMeat(design, p, (values, squares, record, influence) =>
        {
            double fitted = 0;
            for (int k = 0; k < p; k++)
            {
                fitted += values[k][record] * coefficients[k];
            }

            for (int j = 0; j < p; j++)
            {
                double x = values[j][record];
                double product = x * (values[p][record] - fitted);
                for (int k = 0; k < p; k++)
                {
                    if (design.Columns[k].Attribute == design.Columns[j].Attribute)
                    {
                        product += coefficients[k] * ((x * values[k][record]) - Own(design, j, k, values, squares, record));
                    }
                }

                influence[j] = product;
            }
        });
        return new Fit(coefficients, inverse, meat);
    }

    private static Fit Logistic(RegressionDesign design, PairMoments moments, double effective)
    {
        var model = new PairwiseModel(design, 1 / (PriorDeviation * PriorDeviation * effective));
        Matrix<double> mean = moments.Sum / moments.Records;
        (Vector<double> parameters, Matrix<double> hessian) = model.Fit(mean);
        int[] rows = model.Coefficients;
        Matrix<double> inverse = hessian.Cholesky().Solve(Matrix<double>.Build.DenseIdentity(hessian.RowCount));
        double[][] gain = [.. rows.Select(r => inverse.Row(r).ToArray())];
        (int I, int J)[] pairs = [.. model.Moments];
        double[] target = [.. pairs.Select(m => mean[m.I, m.J])];

        // The fit solves "expected moments - mean moments + ridge = 0": its derivative is the Hessian, its noise that of the records' own
        // moments.
        var meat = new SandwichMeat(design, rows.Length, (values, squares, record, influence) =>
        {
            influence.Clear();
            for (int m = 0; m < pairs.Length; m++)
            {
                (int i, int j) = pairs[m];
                double deviation = (i == j ? squares[i]![record] : values[i][record] * values[j][record]) - target[m];
                for (int row = 0; row < gain.Length; row++)
                {
                    influence[row] += gain[row][m] * deviation;
                }
            }
        });
        return new Fit(Vector<double>.Build.DenseOfEnumerable(rows.Select(r => parameters[r])), null, meat);
    }

    private static double Own(RegressionDesign design, int j, int k, double[][] values, double[]?[] squares, int record) =>
        PairMoments.Product(design, j, k) switch
        {
            ProductKind.Itself => values[j][record],
            ProductKind.Square => squares[j]![record],
            ProductKind.Zero => 0,
            _ => values[j][record] * values[k][record],
        };

    /// <summary>From scaled columns back to the attributes' units, intercept included.</summary>
    private static StatisticCell[] Cells(
        RegressionDesign design, Vector<double> coefficients, Matrix<double> covariance, EstimationOptions options)
    {
        int p = design.Outcome;
        Matrix<double> transform = Matrix<double>.Build.DenseIdentity(p);
        for (int j = 1; j < p; j++)
        {
            RegressionTerm term = design.Columns[j];
            if (term.IsNumber)
            {
                // x = (cell - centre) / scale and value = origin + step * cell.
                (double origin, double step) = design.Unit(term.Attribute);
                transform[j, j] = 1 / (term.Scale * step);
                transform[0, j] = -((origin / step) + term.Centre) / term.Scale;
            }
        }

        Vector<double> estimates = transform * coefficients;
        RegressionTerm outcome = design.Columns[p];
        if (outcome.IsNumber)
        {
            (double origin, double step) = design.Unit(outcome.Attribute);
            double scale = outcome.Scale * step;
            estimates *= scale;
            estimates[0] += origin + (step * outcome.Centre);
            transform *= scale;
        }

        Matrix<double> errors = transform * covariance * transform.Transpose();
        double quantile = Intervals.NormalQuantile(Intervals.PerCell(options, p));
        return
        [
            .. Enumerable.Range(0, p).Select(j =>
            {
                double error = Math.Sqrt(Math.Max(0, errors[j, j]));
                return new StatisticCell
                {
                    Value = design.Columns[j].Name,
                    Estimate = estimates[j],
                    StandardError = error,
                    Low = estimates[j] - (quantile * error),
                    High = estimates[j] + (quantile * error),
                    IntervalKind = IntervalKind.Normal,
                };
            }),
        ];
    }

    /// <summary>A fitted model and what its errors are summed from.</summary>
    /// <param name="Coefficients">In scaled columns.</param>
    /// <param name="Bread">What stands on both sides of the meat; null for the identity.</param>
    /// <param name="Meat">The sum over persons.</param>
    private sealed record Fit(Vector<double> Coefficients, Matrix<double>? Bread, SandwichMeat Meat);
}
