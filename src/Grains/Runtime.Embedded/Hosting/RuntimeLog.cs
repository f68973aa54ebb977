using Microsoft.Extensions.Logging;

namespace EmrMarket.Grains.Embedded.Hosting;

/// <summary>What the runtime reports because no caller hears of it. Classes, types and methods are named; keys of grains, which may name
/// people, and messages of exceptions, which may quote what somebody sent, are not.</summary>
internal static partial class RuntimeLog
{
    internal static void ActivationFailed(this ILogger log, string grain, Exception exception) =>
        Note(log, grain, "activation", exception, ActivationFailed);

    internal static void DeactivationFailed(this ILogger log, string grain, Exception exception) =>
        Note(log, grain, "deactivation", exception, DeactivationFailed);

    internal static void TimerFailed(this ILogger log, string grain, Exception exception) =>
        Note(log, grain, "timer", exception, TimerFailed);

    internal static void OneWayCallFailed(this ILogger log, string grain, string call, Exception? exception)
    {
        RuntimeTelemetry.Fault(grain, "one-way call");
        OneWayCallFailed(log, call, exception?.GetBaseException().GetType().Name ?? "its cancellation", TraceOf(exception));
    }

    internal static void PredicateFailed(this ILogger log, string grain, Exception exception) =>
        Note(log, grain, "predicate", exception, PredicateFailed);

    [LoggerMessage(6, LogLevel.Warning, "Stopping was cut short: {Count} activations did not end in order")]
    internal static partial void StopWasCutShort(this ILogger log, int count);

    private static void Note(ILogger log, string grain, string kind, Exception exception, Action<ILogger, string, string, string> write)
    {
        RuntimeTelemetry.Fault(grain, kind);
        write(log, grain, exception.GetBaseException().GetType().Name, TraceOf(exception));
    }

    private static string TraceOf(Exception? exception) => exception?.GetBaseException().StackTrace ?? "";

    [LoggerMessage(1, LogLevel.Warning, "A grain of class {Grain} could not be activated: {Fault}\n{Trace}")]
    private static partial void ActivationFailed(ILogger log, string grain, string fault, string trace);

    [LoggerMessage(2, LogLevel.Warning, "A grain of class {Grain} failed while it was deactivated: {Fault}\n{Trace}")]
    private static partial void DeactivationFailed(ILogger log, string grain, string fault, string trace);

    [LoggerMessage(3, LogLevel.Warning, "A timer of a grain of class {Grain} failed with {Fault}; its next tick will come\n{Trace}")]
    private static partial void TimerFailed(ILogger log, string grain, string fault, string trace);

    [LoggerMessage(4, LogLevel.Warning, "The one-way call {Call} failed with {Fault}\n{Trace}")]
    private static partial void OneWayCallFailed(ILogger log, string call, string fault, string trace);

    [LoggerMessage(5, LogLevel.Error,
        "The interleaving predicate of {Grain} failed with {Fault}; the request does not interleave\n{Trace}")]
    private static partial void PredicateFailed(ILogger log, string grain, string fault, string trace);
}
