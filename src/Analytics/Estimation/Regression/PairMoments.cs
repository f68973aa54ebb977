using MathNet.Numerics.LinearAlgebra;
using Lanes = System.Numerics.Vector<double>;

namespace EmrMarket.Analytics.Estimation.Regression;

/// <summary>
/// The sum over records of the unbiased estimates of all pairwise products of a model's columns: the sufficient statistic of its
/// coefficients. Adds over batches, in floating point: merging is associative to rounding.
/// </summary>
internal sealed class PairMoments
{
    private readonly RegressionDesign _design;

    /// <summary>An empty sum.</summary>
    public PairMoments(RegressionDesign design)
    {
        _design = design;
        Sum = Matrix<double>.Build.Dense(design.Columns.Count, design.Columns.Count);
    }

    /// <summary>The sum of the matrices of estimated products.</summary>
    public Matrix<double> Sum { get; }

    /// <summary>Number of records.</summary>
    public long Records { get; private set; }

    /// <summary>Adds a batch. O(n * columns^2).</summary>
    public void Add(ReportBatch batch)
    {
        (double[][] values, double[]?[] squares) = _design.Estimate(batch);
        Records += batch.Count;
        Parallel.For(0, values.Length, i =>
        {
            for (int j = i; j < values.Length; j++)
            {
                double sum = Product(_design, i, j) switch
                {
                    ProductKind.Product => SumOfProducts(values[i], values[j]),
                    ProductKind.Itself => SumOf(values[i]),
                    ProductKind.Square => SumOf(squares[i]!),
                    _ => 0,
                };
                Sum[i, j] += sum;
                Sum[j, i] = Sum[i, j];
            }
        });
    }

    /// <summary>
    /// The sum of products in an order of its own: library sums start at an aligned address, so that equal reports would give bits that
    /// depend on where an array lies.
    /// </summary>
    private static double SumOfProducts(double[] first, double[] second)
    {
        var sums = Lanes.Zero;
        int i = 0;
        for (; i + Lanes.Count <= first.Length; i += Lanes.Count)
        {
            sums += new Lanes(first, i) * new Lanes(second, i);
        }

        double sum = System.Numerics.Vector.Sum(sums);
        for (; i < first.Length; i++)
        {
            sum += first[i] * second[i];
        }

        return sum;
    }

    private static double SumOf(double[] values)
    {
        var sums = Lanes.Zero;
        int i = 0;
        for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
        {
            sums += new Lanes(values, i);
        }

        double sum = System.Numerics.Vector.Sum(sums);
        for (; i < values.Length; i++)
        {
            sum += values[i];
        }

        return sum;
    }

    /// <summary>How the product of two columns is estimated.</summary>
    public static ProductKind Product(RegressionDesign design, int i, int j)
    {
        RegressionTerm first = design.Columns[i];
        RegressionTerm second = design.Columns[j];
        return first.Attribute != second.Attribute ? ProductKind.Product
            : i != j ? ProductKind.Zero
            : first.IsNumber ? ProductKind.Square
            : ProductKind.Itself;
    }
}

/// <summary>How the product of two columns is estimated without bias.</summary>
internal enum ProductKind
{
    /// <summary>Columns of different attributes: the product of their estimates.</summary>
    Product,

    /// <summary>Different codes of one attribute: they exclude each other.</summary>
    Zero,

    /// <summary>An indicator (or the intercept) with itself: a truth of 0 or 1 is its own square.</summary>
    Itself,

    /// <summary>A number with itself: the unbiased estimate of its square.</summary>
    Square,
}
