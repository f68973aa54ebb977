using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Site;
using EmrMarket.Silos.Link;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Site;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>The sites of a process: linked inside to its market, or over HTTPS to one elsewhere.</summary>
internal sealed class HostedSites(Engines engines, MarketRole? market, Consortium? consortium) : IAsyncDisposable
{
    private readonly Dictionary<string, SiteRole> _roles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SiteStorage> _storages = new(StringComparer.Ordinal);
    private readonly List<HttpSiteMarketLink> _links = [];

    /// <summary>The sites by name.</summary>
    public IReadOnlyDictionary<string, SiteRole> Roles => _roles;

    /// <summary>What they keep, by name.</summary>
    public IReadOnlyDictionary<string, SiteStorage> Storages => _storages;

    /// <summary>What is known of a market elsewhere; null where it runs here.</summary>
    public MarketConnection? Connection { get; private set; }

    /// <summary>Who tells them to go on; first whether the market answers, since that explains what waits for it.</summary>
    public IEnumerable<RoleLoop> Loops =>
    [
        .. Connection is { } connection
        ? new[] { new RoleLoop("the link", "link", engines.Logs.CreateLogger<RoleLoop>(), connection.AdvanceAsync) } : [],
        .. _roles.Values.Select(
            site => engines.Loop("site " + site.Name, site.AdvanceAsync, _storages[site.Name].Owner, site.Host, site.Options.Account)),
    ];

    /// <summary>Starts them.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (string name in engines.Options.Sites)
        {
            SiteStorage storage = await engines.OpenSiteAsync(name, cancellationToken);
            _storages.Add(name, storage);
            string folder = engines.Options.SiteFolder(name), siteKey = Path.Combine(folder, "site.key");
            if (!File.Exists(siteKey))
            {
                if ((await new PostgresSiteStore(storage.Database, storage.Vault).ReadSchemasAsync(cancellationToken)).Length > 0)
                {
                    throw new CommandException(ExitCode.Usage,
                        $"the site {name} has records, and its key {siteKey} is not there: with another one it would draw second, "
                            + "independent reports of the same people. Put the key back from its backup ('./emr restore --keys')");
                }

                SiteKeyFile.Create(siteKey);
            }

            EthereumAccount account = EthereumAccount.LoadOrCreate(Path.Combine(folder, "account.key"));
            if (consortium is not null)
            {
                await consortium.AdmitAsync(account.Address, "a site of this machine"u8.ToArray(), cancellationToken);
            }

            ISiteMarketLink link = market?.Link ?? await LinkAsync(name, account, cancellationToken);
            SiteRole site = await SiteRole.StartAsync(
                name, new SiteOptions(SiteKeyFile.Read(siteKey), account.Address, SiteRole.DefaultRates), account, engines.Client,
                engines.Deployment, link, storage.Ledger, services => services.AddSiteStorage(storage), engines.Settings);
            _roles.Add(name, site);
            if (consortium is not null)
            {
                await consortium.SecureAsync(site.Host, account.Address, cancellationToken);
            }
            else
            {
                Console.WriteLine($"site {name} has the account {account.Address}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (SiteRole site in _roles.Values)
        {
            await site.DisposeAsync();
        }

        _links.ForEach(link => link.Dispose());
        foreach (SiteStorage storage in _storages.Values)
        {
            await storage.DisposeAsync();
        }
    }

    private async Task<HttpSiteMarketLink> LinkAsync(string name, EthereumAccount account, CancellationToken cancellationToken)
    {
        ServeOptions options = engines.Options;
        Address named = await engines.MarketAddressAsync(cancellationToken);
        HttpSiteMarketLink link = new(options.Market!, account, named, engines.LinkDomain, options.MarketPin, TimeProvider.System);
        _links.Add(link);
        Connection ??= new MarketConnection(
            options.Market!, link, engines.Deployment, Path.Combine(options.SiteFolder(name), "market.json"), TimeProvider.System);
        return link;
    }
}
