using System.Diagnostics;
using System.Text.RegularExpressions;
using OpenTelemetry;

namespace EmrMarket.Silos.Telemetry.Traces;

/// <summary>
/// Keeps of each span what the program itself wrote: tags that are not in its table are taken off, and statements of the database are
/// called by their verb and table. A statement that failed is left out, since the driver writes the server's words into it; the span above
/// says that it failed.
/// </summary>
internal sealed partial class SpanKeeper : BaseProcessor<Activity>
{
    private const string Statement = "db.query.text";

    /// <summary>The tags that stay.</summary>
    public static IReadOnlySet<string> Kept { get; } = new HashSet<string>(
        ["emr.outcome", "emr.role", "http.request.method", "http.route", "http.response.status_code"], StringComparer.Ordinal);

    /// <inheritdoc/>
    public override void OnEnd(Activity data)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (data.Source.Name == "Npgsql")
        {
            data.DisplayName = NameOf((data.GetTagItem(Statement) ?? data.GetTagItem("db.statement")) as string);
            if (data.Status == ActivityStatusCode.Error || data.Events.Any(happened => happened.Name == "exception"))
            {
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            }
        }

        foreach (string tag in data.TagObjects.Select(tag => tag.Key).Where(tag => !Kept.Contains(tag)).ToList())
        {
            data.SetTag(tag, null);
        }
    }

    /// <summary>What a statement is called; a span without one opens a connection.</summary>
    public static string NameOf(string? statement) => statement is not null && Shape().Match(statement) is { Success: true } match
        ? $"{match.Groups["verb"].Value.ToUpperInvariant()} {match.Groups["table"].Value}".TrimEnd() : "connect";

    [GeneratedRegex(
        @"^\s*((?<verb>update)\s+(?<table>[a-z_]{1,40})|(?<verb>[A-Za-z]{2,10})\b(.*?\b(from|into|join)\s+(?<table>[a-z_]{1,40}))?)",
        RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.Singleline, 100)]
    private static partial Regex Shape();
}
