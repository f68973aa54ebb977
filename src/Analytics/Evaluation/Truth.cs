using System.Collections.Concurrent;
using System.Globalization;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>
/// What is true of raw records, for every kind of statistic, by plain counting that shares no code with the estimators. Only an evaluator
/// who owns the records may call it.
/// </summary>
/// <param name="schema">The schema of the records.</param>
/// <param name="records">The raw records.</param>
public sealed class Truth(Schema schema, RecordTable records)
{
    // Experiments ask for the truth of the same records many times.
    private readonly ConcurrentDictionary<string, Lazy<Func<StatisticCell, double>>> _known = new(StringComparer.Ordinal);

    /// <summary>The true value of every cell of a statistic's answer, in its order; NaN for a cell that has none.</summary>
    /// <exception cref="InvalidOperationException">The answer has a cell that this class does not know.</exception>
    public IReadOnlyList<double> Of(StatisticRequest request, StatisticResult answer)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(answer);
        return [.. answer.Cells.Select(
            _known.GetOrAdd(request.Id, _ => new Lazy<Func<StatisticCell, double>>(() => CellsOf(request))).Value)];
    }

    private Func<StatisticCell, double> CellsOf(StatisticRequest request) => request.Kind switch
    {
        StatisticKind.Frequency or StatisticKind.TopCodes => Shares(request.Attributes[0]),
        StatisticKind.Mean => Moments(request.Attributes[0]),
        StatisticKind.Bins => Bins(request),
        StatisticKind.Quantile => Quantiles(request.Attributes[0]),
        StatisticKind.Table => Joint(request.Attributes),
        StatisticKind.Linear or StatisticKind.Logistic => Coefficients(request),
        _ => throw new InvalidOperationException($"There is no truth for '{request.Kind}'."),
    };

    /// <summary>The exact values of a grid attribute where it is present, in its unit.</summary>
    public IEnumerable<double> Values(string attribute)
    {
        RecordColumn column = Column(attribute);
        var grid = (GridDomain)column.Attribute.Domain;
        for (int i = 0; i < column.Codes.Length; i++)
        {
            if (column.Codes[i] != RecordColumn.Missing)
            {
                yield return grid.ValueOf(column.Codes[i] + Fraction(column, i));
            }
        }
    }

    private Func<StatisticCell, double> Shares(string attribute)
    {
        RecordColumn column = Column(attribute);
        long[] counts = new long[column.Attribute.Domain.Size];
        foreach (ushort code in column.Codes)
        {
            counts[code]++;
        }

        return cell => (double)counts[cell.Codes[0]] / records.Count;
    }

    private Func<StatisticCell, double> Moments(string attribute)
    {
        double[] values = [.. Values(attribute)];
        double mean = values.Average();
        double variance = values.Sum(v => (v - mean) * (v - mean)) / values.Length;
        return cell => cell.Value switch
        {
            "mean" => mean,
            "variance" => variance,
            _ => throw Unknown(cell),
        };
    }

    /// <summary>
    /// A value off the grid counts for both neighbouring cells in proportion, as its stochastic rounding does on average.
    /// </summary>
    private Func<StatisticCell, double> Bins(StatisticRequest request)
    {
        RecordColumn column = Column(request.Attributes[0]);
        double[] cells = new double[column.Attribute.Domain.Size];
        double present = 0;
        for (int i = 0; i < column.Codes.Length; i++)
        {
            ushort code = column.Codes[i];
            if (code == RecordColumn.Missing)
            {
                continue;
            }

            double fraction = Fraction(column, i);
            present++;
            cells[code] += 1 - fraction;
            if (fraction > 0)
            {
                cells[code + 1] += fraction;
            }
        }

        return cell => cells[cell.Codes[0]..(cell.Codes[1] + 1)].Sum() / present;
    }

    private Func<StatisticCell, double> Quantiles(string attribute)
    {
        double[] values = [.. Values(attribute)];
        Array.Sort(values);
        // The smallest value whose cumulative share reaches the probability.
        return cell => values[Math.Max(0, (int)Math.Ceiling(double.Parse(cell.Value, CultureInfo.InvariantCulture) * values.Length) - 1)];
    }

    private Func<StatisticCell, double> Joint(IReadOnlyList<string> attributes)
    {
        RecordColumn[] columns = [.. attributes.Select(Column)];
        int[] sizes = [.. columns.Select(c => c.Attribute.Domain.Size)];
        long[] counts = new long[sizes.Aggregate(1, (a, b) => a * b)];
        for (int i = 0; i < records.Count; i++)
        {
            int index = 0;
            for (int a = 0; a < columns.Length; a++)
            {
                index = index * sizes[a] + columns[a].Codes[i];
            }

            counts[index]++;
        }

        return cell =>
        {
            int index = 0;
            for (int a = 0; a < sizes.Length; a++)
            {
                index = index * sizes[a] + cell.Codes[a];
            }

            return (double)counts[index] / records.Count;
        };
    }

    private Func<StatisticCell, double> Coefficients(StatisticRequest request)
    {
        IReadOnlyDictionary<string, double> coefficients = new RawModel(schema, records, request).Fit();
        return cell => coefficients.TryGetValue(cell.Value, out double value) ? value : throw Unknown(cell);
    }

    private RecordColumn Column(string attribute) => records.Columns[schema.IndexOf(attribute)];

    private static double Fraction(RecordColumn column, int record) =>
        column.Fractions is null ? 0 : column.Fractions[record] / 4294967296.0;

    private static InvalidOperationException Unknown(StatisticCell cell) => new($"There is no truth for the cell '{cell.Value}'.");
}
