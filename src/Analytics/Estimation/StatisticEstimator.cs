namespace EmrMarket.Analytics.Estimation;

/// <summary>The one entry point: from reports to a statistic with its error. Pure; cost O(records * cells) unless said otherwise.</summary>
public static class StatisticEstimator
{
    /// <summary>Computes one statistic.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="batches">The reports. Regressions enumerate them twice, everything else once.</param>
    /// <param name="options">How; <see cref="EstimationOptions.Default"/> when null.</param>
    /// <exception cref="EstimationRefusedException">These reports cannot carry this statistic; the message says why.</exception>
    public static StatisticResult Estimate(StatisticRequest request, IEnumerable<ReportBatch> batches, EstimationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(batches);
        options ??= EstimationOptions.Default;
        if (!(options.Confidence > 0 && options.Confidence < 1))
        {
            throw new EstimationRefusedException($"A confidence lies strictly between 0 and 1; got {options.Confidence}.");
        }

        var sums = new StatisticAccumulator(request, options);
        do
        {
            foreach (ReportBatch batch in batches)
            {
                sums.Add(batch);
            }
        }
        while (sums.EndPass());
        return sums.Result();
    }
}
