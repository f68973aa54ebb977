using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting.Plots;

/// <summary>Places the values of one axis on the drawing and chooses its ticks.</summary>
internal sealed class PlotScale
{
    private const int MostOwnTicks = 9;
    private readonly bool _logarithmic;
    private readonly double _from;
    private readonly double _to;
    private readonly double _start;
    private readonly double _end;

    private PlotScale(bool logarithmic, double from, double to, double start, double end, IReadOnlyList<double> ticks) =>
        (_logarithmic, _from, _to, _start, _end, Ticks) = (logarithmic, from, to, start, end, ticks);

    /// <summary>The values that carry a label.</summary>
    public IReadOnlyList<double> Ticks { get; }

    /// <summary>A scale over the values, widened to whole ticks.</summary>
    /// <param name="axis">The axis.</param>
    /// <param name="values">The values to be shown.</param>
    /// <param name="start">Where the least value lies on the drawing.</param>
    /// <param name="end">Where the greatest value lies.</param>
    /// <param name="ticks">About how many ticks are wanted.</param>
    /// <param name="ownTicks">Whether a few values on a logarithmic scale are their own ticks.</param>
    public static PlotScale Create(FigureAxis axis, IEnumerable<double> values, double start, double end, int ticks, bool ownTicks = false)
    {
        bool logarithmic = axis.Scale == FigureScale.Logarithmic;
        double[] shown = [.. values.Where(v => double.IsFinite(v) && (!logarithmic || v > 0))];
        double low = axis.Min ?? (shown.Length == 0 ? 0 : shown.Min());
        double high = axis.Max ?? (shown.Length == 0 ? 1 : shown.Max());
        return logarithmic
            ? Logarithmic(low > 0 ? low : 0.1, high > 0 ? high : 1, start, end, ownTicks ? [.. shown.Distinct().Order()] : [])
            : Linear(low, high, axis.Min is not null, axis.Max is not null, start, end, ticks);
    }

    /// <summary>The place of a value.</summary>
    public double this[double value] => _start + (_end - _start) * ((_logarithmic ? Math.Log10(value) : value) - _from) / (_to - _from);

    /// <summary>Whether a value can be placed.</summary>
    public bool Shows(double value) => double.IsFinite(value) && (!_logarithmic || value > 0);

    /// <summary>The value cut to the part that is shown.</summary>
    public double Clamp(double value)
    {
        double least = _logarithmic ? Math.Pow(10, _from) : _from;
        double greatest = _logarithmic ? Math.Pow(10, _to) : _to;
        return Math.Clamp(value, least, greatest);
    }

    private static PlotScale Linear(double low, double high, bool fixedLow, bool fixedHigh, double start, double end, int wanted)
    {
        if (high - low < 1e-12)
        {
            double margin = low == 0 ? 1 : Math.Abs(low) * 0.1;
            (low, high) = (fixedLow ? low : low - margin, high + margin);
        }

        double step = NiceStep((high - low) / Math.Max(1, wanted));
        double from = fixedLow ? low : Math.Floor(low / step + 1e-9) * step;
        double to = fixedHigh ? high : Math.Ceiling(high / step - 1e-9) * step;
        var ticks = new List<double>();
        for (double tick = Math.Ceiling(from / step - 1e-9) * step; tick <= to + step * 1e-9; tick += step)
        {
            ticks.Add(Math.Abs(tick) < step * 1e-9 ? 0 : tick);
        }

        return new PlotScale(false, from, to, start, end, ticks);
    }

    private static PlotScale Logarithmic(double low, double high, double start, double end, double[] values)
    {
        double from = Math.Log10(low);
        double to = Math.Log10(high);
        // At least 0.8 of a decade, which holds two of the ticks 1, 2, 5 wherever it lies.
        double margin = Math.Max(0.04 * (to - from), (0.8 - (to - from)) / 2);
        (from, to) = (from - margin, to + margin);
        if (values.Length is >= 3 and <= MostOwnTicks)
        {
            // Few values, such as the grades of a ladder: they are their own ticks.
            return new PlotScale(true, from, to, start, end, values);
        }

        double[] mantissas = to - from > 4 ? [1] : to - from > 1.6 ? [1, 3] : [1, 2, 5];
        var ticks = new List<double>();
        for (int decade = (int)Math.Floor(from); decade <= to; decade++)
        {
            foreach (double mantissa in mantissas)
            {
                double tick = mantissa * Math.Pow(10, decade);
                if (Math.Log10(tick) >= from && Math.Log10(tick) <= to)
                {
                    ticks.Add(tick);
                }
            }
        }

        return new PlotScale(true, from, to, start, end, ticks);
    }

    private static double NiceStep(double step)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        double mantissa = step / power;
        return power * (mantissa <= 1 ? 1 : mantissa <= 2 ? 2 : mantissa <= 2.5 ? 2.5 : mantissa <= 5 ? 5 : 10);
    }
}
