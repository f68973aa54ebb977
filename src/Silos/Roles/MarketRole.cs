using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Grains.Market.Storage;

namespace EmrMarket.Silos.Roles;

/// <summary>The market as it runs in this process: its grains, what they keep, its view of the ledger and its end of the link to the
/// sites.</summary>
internal sealed class MarketRole : IAsyncDisposable
{
    private readonly RoleHost _host;

    private MarketRole(EthereumAccount account, RoleHost host) => (Account, _host) = (account, host);

    /// <summary>Its account.</summary>
    public EthereumAccount Account { get; }

    /// <summary>Its grains.</summary>
    public IGrainFactory Grains => _host.Grains;

    /// <summary>Its view of the ledger.</summary>
    public ILedgerView View => _host.View;

    /// <summary>What its grains share.</summary>
    public MarketContext Context => _host.Get<MarketContext>();

    /// <summary>Its end of the link.</summary>
    public ISiteMarketLink Link => _host.Get<ISiteMarketLink>();

    /// <summary>The sender of its account.</summary>
    public ILedgerGrain Sender => _host.Senders[0];

    /// <summary>The role with its senders, for whoever drives time.</summary>
    public RoleHost Host => _host;

    /// <summary>Starts it.</summary>
    /// <param name="schemas">The schemas that it deals in.</param>
    /// <param name="account">Its account.</param>
    /// <param name="client">The node.</param>
    /// <param name="deployment">The contracts.</param>
    /// <param name="ledger">Its journal and outboxes.</param>
    /// <param name="storage">Registers <see cref="IMarketStore"/> and, where it is not in memory, the store of grain state.</param>
    /// <param name="settings">How it reads the ledger; those of a chain of this machine when null.</param>
    public static async Task<MarketRole> StartAsync(
        IReadOnlyList<Schema> schemas,
        EthereumAccount account,
        IEthereumClient client,
        ContractDeployment deployment,
        ILedgerStore ledger,
        Action<IServiceCollection> storage,
        RoleSettings? settings = null) => new(account, await RoleHost.StartAsync(
            (settings ?? RoleSettings.Embedded) with { Name = "market" }, ledger, client, deployment, [account],
            (services, view) =>
            {
                storage(services);
                services.AddSingleton(
                    provider => new MarketContext(schemas, account, view, provider.GetRequiredService<IMarketStore>(), client));
                services.AddSingleton<ISiteMarketLink, MarketLink>();
            },
            typeof(MarketGrain).Assembly));

    /// <summary>Tells everybody with work to go on, once: rounds, then the requests that have not ended, then the account.</summary>
    public async Task<Advance> AdvanceAsync()
    {
        IReadOnlyList<EmrMarket.Grains.Market.Storage.RequestRow> open =
            await Context.Store.FindOpenRequestsAsync(CancellationToken.None);
        return await Advances.AllAsync(
        [
            .. Context.Schemas.Keys.Select(schema => (Func<Task<Advance>>)(() => Grains.GetGrain<IMarketGrain>(schema).AdvanceAsync())),
            .. open.Select(request => (Func<Task<Advance>>)(() => Grains.GetGrain<IRequestGrain>(request.Key).AdvanceAsync())),
            () => Sender.AdvanceAsync(),
        ]);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();
}
