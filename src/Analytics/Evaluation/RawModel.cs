using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>
/// The model that raw records give: least squares, or logistic regression by maximum likelihood (Newton's method; McCullagh and Nelder
/// 1989, doi:10.1007/978-1-4899-3242-6, section 4.4). Terms are those of the estimators: an intercept, numbers in their unit, an indicator
/// per label but the first.
/// </summary>
internal sealed class RawModel
{
    private const int MostIterations = 60;
    private const double FarLogOdds = 15;

    private readonly StatisticRequest _request;
    private readonly List<Term> _terms = [new("intercept", null, -1)];
    private readonly RecordColumn _outcome;
    private readonly bool[] _yes;

    /// <summary>Lays out the terms of a model on records.</summary>
    public RawModel(Schema schema, RecordTable records, StatisticRequest request)
    {
        _request = request;
        RecordColumn Column(string name) => records.Columns[schema.IndexOf(name)];
        _outcome = Column(request.Attributes[0]);
        AttributeDomain domain = _outcome.Attribute.Domain;
        _yes = [.. Enumerable.Range(0, domain.Size).Select(c => request.OutcomeLabels.Contains(domain.Label(c), StringComparer.Ordinal))];
        foreach (string name in request.Attributes.Skip(1))
        {
            RecordColumn column = Column(name);
            if (column.Attribute.Domain is GridDomain)
            {
                _terms.Add(new Term(name, column, -1));
            }
            else
            {
                _terms.AddRange(Enumerable.Range(1, column.Attribute.Domain.Size - 1)
                    .Select(c => new Term($"{name}={column.Attribute.Domain.Label(c)}", column, c)));
            }
        }
    }

    /// <summary>Whether a record's outcome counts as yes.</summary>
    public bool Yes(int record) => _yes[_outcome.Codes[record]];

    /// <summary>
    /// The coefficients by term; NaN for a term that these records cannot tell from others (a label that nobody has, or a perfect
    /// separation).
    /// </summary>
    public IReadOnlyDictionary<string, double> Fit()
    {
        (double[] X, double Count, double Sum)[] patterns = Patterns();
        int[] told = [.. Enumerable.Range(0, _terms.Count).Where(t => t == 0 || patterns.Any(p => p.X[t] != patterns[0].X[t]))];
        Vector<double> coefficients = _request.Kind == StatisticKind.Linear ? LeastSquares(patterns, told) : Newton(patterns, told);
        var fitted = _terms.ToDictionary(t => t.Name, _ => double.NaN, StringComparer.Ordinal);
        for (int i = 0; i < told.Length; i++)
        {
            bool separated = _request.Kind == StatisticKind.Logistic && Math.Abs(coefficients[i]) > FarLogOdds;
            fitted[_terms[told[i]].Name] = separated ? double.NaN : coefficients[i];
        }

        return fitted;
    }

    /// <summary>The linear predictor of a record under coefficients by term; absent and undefined terms count nothing.</summary>
    public double Score(int record, IReadOnlyDictionary<string, double> coefficients)
    {
        double score = 0;
        foreach (Term term in _terms)
        {
            if (coefficients.TryGetValue(term.Name, out double coefficient) && double.IsFinite(coefficient))
            {
                score += coefficient * term.Of(record);
            }
        }

        return score;
    }

    /// <summary>Records with equal covariates count together: 200,000 records of a few labels are a few hundred patterns.</summary>
    private (double[] X, double Count, double Sum)[] Patterns()
    {
        RecordColumn[] columns = [.. _terms.Select(t => t.Column).OfType<RecordColumn>().Distinct()];
        var patterns = new Dictionary<UInt128, (double[] X, double Count, double Sum)>();
        bool alike = columns.All(c => c.Fractions is null);
        for (int i = 0; i < _outcome.Codes.Length; i++)
        {
            UInt128 key = (UInt128)i;
            if (alike)
            {
                key = UInt128.Zero;
                foreach (RecordColumn column in columns)
                {
                    key = (key * (UInt128)(column.Attribute.Domain.Size + 1)) + column.Codes[i];
                }
            }

            double y = _request.Kind == StatisticKind.Linear ? Number(_outcome, i) : Yes(i) ? 1 : 0;
            if (!patterns.TryGetValue(key, out (double[] X, double Count, double Sum) pattern))
            {
                int record = i;
                pattern = ([.. _terms.Select(t => t.Of(record))], 0, 0);
            }

            patterns[key] = (pattern.X, pattern.Count + 1, pattern.Sum + y);
        }

        return [.. patterns.Values];
    }

    private static Vector<double> LeastSquares((double[] X, double Count, double Sum)[] patterns, int[] told)
    {
        Matrix<double> gram = Matrix<double>.Build.Dense(told.Length, told.Length);
        Vector<double> right = Vector<double>.Build.Dense(told.Length);
        foreach ((double[] x, double count, double sum) in patterns)
        {
            for (int a = 0; a < told.Length; a++)
            {
                right[a] += x[told[a]] * sum;
                for (int b = 0; b < told.Length; b++)
                {
                    gram[a, b] += x[told[a]] * x[told[b]] * count;
                }
            }
        }

        return gram.Cholesky().Solve(right);
    }

    private static Vector<double> Newton((double[] X, double Count, double Sum)[] patterns, int[] told)
    {
        Vector<double> coefficients = Vector<double>.Build.Dense(told.Length);
        for (int iteration = 0; iteration < MostIterations; iteration++)
        {
            Matrix<double> information = Matrix<double>.Build.Dense(told.Length, told.Length);
            Vector<double> score = Vector<double>.Build.Dense(told.Length);
            foreach ((double[] x, double count, double sum) in patterns)
            {
                double predictor = 0;
                for (int a = 0; a < told.Length; a++)
                {
                    predictor += coefficients[a] * x[told[a]];
                }

                double probability = 1 / (1 + Math.Exp(-predictor));
                double weight = Math.Max(count * probability * (1 - probability), 1e-12 * count);
                for (int a = 0; a < told.Length; a++)
                {
                    score[a] += x[told[a]] * (sum - (count * probability));
                    for (int b = 0; b < told.Length; b++)
                    {
                        information[a, b] += x[told[a]] * x[told[b]] * weight;
                    }
                }
            }

            Vector<double> step = information.Cholesky().Solve(score);
            // A perfect separation has no maximum: its coefficient walks off and is reported as undefined.
            if (step.AbsoluteMaximum() < 1e-10 || coefficients.AbsoluteMaximum() > 2 * FarLogOdds)
            {
                break;
            }

            coefficients += step;
        }

        return coefficients;
    }

    private static double Number(RecordColumn column, int record) =>
        ((GridDomain)column.Attribute.Domain)
            .ValueOf(column.Codes[record] + (column.Fractions is null ? 0 : column.Fractions[record] / 4294967296.0));

    private sealed record Term(string Name, RecordColumn? Column, int Code)
    {
        public double Of(int record) => Column is null ? 1 : Code < 0 ? Number(Column, record) : Column.Codes[record] == Code ? 1 : 0;
    }
}
