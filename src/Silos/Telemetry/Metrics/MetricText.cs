using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace EmrMarket.Silos.Telemetry.Metrics;

/// <summary>
/// Writes measures as Prometheus reads them: the text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), with
/// the names that OpenTelemetry's "Prometheus and OpenMetrics Compatibility" derives. What <see cref="InstrumentTable"/> does not hold is
/// left out.
/// </summary>
/// <param name="hasSites">Whether the process has sites, whose people's acts no measure tells.</param>
internal sealed class MetricText(bool hasSites) : BaseExporter<Metric>
{
    /// <summary>What the answer is.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private string _text = "";

    /// <summary>What the last collection wrote.</summary>
    public string Text => Volatile.Read(ref _text);

    /// <inheritdoc/>
    public override ExportResult Export(in Batch<Metric> batch)
    {
        List<Metric> metrics = [];
        foreach (Metric metric in batch)
        {
            metrics.Add(metric);
        }

        Volatile.Write(ref _text, Write(metrics));
        return ExportResult.Success;
    }

    /// <summary>A name with its unit, as Prometheus has it.</summary>
    public static string NameOf(string name, string unit, bool isCounter)
    {
        string plain = LabelOf(name);
        string word = unit switch
        {
            "s" => "seconds",
            "By" => "bytes",
            "" => "",
            _ => unit[0] == '{' ? unit is "{wei}" or "{tokens}" ? unit[1..^1] : "" : LabelOf(unit),
        };
        plain = word.Length == 0 || plain.EndsWith("_" + word, StringComparison.Ordinal) ? plain : plain + "_" + word;
        return isCounter && !plain.EndsWith("_total", StringComparison.Ordinal) ? plain + "_total" : plain;
    }

    /// <summary>A label's name: letters, digits and underscores.</summary>
    public static string LabelOf(string name) =>
        string.Create(name.Length, name, (span, from) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                span[i] = char.IsAsciiLetterOrDigit(from[i]) || from[i] == '_' ? from[i] : '_';
            }
        });

    private string Write(List<Metric> metrics)
    {
        StringBuilder text = new();
        ILookup<string, Metric> byName = metrics.ToLookup(metric => metric.Name, StringComparer.Ordinal);

        // Every row, so that a reader knows of a measure that nothing has moved yet.
        foreach (Instrument instrument in InstrumentTable.All.Values.OrderBy(one => one.Name, StringComparer.Ordinal))
        {
            string name = instrument.PrometheusName;
            text.Append("# HELP ").Append(name).Append(' ').Append(Escape(instrument.Meaning, isLabel: false)).Append('\n')
                .Append("# TYPE ").Append(name).Append(' ').Append(instrument.Kind switch
                {
                    InstrumentKind.Counter => "counter", InstrumentKind.Gauge => "gauge", _ => "histogram",
                }).Append('\n');
            HashSet<string> written = new(StringComparer.Ordinal);
            foreach (Metric metric in byName[instrument.Name])
            {
                foreach (ref readonly MetricPoint point in metric.GetMetricPoints())
                {
                    if (Labels(instrument, point) is { } labels && written.Add(labels))
                    {
                        Append(text, name, labels, metric.MetricType, point);
                    }
                }
            }
        }

        return text.ToString();
    }

    /// <summary>The labels of a point; null when it is not to be shown.</summary>
    private string? Labels(Instrument instrument, in MetricPoint point)
    {
        (string, string)? only = instrument.Only ?? (hasSites ? instrument.OnlyAtSites : null);
        bool isShown = only is null;
        StringBuilder text = new();
        foreach (KeyValuePair<string, object?> tag in point.Tags)
        {
            string value = Convert.ToString(tag.Value, CultureInfo.InvariantCulture) ?? "";
            isShown |= only == (tag.Key, value);
            text.Append(text.Length == 0 ? "" : ",").Append(LabelOf(tag.Key)).Append("=\"").Append(Escape(value, isLabel: true))
                .Append('"');
        }

        return isShown ? text.ToString() : null;
    }

    private static void Append(StringBuilder text, string name, string labels, MetricType type, in MetricPoint point)
    {
        switch (type)
        {
            case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                Line(text, name, labels, point.GetSumLong());
                break;
            case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                Line(text, name, labels, point.GetSumDouble());
                break;
            case MetricType.LongGauge:
                Line(text, name, labels, point.GetGaugeLastValueLong());
                break;
            case MetricType.DoubleGauge:
                Line(text, name, labels, point.GetGaugeLastValueDouble());
                break;
            case MetricType.Histogram:
                long below = 0;
                string before = labels.Length == 0 ? "" : labels + ",";
                foreach (HistogramBucket bucket in point.GetHistogramBuckets())
                {
                    below += bucket.BucketCount;
                    Line(text, name + "_bucket", $"{before}le=\"{Number(bucket.ExplicitBound)}\"", below);
                }

                Line(text, name + "_sum", labels, point.GetHistogramSum());
                Line(text, name + "_count", labels, point.GetHistogramCount());
                break;
        }
    }

    private static void Line(StringBuilder text, string name, string labels, double value) =>
        text.Append(name).Append(labels.Length == 0 ? "" : "{" + labels + "}").Append(' ').Append(Number(value)).Append('\n');

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    private static string Escape(string text, bool isLabel)
    {
        string escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return isLabel ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped;
    }
}
