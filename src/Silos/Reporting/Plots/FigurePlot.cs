using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting.Plots;

/// <summary>
/// Draws a figure as SVG, in the colours of the page's style sheet (classes s0 to s7), so that it follows light, dark and print.
/// </summary>
internal static class FigurePlot
{
    private const double Width = 540;
    private const double CharacterWidth = 6.7;

    /// <summary>The drawing.</summary>
    public static string Draw(Figure figure) => figure.Rows is null ? DrawPlane(figure) : DrawRows(figure, figure.Rows);

    /// <summary>The key of a series in a legend.</summary>
    public static string LegendKey(FigureMark mark, int series)
    {
        var svg = new SvgBuilder();
        svg.OpenDecoration(20, 12);
        svg.Group($"s{series % 8}");
        switch (mark)
        {
            case FigureMark.Bar:
                svg.Rectangle("bar", 3, 2, 14, 8);
                break;
            case FigureMark.Tick:
                svg.Rectangle("truth", 8.75, 0, 2.5, 12);
                break;
            default:
                svg.Line(mark == FigureMark.Line ? "line" : "whisker", 0, 6, 20, 6);
                svg.Marker(series, "mark", 10, 6, 3.8, tip: null);
                break;
        }

        svg.EndGroup();
        svg.Close();
        return svg.ToString();
    }

    private static string DrawPlane(Figure figure)
    {
        const double Height = 320;
        const double Top = 14;
        const double Bottom = Height - 46;
        var svg = new SvgBuilder();
        svg.Open(figure.Id, Width, Height, figure.Title, figure.Reading);
        IEnumerable<FigurePoint> points = figure.Series.SelectMany(s => s.Points);
        double[] xs = [.. points.Select(p => p.X), .. References(figure, FigureReferenceKind.Vertical)];
        double[] ys =
            [.. points.SelectMany(p => new[] { p.Y, p.Low ?? p.Y, p.High ?? p.Y }), .. References(figure, FigureReferenceKind.Horizontal)];
        PlotScale measure = PlotScale.Create(figure.Y, ys, Bottom, Top, 5);
        double left = 34 + CharacterWidth * measure.Ticks.Max(t => Numbers.OnAxis(t, figure.Y.Format).Length);
        const double Right = Width - 14;
        PlotScale x = PlotScale.Create(figure.X, xs, left, Right, 6, ownTicks: true);
        PlotScale y = measure;

        svg.Group("grid");
        foreach (double tick in y.Ticks)
        {
            svg.Line("", left, y[tick], Right, y[tick]);
            svg.Text("tick", left - 7, y[tick] + 4, Numbers.OnAxis(tick, figure.Y.Format), "end");
        }

        foreach (double tick in x.Ticks)
        {
            svg.Line("notch", x[tick], Bottom, x[tick], Bottom + 4);
            svg.Text("tick", x[tick], Bottom + 18, Numbers.OnAxis(tick, figure.X.Format), "middle");
        }

        svg.Line("axis", left, Bottom, Right, Bottom);
        svg.EndGroup();
        svg.Text("label", (left + Right) / 2, Height - 8, figure.X.Label, "middle");
        svg.Text("label", 13, (Top + Bottom) / 2, figure.Y.Label, "middle", turned: true);

        foreach (FigureReference reference in figure.References)
        {
            switch (reference.Kind)
            {
                case FigureReferenceKind.Horizontal:
                    svg.Line("reference", left, y[reference.Value], Right, y[reference.Value]);
                    svg.Text("tick", Right, y[reference.Value] - 5, reference.Name, "end");
                    break;
                case FigureReferenceKind.Vertical:
                    svg.Line("reference", x[reference.Value], Top, x[reference.Value], Bottom);
                    bool late = x[reference.Value] > (left + Right) / 2;
                    svg.Text("tick", x[reference.Value] + (late ? -5 : 5), Top + 10, reference.Name, late ? "end" : "start");
                    break;
                default:
                    double from = Math.Max(x.Clamp(double.NegativeInfinity), y.Clamp(double.NegativeInfinity));
                    double to = Math.Min(x.Clamp(double.PositiveInfinity), y.Clamp(double.PositiveInfinity));
                    svg.Line("reference", x[from], y[from], x[to], y[to]);
                    svg.Text("tick", Right, Bottom - 8, "dashed: " + reference.Name, "end");
                    break;
            }
        }

        for (int s = 0; s < figure.Series.Count; s++)
        {
            FigureSeries series = figure.Series[s];
            FigurePoint[] shown = [.. series.Points.Where(p => x.Shows(p.X) && y.Shows(p.Y))];
            svg.Group($"s{s % 8}");
            if (series.Mark == FigureMark.Line)
            {
                svg.Polyline("line", shown.Select(p => (x[p.X], y[p.Y])));
            }

            foreach (FigurePoint point in shown)
            {
                if (point is { Low: { } low, High: { } high })
                {
                    svg.Line("whisker", x[point.X], y[y.Clamp(low)], x[point.X], y[y.Clamp(high)]);
                }

                svg.Marker(s, series.Mark == FigureMark.Line
                    ? "mark"
                    : "mark light", x[point.X], y[y.Clamp(point.Y)], 3.6, Tip(figure, series, point));
            }

            svg.EndGroup();
        }

        svg.Close();
        return svg.ToString();
    }

