using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Silos.Commands;
using Microsoft.AspNetCore.Http.Features;

namespace EmrMarket.Silos.Telemetry.Metrics;

/// <summary><c>/metrics</c> on an address of its own, which answers nothing else: whoever reaches pages and API does not reach
/// it.</summary>
internal static class MetricsHost
{
    /// <summary>The only path.</summary>
    public const string Path = "/metrics";

    private const string Scheme = "Bearer ";

    /// <summary>Starts it.</summary>
    /// <param name="url">Where it listens, http.</param>
    /// <param name="token">What readers show as a bearer token; null where everybody who reaches it may read.</param>
    /// <param name="collect">Collects what is shown.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="CommandException">It cannot listen there.</exception>
    public static async Task<WebApplication> StartAsync(Uri url, string? token, Func<string> collect, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls(url.GetLeftPart(UriPartial.Authority));
        WebApplication web = builder.Build();
        web.Use((context, next) =>
        {
            // What is asked here is no part of the measures or of anybody's trace.
            Activity.Current = null;
            if (context.Features.Get<IHttpMetricsTagsFeature>() is { } metrics)
            {
                metrics.MetricsDisabled = true;
            }

            return next(context);
        });
        web.MapGet(Path, (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "no-store";
            if (token is null || IsShown(context.Request.Headers.Authorization.ToString(), token))
            {
                return Results.Text(collect(), MetricText.ContentType);
            }

            context.Response.Headers.WWWAuthenticate = "Bearer";
            return Results.StatusCode(StatusCodes.Status401Unauthorized);
        });
        try
        {
            await web.StartAsync(cancellationToken);
            return web;
        }
        catch (IOException e)
        {
            await web.DisposeAsync();
            throw new CommandException(
                ExitCode.Failure, $"it cannot show measures at {url}: {e.Message} Name another address with Metrics:Urls.", e);
        }
    }

    private static bool IsShown(string header, string token) => header.StartsWith(Scheme, StringComparison.Ordinal)
        && CryptographicOperations.FixedTimeEquals(
            SHA256.HashData(Encoding.UTF8.GetBytes(header[Scheme.Length..])), SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
