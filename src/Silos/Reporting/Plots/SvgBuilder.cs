using System.Globalization;
using System.Text;

namespace EmrMarket.Silos.Reporting.Plots;

/// <summary>Writes SVG elements; every text and attribute is escaped, every coordinate has at most two decimals.</summary>
internal sealed class SvgBuilder
{
    private readonly StringBuilder _text = new();

    /// <summary>The SVG so far.</summary>
    public override string ToString() => _text.ToString();

    /// <summary>Opens the drawing. Its title and description are what a screen reader speaks.</summary>
    public void Open(string id, double width, double height, string title, string description)
    {
        _text.Append(
            CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {N(width)} {N(height)}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">")
            .Append(
                CultureInfo.InvariantCulture,
                $"<title id=\"{id}-t\">{Escape(title)}</title><desc id=\"{id}-d\">{Escape(description)}</desc>\n");
    }

    /// <summary>Opens a drawing that says nothing of its own, which a screen reader skips.</summary>
    public void OpenDecoration(double width, double height) =>
        _text.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {N(width)} {N(height)}\" aria-hidden=\"true\">");

    /// <summary>Closes the drawing.</summary>
    public void Close() => _text.Append("</svg>");

    /// <summary>Opens a group.</summary>
    public void Group(string @class) => _text.Append(CultureInfo.InvariantCulture, $"<g class=\"{@class}\">\n");

    /// <summary>Closes a group.</summary>
    public void EndGroup() => _text.Append("</g>\n");

    /// <summary>A straight line.</summary>
    public void Line(string @class, double x1, double y1, double x2, double y2) =>
        _text.Append(
            CultureInfo.InvariantCulture, $"<line class=\"{@class}\" x1=\"{N(x1)}\" y1=\"{N(y1)}\" x2=\"{N(x2)}\" y2=\"{N(y2)}\"/>\n");

    /// <summary>A rectangle.</summary>
    public void Rectangle(string @class, double x, double y, double width, double height, string? tip = null)
    {
        _text.Append(
            CultureInfo.InvariantCulture,
            $"<rect class=\"{@class}\" x=\"{N(x)}\" y=\"{N(y)}\" width=\"{N(width)}\" height=\"{N(height)}\"");
        End("rect", tip);
    }

    /// <summary>A line through points.</summary>
    public void Polyline(string @class, IEnumerable<(double X, double Y)> points) =>
        _text.Append(
            CultureInfo.InvariantCulture,
            $"<polyline class=\"{@class}\" points=\"{string.Join(' ', points.Select(p => N(p.X) + "," + N(p.Y)))}\"/>\n");

    /// <summary>A marker; the shape tells series apart without colour.</summary>
    public void Marker(int shape, string @class, double x, double y, double radius, string? tip)
    {
        double r = radius;
        switch (shape % 4)
        {
            case 0:
                _text.Append(CultureInfo.InvariantCulture, $"<circle class=\"{@class}\" cx=\"{N(x)}\" cy=\"{N(y)}\" r=\"{N(r)}\"");
                End("circle", tip);
                break;
            case 1:
                Rectangle(@class, x - 0.89 * r, y - 0.89 * r, 1.78 * r, 1.78 * r, tip);
                break;
            case 2:
                Path(@class, $"M{N(x)} {N(y - 1.2 * r)}L{N(x + 1.1 * r)} {N(y + 0.8 * r)}L{N(x - 1.1 * r)} {N(y + 0.8 * r)}Z", tip);
                break;
            default:
                Path(@class, $"M{N(x)} {N(y - 1.3 * r)}L{N(x + 1.3 * r)} {N(y)}L{N(x)} {N(y + 1.3 * r)}L{N(x - 1.3 * r)} {N(y)}Z", tip);
                break;
        }
    }

    /// <summary>A text.</summary>
    /// <param name="class">CSS classes.</param>
    /// <param name="x">Anchor x.</param>
    /// <param name="y">Baseline y.</param>
    /// <param name="text">The text.</param>
    /// <param name="anchor">start, middle or end.</param>
    /// <param name="turned">Whether it reads upwards.</param>
    public void Text(string @class, double x, double y, string text, string anchor = "start", bool turned = false)
    {
        string turn = turned ? $" transform=\"rotate(-90 {N(x)} {N(y)})\"" : "";
        _text.Append(
            CultureInfo.InvariantCulture,
            $"<text class=\"{@class}\" x=\"{N(x)}\" y=\"{N(y)}\" text-anchor=\"{anchor}\"{turn}>{Escape(text)}</text>\n");
    }

    /// <summary>Text with the characters that markup gives a meaning escaped, and those that XML forbids replaced.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            switch (c)
            {
                case '&': escaped.Append("&amp;"); break;
                case '<': escaped.Append("&lt;"); break;
                case '>': escaped.Append("&gt;"); break;
                case '"': escaped.Append("&quot;"); break;
                case '\'': escaped.Append("&#39;"); break;
                default: escaped.Append(c is '\t' or '\n' or '\r' || c >= ' ' ? c : '\uFFFD'); break;
            }
        }

        return escaped.ToString();
    }

    private static string N(double value) => Math.Round(value, 2).ToString("0.##", CultureInfo.InvariantCulture);

    private void Path(string @class, string data, string? tip)
    {
        _text.Append(CultureInfo.InvariantCulture, $"<path class=\"{@class}\" d=\"{data}\"");
        End("path", tip);
    }

    private void End(string element, string? tip)
    {
        if (tip is null)
        {
            _text.Append("/>\n");
        }
        else
        {
            _text.Append(CultureInfo.InvariantCulture, $"><title>{Escape(tip)}</title></{element}>\n");
        }
    }
}