    private static string DrawRows(Figure figure, IReadOnlyList<string> rows)
    {
        const int LongestLabel = 34;
        const double Top = 10;
        double rowHeight = figure.Series.Count > 2 ? 30 : 22;
        double bottom = Top + rowHeight * rows.Count;
        double height = bottom + 44;
        string[] labels = [.. rows.Select(r => Shorten(r, LongestLabel))];
        double left = 14 + CharacterWidth * labels.Max(l => l.Length);
        bool bars = figure.Series.Any(s => s.Mark == FigureMark.Bar);
        // Bars carry their value behind them, so the scale ends earlier.
        double right = Width - (bars ? 70 : 16);
        IEnumerable<FigurePoint> points = figure.Series.SelectMany(s => s.Points);
        double[] xs =
        [
            .. points.SelectMany(p => new[] { p.X, p.Low ?? p.X, p.High ?? p.X }), .. References(figure, FigureReferenceKind.Vertical),
            .. bars ? new double[] { 0 } : [],
        ];
        PlotScale x = Uncrowded(figure.X, xs, left, right);
        var svg = new SvgBuilder();
        svg.Open(figure.Id, Width, height, figure.Title, figure.Reading);
        svg.Group("grid");
        foreach (double tick in x.Ticks)
        {
            svg.Line("", x[tick], Top, x[tick], bottom);
            svg.Text("tick", x[tick], bottom + 16, Numbers.OnAxis(tick, figure.X.Format), "middle");
        }

        for (int row = 0; row < rows.Count; row++)
        {
            svg.Text("row", left - 8, Top + rowHeight * (row + 0.5) + 4, labels[row], "end");
        }

        svg.EndGroup();
        svg.Text("label", (left + right) / 2, height - 6, figure.X.Label, "middle");
        foreach (FigureReference reference in figure.References.Where(r => r.Kind == FigureReferenceKind.Vertical))
        {
            svg.Line("reference", x[reference.Value], Top - 6, x[reference.Value], bottom);
        }

        int lanes = figure.Series.Count(s => s.Mark != FigureMark.Tick);
        int lane = 0;
        for (int s = 0; s < figure.Series.Count; s++)
        {
            FigureSeries series = figure.Series[s];
            svg.Group($"s{s % 8}");
            double shift = series.Mark == FigureMark.Tick ? 0 : (lane++ - (lanes - 1) / 2.0) * (rowHeight - 8) / Math.Max(lanes, 1);
            foreach (FigurePoint point in series.Points.Where(p => x.Shows(p.X)))
            {
                double middle = Top + rowHeight * (point.Y + 0.5) + shift;
                string tip = Tip(figure, series, point);
                switch (series.Mark)
                {
                    case FigureMark.Bar:
                        double zero = x[x.Clamp(0)];
                        svg.Rectangle("bar", Math.Min(zero, x[point.X]), middle - 7, Math.Max(1, Math.Abs(x[point.X] - zero)), 14, tip);
                        string value = point.Label ?? Numbers.OnAxis(Numbers.Rounded(point.X), figure.X.Format);
                        double behind = Math.Max(zero, x[point.X]) + 5;
                        if (HasRoom(figure, x, point, behind, value))
                        {
                            svg.Text("tick", behind, middle + 4, value);
                        }

                        break;
                    case FigureMark.Tick:
                        svg.Rectangle("truth", x[point.X] - 1.25, middle - 8, 2.5, 16, tip);
                        break;
                    default:
                        if (point is { Low: { } low, High: { } high })
                        {
                            svg.Line("whisker", x[x.Clamp(low)], middle, x[x.Clamp(high)], middle);
                        }

                        svg.Marker(s, "mark", x[point.X], middle, 3.8, tip);
                        break;
                }
            }

            svg.EndGroup();
        }

        svg.Close();
        return svg.ToString();
    }

