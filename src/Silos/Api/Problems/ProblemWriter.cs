using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Commands;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Telemetry;
using Microsoft.AspNetCore.Diagnostics;
using Npgsql;

namespace EmrMarket.Silos.Api.Problems;

/// <summary>The only place where a failure becomes an answer.</summary>
internal sealed partial class ProblemWriter(ProblemNotes notes) : IExceptionHandler
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>What is answered to a failure.</summary>
    public static Problem Describe(Exception failure) => failure switch
    {
        ApiException e => e.Problem,
        SiteRefusedException e => Refused(e.Code, e.Message),
        RequestRefusedException e => Refused(e.Code, e.Message),
        LinkRefusedException e => Refused(e.Code, e.Message),
        ServiceRefusedException e => Refused(e.Code, e.Message),
        ExchangeFileException e => Refused(e.Code, e.Message),
        WalletException e => Refused(e.Code, e.Message),
        EstimationRefusedException e => Problem.Of(ProblemType.Plan, e.Message),
        InputException e => Problem.Of(ProblemType.InvalidInput, $"the file has {e.Total} error{(e.Total == 1 ? "" : "s")}") with
        {
            ErrorCount = e.Total,
            Errors = [.. e.Problems.Take(MostErrors)
                .Select(problem => new ProblemLine(
                    problem.Code, Path.GetFileName(problem.File), problem.Line, problem.Column, problem.Message, problem.Fix))],
        },
        CommandException { Code: ExitCode.NotReady } e => Problem.Of(ProblemType.Unavailable, e.Message),
        CommandException e => Problem.Of(ProblemType.Refused, e.Message),
        BadHttpRequestException e => Describe(e),
        InvalidDataException =>
            Problem.Of(ProblemType.MalformedRequest, "the body is not what its Content-Type says, or longer than it may be"),
        InvalidSignatureException e => Problem.Of(ProblemType.CommandSignature, e.Message),
        EthereumException { IsTransient: true } => Problem.Of(ProblemType.Unavailable, "the ledger does not answer at the moment"),
        NpgsqlException { IsTransient: true } => Problem.Of(ProblemType.Unavailable, "the database does not answer at the moment"),
        TimeoutException => Problem.Of(ProblemType.Unavailable, "a part of the market did not answer in time"),
        _ => Problem.Of(ProblemType.Defect, "the program failed; nothing is known of what was done"),
    };

    /// <summary>Writes a problem; the headers of the answer must not have been sent.</summary>
    public static Task WriteAsync(HttpContext context, Problem problem)
    {
        Observation.Answered(context, problem);
        HttpResponse response = context.Response;
        response.StatusCode = problem.Status;
        response.ContentType = "application/problem+json";
        response.Headers.CacheControl = "no-store";
        if (problem.RetryAfterSeconds is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(problem, Json), context.RequestAborted).AsTask();
    }

    /// <inheritdoc/>
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            return true;
        }

        await WriteAsync(httpContext, notes.Describe(httpContext, exception));
        return true;
    }

    private static Problem Refused(string code, string message) =>
        ProblemTypes.Find(code) is { } type ? Problem.Of(type, message) : Problem.Of(ProblemType.Refused, $"{code}: {message}");

    // The text of the original quotes what was sent; what is said here names the place only.
    private static Problem Describe(BadHttpRequestException failure) => failure.StatusCode switch
    {
        StatusCodes.Status413PayloadTooLarge => Problem.Of(ProblemType.TooLarge),
        StatusCodes.Status408RequestTimeout => Problem.Of(ProblemType.RequestTimeout),
        StatusCodes.Status415UnsupportedMediaType => Problem.Of(ProblemType.UnsupportedMediaType),
        _ => Problem.Of(ProblemType.MalformedRequest, failure.InnerException is JsonException json ? Where(json)
            : Parameter().Match(failure.Message) is { Success: true } match
            ? $"the parameter {match.Groups["name"].Value} is missing or not of its type" : "the request cannot be read"),
    };

    private static string Where(JsonException json)
    {
        string at = json.Path is { Length: > 0 and <= 100 } path && PlainPath().IsMatch(path) ? $" at {path}" : "";
        string line = json.LineNumber is { } number
            ? string.Create(CultureInfo.InvariantCulture, $" (line {number + 1}, byte {json.BytePositionInLine + 1})") : "";
        return $"the body is no JSON of the expected form{at}{line}: a member is missing, unknown, given twice or of another type";
    }

    private const int MostErrors = 100;

    [GeneratedRegex("parameter \"[A-Za-z0-9_<>?\\[\\]., ]* ?\\b(?<name>[A-Za-z0-9_]{1,40})\"",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex Parameter();

    [GeneratedRegex(@"^\$[A-Za-z0-9_.\[\]]*$", RegexOptions.CultureInvariant, 100)]
    private static partial Regex PlainPath();
}
