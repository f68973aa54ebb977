using System.Diagnostics.Metrics;

namespace EmrMarket.Grains.Market.Hosting;

/// <summary>What is measured of the market's end of the link: counted per message, by site and code.</summary>
public static class MarketTelemetry
{
    /// <summary>The name of the meter.</summary>
    public const string Name = "EmrMarket.Market";

    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Deliveries =
        Meter.CreateCounter<long>("emr.market.deliveries", "{delivery}", "Deliveries that sites handed in, by what the market said.");

    private static readonly Gauge<double> Heard =
        Meter.CreateGauge<double>("emr.market.site.heard.timestamp", "s", "When a site last asked for its orders, unix time.");

    internal static void Delivered(string outcome) => Deliveries.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    internal static void Asked(uint site) =>
        Heard.Record(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1e3, new KeyValuePair<string, object?>("site", (long)site));
}
