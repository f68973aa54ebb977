using System.Globalization;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Pages.Texts;
using EmrMarket.Silos.Telemetry;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;

namespace EmrMarket.Silos.Pages;

/// <summary>Says to people in a page why something was refused; of a defect no more than the reference under which it is noted.</summary>
internal sealed class PageFailures(ProblemNotes notes) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (ApiPaths.IsApi(httpContext.Request.Path) || httpContext.RequestAborted.IsCancellationRequested
            || !Reads(httpContext))
        {
            return false;
        }

        Problem problem = notes.Describe(httpContext, exception);
        Observation.Answered(httpContext, problem);
        await WriteAsync(httpContext, problem);
        return true;
    }

    /// <summary>Says no in a page where the answer to people has a status and no words: the call was refused before a page was
    /// reached.</summary>
    public static Task SayAsync(StatusCodeContext context)
    {
        HttpContext http = context.HttpContext;
        int status = http.Response.StatusCode;
        if (ApiPaths.IsApi(http.Request.Path) || !Reads(http))
        {
            return Task.CompletedTask;
        }

        if (status == StatusCodes.Status404NotFound && http.GetEndpoint() is null)
        {
            return new RazorComponentResult<App> { StatusCode = status }.ExecuteAsync(http);
        }

        Problem problem = Problem.OfStatus(status);
        return WriteAsync(http, CommonPhrases.Refused(status) is { } title ? problem with { Title = title, Detail = "" } : problem);
    }

    private static bool Reads(HttpContext http) =>
        http.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);

    private static async Task WriteAsync(HttpContext http, Problem problem)
    {
        if (problem.RetryAfterSeconds is { } seconds && http.Response.Headers.RetryAfter.Count == 0)
        {
            http.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        // Services of its own: those of a page that failed while it was drawn serve no second drawing.
        IServiceProvider requested = http.RequestServices;
        await using AsyncServiceScope own = requested.CreateAsyncScope();
        http.RequestServices = own.ServiceProvider;
        try
        {
            await new RazorComponentResult<Failure>(new
            {
                Title = problem.TraceId is null ? problem.Title : CommonTexts.Defect,
                Detail = problem.TraceId is null ? problem.Detail : CommonTexts.DefectMeans,
                Fix = problem.TraceId is null ? CommonPhrases.WhatNow(problem.Status) : CommonTexts.DefectFix,
                Reference = problem.TraceId ?? "",
            })
            {
                StatusCode = problem.Status,
            }.ExecuteAsync(http);
        }
        finally
        {
            http.RequestServices = requested;
        }
    }
}
