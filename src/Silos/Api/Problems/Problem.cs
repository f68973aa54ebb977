using System.Text.Json.Serialization;

namespace EmrMarket.Silos.Api.Problems;

/// <summary>A problem as RFC 9457 writes it, with what to do about it.</summary>
internal sealed record Problem
{
    /// <summary>The type's URI, relative to the server.</summary>
    public required string Type { get; init; }

    /// <summary>What the type means.</summary>
    public required string Title { get; init; }

    /// <summary>The HTTP status.</summary>
    public required int Status { get; init; }

    /// <summary>What failed this time, expected against got. Holds no raw value of a record.</summary>
    public required string Detail { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Fix { get; init; }

    /// <summary>What is wrong with a file, by line; the first hundred.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ProblemLine[]? Errors { get; init; }

    /// <summary>How many errors there are in all.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? ErrorCount { get; init; }

    /// <summary>The id under which the program notes a defect.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? TraceId { get; init; }

    /// <summary>How long to wait before asking again; sent as Retry-After.</summary>
    [JsonIgnore]
    public int? RetryAfterSeconds { get; init; }

    /// <summary>A problem of a type.</summary>
    /// <param name="type">The type.</param>
    /// <param name="detail">What failed, expected against got; the type's title when null.</param>
    public static Problem Of(ProblemType type, string? detail = null)
    {
        ProblemTypeInfo info = type.InfoOf();
        return new Problem
        {
            Type = info.Type, Title = info.Title, Status = info.Status, Detail = Fit(detail ?? info.Title), Fix = info.Fix,
            RetryAfterSeconds = info.Retry ? ShortestWaitSeconds : null,
        };
    }

    /// <summary>The problem of an answer that has a status and no words.</summary>
    public static Problem OfStatus(int status) => status switch
    {
        StatusCodes.Status404NotFound => Of(ProblemType.NotFound),
        StatusCodes.Status405MethodNotAllowed => Of(ProblemType.MethodNotAllowed),
        StatusCodes.Status413PayloadTooLarge => Of(ProblemType.TooLarge),
        StatusCodes.Status415UnsupportedMediaType => Of(ProblemType.UnsupportedMediaType),
        StatusCodes.Status401Unauthorized => Of(ProblemType.SignInRequired),
        StatusCodes.Status403Forbidden => Of(ProblemType.Forbidden),
        StatusCodes.Status429TooManyRequests => Of(ProblemType.TooManyRequests),
        StatusCodes.Status500InternalServerError => Of(ProblemType.Defect),
        StatusCodes.Status503ServiceUnavailable => Of(ProblemType.Unavailable),
        _ => Of(ProblemType.MalformedRequest) with { Status = status },
    };

    // A refusal may quote what it was given, which may be long or unprintable.
    private static string Fit(string detail)
    {
        string head = detail.Length <= LongestDetail ? detail : detail[..LongestDetail] + "...";
        return string.Concat(head.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c));
    }

    private const int LongestDetail = 1000;
    private const int ShortestWaitSeconds = 1;
}

/// <summary>One thing that is wrong with a file. Never a raw value.</summary>
/// <param name="Code">A stable code.</param>
/// <param name="File">Which one: the name of its table, or its number among those of the call; empty when it is none's.</param>
/// <param name="Line">From 1; 0 when it is the file's as a whole.</param>
/// <param name="Column">The column; empty when it is the line's.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Fix">What to do about it.</param>
internal sealed record ProblemLine(string Code, string File, long Line, string Column, string Message, string Fix);

/// <summary>A call is refused by the API itself.</summary>
/// <param name="type">Why.</param>
/// <param name="detail">What failed, expected against got.</param>
internal sealed class ApiException(ProblemType type, string? detail = null) : Exception(detail)
{
    /// <summary>What is answered.</summary>
    public Problem Problem { get; } = Problem.Of(type, detail);
}
