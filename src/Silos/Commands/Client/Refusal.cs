using System.Globalization;
using System.Net;
using System.Text.Json;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>A problem document of the server (RFC 9457) as a command tells it.</summary>
internal sealed record Refusal
{
    private static readonly HashSet<HttpStatusCode> Later =
        [HttpStatusCode.RequestTimeout, HttpStatusCode.TooManyRequests, HttpStatusCode.BadGateway, HttpStatusCode.ServiceUnavailable,
            HttpStatusCode.GatewayTimeout];

    private static readonly HashSet<HttpStatusCode> Wrong =
    [
        HttpStatusCode.BadRequest, HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed, HttpStatusCode.Conflict, HttpStatusCode.Gone,
        HttpStatusCode.RequestEntityTooLarge, HttpStatusCode.UnsupportedMediaType, HttpStatusCode.UnprocessableEntity,
    ];

    // Conflicts with something that passes.
    private static readonly HashSet<string> Passing = new(
        ["not-ready", "unavailable", "idempotency-key-in-use", "requests-paused"], StringComparer.Ordinal);

    /// <summary>The stable type, ending in the code.</summary>
    public string? Type { get; init; }

    /// <summary>What the type means.</summary>
    public string? Title { get; init; }

    /// <summary>The HTTP status.</summary>
    public int Status { get; init; }

    /// <summary>What failed this time.</summary>
    public string? Detail { get; init; }

    /// <summary>What to do about it.</summary>
    public string? Fix { get; init; }

    /// <summary>What is wrong with a file, by line; the first of them.</summary>
    public LineError[]? Errors { get; init; }

    /// <summary>How many errors there are in all.</summary>
    public long? ErrorCount { get; init; }

    /// <summary>The code behind the last slash of the type.</summary>
    public string Code => Type is { Length: > 0 } type ? type[(type.LastIndexOfAny(['/', ':']) + 1)..] : "";

    /// <summary>Reads a body; one that is no problem document is told by the status alone.</summary>
    public static Refusal Parse(string body)
    {
        try
        {
            return JsonSerializer.Deserialize<Refusal>(body, MarketClient.Json) ?? new Refusal();
        }
        catch (JsonException)
        {
            return new Refusal();
        }
    }

    /// <summary>The failure of the command that an answer means.</summary>
    public CommandException ToException(HttpResponseMessage answer, Uri server, string path) =>
        (this with { Status = (int)answer.StatusCode }).ToException(server, path, answer.Headers.RetryAfter?.Delta);

    /// <summary>The failure of the command: 75 for what passes, 2 for what is wrong with the call, 1 otherwise.</summary>
    public CommandException ToException(Uri server, string path, TimeSpan? retryAfter = null)
    {
        string said = Detail ?? Title
            ?? string.Create(CultureInfo.InvariantCulture, $"{server} answers /{path.TrimStart('/')} with status {Status}");
        if (Errors is { Length: > 0 } errors)
        {
            said += string.Concat(
                errors.Select(error => "\nemr: " + new InputProblem(
                    error.Code, error.File ?? "the file", error.Line, error.Column ?? "", error.Message, error.Fix ?? "")));
            said += ErrorCount > errors.Length
                ? string.Create(CultureInfo.InvariantCulture, $"\nemr: {ErrorCount - errors.Length} more errors.") : "";
        }
        else if (Fix is { Length: > 0 })
        {
            said += (said.EndsWith('.') ? " " : ". ") + Fix;
        }

        bool passes = Later.Contains((HttpStatusCode)Status) || Passing.Contains(Code);
        return new CommandException(
            passes ? ExitCode.NotReady : Wrong.Contains((HttpStatusCode)Status) ? ExitCode.Usage : ExitCode.Failure,
            passes && retryAfter is { } delay
                ? string.Create(CultureInfo.InvariantCulture, $"{said} (The same command can be given again in {delay.TotalSeconds:0} s.)")
                : said)
        {
            Problem = Code,
        };
    }
}

/// <summary>One thing that is wrong with a file.</summary>
/// <param name="File">The file as it was named; null when there is one only.</param>
/// <param name="Line">From 1; 0 when the file as a whole is wrong.</param>
/// <param name="Column">The column; empty for the line.</param>
/// <param name="Code">A stable code.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Fix">What to do about it.</param>
internal sealed record LineError(string? File, long Line, string? Column, string Code, string Message, string? Fix);
