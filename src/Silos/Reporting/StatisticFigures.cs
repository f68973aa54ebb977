using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting;

/// <summary>The figures of the core pass.</summary>
internal static class StatisticFigures
{
    /// <summary>The most rows of a plot; more are in the tables.</summary>
    public const int MostRows = 24;

    /// <summary>All shares of the run: estimate against truth.</summary>
    public static Figure? Overview(IReadOnlyList<EvaluatedStatistic> statistics)
    {
        (StatisticKind Kind, string Name)[] kinds =
        [
            (StatisticKind.Frequency, "frequencies"), (StatisticKind.Bins, "bins"), (StatisticKind.Table, "tables"),
            (StatisticKind.TopCodes, "top codes"),
        ];
        FigureSeries[] series =
        [
            .. kinds.Select(kind => new FigureSeries(kind.Name, FigureMark.Point,
            [
                .. statistics.Where(s => s.Kind == kind.Kind && s.Unit == EvaluationSummary.ShareUnit).SelectMany(s =>
                    s.Cells.Select(
                        c => new FigurePoint(c.Truth, c.Estimate, c.Low, c.High, $"{string.Join(" × ", s.Attributes)} = {c.Value}")))
                    .OrderByDescending(p => p.X).Take(400),
            ])).Where(s => s.Points.Count > 0),
        ];
        double most = series.SelectMany(s => s.Points).Select(p => p.X).DefaultIfEmpty(0).Max();
        return series.Length == 0 ? null : new Figure
        {
            Id = "overview",
            Title = "Every share: estimate against truth",
            Reading = "Each mark is one share of records. On the line the estimate is exact; its upright stroke is the interval. Marks at "
                + "the edge lie beyond it.",
            X = new FigureAxis("truth, share of records", FigureScale.Linear, FigureFormat.Percent),
            // A few hopeless estimates would otherwise flatten all the others: they are drawn at the edge.
            Y = new FigureAxis("estimate", FigureScale.Linear, FigureFormat.Percent, Min: -0.1, Max: Math.Min(1.1, most + 0.1)),
            Series = series,
            References = [new FigureReference("estimate = truth", FigureReferenceKind.Identity)],
        };
    }

    /// <summary>One statistic: a row per cell, with the truth beside the estimate and its interval.</summary>
    public static Figure OfStatistic(EvaluatedStatistic statistic)
    {
        IEnumerable<EvaluatedCell> shown = statistic.Cells.Count <= MostRows ? statistic.Cells
            : statistic.Cells.OrderByDescending(c => Math.Abs(c.Truth)).Take(MostRows);
        EvaluatedCell[] cells = [.. shown];
        bool share = statistic.Unit == EvaluationSummary.ShareUnit;
        return new Figure
        {
            Id = "f-" + string.Concat(statistic.Id.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')),
            Title = StatisticNames.Title(statistic),
            Reading = "Bars mark the truth, dots the estimate, strokes its interval"
                + (cells.Length < statistic.Cells.Count ? $"; the {cells.Length} largest of {statistic.Cells.Count} cells." : "."),
            X = new FigureAxis(
                share ? "share of records" : statistic.Unit, FigureScale.Linear, share ? FigureFormat.Percent : FigureFormat.Number),
            Y = new FigureAxis(""),
            Rows = [.. cells.Select(c => c.Value)],
            Series =
            [
                new FigureSeries("truth", FigureMark.Tick, [.. cells.Select((c, i) => new FigurePoint(c.Truth, i))]),
                new FigureSeries("estimate", FigureMark.Point, [.. cells.Select((c, i) => new FigurePoint(c.Estimate, i, c.Low, c.High))]),
            ],
        };
    }

    /// <summary>Where the time went.</summary>
    public static Figure Stages(IReadOnlyList<StageTime> stages) => new()
    {
        Id = "stages",
        Title = "Time by stage",
        Reading = "Wall-clock time of each stage, in the order in which they ran.",
        X = new FigureAxis("seconds"),
        Y = new FigureAxis(""),
        Rows = [.. stages.Select(s => s.Name)],
        Series = [new FigureSeries(
            "time", FigureMark.Bar, [.. stages.Select((s, i) => new FigurePoint(s.Seconds, i, Label: Numbers.Seconds(s.Seconds)))])],
    };
}

/// <summary>How statistics are called in the report.</summary>
internal static class StatisticNames
{
    /// <summary>What a statistic shows, in words.</summary>
    public static string Title(EvaluatedStatistic statistic)
    {
        string first = statistic.Attributes[0];
        string rest = string.Join(", ", statistic.Attributes.Skip(1));
        return statistic.Kind switch
        {
            StatisticKind.Frequency => first,
            StatisticKind.Mean => (statistic.Cells is [{ Value: "variance" }] ? "Variance of " : "Mean of ") + first,
            StatisticKind.Bins => $"{first} in bins",
            StatisticKind.Quantile => $"Quantiles of {first}",
            StatisticKind.Table => string.Join(" × ", statistic.Attributes),
            StatisticKind.TopCodes => $"Top codes of {first}",
            StatisticKind.Linear => $"Linear model of {first} on {rest}",
            StatisticKind.Logistic => $"Logistic model of {first} on {rest}",
            _ => throw new ArgumentOutOfRangeException(nameof(statistic), statistic.Kind, "A kind of statistic without a title."),
        };
    }

    /// <summary>The name of one of a kind, as a heading begins.</summary>
    public static string Singular(StatisticKind kind) => kind switch
    {
        StatisticKind.Frequency => "Shares",
        StatisticKind.Mean => "Mean",
        StatisticKind.Bins => "Shares in bins",
        StatisticKind.Quantile => "Quantiles",
        StatisticKind.Table => "Table",
        StatisticKind.TopCodes => "Top codes",
        StatisticKind.Linear => "Linear model",
        StatisticKind.Logistic => "Logistic model",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "A kind of statistic without a name."),
    };

    /// <summary>So many of a kind, in words.</summary>
    public static string Counted(int count, StatisticKind kind) => (count, kind) switch
    {
        (1, StatisticKind.Frequency) => "1 frequency",
        (1, StatisticKind.Bins or StatisticKind.TopCodes) => $"1 set of {Plural(kind)}",
        (1, _) => "1 " + Plural(kind)[..^1],
        _ => $"{count} {(kind is StatisticKind.Bins or StatisticKind.TopCodes ? "sets of " : "")}{Plural(kind)}",
    };

    /// <summary>The name of a kind, plural.</summary>
    public static string Plural(StatisticKind kind) => kind switch
    {
        StatisticKind.Frequency => "frequencies",
        StatisticKind.Mean => "means",
        StatisticKind.Bins => "bins",
        StatisticKind.Quantile => "quantiles",
        StatisticKind.Table => "tables",
        StatisticKind.TopCodes => "top codes",
        StatisticKind.Linear => "linear models",
        StatisticKind.Logistic => "logistic models",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "A kind of statistic without a name."),
    };
}
