using System.Globalization;
using System.Reflection;
using System.Text;
using EmrMarket.Silos.Telemetry.Metrics;

namespace EmrMarket.Silos.Telemetry;

/// <summary>The tables of docs/OPERATIONS.md that follow from the code: measures and log events.</summary>
internal static class TelemetryReference
{
    /// <summary>An event that a program's log may hold.</summary>
    /// <param name="Id">Its number.</param>
    /// <param name="Name">Its name.</param>
    /// <param name="Level">Its level.</param>
    /// <param name="Message">Its words, with the names of its parameters in braces.</param>
    public sealed record LoggedEvent(int Id, string Name, LogLevel Level, string Message);

    /// <summary>Every event of the program.</summary>
    public static IReadOnlyList<LoggedEvent> Events { get; } =
    [
        .. AppDomain.CurrentDomain.GetAssemblies().Append(typeof(TelemetryReference).Assembly)
            .Concat(typeof(TelemetryReference).Assembly.GetReferencedAssemblies().Where(name => IsOwn(name.Name)).Select(Assembly.Load))
            .Where(assembly => IsOwn(assembly.GetName().Name)).Distinct()
            .SelectMany(assembly => assembly.GetTypes())
            .SelectMany(type => type.GetMethods(
                BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Select(method => (Method: method, Attribute: method.GetCustomAttribute<LoggerMessageAttribute>()))
            .Where(one => one.Attribute is not null)
            .Select(one => new LoggedEvent(
                one.Attribute!.EventId, one.Attribute.EventName ?? one.Method.Name, one.Attribute.Level, one.Attribute.Message ?? ""))
            .OrderBy(one => one.Id),
    ];

    /// <summary>Writes them.</summary>
    public static string Write()
    {
        StringBuilder text = new();
        foreach ((string title, IReadOnlyList<Instrument> instruments) in InstrumentTable.Groups)
        {
            text.Append($"### {title}\n\n| measure | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
            foreach (Instrument instrument in instruments)
            {
                string labels = string.Join(", ", instrument.Labels.Select(label => $"`{MetricText.LabelOf(label)}`"));
                text.Append(
                    $"| `{instrument.PrometheusName}` | {instrument.Kind.ToString().ToLowerInvariant()} | {labels} | "
                        + $"{instrument.Meaning} |\n");
            }

            text.Append('\n');
        }

        text.Append("### Log events\n\n| id | event | level | words |\n| --- | --- | --- | --- |\n");
        foreach (LoggedEvent one in Events)
        {
            string words = one.Message.Replace("\n", " ", StringComparison.Ordinal);
            text.Append(CultureInfo.InvariantCulture,
                $"| {one.Id} | `{one.Name}` | {one.Level.ToString().ToLowerInvariant()} | {words} |\n");
        }

        return text.ToString().ReplaceLineEndings("\n");
    }

    private static bool IsOwn(string? assembly) =>
        assembly == "emrmarket" || assembly?.StartsWith("EmrMarket.", StringComparison.Ordinal) == true;
}
