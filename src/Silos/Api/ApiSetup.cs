using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Routes;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Telemetry;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.HttpOverrides;

namespace EmrMarket.Silos.Api;

/// <summary>The API as a part of a web host: its services, what every request passes, and its endpoints.</summary>
internal static class ApiSetup
{
    private const long LargestBody = 64 << 10;

    /// <summary>Adds what the API needs; <see cref="Roles.RunningRoles"/> and the services of people are there already.</summary>
    public static void AddApi(this WebApplicationBuilder builder, ApiOptions options, ulong chainId)
    {
        IServiceCollection services = builder.Services;
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
        });

        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddAccess(options, chainId);
        services.AddSingleton<AnswerCache>();
        services.AddSingleton<Operations>();
        services.AddSingleton<RecordSpool>();
        services.AddRateLimiter(options.Limits.Configure);
        services.AddSingleton<ProblemNotes>();
        services.AddExceptionHandler<ProblemWriter>();
        services.AddProblemDetails();
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        services.ConfigureHttpJsonOptions(Configure);
        services.AddApiDocument();
        if (options.Loopback || options.Hosts.Count > 0)
        {
            // A page of another name that resolves to this machine must not be able to talk to it.
            services.Configure<HostFilteringOptions>(hosts => hosts.AllowedHosts = ["localhost", "127.0.0.1", "[::1]", .. options.Hosts]);
        }

        if (options.Hosts.Count > 0)
        {
            // Who calls, as the proxy of this machine says it: limits are by caller.
            services.Configure<ForwardedHeadersOptions>(forwarded => forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor);
        }
    }

    /// <summary>What every request passes, of API and pages alike, in this order.</summary>
    public static void UseApi(this WebApplication web)
    {
        web.UseForwardedHeaders();
        web.UseHostFiltering();
        web.UseMiddleware<SecurityHeaders>();
        web.UseExceptionHandler();
        web.UseStatusCodePages(context => ApiPaths.IsApi(context.HttpContext.Request.Path)
            && context.HttpContext.Response.ContentType is null
            ? ProblemWriter.WriteAsync(context.HttpContext, Problem.OfStatus(context.HttpContext.Response.StatusCode))
            : Task.CompletedTask);
        web.UseRouting();
        web.UseMiddleware<Observation>();
        web.UseAuthentication();
        web.UseRateLimiter();
        web.UseMiddleware<SessionGuard>();
        web.UseAuthorization();
        web.UseMiddleware<RememberedAnswers>();
    }

    /// <summary>The endpoints.</summary>
    public static void MapApi(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder api = routes.MapGroup(ApiPaths.Root);
        api.MapMarket();
        api.MapSessions();
        api.MapAccounts();
        api.MapResearch();
        api.MapPatients();
        api.MapSites();
        api.MapAudits();
        api.MapLedger();
        api.MapProblems();
        routes.MapApiDocument();

        // Where a problem's type leads to.
        routes.MapGet(ProblemTypes.Prefix + "{code}",
            (string code) => Results.Redirect($"{ApiPaths.Root}{ProblemTypes.Prefix}{Uri.EscapeDataString(code)}"))
            .ExcludeFromDescription().Named("ExplainProblem", "What a problem's type means.", Policies.Anyone);
    }

    private static void Configure(JsonOptions options)
    {
        // Nothing is guessed: unknown, repeated and missing members are refused, and numbers are numbers.
        JsonSerializerOptions json = options.SerializerOptions;
        json.NumberHandling = JsonNumberHandling.Strict;
        json.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        json.AllowDuplicateProperties = false;
        json.RespectNullableAnnotations = true;
        json.RespectRequiredConstructorParameters = true;
        json.PropertyNameCaseInsensitive = false;
    }
}
