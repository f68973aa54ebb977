using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.Optimization;

namespace EmrMarket.Analytics.Estimation.Regression;

/// <summary>
/// The distribution of covariates and outcome of largest entropy that has given pairwise moments: the log-linear model with all
/// interactions of two attributes. In it the log-odds of the outcome are linear in the covariates, so its outcome-by-covariate parameters
/// are the coefficients of a logistic regression with main effects (Agresti 2013, section 9.5, ISBN 978-0-470-46363-5). Fitted by Newton's
/// method on the convex dual with a weak ridge, since noisy moments may belong to no distribution.
/// </summary>
internal sealed class PairwiseModel
{
    /// <summary>The most covariate combinations that are enumerated.</summary>
    public const int MaxStates = 1 << 17;

    /// <summary>The most moments that are matched.</summary>
    public const int MaxMoments = 400;

    private readonly List<(int I, int J)> _moments = [];
    private readonly double[][] _states;
    private readonly int _outcome;
    private readonly double _ridge;
    private Vector<double> _target = Vector<double>.Build.Dense(1);

    /// <summary>Lays the model out.</summary>
    /// <param name="design">The columns.</param>
    /// <param name="ridge">The weight of the squared parameters in the dual.</param>
    /// <exception cref="EstimationRefusedException">Too many combinations or moments.</exception>
    public PairwiseModel(RegressionDesign design, double ridge)
    {
        (_outcome, _ridge) = (design.Outcome, ridge);
        for (int i = 0; i < design.Columns.Count; i++)
        {
            for (int j = i; j < design.Columns.Count; j++)
            {
                if (PairMoments.Product(design, i, j) is ProductKind.Product or ProductKind.Square)
                {
                    _moments.Add((i, j));
                }
            }
        }

        double states = design.Sizes.Aggregate(1.0, (product, size) => product * size);
        if (states > MaxStates || _moments.Count > MaxMoments)
        {
            throw new EstimationRefusedException(
                $"The model has {states:0} combinations of covariates and {_moments.Count} pairwise moments, at most {MaxStates} and "
                + $"{MaxMoments} are fitted: leave out a covariate or declare coarser values.");
        }

        // Per combination the values of intercept and covariates.
        _states = new double[(int)states][];
        for (int s = 0; s < _states.Length; s++)
        {
            int[] cells = new int[design.Sizes.Length];
            for (int a = design.Sizes.Length - 1, rest = s; a >= 0; a--)
            {
                (rest, cells[a]) = Math.DivRem(rest, design.Sizes[a]);
            }

            _states[s] = [.. design.Columns.Take(_outcome).Select(term => term.Attribute < 0 ? 1 : term.Of(cells[term.Attribute - 1]))];
        }
    }

    /// <summary>The moments in order, as pairs of columns.</summary>
    public IReadOnlyList<(int I, int J)> Moments => _moments;

    /// <summary>The indices, among the moments, of outcome times intercept and covariates: the coefficients.</summary>
    public int[] Coefficients => [.. Enumerable.Range(0, _outcome).Select(i => _moments.IndexOf((i, _outcome)))];

    /// <summary>Fits the parameters.</summary>
    /// <param name="moments">The matrix of mean products.</param>
    /// <returns>The parameters and the Hessian of the dual at them.</returns>
    public (Vector<double> Parameters, Matrix<double> Hessian) Fit(Matrix<double> moments)
    {
        _target = Vector<double>.Build.DenseOfEnumerable(_moments.Select(m => moments[m.I, m.J]));
        var minimiser = new NewtonMinimizer(1e-9, 200, useLineSearch: true);
        Vector<double> start = Vector<double>.Build.Dense(_moments.Count);
        try
        {
            MinimizationResult result = minimiser.FindMinimum(ObjectiveFunction.GradientHessian(Dual), start);
            return (result.MinimizingPoint, Dual(result.MinimizingPoint).Hessian);
        }
        catch (OptimizationException e)
        {
            throw new EstimationRefusedException(
                "The logistic model has no stable fit to these moments: ask for higher grades, more records, or fewer covariates.", e);
        }
    }

