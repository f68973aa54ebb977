using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Silos.Roles;

/// <summary>A site as it runs in this process. Sites share nothing with each other or with the market but the chain and the link.</summary>
internal sealed class SiteRole : IAsyncDisposable
{
    private readonly RoleHost _host;

    /// <summary>
    /// The menu of asks that a site begins with, token units per epsilon: 500, 1,000 and 2,000 for Private attributes, half of that for
    /// Moderate ones, a quarter for Low ones.
    /// </summary>
    public static readonly IReadOnlyList<TierRates> DefaultRates = [.. new[] { 500, 1_000, 2_000 }.Select(rate => new TierRates(
        TokenAmount.Zero, new TokenAmount((UInt128)(rate / 4)), new TokenAmount((UInt128)(rate / 2)), new TokenAmount((UInt128)rate)))];

    private SiteRole(string name, SiteOptions options, RoleHost host) => (Name, Options, _host) = (name, options, host);

    /// <summary>The site's own name for itself: the key of its grain, and its segment in addresses.</summary>
    public string Name { get; }

    /// <summary>What it was started with.</summary>
    public SiteOptions Options { get; }

    /// <summary>Its grains.</summary>
    public IGrainFactory Grains => _host.Grains;

    /// <summary>The grain that is the only writer of its store.</summary>
    public ISiteGrain Grain => Grains.GetGrain<ISiteGrain>(Name);

    /// <summary>Its view of the ledger.</summary>
    public ILedgerView View => _host.View;

    /// <summary>The sender of its account.</summary>
    public ILedgerGrain Sender => _host.Senders[0];

    /// <summary>The role with its senders, for whoever drives time.</summary>
    public RoleHost Host => _host;

    /// <summary>Starts it.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="options">Its key, rates and cap.</param>
    /// <param name="account">Its account, that of the options.</param>
    /// <param name="client">The node.</param>
    /// <param name="deployment">The contracts.</param>
    /// <param name="market">The way to the market.</param>
    /// <param name="ledger">Its journal and outboxes.</param>
    /// <param name="storage">Registers <see cref="ISiteStore"/> and, where it is not in memory, the store of grain state.</param>
    /// <param name="settings">How it reads the ledger; those of a chain of this machine when null.</param>
    public static async Task<SiteRole> StartAsync(
        string name,
        SiteOptions options,
        EthereumAccount account,
        IEthereumClient client,
        ContractDeployment deployment,
        ISiteMarketLink market,
        ILedgerStore ledger,
        Action<IServiceCollection> storage,
        RoleSettings? settings = null) => new(name, options, await RoleHost.StartAsync(
            (settings ?? RoleSettings.Embedded) with { Name = name }, ledger, client, deployment, [account],
            (services, _) =>
            {
                storage(services);
                services.AddSingleton(options);
                services.AddSingleton(market);
            },
            typeof(SiteOptions).Assembly));

    /// <summary>Tells the site to go on, once: epochs and deliveries, and its account, which needs no market.</summary>
    /// <exception cref="RoleProblemException">Its store was put back from a backup, and it is held back.</exception>
    public async Task<Advance> AdvanceAsync()
    {
        Task<Advance> sender = Sender.AdvanceAsync();
        try
        {
            Advance answer = Advances.Sum([await Grain.AdvanceAsync(), await sender]);
            return answer.Progressed || await Grain.RestoreAsync() is not { IsConfirmed: false } restore ? answer
                : throw new RoleProblemException(
                    "its store was put back from a backup, and it publishes and hands over nothing until './emr site reconcile' says so"
                        + (restore.Open.Length > 0 ? ": " + restore.Open[0] : ""));
        }
        finally
        {
            await sender;
        }
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();
}
