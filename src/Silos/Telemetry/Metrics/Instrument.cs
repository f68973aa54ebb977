namespace EmrMarket.Silos.Telemetry.Metrics;

/// <summary>What a measure is.</summary>
internal enum InstrumentKind
{
    /// <summary>It only grows while the process lives.</summary>
    Counter,

    /// <summary>It goes up and down.</summary>
    Gauge,

    /// <summary>It counts what fell below bounds.</summary>
    Histogram,
}

/// <summary>A measure that is shown. What has no row is not shown, and neither is a label that its row does not name.</summary>
/// <param name="Name">Its name as OpenTelemetry writes it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Unit">Its unit in the code of UCUM; in braces, a word for what is counted.</param>
/// <param name="Labels">Its labels, each with few values that the program knows beforehand.</param>
/// <param name="Meaning">What it says, for people.</param>
internal sealed record Instrument(string Name, InstrumentKind Kind, string Unit, string[] Labels, string Meaning)
{
    /// <summary>A label and the only value of it that is shown; null where all are.</summary>
    public (string Label, string Value)? Only { get; init; }

    /// <summary>A label and the only value of it that a process with sites shows, where the others move with what patients do; null where
    /// all may be shown.</summary>
    public (string Label, string Value)? OnlyAtSites { get; init; }

    /// <summary>The upper bounds of a histogram, in its unit.</summary>
    public double[] Bounds { get; init; } = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

    /// <summary>Its name as Prometheus writes it: the unit at the end, and <c>_total</c> behind a counter.</summary>
    public string PrometheusName => MetricText.NameOf(Name, Unit, Kind == InstrumentKind.Counter);
}
