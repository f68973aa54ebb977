using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Commands.Evaluate.Market;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>One run of <c>emr serve</c>: engines, the market's role, the web host, and the loop that tells the grains to go on.</summary>
internal static class ServeRun
{
    // SIGTERM to exit in less than ten seconds, whatever a request does meanwhile.
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(5);

    public static Task<int> RunAsync(Uri url, string folder, CancellationToken cancellationToken) =>
        Engines.UseAsync(folder, engines => ServeAsync(url, engines, cancellationToken), cancellationToken);

    private static async Task<int> ServeAsync(Uri url, Engines engines, CancellationToken cancellationToken)
    {
        (IEthereumClient client, EthereumAccount account) = (engines.Client, engines.Market);
        Analytics.Schemas.Schema[] schemas = [.. DataFolder.SchemaNames.Select(DataFolder.LoadSchema)];
        await using RoleHost market = await RoleHost.StartAsync(
            engines.Ledger, client, engines.Deployment, [account],
            (services, view) =>
            {
                services.AddSingleton<IMarketStore, MemoryMarketStore>();
                services.AddSingleton(provider => new MarketContext(schemas, account, view, provider.GetRequiredService<IMarketStore>(), client));
                services.AddSingleton<ISiteMarketLink, MarketLink>();
            },
            typeof(MarketGrain).Assembly);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls(url.GetLeftPart(UriPartial.Authority));
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = LongestStop);
        await using WebApplication web = builder.Build();
        MarketLoop loop = new([.. market.Senders.Select(sender => ("the market's account", (Func<Task<Grains.Abstractions.Advance>>)sender.AdvanceAsync)),
            .. schemas.Select(schema => ("the market of " + schema.Name, (Func<Task<Grains.Abstractions.Advance>>)market.Grains.GetGrain<IMarketGrain>(schema.Id).AdvanceAsync))]);
        web.MapHealth(loop, market.View);
        try
        {
            await web.StartAsync(cancellationToken);
        }
        catch (IOException e)
        {
            throw new CommandException(ExitCode.Failure, $"it cannot listen on {url}: {e.Message} Name another address with --urls.", e);
        }

        Console.WriteLine("the market listens at " + string.Join(", ", web.Urls));
        await Console.Error.WriteLineAsync("emr: drafts of requests and files of sites are kept in memory and end with this process; Ctrl-C ends it.");
        using CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, web.Lifetime.ApplicationStopping);
        await loop.RunAsync(stopping.Token);
        await web.StopAsync(CancellationToken.None);
        return ExitCode.Success;
    }
}
