using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;

namespace EmrMarket.Silos.Roles;

/// <summary>What this process runs. One place asks it: the services of the web host.</summary>
/// <param name="Client">The node.</param>
/// <param name="Market">The market; null in a process of sites only.</param>
/// <param name="Sites">The sites by name.</param>
/// <param name="Consortium">Who admits, mints and moves time on an embedded chain; null on any other.</param>
internal sealed record RunningRoles(
    IEthereumClient Client, MarketRole? Market, IReadOnlyDictionary<string, SiteRole> Sites, Consortium? Consortium)
{
    /// <summary>What a process of sites knows of its market; null where the market runs here.</summary>
    public MarketConnection? Connection { get; init; }

    /// <summary>The schemas by id that are dealt in: those of this process's market, or those that the market told its sites.</summary>
    public IReadOnlyDictionary<string, MarketSchema> Schemas => Market?.Context.Schemas ?? Connection?.Schemas
        ?? new Dictionary<string, MarketSchema>(StringComparer.Ordinal);

    /// <summary>A view of the ledger: the market's, or a site's.</summary>
    public ILedgerView View => Market?.View ?? Sites.Values.First().View;
}
