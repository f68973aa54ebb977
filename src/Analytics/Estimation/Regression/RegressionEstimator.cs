using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation.Regression;

/// <summary>Linear and logistic regression from debiased pairwise moments, with sandwich errors clustered by person (docs/ESTIMATORS.md, "Regression").</summary>
public static class RegressionEstimator
{
    /// <summary>The standard deviation of the normal prior on log-odds that the ridge amounts to: weak, it only keeps noisy moments from having no fit.</summary>
    private const double PriorDeviation = 5;

    /// <summary>Fits the model.</summary>
    /// <param name="request">Linear or logistic.</param>
    /// <param name="batches">The reports; enumerated twice.</param>
    /// <param name="options">How; the intervals are always those of the population.</param>
    /// <exception cref="EstimationRefusedException">The reports are too few or too noisy for the moments that the model needs.</exception>
    public static StatisticResult Estimate(StatisticRequest request, IEnumerable<ReportBatch> batches, EstimationOptions options)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(batches);
        ArgumentNullException.ThrowIfNull(options);
        RegressionDesign? design = null;
        PairMoments? moments = null;
        var grades = new Dictionary<(string Attribute, int Grade), (AttributeReports Reports, long Records)>();
        EpsilonMicro epsilon = EpsilonMicro.Zero;
        foreach (ReportBatch batch in batches)
        {
            AttributeReports[] reports = [.. request.Attributes.Select(name => batch[name])];
            design ??= new RegressionDesign(request, reports);
            moments ??= new PairMoments(design);
            moments.Add(batch);
            EpsilonMicro loss = reports.Aggregate(EpsilonMicro.Zero, (sum, r) => sum + r.Channel.Epsilon);
            epsilon = loss > epsilon ? loss : epsilon;
            foreach (AttributeReports one in reports)
            {
                (string, int) key = (one.Attribute.Name, one.Grade);
                grades[key] = (one, grades.GetValueOrDefault(key).Records + batch.Count);
            }
        }

        if (design is null || moments is null || moments.Records == 0)
        {
            throw new EstimationRefusedException($"There are no reports for '{request.Id}': widen the grades or the records asked for.");
        }

