using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation.Regression;

/// <summary>
/// The sum over records of the unbiased estimates of all pairwise products of a model's columns: the sufficient statistic of its coefficients. Adds over batches, in floating point: merging is associative
/// to rounding.
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
                    ProductKind.Product => System.Numerics.Tensors.TensorPrimitives.Dot<double>(values[i], values[j]),
                    ProductKind.Itself => System.Numerics.Tensors.TensorPrimitives.Sum<double>(values[i]),
                    ProductKind.Square => System.Numerics.Tensors.TensorPrimitives.Sum<double>(squares[i]),
                    _ => 0,
                };
                Sum[i, j] += sum;
                Sum[j, i] = Sum[i, j];
            }
        });
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
