using Microsoft.AspNetCore.Diagnostics;

namespace EmrMarket.Silos.Api.Problems;

/// <summary>Notes defects under the id that is answered, for whoever runs the server.</summary>
internal sealed partial class ProblemNotes(ILogger<ProblemNotes> log)
{
    /// <summary>What is answered to a failure of a call; a defect is noted, and answered with the id of the note.</summary>
    public Problem Describe(HttpContext context, Exception failure)
    {
        Problem problem = ProblemWriter.Describe(failure);
        if (problem.Status != StatusCodes.Status500InternalServerError)
        {
            return problem;
        }

        // The trace names methods; a message might quote a value, so only its type is noted.
        Exception cause = failure.GetBaseException();
        Endpoint? endpoint = context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        LogDefect(log, context.TraceIdentifier, endpoint?.DisplayName ?? "", cause.GetType().Name, cause.StackTrace ?? "");
        return problem with { TraceId = context.TraceIdentifier };
    }

    [LoggerMessage(101, LogLevel.Error, "{TraceId}: {Endpoint} failed with {Fault}; please report it with these lines.\n{Trace}")]
    private static partial void LogDefect(ILogger logger, string traceId, string endpoint, string fault, string trace);
}
