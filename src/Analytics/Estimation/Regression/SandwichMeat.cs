using MathNet.Numerics.LinearAlgebra;

namespace EmrMarket.Analytics.Estimation.Regression;

/// <summary>What a record adds to the equations that a model solves, from the unbiased estimates of its columns.</summary>
/// <param name="values">Per column the estimates, by record.</param>
/// <param name="squares">Per column of a number the estimates of its square.</param>
/// <param name="record">The record.</param>
/// <param name="influence">Where it goes.</param>
internal delegate void Influence(double[][] values, double[]?[] squares, int record, Span<double> influence);

/// <summary>
/// The middle of a sandwich error: (1/n^2) times the sum over persons of the outer product of the person's sum of influences, with the
/// factor persons / (persons - 1) (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13). Adds over batches.
/// </summary>
internal sealed class SandwichMeat(RegressionDesign design, int size, Influence influence)
{
    private const int Block = 4096;

    private readonly double[] _sum = new double[size * size];
    private long _records;
    private long _persons;

    /// <summary>The matrix.</summary>
    public Matrix<double> Matrix => Matrix<double>.Build.Dense(size, size, [.. _sum])
        * (_persons < 2 ? double.PositiveInfinity : (double)_persons / (_persons - 1) / ((double)_records * _records));

    /// <summary>Adds a batch. O(n * size^2).</summary>
    public void Add(ReportBatch batch)
    {
        (double[][] values, double[]?[] squares) = design.Estimate(batch);
        _records += batch.Count;
        _persons += batch.Persons.Persons;
        bool[] clustered = new bool[batch.Count];
        for (int person = 0; person < batch.Persons.Repeated; person++)
        {
            foreach (int record in batch.Persons[person])
            {
                clustered[record] = true;
            }
        }

        // Records that are a person of their own go by blocks; persons with several records are one unit each and come last.
        int blocks = (batch.Count + Block - 1) / Block;
        var parts = new double[blocks + 1][];
        Parallel.For(0, blocks + 1, block =>
        {
            parts[block] = new double[size * size];
            Span<double> one = new double[size];
            if (block == blocks)
            {
                AddPersons(parts[block], one);
                return;
            }

            for (int record = block * Block; record < Math.Min(batch.Count, (block + 1) * Block); record++)
            {
                if (!clustered[record])
                {
                    influence(values, squares, record, one);
                    AddOuter(parts[block], one);
                }
            }
        });

        // In the order of the blocks, so that equal reports give equal bits whatever the number of threads.
        foreach (double[] part in parts)
        {
            System.Numerics.Tensors.TensorPrimitives.Add(_sum, part, _sum);
        }

        void AddPersons(double[] sum, Span<double> one)
        {
            Span<double> whole = new double[size];
            for (int person = 0; person < batch.Persons.Repeated; person++)
            {
                whole.Clear();
                foreach (int record in batch.Persons[person])
                {
                    influence(values, squares, record, one);
                    System.Numerics.Tensors.TensorPrimitives.Add<double>(whole, one, whole);
                }

                AddOuter(sum, whole);
            }
        }
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
}
