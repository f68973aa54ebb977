using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace EmrMarket.Silos.Telemetry.Logs;

/// <summary>The form of the lines on standard error.</summary>
internal enum LogForm
{
    /// <summary>For people.</summary>
    Text,

    /// <summary>A JSON object a line.</summary>
    Json,
}

/// <summary>
/// Writes a line for an event. Of an exception only the type and the methods that it passed, since its message may quote what somebody
/// sent; of events that are not the program's own only the words that its author fixed, without values; and of its own the values of the
/// parameters in <see cref="LogEvents"/>, which a test holds against every event there is.
/// </summary>
internal sealed class LogLines(LogForm form, TimeProvider clock) : ConsoleFormatter(FormatterName)
{
    /// <summary>The name under which the console knows it.</summary>
    public const string FormatterName = "emr";

    private const string Own = "EmrMarket.";
    private const string Template = "{OriginalFormat}";

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        ArgumentNullException.ThrowIfNull(textWriter);
        bool isOwn = logEntry.Category.StartsWith(Own, StringComparison.Ordinal);
        var values = logEntry.State as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
        string template = values.FirstOrDefault(pair => pair.Key == Template).Value as string ?? "";
        string message = isOwn ? logEntry.Formatter(logEntry.State, null) : template;
        string? fault = logEntry.Exception is { } exception ? exception.GetBaseException().GetType().Name : null;
        string? trace = logEntry.Exception?.GetBaseException().StackTrace;
        if (form == LogForm.Text)
        {
            textWriter.Write($"emr: {message}\n{(fault is null ? "" : $"emr: {fault}\n{trace}\n")}");
            return;
        }

        using MemoryStream line = new();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteString("time", clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("level", logEntry.LogLevel.ToString().ToLowerInvariant());
            json.WriteString("category", logEntry.Category);
            json.WriteNumber("id", logEntry.EventId.Id);
            json.WriteString("event", logEntry.EventId.Name);
            json.WriteString("message", message);
            if (Activity.Current is { Recorded: true } span)
            {
                json.WriteString("trace", span.TraceId.ToHexString());
            }

            if (isOwn)
            {
                foreach ((string name, object? value) in values.Where(pair => LogEvents.Parameters.Contains(pair.Key)))
                {
                    json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
                }
            }

            if (fault is not null)
            {
                json.WriteString("Fault", fault);
                json.WriteString("Trace", trace);
            }

            json.WriteEndObject();
        }

        textWriter.Write(Encoding.UTF8.GetString(line.ToArray()) + "\n");
    }
}
