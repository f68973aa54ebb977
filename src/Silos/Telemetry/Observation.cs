using System.Diagnostics;
using System.Runtime.CompilerServices;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Telemetry.Metrics;
using EmrMarket.Silos.Telemetry.Traces;
using Microsoft.AspNetCore.Http.Features;

namespace EmrMarket.Silos.Telemetry;

/// <summary>Measures and traces a request once its endpoint is known, unless it is one that must not be.</summary>
internal sealed class Observation(RequestDelegate next, RunningRoles roles)
{
    private static readonly object Key = new();
    private readonly bool _hasSites = roles.Sites.Count > 0;

    // What an endpoint is does not change; looking it up at every request cost more than counting.
    private readonly ConditionalWeakTable<Endpoint, Route> _routes = [];

    /// <summary>Counts a problem that is answered: of a request that is not measured, failures of the server, limits and failed sign-ins
    /// alone.</summary>
    public static void Answered(HttpContext context, Problem problem)
    {
        if (context.Items.ContainsKey(Key) || problem.Status is >= 500 or StatusCodes.Status429TooManyRequests
            || context.Request.Path.StartsWithSegments(ApiPaths.Root + "/sign-in", StringComparison.Ordinal))
        {
            SilosMeter.Answered(problem.Type[ProblemTypes.Prefix.Length..]);
        }
    }

    /// <summary>Lets it through.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint() is not { } endpoint || RouteOf(endpoint) is not { } route)
        {
            Activity.Current = null;
            if (context.Features.Get<IHttpMetricsTagsFeature>() is { } metrics)
            {
                metrics.MetricsDisabled = true;
            }

            await next(context);
            return;
        }

        context.Items[Key] = Key;
        using Activity? span = Spans.BeginRequest(context.Request.Method, route);
        try
        {
            await next(context);
        }
        catch
        {
            span?.SetStatus(ActivityStatusCode.Error);
            throw;
        }
        finally
        {
            span?.SetTag("http.request.method", context.Request.Method);
            span?.SetTag("http.route", route);
            span?.SetTag("http.response.status_code", context.Response.StatusCode);
        }
    }

    /// <summary>The template of a route that is measured; null of any other.</summary>
    private string? RouteOf(Endpoint endpoint)
    {
        if (!_routes.TryGetValue(endpoint, out Route? route))
        {
            route = new Route(MeasuredRoutes.Covers(endpoint, _hasSites)
                ? "/" + ((RouteEndpoint)endpoint).RoutePattern.RawText!.TrimStart('/') : null);
            _routes.AddOrUpdate(endpoint, route);
        }

        return route.Measured;
    }

    private sealed record Route(string? Measured);
}
