using System.Globalization;
using EmrMarket.Analytics.Evaluation;

namespace EmrMarket.Silos.Reporting;

/// <summary>How numbers are printed for people: enough digits to act on, no more.</summary>
internal static class Numbers
{
    /// <summary>A count with thousands separators.</summary>
    public static string Count(double value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A number with about three significant digits.</summary>
    public static string Short(double value)
    {
        double size = Math.Abs(value);
        return !double.IsFinite(value) ? (double.IsNaN(value) ? "-" : value > 0 ? "∞" : "-∞")
            : size == 0 ? "0"
            : size >= 1000 ? value.ToString("#,0", CultureInfo.InvariantCulture)
            : size >= 100 ? value.ToString("0.#", CultureInfo.InvariantCulture)
            : size >= 10 ? value.ToString("0.##", CultureInfo.InvariantCulture)
            : size >= 1 ? value.ToString("0.###", CultureInfo.InvariantCulture)
            : size >= 0.0001 ? SignificantDecimals(value, 3)
            : value.ToString("0.##e-0", CultureInfo.InvariantCulture);
    }

    /// <summary>A share of 1 as per cent, with about three significant digits and never more decimals than a record in a million.</summary>
    public static string Percent(double share)
    {
        double size = Math.Abs(share) * 100;
        string format = size is 0 or >= 99.95 ? "0.#" : size >= 10 ? "0.0" : size >= 0.1 ? "0.00" : size >= 0.01 ? "0.000" : "0.0000";
        return (share * 100).ToString(format, CultureInfo.InvariantCulture) + " %";
    }

    /// <summary>A value in a unit: shares as per cent, others with their unit behind.</summary>
    public static string InUnit(double value, string unit) =>
        unit == EvaluationSummary.ShareUnit ? Percent(value) : unit.Length == 0 ? Short(value) : $"{Short(value)} {unit}";

    /// <summary>A value without its unit, as in a column that names it.</summary>
    public static string Bare(double value, string unit) => unit == EvaluationSummary.ShareUnit ? Percent(value) : Short(value);

    /// <summary>The ends of an interval without their unit, both with as many decimals as the larger one is worth: "0.0 % to
    /// 41.0 %".</summary>
    public static (string Low, string High) Ends(double low, double high, string unit)
    {
        bool share = unit == EvaluationSummary.ShareUnit;
        double scale = share ? 100 : 1;
        double size = Math.Max(Math.Abs(low), Math.Abs(high)) * scale;
        if (!double.IsFinite(size) || size is >= 1000 or < 0.01)
        {
            return (Bare(low, unit), Bare(high, unit));
        }

        int decimals = size >= 100 ? 1 : (share ? 2 : 3) - (int)Math.Clamp(Math.Floor(Math.Log10(size)), -1, 1);
        string End(double value)
        {
            // Adding zero takes the sign of a zero away.
            double rounded = Math.Round(value * scale, decimals, MidpointRounding.AwayFromZero) + 0.0;
            return rounded.ToString($"F{decimals}", CultureInfo.InvariantCulture) + (share ? " %" : "");
        }

        return (End(low), End(high));
    }

    /// <summary>An interval without its unit, "low to high".</summary>
    public static string Interval(double low, double high, string unit)
    {
        (string from, string to) = Ends(low, high, unit);
        return $"{from} to {to}";
    }

    /// <summary>A tick or value of an axis.</summary>
    public static string OnAxis(double value, FigureFormat format)
    {
        if (format == FigureFormat.Percent)
        {
            return (value * 100).ToString("0.######", CultureInfo.InvariantCulture) + " %";
        }

        double size = Math.Abs(value);
        return size >= 1e6 ? (value / 1e6).ToString("0.###", CultureInfo.InvariantCulture) + " M"
            : size >= 1e4 ? (value / 1e3).ToString("0.###", CultureInfo.InvariantCulture) + " k"
            : size is 0 or >= 1e-4 ? value.ToString("#,0.######", CultureInfo.InvariantCulture)
            : value.ToString("0.#e-0", CultureInfo.InvariantCulture);
    }

    /// <summary>A value to four significant digits: what can be read off a bar.</summary>
    public static double Rounded(double value)
    {
        if (value == 0 || !double.IsFinite(value))
        {
            return value;
        }

        double scale = Math.Pow(10, 3 - Math.Floor(Math.Log10(Math.Abs(value))));
        return Math.Round(value * scale) / scale;
    }

    /// <summary>A duration in seconds.</summary>
    public static string Seconds(double seconds) => seconds >= 100 ? seconds.ToString("0", CultureInfo.InvariantCulture) + " s"
        : seconds >= 1 ? seconds.ToString("0.0", CultureInfo.InvariantCulture) + " s"
        : (seconds * 1000).ToString("0", CultureInfo.InvariantCulture) + " ms";

    /// <summary>Bytes in MiB.</summary>
    public static string Mebibytes(long bytes) => (bytes / 1048576.0).ToString("#,0", CultureInfo.InvariantCulture) + " MiB";

    private static string SignificantDecimals(double value, int digits)
    {
        int decimals = digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value)));
        return Math.Round(value, Math.Min(15, decimals)).ToString("0." + new string('#', decimals), CultureInfo.InvariantCulture);
    }
}
