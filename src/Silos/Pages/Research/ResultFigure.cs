using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Silos.Pages.Texts;
using EmrMarket.Silos.Reporting;

namespace EmrMarket.Silos.Pages.Research;

/// <summary>An answered statistic as a plot: a row per cell, estimates with their intervals.</summary>
internal static class ResultFigure
{
    /// <summary>The plot.</summary>
    /// <param name="result">The answer.</param>
    /// <param name="titleOf">What an attribute is called.</param>
    public static Figure Of(StatisticResult result, Func<string, string> titleOf)
    {
        StatisticCell[] cells = [.. result.Cells.Where(cell => double.IsFinite(cell.Estimate)).OrderByDescending(cell => result.Cells.Count > StatisticFigures.MostRows ? cell.Estimate : 0).Take(StatisticFigures.MostRows)];
        bool shares = result.Kind is StatisticKind.Frequency or StatisticKind.Bins or StatisticKind.Table or StatisticKind.TopCodes;
        return new Figure
        {
            Id = "r-" + string.Concat(result.Id.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '-')),
            Title = $"{Name(result.Kind)}: {string.Join(" × ", result.Attributes.Select(titleOf))}",
            Reading = ResearchTexts.FigureReading,
            X = new FigureAxis(shares ? "share of records" : "value", FigureScale.Linear, shares ? FigureFormat.Percent : FigureFormat.Number),
            Y = new FigureAxis(""),
            Rows = [.. cells.Select(cell => cell.Value)],
            Series =
            [
                new FigureSeries(ResearchTexts.Estimate, FigureMark.Point, [.. cells.Select((cell, row) => new FigurePoint(cell.Estimate, row, Finite(cell.Low), Finite(cell.High)))]),
            ],
        };
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static string Name(StatisticKind kind)
    {
        string plural = StatisticNames.Plural(kind);
        return char.ToUpperInvariant(plural[0]) + plural[1..];
    }
}
