using System.Diagnostics.Metrics;
using EmrMarket.Contracts.Ethereum.Sending;

namespace EmrMarket.Grains.Ledger;

/// <summary>What is measured of following the ledger and sending to it: depths and times by role, counted once a pass.</summary>
public static class LedgerTelemetry
{
    /// <summary>The name of the meter.</summary>
    public const string Name = "EmrMarket.Ledger";

    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Reorganisations =
        Meter.CreateCounter<long>(
            "emr.ledger.reorganisations", "{reorganisation}", "Times that the chain took back blocks that were read.");

    private static readonly Gauge<long> Outbox =
        Meter.CreateGauge<long>("emr.ledger.outbox", "{transaction}", "Transactions of a role that are not final yet, by where they are.");

    private static readonly Gauge<double> Stall =
        Meter.CreateGauge<double>("emr.ledger.outbox.stall", "s", "Time since anything moved in an outbox that is not empty.");

    internal static void Reorganised() => Reorganisations.Add(1);

    internal static void Record(string role, int unsigned, SenderPass pass, TimeSpan stall)
    {
        if (role.Length == 0)
        {
            return;
        }

        foreach ((string state, int count) in ((string, int)[])[
            ("unsigned", unsigned), ("waiting", pass.Waiting), ("offered", pass.InFlight), ("included", pass.Included)])
        {
            Outbox.Record(count, new("role", role), new("state", state));
        }

        RecordStall(role, stall);
    }

    internal static void RecordStall(string role, TimeSpan stall)
    {
        if (role.Length > 0)
        {
            Stall.Record(stall.TotalSeconds, new KeyValuePair<string, object?>("role", role));
        }
    }
}
