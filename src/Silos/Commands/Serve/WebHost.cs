using EmrMarket.Silos.Api;
using EmrMarket.Silos.Pages;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Storage.Postgres;
using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>The web host over the roles that run: services, API and pages.</summary>
internal static class WebHost
{
    // SIGTERM to exit in less than ten seconds, whatever a request does meanwhile.
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(5);

    /// <summary>Builds it; nothing listens yet.</summary>
    /// <param name="url">Where it will listen.</param>
    /// <param name="roles">The roles.</param>
    /// <param name="loops">Who drives them.</param>
    /// <param name="api">What the API needs to know.</param>
    /// <param name="logs">The loggers of the process; none when null.</param>
    public static WebApplication Build(
        Uri url, RunningRoles roles, IReadOnlyList<RoleLoop> loops, ApiOptions api, ILoggerFactory? logs = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(logs ?? NullLoggerFactory.Instance);
        builder.WebHost.UseUrls(url.GetLeftPart(UriPartial.Authority));
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = LongestStop);
        builder.Services.AddSingleton(roles);
        builder.Services.AddMarketServices();
        builder.Services.AddPages();
        builder.AddApi(api, roles.View.Deployment.ChainId);
        WebApplication web = builder.Build();
        web.UsePages();
        web.UseApi();
        web.UseAntiforgery();
        web.UsePageForms();
        web.MapHealth(loops, roles.View);
        web.MapApi();
        web.MapPages();
        return web;
    }

    /// <summary>Listens and drives the roles until it is told to stop.</summary>
    /// <param name="web">The host.</param>
    /// <param name="url">Where it listens.</param>
    /// <param name="who">What is said to listen.</param>
    /// <param name="loops">The roles.</param>
    /// <param name="whenListening">Done beside the loops, once it listens; its failure ends the host.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CommandException">It cannot listen.</exception>
    /// <exception cref="StoreLostException">Another process has taken the store of a role.</exception>
    public static async Task RunAsync(WebApplication web, Uri url, string who, IReadOnlyList<RoleLoop> loops,
        Func<CancellationToken, Task> whenListening, CancellationToken cancellationToken)
    {
        try
        {
            await web.StartAsync(cancellationToken);
        }
        catch (IOException e)
        {
            throw new CommandException(ExitCode.Failure, $"it cannot listen on {url}: {e.Message} Name another address with --urls.", e);
        }

        Console.WriteLine($"{who} listens at " + string.Join(", ", web.Urls));
        using CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, web.Lifetime.ApplicationStopping);
        Task driven = Task.WhenAll(loops.Select(loop => Task.Run(() => DriveAsync(loop, stopping), CancellationToken.None)));
        try
        {
            await whenListening(stopping.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // It was told to stop meanwhile.
        }
        catch
        {
            await stopping.CancelAsync();
            await driven;
            throw;
        }

        try
        {
            await driven;
        }
        finally
        {
            await web.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>Drives a role; one that cannot go on ends all of them.</summary>
    private static async Task DriveAsync(RoleLoop loop, CancellationTokenSource stopping)
    {
        try
        {
            await loop.RunAsync(stopping.Token);
        }
        catch
        {
            await stopping.CancelAsync();
            throw;
        }
    }
}
