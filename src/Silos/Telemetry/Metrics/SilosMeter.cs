using System.Diagnostics.Metrics;

namespace EmrMarket.Silos.Telemetry.Metrics;

/// <summary>What the program itself counts as it happens: passes of roles, messages of the link, answers of problems. A count that nobody
/// listens to costs a comparison.</summary>
internal static class SilosMeter
{
    /// <summary>The name of the meter.</summary>
    public const string Name = "EmrMarket.Silos";

    private static readonly Meter Meter = new(Name);
    private static readonly Gauge<int> Ready = Meter.CreateGauge<int>("emr.role.ready");
    private static readonly Histogram<double> PassDuration = Meter.CreateHistogram<double>("emr.role.pass.duration", "s");
    private static readonly Counter<long> PassFailures = Meter.CreateCounter<long>("emr.role.pass.failures", "{pass}");
    private static readonly Counter<long> Contested = Meter.CreateCounter<long>("emr.role.store.contested", "{time}");
    private static readonly Counter<long> LinkMessages = Meter.CreateCounter<long>("emr.link.messages", "{message}");
    private static readonly Counter<long> LinkCalls = Meter.CreateCounter<long>("emr.link.calls", "{message}");
    private static readonly Counter<long> Problems = Meter.CreateCounter<long>("emr.http.problems", "{answer}");

    /// <summary>A role begins: what has not happened yet is 0, so that its first time is seen as a rise.</summary>
    public static void Begins(string role) => Contested.Add(0, new KeyValuePair<string, object?>("role", role));

    /// <summary>A pass of a role is over.</summary>
    /// <param name="role">The role.</param>
    /// <param name="time">How long it took.</param>
    /// <param name="isReady">Whether it went through.</param>
    public static void Passed(string role, TimeSpan time, bool isReady)
    {
        Ready.Record(isReady ? 1 : 0, new KeyValuePair<string, object?>("role", role));
        PassDuration.Record(time.TotalSeconds, new KeyValuePair<string, object?>("role", role));
    }

    /// <summary>A pass of a role failed.</summary>
    public static void PassFailed(string role, Exception fault) =>
        PassFailures.Add(1, new("role", role), new("fault", fault.GetBaseException().GetType().Name));

    /// <summary>Another process had a role's database.</summary>
    public static void StoreContested(string role) => Contested.Add(1, new KeyValuePair<string, object?>("role", role));

    /// <summary>The market's end of the link has answered a message.</summary>
    public static void LinkAnswered(string kind, string outcome) => LinkMessages.Add(1, new("kind", kind), new("outcome", outcome));

    /// <summary>A site's call of the link is over.</summary>
    public static void LinkCalled(string kind, string outcome) => LinkCalls.Add(1, new("kind", kind), new("outcome", outcome));

    /// <summary>A problem was answered.</summary>
    public static void Answered(string problem) => Problems.Add(1, new KeyValuePair<string, object?>("type", problem));
}
