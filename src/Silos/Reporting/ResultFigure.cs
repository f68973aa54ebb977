using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Pages.Texts;

namespace EmrMarket.Silos.Reporting;

/// <summary>An answered statistic as a plot: a row per cell, the estimate with its interval, and the error that was guaranteed before the
/// data were seen.</summary>
internal static class ResultFigure
{
    /// <summary>Whether the numbers are shares of the records.</summary>
    public static bool IsShare(StatisticKind kind) =>
        kind is StatisticKind.Frequency or StatisticKind.Bins or StatisticKind.Table or StatisticKind.TopCodes;

    /// <summary>The unit of a statistic's numbers: that of its attribute for means and quantiles; empty otherwise.</summary>
    public static string UnitOf(StatisticResult result, Schema schema) =>
        result.Kind is StatisticKind.Mean or StatisticKind.Quantile && schema.IndexOf(result.Attributes[0]) is >= 0 and int a
            && schema.Attributes[a].Domain is GridDomain grid ? grid.Unit : "";

    /// <summary>The unit of a figure: 1 for shares and pure numbers; a variance's is squared.</summary>
    public static string UnitOf(StatisticResult result, StatisticCell cell, Schema schema) =>
        IsShare(result.Kind) || UnitOf(result, schema) is not { Length: > 0 } unit ? "1"
        : cell.Value == "variance" ? $"({unit})²" : unit;

    /// <summary>The plot.</summary>
    /// <param name="result">The answer.</param>
    /// <param name="titleOf">What an attribute is called.</param>
    /// <param name="unit">The unit of its numbers; empty for shares and pure numbers.</param>
    public static Figure Of(StatisticResult result, Func<string, string> titleOf, string unit)
    {
        // A variance is in another unit than its mean: it stands in the table.
        IEnumerable<StatisticCell> comparable = result.Cells.Where(
            cell => double.IsFinite(cell.Estimate) && (result.Kind != StatisticKind.Mean || cell.Value != "variance"));
        StatisticCell[] cells =
            [.. comparable.OrderByDescending(cell => result.Cells.Count > StatisticFigures.MostRows ? cell.Estimate : 0)
                .Take(StatisticFigures.MostRows)];
        bool shares = IsShare(result.Kind);
        FigurePoint[] guaranteed =
        [
            .. cells.Select((cell, row) => (cell, row)).Where(each => each.cell.GuaranteedHalfWidth is not null)
                .Select(each => new FigurePoint(each.cell.Estimate, each.row, each.cell.Estimate - each.cell.GuaranteedHalfWidth,
                    each.cell.Estimate + each.cell.GuaranteedHalfWidth)),
        ];
        return new Figure
        {
            Id = "r-" + string.Concat(result.Id.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '-')),
            Title = $"{StatisticNames.Singular(result.Kind)}: {string.Join(" × ", result.Attributes.Select(titleOf))}",
            Reading = guaranteed.Length > 0 ? ResearchTexts.FigureReading : ResearchTexts.FigureReadingBare,
            X = new FigureAxis(shares ? ResearchTexts.Share : unit.Length > 0 ? unit : ResearchTexts.Value, FigureScale.Linear,
                shares ? FigureFormat.Percent : FigureFormat.Number),
            Y = new FigureAxis(""),
            Rows = [.. cells.Select(cell => cell.Value)],
            Series =
            [
                new FigureSeries(ResearchTexts.EstimateAndInterval, FigureMark.Point,
                    [.. cells.Select((cell, row) => new FigurePoint(cell.Estimate, row, Finite(cell.Low), Finite(cell.High)))]),
                .. guaranteed.Length > 0 ? new[] { new FigureSeries(ResearchTexts.GuaranteedRange, FigureMark.Point, guaranteed) } : [],
            ],
        };
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
