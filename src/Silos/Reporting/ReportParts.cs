using System.Globalization;
using System.Reflection;
using System.Text;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Silos.Reporting.Plots;

namespace EmrMarket.Silos.Reporting;

/// <summary>What reports are made of: one file without scripts and without a single request, which its content policy forbids.</summary>
internal static class ReportParts
{
    private const int MostPoints = 240;

    /// <summary>Everything before the page's own header.</summary>
    public static void Head(this StringBuilder html, string title) =>
        html.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
            .Append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n")
            .Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
            .Append("<meta name=\"robots\" content=\"noindex\">\n")
            .Append(CultureInfo.InvariantCulture, $"<title>{E(title)}</title>\n<style>\n{Style()}</style>\n</head>\n<body>\n");

    /// <summary>A number with what it is and how to read it; stands in a list of class "facts".</summary>
    public static void Fact(this StringBuilder html, string name, string value, string remark) =>
        html.Append(CultureInfo.InvariantCulture, $"<div><dt>{E(name)}</dt><dd>{E(value)}<small>{E(remark)}</small></dd></div>\n");

    /// <summary>A table under a heading; the first column names the row. Class "hashes" is for what is long and breaks
    /// anywhere.</summary>
    public static void Rows(this StringBuilder html, string title, string[] header, IEnumerable<string[]> rows,
        string @class = "")
    {
        html.Append(CultureInfo.InvariantCulture, $"<h3>{E(title)}</h3>\n");
        html.Append(CultureInfo.InvariantCulture, $"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{E(title)}\">")
            .Append(CultureInfo.InvariantCulture, $"<table class=\"{@class}\"><thead><tr>");
        foreach (string name in header)
        {
            html.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\">{E(name)}</th>");
        }

        html.Append("</tr></thead><tbody>\n");
        foreach (string[] row in rows)
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{E(row[0])}</th>")
                .AppendJoin("", row.Skip(1).Select(cell => $"<td>{E(cell)}</td>")).Append("</tr>\n");
        }

        html.Append("</tbody></table></div>\n");
    }

    /// <summary>A plot with its legend, how to read it, and the same numbers as a table.</summary>
    public static void Draw(this StringBuilder html, Figure figure)
    {
        html.Append(CultureInfo.InvariantCulture, $"<figure>\n<h3>{E(figure.Title)}</h3>\n");
        if (figure.Series.Count > 1)
        {
            html.Append("<ul class=\"legend\">");
            for (int s = 0; s < figure.Series.Count; s++)
            {
                html.Append(
                    CultureInfo.InvariantCulture, $"<li>{FigurePlot.LegendKey(figure.Series[s].Mark, s)}{E(figure.Series[s].Name)}</li>");
            }

            html.Append("</ul>\n");
        }

        html.Append(FigurePlot.Draw(figure));
        html.Append(CultureInfo.InvariantCulture, $"\n<figcaption>{E(figure.Reading)}</figcaption>\n");
        FigureTable(html, figure);
        html.Append("</figure>\n");
    }

    private static void FigureTable(StringBuilder html, Figure figure)
    {
        FigureAxis measured = figure.Rows is null ? figure.Y : figure.X;
        string unit = measured.Format == FigureFormat.Percent ? EvaluationSummary.ShareUnit : "";
        string Measured(double value) => Numbers.Bare(value, unit);
        (FigureSeries Series, FigurePoint Point)[] points = [.. figure.Series.SelectMany(s => s.Points.Select(p => (s, p)))];
        bool intervals = points.Any(p => p.Point.Low is not null);
        bool several = figure.Series.Count > 1;
        html.Append("<details><summary>Table of this plot</summary>")
            .Append(CultureInfo.InvariantCulture, $"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{E(figure.Title)}\">")
            .Append("<table><thead><tr>")
            .Append(CultureInfo.InvariantCulture, $"<th scope=\"col\">{E(figure.Rows is null ? figure.X.Label : "what")}</th>")
            .Append(several ? "<th scope=\"col\" class=\"left\">series</th>" : "")
            .Append(CultureInfo.InvariantCulture, $"<th scope=\"col\">{E(measured.Label)}</th>")
            .Append(intervals ? "<th scope=\"col\">interval</th>" : "")
            .Append("</tr></thead><tbody>\n");
        foreach ((FigureSeries series, FigurePoint point) in points.Take(MostPoints))
        {
            string where = figure.Rows is null
                ? Numbers.OnAxis(point.X, figure.X.Format) + (point.Label is null ? "" : $" ({point.Label})")
                : figure.Rows[(int)point.Y];
            string interval = point is { Low: { } low, High: { } high } ? $"<td>{Numbers.Interval(low, high, unit)}</td>" : "<td></td>";
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{E(where)}</td>")
                .Append(several ? $"<td class=\"left\">{E(series.Name)}</td>" : "")
                .Append(CultureInfo.InvariantCulture, $"<td>{Measured(figure.Rows is null ? point.Y : point.X)}</td>")
                .Append(intervals ? interval : "")
                .Append("</tr>\n");
        }

        html.Append("</tbody></table></div>");
        if (points.Length > MostPoints)
        {
            html.Append(
                CultureInfo.InvariantCulture, $"<p class=\"note\">{points.Length - MostPoints} more points are in results.json.</p>");
        }

        html.Append("</details>\n");
    }

    private static string E(string text) => SvgBuilder.Escape(text);

    private static string Style() => Sheet("EmrMarket.Assets/plots.css") + Sheet("EmrMarket.Silos.Reporting.report.css");

    private static string Sheet(string resource)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The style sheet {resource} is not in the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
