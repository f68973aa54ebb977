using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Mechanisms.Grr;
using EmrMarket.Analytics.Mechanisms.Olh;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation.Tables;

/// <summary>Whether two attributes are independent, and how strongly they are associated (docs/ESTIMATORS.md, "Tables").</summary>
internal sealed class Association
{
    private readonly IReadOnlyList<JointStratum> _strata;
    private readonly int _rows;
    private readonly int _columns;
    private readonly double[,] _share;
    private readonly double[] _row;
    private readonly double[] _column;
    private readonly long _records;
    private readonly InferenceTarget _target;

    /// <summary>Takes a table of two attributes.</summary>
    public Association(IReadOnlyList<JointStratum> strata, InferenceTarget target)
    {
        (_strata, _target) = (strata, target);
        (_rows, _columns) = (strata[0].Tally.Channels[0].DomainSize, strata[0].Tally.Channels[1].DomainSize);
        (_share, _row, _column) = (new double[_rows, _columns], new double[_rows], new double[_columns]);
        _records = strata.Sum(s => s.Tally.Records);
        foreach (JointStratum stratum in strata)
        {
            double weight = (double)stratum.Tally.Records / _records;
            for (int cell = 0; cell < _rows * _columns; cell++)
            {
                (int v, int w) = (cell / _columns, cell % _columns);
                _share[v, w] += weight * stratum.Share(cell, 3);
                _row[v] += w == 0 ? weight * stratum.Share(cell, 1) : 0;
                _column[w] += v == 0 ? weight * stratum.Share(cell, 2) : 0;
            }
        }
    }

    /// <summary>
    /// True when the joint law of two supports of one report is known. It is not for a hash, whose values are only pairwise independent:
    /// three in arithmetic progression meet more often than chance, so ratios and tests on such an attribute are not offered.
    /// </summary>
    public static bool IsKnown(IEnumerable<JointStratum> strata) => strata.All(s => s.Tally.Channels.All(c => c is not OlhChannel));

    /// <summary>The value of the second attribute that rates are compared with: the most frequent.</summary>
    public int ReferenceColumn => Array.IndexOf(_column, _column.Max());

    /// <summary>The value of the first attribute that odds are compared with: the most frequent.</summary>
    public int ReferenceRow => Array.IndexOf(_row, _row.Max());

    /// <summary>
    /// The tests of independence in the population, one per tuple of grades. GRR on both sides perturbs a table of independent attributes
    /// into one of independent reports, so Pearson's test of the reports is exact in level; otherwise the Wald statistic n tr(A^-1 T B^-1
    /// T'), with T the estimated joint shares less the products of their margins and A, B the covariance matrices of one report's
    /// estimates.
    /// </summary>
    public IEnumerable<TestOutcome> IndependenceTests()
    {
        if (_rows < 2 || _columns < 2)
        {
            yield break;
        }

        int degrees = (_rows - 1) * (_columns - 1);
        foreach (JointStratum stratum in _strata.Where(s => s.Tally.Records > 1))
        {
            bool pearson = stratum.Tally.Channels.All(c => c is GrrChannel or PublicChannel);
            double statistic = pearson ? Pearson(stratum.Tally) : Wald(stratum);

            // Records of one person are not independent: the statistic is divided by the largest design effect that clustering can have.
            statistic /= (double)stratum.Tally.SumSquaredSizes / stratum.Tally.Records;
            string grades = _strata.Count == 1 ? "" : FormattableString.Invariant(
                $", at epsilon {stratum.Tally.Channels[0].Epsilon} and {stratum.Tally.Channels[1].Epsilon}");
            yield return new TestOutcome(
                $"independence ({(pearson ? "Pearson on the reports" : "Wald on the estimates")}{grades})", statistic, degrees,
                1 - ChiSquared.CDF(degrees, statistic));
        }
    }

    /// <summary>P(row | column) / P(row | reference column), or null when not estimable.</summary>
    public (double Estimate, double Low, double High)? RiskRatio(int row, int column, double confidence)
    {
        int reference = ReferenceColumn;
        return Ratio(
            new Linear(_share[row, column] * _column[reference]).Add(row, column, _column[reference])
                .AddColumn(reference, _share[row, column]),
            new Linear(_share[row, reference] * _column[column]).Add(row, reference, _column[column])
                .AddColumn(column, _share[row, reference]),
            confidence);
    }

    /// <summary>The odds of a row against the reference row, in a column against the reference column; null when not estimable.</summary>
    public (double Estimate, double Low, double High)? OddsRatio(int row, int column, double confidence)
    {
        (int r, int c) = (ReferenceRow, ReferenceColumn);
        return Ratio(
            new Linear(_share[row, column] * _share[r, c]).Add(row, column, _share[r, c]).Add(r, c, _share[row, column]),
            new Linear(_share[row, c] * _share[r, column]).Add(row, c, _share[r, column]).Add(r, column, _share[row, c]),
            confidence);
    }

