namespace EmrMarket.Silos.Telemetry.Logs;

/// <summary>The events of a server. Ids and words stay, so that whoever searches for them finds them after an update as well.</summary>
internal static partial class LogEvents
{
    /// <summary>
    /// The parameters that events have, and there are no others: names of roles, classes, methods and types, numbers, and sentences that
    /// the program wrote for a terminal.
    /// </summary>
    public static IReadOnlySet<string> Parameters { get; } = new HashSet<string>(
        ["Role", "Roles", "Problem", "Fault", "Trace", "TraceId", "Endpoint", "Grain", "Call", "Count", "Engine", "Code",
            "Version", "What"],
        StringComparer.Ordinal);

    [LoggerMessage(201, LogLevel.Information, "version {Version} runs as {Roles}")]
    public static partial void Started(this ILogger log, string version, string roles);

    [LoggerMessage(202, LogLevel.Information, "{Role} goes on")]
    public static partial void RoleGoesOn(this ILogger log, string role);

    [LoggerMessage(203, LogLevel.Warning, "{Role}: {Problem}.")]
    public static partial void RoleWaits(this ILogger log, string role, string problem);

    [LoggerMessage(204, LogLevel.Warning, "{Role}: the last pass failed with {Fault} and is tried again.\n{Trace}")]
    public static partial void PassFailed(this ILogger log, string role, string fault, string trace);

    [LoggerMessage(205, LogLevel.Warning, "{Engine} died and was started again ({Count} times by now)")]
    public static partial void EngineRestarted(this ILogger log, string engine, int count);

    [LoggerMessage(206, LogLevel.Critical, "{Engine} died and cannot be started again: this process ends")]
    public static partial void EngineLost(this ILogger log, string engine);

    [LoggerMessage(207, LogLevel.Critical, "it ends with exit code {Code}: {Problem}")]
    public static partial void Ended(this ILogger log, string problem, int code);

    [LoggerMessage(208, LogLevel.Critical,
        "the program failed ({Fault}); this is a defect, please report it with the lines below.\n{Trace}")]
    public static partial void Defect(this ILogger log, string fault, string trace);

    [LoggerMessage(209, LogLevel.Information, "{What} has ended in order")]
    public static partial void Stopped(this ILogger log, string what);

    [LoggerMessage(210, LogLevel.Information, "{What}")]
    public static partial void Prepares(this ILogger log, string what);
}
