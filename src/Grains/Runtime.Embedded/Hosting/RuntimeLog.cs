using Microsoft.Extensions.Logging;

namespace EmrMarket.Grains.Embedded.Hosting;

/// <summary>What the runtime reports because no caller hears of it.</summary>
internal static partial class RuntimeLog
{
    [LoggerMessage(1, LogLevel.Warning, "Grain {Grain} could not be activated")]
    internal static partial void ActivationFailed(this ILogger log, string grain, Exception exception);

    [LoggerMessage(2, LogLevel.Warning, "Grain {Grain} failed while it was deactivated")]
    internal static partial void DeactivationFailed(this ILogger log, string grain, Exception exception);

    [LoggerMessage(3, LogLevel.Warning, "A timer of grain {Grain} failed; its next tick will come")]
    internal static partial void TimerFailed(this ILogger log, string grain, Exception exception);

    [LoggerMessage(4, LogLevel.Warning, "The one-way call {Call} failed")]
    internal static partial void OneWayCallFailed(this ILogger log, string call, Exception? exception);

    [LoggerMessage(5, LogLevel.Error, "The interleaving predicate of {Class} failed; the request does not interleave")]
    internal static partial void PredicateFailed(this ILogger log, string @class, Exception exception);

    [LoggerMessage(6, LogLevel.Warning, "Stopping was cut short: {Count} activations did not end in order")]
    internal static partial void StopWasCutShort(this ILogger log, int count);
}
