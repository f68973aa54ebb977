using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Problems;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;

namespace EmrMarket.Silos.Pages;

/// <summary>Says to people in a page why something was refused. Defects are left to the API's writer, which notes them.</summary>
internal sealed class PageFailures : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (ApiPaths.IsApi(httpContext.Request.Path)
            || !httpContext.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase)
            || ProblemWriter.Describe(exception) is not { Status: < 500 or StatusCodes.Status503ServiceUnavailable } problem)
        {
            return false;
        }

        // Services of its own: those of a page that failed while it was drawn serve no second drawing.
        IServiceProvider requested = httpContext.RequestServices;
        await using AsyncServiceScope own = requested.CreateAsyncScope();
        httpContext.RequestServices = own.ServiceProvider;
        try
        {
            await new RazorComponentResult<Failure>(new { problem.Title, Detail = problem.Detail ?? "" })
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
