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
            || !httpContext.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        Problem problem = notes.Describe(httpContext, exception);
        Observation.Answered(httpContext, problem);

        // Services of its own: those of a page that failed while it was drawn serve no second drawing.
        IServiceProvider requested = httpContext.RequestServices;
        await using AsyncServiceScope own = requested.CreateAsyncScope();
        httpContext.RequestServices = own.ServiceProvider;
        try
        {
            await new RazorComponentResult<Failure>(new
            {
                Title = problem.TraceId is null ? problem.Title : CommonTexts.Defect,
                Detail = problem.TraceId is null ? problem.Detail : CommonTexts.DefectMeans, Reference = problem.TraceId ?? "",
            })
            {
                StatusCode = problem.Status,
            }.ExecuteAsync(httpContext);
        }
        finally
        {
            httpContext.RequestServices = requested;
        }

        return true;
    }
}
