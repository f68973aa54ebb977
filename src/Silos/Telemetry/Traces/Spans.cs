using System.Diagnostics;

namespace EmrMarket.Silos.Telemetry.Traces;

/// <summary>
/// The spans of the program. A trace begins with a request of the API or pages, with a pass of a role, or with a message that a site
/// signed; everything below is named by what is fixed in the program. What patients do begins none (<see cref="MeasuredRoutes"/>), so that
/// no trace tells when somebody did what.
/// </summary>
internal static class Spans
{
    /// <summary>The name of the source.</summary>
    public const string Name = "EmrMarket.Silos";

    /// <summary>The header in which a site tells the market its span, W3C trace context.</summary>
    public const string Header = "traceparent";

    private static readonly ActivitySource Source = new(Name);

    /// <summary>Begins a trace; null where nobody records.</summary>
    public static Activity? Begin(string name, ActivityKind kind = ActivityKind.Internal)
    {
        // Whatever a stranger's header or a host has begun is no part of it.
        Activity.Current = null;
        return Source.StartActivity(name, kind);
    }

    /// <summary>Begins the trace of a request; null where nobody records, for whom no name is made.</summary>
    public static Activity? BeginRequest(string method, string route)
    {
        Activity.Current = null;
        return Source.HasListeners() ? Source.StartActivity($"{method} {route}", ActivityKind.Server) : null;
    }

    /// <summary>Goes on with a trace of the other end of the link.</summary>
    public static Activity? Continue(string name, string header)
    {
        Activity.Current = null;
        return ActivityContext.TryParse(header, traceState: null, isRemote: true, out ActivityContext parent)
            ? Source.StartActivity(name, ActivityKind.Server, parent) : Source.StartActivity(name, ActivityKind.Server);
    }

    /// <summary>A step of a trace that is recorded; null outside one.</summary>
    public static Activity? Step(string name, ActivityKind kind = ActivityKind.Internal) =>
        Source.HasListeners() && Activity.Current is { Recorded: true } ? Source.StartActivity(name, kind) : null;
}
