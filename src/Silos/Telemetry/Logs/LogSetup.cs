using Microsoft.Extensions.Logging.Console;

namespace EmrMarket.Silos.Telemetry.Logs;

/// <summary>Where log lines go: standard error, one line an event.</summary>
internal static class LogSetup
{
    /// <summary>Makes the factory of all loggers of a process.</summary>
    public static ILoggerFactory Create(LogForm form, LogLevel level) => LoggerFactory.Create(logs =>
    {
        logs.Services.AddSingleton<ConsoleFormatter>(new LogLines(form, TimeProvider.System));
        logs.AddConsole(console =>
        {
            console.FormatterName = LogLines.FormatterName;
            console.LogToStandardErrorThreshold = LogLevel.Trace;
        });
        logs.SetMinimumLevel(LogLevel.Error);
        logs.AddFilter("EmrMarket", level);

        // What goes wrong with a call is answered, not logged.
        logs.AddFilter("Microsoft.AspNetCore", LogLevel.Critical);
        // Keys of sessions are below .emr/keys, which nobody else can read; that they are not encrypted once more is no event.
        logs.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
    });
}