    /// <summary>Whether a bar's value can stand behind it: not where a mark of its row would cross it, and behind the mark it would be read
    /// as that mark's. The table of the plot has it all the same.</summary>
    private static bool HasRoom(Figure figure, PlotScale x, FigurePoint bar, double place, string value) =>
        !figure.Series.Where(s => s.Mark == FigureMark.Tick).SelectMany(s => s.Points).Any(p => p.Y.Equals(bar.Y) && x.Shows(p.X)
            && x[p.X] > place - 2 && x[p.X] < place + (CharacterWidth * value.Length) + 2);

    /// <summary>A horizontal scale whose ticks are few enough that their labels do not touch.</summary>
    private static PlotScale Uncrowded(FigureAxis axis, double[] values, double left, double right)
    {
        const int MostTicks = 5;
        PlotScale scale = PlotScale.Create(axis, values, left, right, MostTicks);
        for (int wanted = MostTicks - 1; wanted > 0 && IsCrowded(scale); wanted--)
        {
            scale = PlotScale.Create(axis, values, left, right, wanted);
        }

        return scale;

        bool IsCrowded(PlotScale tried) => tried.Ticks.Zip(tried.Ticks.Skip(1)).Any(pair =>
            tried[pair.Second] - tried[pair.First] < CharacterWidth * (1.5 + ((Length(pair.First) + Length(pair.Second)) / 2.0)));

        int Length(double tick) => Numbers.OnAxis(tick, axis.Format).Length;
    }

    private static IEnumerable<double> References(Figure figure, FigureReferenceKind kind) =>
        figure.References.Where(r => r.Kind == kind).Select(r => r.Value);

    private static string Tip(Figure figure, FigureSeries series, FigurePoint point)
    {
        string unit = (figure.Rows is null ? figure.Y : figure.X).Format == FigureFormat.Percent ? EvaluationSummary.ShareUnit : "";
        string where = point.Label ?? (figure.Rows is null ? Numbers.OnAxis(point.X, figure.X.Format) : figure.Rows[(int)point.Y]);
        double value = figure.Rows is null ? point.Y : point.X;
        string interval = point is { Low: { } low, High: { } high } ? $" ({Numbers.Interval(low, high, unit)})" : "";
        return $"{series.Name}, {where}: {Numbers.Bare(value, unit)}{interval}";
    }

    private static string Shorten(string text, int length) => text.Length <= length ? text : text[..(length - 1)] + "…";
}
