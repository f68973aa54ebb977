using System.Globalization;
using System.Net;
using System.Text.Json;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>A refusal of the server (RFC 9457).</summary>
internal sealed record Problem
{
    private static readonly HashSet<HttpStatusCode> Later =
        [HttpStatusCode.TooManyRequests, HttpStatusCode.BadGateway, HttpStatusCode.ServiceUnavailable, HttpStatusCode.GatewayTimeout];

    private static readonly HashSet<HttpStatusCode> Wrong =
    [
        HttpStatusCode.BadRequest, HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed, HttpStatusCode.Conflict, HttpStatusCode.Gone, HttpStatusCode.RequestEntityTooLarge,
        HttpStatusCode.UnsupportedMediaType, HttpStatusCode.UnprocessableEntity,
    ];

    /// <summary>The stable type, ending in the code.</summary>
    public string? Type { get; init; }

    /// <summary>What it is in short.</summary>
    public string? Title { get; init; }

    /// <summary>What is wrong with this call and how to mend it.</summary>
    public string? Detail { get; init; }

    /// <summary>What is wrong with a file, line by line.</summary>
    public LineProblem[]? Problems { get; init; }

    /// <summary>How many problems the file has in all.</summary>
    public long? Total { get; init; }

    /// <summary>The code behind the last slash of the type.</summary>
    public string Code => Type is { Length: > 0 } type ? type[(type.LastIndexOfAny(['/', ':']) + 1)..] : "";

    /// <summary>Reads a body; one that is no problem document is told by the status alone.</summary>
    public static Problem Parse(string body)
    {
        try
        {
            return JsonSerializer.Deserialize<Problem>(body, MarketClient.Json) ?? new Problem();
        }
        catch (JsonException)
        {
            return new Problem();
        }
    }

    /// <summary>The failure of the command.</summary>
    public CommandException ToException(HttpResponseMessage answer, Uri server, string path)
    {
        string said = Detail ?? Title ?? string.Create(CultureInfo.InvariantCulture, $"{server} answers /{path.TrimStart('/')} with status {(int)answer.StatusCode}");
        if (Problems is { Length: > 0 } lines)
        {
            said = string.Join("\nemr: ", lines.Select(line => line.ToString()).Prepend(said));
            said += Total > lines.Length ? string.Create(CultureInfo.InvariantCulture, $"\nemr: {Total - lines.Length} more problems.") : "";
        }

        int code = Later.Contains(answer.StatusCode) || Code == "not-ready" ? ExitCode.NotReady : Wrong.Contains(answer.StatusCode) ? ExitCode.Usage : ExitCode.Failure;
        return new CommandException(code, answer.StatusCode == HttpStatusCode.TooManyRequests && answer.Headers.RetryAfter?.Delta is { } delay
            ? string.Create(CultureInfo.InvariantCulture, $"{said} Try again in {delay.TotalSeconds:0} seconds.") : said);
    }
}

/// <summary>One thing that is wrong with a file.</summary>
/// <param name="File">The file as it was named.</param>
/// <param name="Line">From 1; 0 when the file as a whole is wrong.</param>
/// <param name="Column">The column; empty for the line.</param>
/// <param name="Code">A stable code.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Fix">How to mend it.</param>
internal sealed record LineProblem(string File, long Line, string? Column, string Code, string Message, string? Fix)
{
    /// <summary>As the loader on this machine would say it.</summary>
    public override string ToString() => new Analytics.Records.InputProblem(Code, File, Line, Column ?? "", Message, Fix ?? "").ToString();
}
