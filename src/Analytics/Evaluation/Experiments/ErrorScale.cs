using EmrMarket.Analytics.Estimation;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>How errors of different kinds of statistics are made comparable, and the families that share a plot.</summary>
internal sealed class ErrorScale(Truth truth)
{
    /// <summary>The kinds that share a plot, and what their errors are measured in.</summary>
    public static IReadOnlyList<(string Id, string Title, string Axis, FigureFormat Format, StatisticKind[] Kinds)> Families { get; } =
    [
        ("shares", "shares of records", "typical error, share of records", FigureFormat.Percent,
            [StatisticKind.Frequency, StatisticKind.Bins, StatisticKind.Table, StatisticKind.TopCodes]),
        ("values", "means and quantiles", "error, standard deviations", FigureFormat.Number,
            [StatisticKind.Mean, StatisticKind.Quantile]),
        ("models", "models", "error, share of a coefficient", FigureFormat.Percent, [StatisticKind.Linear, StatisticKind.Logistic]),
    ];

    /// <summary>The name of a kind's series.</summary>
    public static string Name(StatisticRequest request) => request.Kind switch
    {
        StatisticKind.Frequency => $"frequency of {request.Attributes[0]}",
        StatisticKind.Bins => $"bins of {request.Attributes[0]}",
        StatisticKind.Table => $"table {string.Join(" × ", request.Attributes)}",
        StatisticKind.TopCodes => $"top codes of {request.Attributes[0]}",
        StatisticKind.Mean => $"mean of {request.Attributes[0]}",
        StatisticKind.Quantile => $"quartiles of {request.Attributes[0]}",
        StatisticKind.Linear => $"linear model of {request.Attributes[0]}",
        StatisticKind.Logistic => $"logistic model of {request.Attributes[0]}",
        _ => throw new ArgumentOutOfRangeException(nameof(request), request.Kind, "A kind of statistic without a name."),
    };

    /// <summary>By what the errors of a statistic are divided.</summary>
    /// <param name="request">The statistic.</param>
    /// <param name="truths">The truth of its cells.</param>
    public double Of(StatisticRequest request, IReadOnlyList<double> truths) => request.Kind switch
    {
        StatisticKind.Mean or StatisticKind.Quantile => StandardDeviation(request.Attributes[0]),
        StatisticKind.Linear or StatisticKind.Logistic =>
            Math.Sqrt(truths.Where(double.IsFinite).Select(t => t * t).DefaultIfEmpty(1).Average()),
        _ => 1,
    };

    private double StandardDeviation(string attribute)
    {
        double[] values = [.. truth.Values(attribute)];
        double mean = values.Average();
        double deviation = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / values.Length);
        return deviation > 0 ? deviation : 1;
    }
}
