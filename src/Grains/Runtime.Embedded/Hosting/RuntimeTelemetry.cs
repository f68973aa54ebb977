using System.Diagnostics;
using System.Diagnostics.Metrics;
using EmrMarket.Grains.Embedded.Calls;

namespace EmrMarket.Grains.Embedded.Hosting;

/// <summary>What is measured of the runtime. Faults are counted by grain class, never by key; calls are not counted at all, since a call
/// can be one person's act. Spans are begun for calls that a recorded span makes, and named by interface and method.</summary>
public static class RuntimeTelemetry
{
    /// <summary>The name of the meter and of the source of activities.</summary>
    public const string Name = "EmrMarket.Grains";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Faults =
        Meter.CreateCounter<long>("emr.grains.faults", "{fault}", "Faults of grains that are not the answer of a call, by class and kind.");

    /// <summary>The caller's span; null where none is recorded.</summary>
    internal static Activity? Caller => Source.HasListeners() && Activity.Current is { Recorded: true } caller ? caller : null;

    internal static void Fault(string grain, string kind) => Faults.Add(1, new("grain", grain), new("kind", kind));

    /// <summary>Begins the span of a call in the turn of its callee; null where nobody records.</summary>
    internal static Activity? Begin(GrainMethod call, Activity? caller) =>
        caller is null ? null : Source.StartActivity(call.ToString(), ActivityKind.Internal, caller.Context);
}
