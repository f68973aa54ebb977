using EmrMarket.Analytics.Estimation;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>The errors of one answer over its cells.</summary>
/// <param name="Squares">Sum of squared errors.</param>
/// <param name="Sum">Sum of errors.</param>
/// <param name="Predicted">Sum of the squared standard errors that the estimator reported.</param>
/// <param name="Cells">Number of cells.</param>
internal readonly record struct ErrorSample(double Squares, double Sum, double Predicted, int Cells)
{
    /// <summary>The errors of an answer; cells without a finite truth or estimate are left out.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="truth">Per cell the truth.</param>
    /// <param name="scale">By what errors are divided; 1 for errors in the statistic's unit.</param>
    public static ErrorSample Of(StatisticResult answer, IReadOnlyList<double> truth, double scale = 1)
    {
        double squares = 0, sum = 0, predicted = 0;
        int cells = 0;
        for (int i = 0; i < truth.Count; i++)
        {
            double error = (answer.Cells[i].Estimate - truth[i]) / scale;
            // The variance that comes with a mean has another unit.
            if (!double.IsFinite(error) || answer.Cells[i].Value == "variance")
            {
                continue;
            }

            squares += error * error;
            sum += error;
            double standardError = answer.Cells[i].StandardError / scale;
            predicted += double.IsFinite(standardError) ? standardError * standardError : 0;
            cells++;
        }

        return new ErrorSample(squares, sum, predicted, cells);
    }
}

/// <summary>Errors of one statistic over repetitions, added in their order so that equal seeds give equal bits.</summary>
internal sealed class RepeatedErrors
{
    private readonly List<ErrorSample> _samples = [];

    /// <summary>Adds a repetition.</summary>
    public void Add(ErrorSample sample)
    {
        if (sample.Cells > 0)
        {
            _samples.Add(sample);
        }
    }

    /// <summary>Whether there is anything to tell.</summary>
    public bool Any => _samples.Count > 0;

    /// <summary>Root of the mean squared error over repetitions and cells.</summary>
    public double Rmse => Math.Sqrt(_samples.Sum(s => s.Squares) / Cells);

    /// <summary>Root of the mean squared standard error that the estimators reported: what they believed their error to be.</summary>
    public double PredictedRmse => Math.Sqrt(_samples.Sum(s => s.Predicted) / Cells);

    /// <summary>The mean error: what does not average out.</summary>
    public double Bias => _samples.Sum(s => s.Sum) / Cells;

    /// <summary>The mean error with about 95 % of what repetitions leave open.</summary>
    public (double Low, double High)? BiasRange => Spread(s => s.Sum / s.Cells) is { } half ? (Bias - half, Bias + half) : null;

    /// <summary>A range of about 95 % for <see cref="Rmse"/> from the spread of repetitions; null with fewer than three.</summary>
    public (double Low, double High)? Range
    {
        get
        {
            double mean = Rmse * Rmse;
            // On the logarithmic scale on which errors are compared and drawn: half / mean is the error of log(mean), and the root halves
            // it.
            return Spread(s => s.Squares / s.Cells) is { } half && mean > 0
                ? (Rmse * Math.Exp(-half / (2 * mean)), Rmse * Math.Exp(half / (2 * mean))) : null;
        }
    }

    private double Cells => _samples.Sum(s => (double)s.Cells);

    private double? Spread(Func<ErrorSample, double> value)
    {
        if (_samples.Count < 3)
        {
            return null;
        }

        double mean = _samples.Average(value);
        double variance = _samples.Sum(s => (value(s) - mean) * (value(s) - mean)) / (_samples.Count - 1);
        return 1.96 * Math.Sqrt(variance / _samples.Count);
    }
}

/// <summary>Independent repetitions on several threads, given back in their order.</summary>
internal static class Repetition
{
    /// <summary>Runs repetitions 0..count-1.</summary>
    public static T[] Run<T>(
        ExperimentContext context, int count, IProgress<double> progress, Func<int, T> repetition, CancellationToken cancellation)
    {
        var results = new T[count];
        int done = 0;
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = context.Threads, CancellationToken = cancellation }, r =>
        {
            results[r] = repetition(r);
            progress.Report((double)Interlocked.Increment(ref done) / count);
        });
        return results;
    }

    /// <summary>The answer to a request, or null when it is refused.</summary>
    public static StatisticResult? TryEstimate(StatisticRequest request, IReadOnlyList<ReportBatch> reports, EstimationOptions options)
    {
        try
        {
            return StatisticEstimator.Estimate(request, reports, options);
        }
        catch (EstimationRefusedException)
        {
            return null;
        }
    }
}