    /// <summary>
    /// The logarithm of the total weight less parameters times moments, plus the ridge; its gradient is expected less wanted moments, its
    /// Hessian the covariance of the moments.
    /// </summary>
    private (double Value, Vector<double> Gradient, Matrix<double> Hessian) Dual(Vector<double> theta)
    {
        int size = _moments.Count;
        double[] parameters = theta.ToArray();
        var logWeights = new (double Without, double With)[_states.Length];
        Parallel.For(0, _states.Length, s => logWeights[s] = LogWeights(_states[s], parameters));
        double top = logWeights.Max(w => Math.Max(w.Without, w.With));
        var total = new Sums(size);
        // A fixed number of parts, merged in their order: equal moments give equal bits on every machine.
        const int Parts = 16;
        Sums[] parts = [.. Enumerable.Range(0, Parts).Select(_ => new Sums(size))];
        Parallel.For(0, Parts, part =>
        {
            Sums sums = parts[part];
            var active = new List<(int Moment, double Value, bool Outcome)>();
            for (int s = part; s < _states.Length; s += Parts)
            {
                double without = Math.Exp(logWeights[s].Without - top);
                double with = Math.Exp(logWeights[s].With - top);
                if (without + with > 0)
                {
                    Active(_states[s], active);
                    sums.Add(active, without, with);
                }
            }
        });
        foreach (Sums part in parts)
        {
            total.Merge(part);
        }

        Vector<double> mean = Vector<double>.Build.Dense(total.First) / total.Weight;
        Matrix<double> covariance = (Matrix<double>.Build.Dense(size, size, total.Second) / total.Weight) - mean.OuterProduct(mean);
        double value = top + Math.Log(total.Weight) - (theta * _target) + (_ridge / 2 * (theta * theta));
        return (value, mean - _target + (_ridge * theta), covariance + (_ridge * Matrix<double>.Build.DenseIdentity(size)));
    }

    private (double Without, double With) LogWeights(double[] state, double[] parameters)
    {
        double without = 0;
        double outcome = 0;
        for (int m = 0; m < _moments.Count; m++)
        {
            (int i, int j) = _moments[m];
            if (j == _outcome)
            {
                outcome += parameters[m] * state[i];
            }
            else
            {
                without += parameters[m] * state[i] * state[j];
            }
        }

        return (without, without + outcome);
    }

    private void Active(double[] state, List<(int Moment, double Value, bool Outcome)> active)
    {
        active.Clear();
        for (int m = 0; m < _moments.Count; m++)
        {
            (int i, int j) = _moments[m];
            double value = j == _outcome ? state[i] : state[i] * state[j];
            if (value != 0)
            {
                active.Add((m, value, j == _outcome));
            }
        }
    }

    /// <summary>Weighted sums of the moments and of their products over states.</summary>
    private sealed class Sums(int size)
    {
        public double Weight { get; private set; }

        public double[] First { get; } = new double[size];

        public double[] Second { get; } = new double[size * size];

        public void Add(List<(int Moment, double Value, bool Outcome)> active, double without, double with)
        {
            Weight += without + with;
            foreach ((int i, double x, bool outcomeI) in active)
            {
                First[i] += (outcomeI ? with : without + with) * x;
                foreach ((int j, double y, bool outcomeJ) in active)
                {
                    Second[(i * size) + j] += (outcomeI || outcomeJ ? with : without + with) * x * y;
                }
            }
        }

        public void Merge(Sums other)
        {
            Weight += other.Weight;
            System.Numerics.Tensors.TensorPrimitives.Add(First, other.First, First);
            System.Numerics.Tensors.TensorPrimitives.Add(Second, other.Second, Second);
        }
    }
}