        (string Name, double Quality)[] qualities =
        [
            .. grades.Values.GroupBy(g => g.Reports.Attribute.Name, StringComparer.Ordinal).Select(g => (
                g.Key, EffectiveRecords.Of(g.Select(x => (x.Records, x.Records, RegressionDesign.QualityOf(x.Reports)))) / moments.Records)),
        ];
        RegressionDesign.CheckOrder(qualities, moments.Records);
        double effective = moments.Records * qualities.OrderBy(q => q.Quality).Take(2).Aggregate(1.0, (product, q) => product * q.Quality);
        (Vector<double> coefficients, Matrix<double> covariance) = request.Kind == StatisticKind.Linear
            ? Linear(design, moments, batches)
            : Logistic(design, moments, batches, effective);
        return new StatisticResult
        {
            Id = request.Id,
            Kind = request.Kind,
            Attributes = [.. request.Attributes],
            Estimator = request.Kind == StatisticKind.Linear
                ? "least squares on debiased pairwise moments, sandwich errors"
                : "largest entropy with debiased pairwise moments, sandwich errors",
            N = moments.Records,
            EffectiveRecords = effective,
            Cells = Cells(design, coefficients, covariance, options),
            Confidence = options.Confidence,
            Target = InferenceTarget.Population,
            ReportsByGrade = [.. grades.Select(g => new GradeCount(g.Key.Attribute, g.Key.Grade, g.Value.Reports.Channel.Epsilon.Micro, g.Value.Records))],
            Epsilon = epsilon,
            PostProcessing = request.Kind == StatisticKind.Logistic
                ? FormattableString.Invariant($"a normal prior of standard deviation {PriorDeviation} on log-odds per {effective:0} effective records") : null,
            Warnings = [.. Warnings(request)],
        };
    }

    private static IEnumerable<string> Warnings(StatisticRequest request)
    {
        yield return "Describes the people who allow this use at these grades, not those who do not.";
        yield return "Errors are those of a population; on these records alone they are conservative.";
        if (request.Kind == StatisticKind.Logistic)
        {
            yield return "Assumes that covariates interact in pairs only (with two covariates it assumes nothing); the reference level is each attribute's first label.";
        }
    }

    private static (Vector<double> Coefficients, Matrix<double> Covariance) Linear(RegressionDesign design, PairMoments moments, IEnumerable<ReportBatch> batches)
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
                "The covariates' estimated moments are those of no data (their matrix is not positive definite): ask for higher grades, more records, or fewer covariates.", e);
        }

        Vector<double> coefficients = cholesky.Solve(mean.Column(p, 0, p));
        Matrix<double> inverse = cholesky.Solve(Matrix<double>.Build.DenseIdentity(p));

        // Per record: estimate of x (y - x'b), products within an attribute replaced by their own estimates.
        Matrix<double> meat = Meat(design, batches, p, (values, squares, record, influence) =>
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
        return (coefficients, inverse * meat * inverse);
    }

    private static (Vector<double> Coefficients, Matrix<double> Covariance) Logistic(
        RegressionDesign design, PairMoments moments, IEnumerable<ReportBatch> batches, double effective)
    {
        var model = new PairwiseModel(design, 1 / (PriorDeviation * PriorDeviation * effective));
        Matrix<double> mean = moments.Sum / moments.Records;
        (Vector<double> parameters, Matrix<double> hessian) = model.Fit(mean);
        int[] rows = model.Coefficients;
        Matrix<double> inverse = hessian.Cholesky().Solve(Matrix<double>.Build.DenseIdentity(hessian.RowCount));
        double[][] gain = [.. rows.Select(r => inverse.Row(r).ToArray())];
        (int I, int J)[] pairs = [.. model.Moments];
        double[] target = [.. pairs.Select(m => mean[m.I, m.J])];

        // The fit solves "expected moments - mean moments + ridge = 0": its derivative is the Hessian, its noise that of the records' own moments.
        Matrix<double> meat = Meat(design, batches, rows.Length, (values, squares, record, influence) =>
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
        return (Vector<double>.Build.DenseOfEnumerable(rows.Select(r => parameters[r])), meat);
    }

    private delegate void Influence(double[][] values, double[]?[] squares, int record, Span<double> influence);

    /// <summary>(1/n^2) times the sum over persons of the outer product of the person's sum of influences, with the factor persons / (persons - 1).</summary>
    private static Matrix<double> Meat(RegressionDesign design, IEnumerable<ReportBatch> batches, int size, Influence influence)
    {
        double[] sum = new double[size * size];
        long records = 0;
        long persons = 0;
        foreach (ReportBatch batch in batches)
        {
            (double[][] values, double[]?[] squares) = design.Estimate(batch);
            records += batch.Count;
            persons += batch.Persons.Persons;
            bool[] clustered = new bool[batch.Count];
            for (int person = 0; person < batch.Persons.Repeated; person++)
            {
                foreach (int record in batch.Persons[person])
                {
                    clustered[record] = true;
                }
            }

            // Work in blocks; persons with several records are one unit each.
            const int Block = 4096;
            int blocks = (batch.Count + Block - 1) / Block;
            var parts = new double[blocks + 1][];
            Parallel.For(0, blocks + 1, block =>
            {
                double[] local = parts[block] = new double[size * size];
                Span<double> one = new double[size];
                if (block < blocks)
                {
                    for (int record = block * Block; record < Math.Min(batch.Count, (block + 1) * Block); record++)
                    {
                        if (!clustered[record])
                        {
                            influence(values, squares, record, one);
                            AddOuter(local, one);
                        }
                    }

                    return;
                }

                Span<double> whole = new double[size];
                for (int person = 0; person < batch.Persons.Repeated; person++)
                {
                    whole.Clear();
                    foreach (int record in batch.Persons[person])
                    {
                        influence(values, squares, record, one);
                        System.Numerics.Tensors.TensorPrimitives.Add<double>(whole, one, whole);
                    }

                    AddOuter(local, whole);
                }

            });
            // In the order of the blocks, so that equal reports give equal bits whatever the number of threads.
            foreach (double[] part in parts)
            {
                System.Numerics.Tensors.TensorPrimitives.Add(sum, part, sum);
            }
        }

        double scale = persons < 2 ? double.PositiveInfinity : (double)persons / (persons - 1) / ((double)records * records);
        return Matrix<double>.Build.Dense(size, size, sum) * scale;
    }

    private static void AddOuter(double[] sum, ReadOnlySpan<double> vector)
    {
        for (int i = 0; i < vector.Length; i++)
        {
            for (int j = 0; j < vector.Length; j++)
            {
                sum[(i * vector.Length) + j] += vector[i] * vector[j];
            }
        }
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
    private static StatisticCell[] Cells(RegressionDesign design, Vector<double> coefficients, Matrix<double> covariance, EstimationOptions options)
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
}