    internal double Wald(JointStratum stratum)
    {
        int[][] kept = [.. new[] { _rows, _columns }.Select(size => Enumerable.Range(0, size - 1).ToArray())];
        double[][] margins =
        [
            [.. Enumerable.Range(0, _rows).Select(v => stratum.Share(v * _columns, 1))],
            [.. Enumerable.Range(0, _columns).Select(w => stratum.Share(w, 2))],
        ];
        Matrix<double> difference = Matrix<double>.Build.Dense(
            _rows - 1, _columns - 1, (v, w) => stratum.Share((v * _columns) + w, 3) - (margins[0][v] * margins[1][w]));
        Matrix<double>[] covariance =
        [
            .. stratum.Tally.Channels.Select((channel, a) => new PairLaw(channel).Covariance(NormSub.Project(margins[a]), kept[a])),
        ];
        Matrix<double> left = covariance[0].PseudoInverse() * difference;
        Matrix<double> right = covariance[1].PseudoInverse() * difference.Transpose();
        return Math.Max(0, stratum.Tally.Records * (left * right).Trace());
    }

    internal static double Pearson(JointTally tally)
    {
        double n = tally.Records;
        double statistic = 0;
        for (int cell = 0; cell < tally.Cells; cell++)
        {
            double expected = tally.Joint(cell, 1) * (double)tally.Joint(cell, 2) / n;
            double observed = tally.Joint(cell, 3);
            statistic += expected > 0 ? (observed - expected) * (observed - expected) / expected : 0;
        }

        return statistic;
    }

    // Fieller on "first - ratio * second = 0", both linearised.
    private (double Estimate, double Low, double High)? Ratio(Linear first, Linear second, double confidence)
    {
        (double Low, double High)? limits = Intervals.Fieller(
            first.Value, second.Value, Covariance(first, first), Covariance(second, second), Covariance(first, second), confidence);
        return limits is null || second.Value <= 0 || limits.Value.High < 0
            ? null
            : (first.Value / second.Value, Math.Max(0, limits.Value.Low), limits.Value.High);
    }

    private double Covariance(Linear first, Linear second)
    {
        double sum = 0;
        foreach ((int Row, int Column, double Weight) a in first.Terms)
        {
            foreach ((int Row, int Column, double Weight) b in second.Terms)
            {
                sum += a.Weight * b.Weight * Covariance(a.Row, a.Column, b.Row, b.Column);
            }
        }

        return sum;
    }

    /// <summary>
    /// The covariance of two estimated shares, each of a cell or (row -1) of a column. Given the truths u, u' of a record the two reports
    /// are independent, so E[z_v z_v' | u] E[z_w z_w' | u'] is known up to the table's own shares.
    /// </summary>
    internal double Covariance(int v, int w, int otherV, int otherW)
    {
        double sum = 0;
        foreach (JointStratum stratum in _strata)
        {
            JointTally tally = stratum.Tally;
            bool clustered = _target == InferenceTarget.Population || tally.ConstantPerPerson.Any(constant => constant);
            double designEffect = clustered ? (double)tally.SumSquaredSizes / tally.Records : 1;
            (double rowConstant, double rowSlope, int[] rows) = Side(tally, 0, v, otherV);
            (double columnConstant, double columnSlope, int[] columns) = Side(tally, 1, w, otherW);
            double both = rowConstant * columnConstant;
            foreach (int row in rows)
            {
                both += rowSlope * columnConstant * _row[row];
                foreach (int column in columns)
                {
                    both += rowSlope * columnSlope * _share[row, column];
                }
            }

            foreach (int column in columns)
            {
                both += rowConstant * columnSlope * _column[column];
            }

            double truth = _target == InferenceTarget.Population ? Share(v, w) * Share(otherV, otherW) : TruthOfBoth(v, w, otherV, otherW);
            double share = (double)tally.Records / _records;
            sum += share * share * designEffect * (both - truth) / tally.Records;
        }

        return sum;
    }

    private double Share(int v, int w) => v < 0 ? _column[w] : _share[v, w];

    private double TruthOfBoth(int v, int w, int otherV, int otherW) =>
        w != otherW || (v >= 0 && otherV >= 0 && v != otherV) ? 0 : Share(Math.Max(v, otherV), w);

    // E[z_v z_w | truth] of one attribute as a constant and a slope on the indicators of some values; an absent value (-1) has z = 1.
    private static (double Constant, double Slope, int[] Values) Side(JointTally tally, int attribute, int v, int other)
    {
        if (v < 0 && other < 0)
        {
            return (1, 0, []);
        }

        if (v < 0 || other < 0)
        {
            return (0, 1, [Math.Max(v, other)]);
        }

        (double constant, double slope) = new PairLaw(tally.Channels[attribute]).Product(v == other);
        return (constant, slope, v == other ? [v] : [v, other]);
    }

    /// <summary>A product of two shares, linearised: its value and its derivatives.</summary>
    private sealed record Linear(double Value)
    {
        public List<(int Row, int Column, double Weight)> Terms { get; } = [];

        public Linear Add(int row, int column, double weight)
        {
            Terms.Add((row, column, weight));
            return this;
        }

        public Linear AddColumn(int column, double weight) => Add(-1, column, weight);
    }
}
