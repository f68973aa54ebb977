using EmrMarket.Analytics.Estimation;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>One curve of errors per statistic, drawn in the families that can share an axis.</summary>
internal static class ErrorCurves
{
    /// <summary>What one repetition found: per place on the curve, per statistic, the errors.</summary>
    /// <param name="requests">The statistics.</param>
    /// <param name="places">The places on the horizontal axis.</param>
    /// <param name="sampleAt">The errors of a repetition at a place for a statistic.</param>
    /// <param name="repetitions">The number of repetitions.</param>
    /// <returns>Per statistic the places where it was answered, with the errors there.</returns>
    public static IReadOnlyList<(StatisticRequest Request, IReadOnlyList<(double Place, RepeatedErrors Errors)> Curve)> Of(
        IReadOnlyList<StatisticRequest> requests, IReadOnlyList<double> places, Func<int, int, int, ErrorSample> sampleAt, int repetitions)
    {
        var curves = new List<(StatisticRequest, IReadOnlyList<(double, RepeatedErrors)>)>();
        for (int s = 0; s < requests.Count; s++)
        {
            var curve = new List<(double, RepeatedErrors)>();
            for (int p = 0; p < places.Count; p++)
            {
                var errors = new RepeatedErrors();
                for (int r = 0; r < repetitions; r++)
                {
                    errors.Add(sampleAt(r, p, s));
                }

                if (errors.Any && errors.Rmse > 0)
                {
                    curve.Add((places[p], errors));
                }
            }

            curves.Add((requests[s], curve));
        }

        return curves;
    }

    /// <summary>One figure per family of statistics that can share an axis.</summary>
    public static IReadOnlyList<Figure> Draw(
        string experiment, string title, string reading, FigureAxis places,
        IReadOnlyList<(StatisticRequest Request, IReadOnlyList<(double Place, RepeatedErrors Errors)> Curve)> curves)
    {
        var figures = new List<Figure>();
        foreach ((string id, string family, string axis, FigureFormat format, StatisticKind[] kinds) in ErrorScale.Families)
        {
            FigureSeries[] series =
            [
                .. curves.Where(c => kinds.Contains(c.Request.Kind) && c.Curve.Count > 0).Select(c => new FigureSeries(
                    ErrorScale.Name(c.Request), FigureMark.Line,
                    [.. c.Curve.Select(p => new FigurePoint(p.Place, p.Errors.Rmse, p.Errors.Range?.Low, p.Errors.Range?.High))])),
            ];
            if (series.Length > 0)
            {
                figures.Add(new Figure
                {
                    Id = $"{experiment}-{id}",
                    Title = $"{title}: {family}",
                    Reading = reading,
                    X = places,
                    Y = new FigureAxis(axis, FigureScale.Logarithmic, format),
                    Series = series,
                });
            }
        }

        return figures;
    }
}
