using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Site;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>What to serve.</summary>
internal sealed record ServeOptions
{
    /// <summary>Where it listens.</summary>
    public required Uri Url { get; init; }

    /// <summary>Where the embedded chain keeps its state; everything else is beside it.</summary>
    public required string Folder { get; init; }

    /// <summary>The sites that run in this process, by name.</summary>
    public required IReadOnlyList<string> Sites { get; init; }

    /// <summary>Whether the market is filled for visitors.</summary>
    public bool Demo { get; init; }
}

/// <summary>One run of <c>emr serve</c>: engines, roles, the web host, and the loops that tell the roles to go on.</summary>
internal static class ServeRun
{
    // Token units per epsilon: half, once and twice a rate of 1,000 for Private attributes, half of it for Moderate and a quarter for Low ones.
    private static readonly TierRates[] Rates = [.. new[] { 500, 1_000, 2_000 }.Select(rate => new TierRates(
        TokenAmount.Zero, new TokenAmount((UInt128)(rate / 4)), new TokenAmount((UInt128)(rate / 2)), new TokenAmount((UInt128)rate)))];

    public static Task<int> RunAsync(ServeOptions options, CancellationToken cancellationToken) =>
        Engines.UseAsync(options.Folder, engines => ServeAsync(options, engines, cancellationToken), cancellationToken);

    private static async Task<int> ServeAsync(ServeOptions options, Engines engines, CancellationToken cancellationToken)
    {
        Analytics.Schemas.Schema[] schemas = [.. DataFolder.SchemaNames.Select(DataFolder.LoadSchema)];
        await using EmbeddedConsortium consortium = await EmbeddedConsortium.StartAsync(engines.Consortium, engines.Client, engines.Deployment);
        await consortium.PublishAsync(schemas, cancellationToken);
        await using MarketRole market = await MarketRole.StartAsync(
            schemas, engines.Market, engines.Client, engines.Deployment, engines.Storage.Ledger, services => services.AddMarketStorage(engines.Storage));
        await consortium.SecureAsync(market.Host, engines.Market.Address, cancellationToken);
        Dictionary<string, SiteRole> sites = new(StringComparer.Ordinal);
        List<SiteStorage> storages = [];
        try
        {
            foreach (string name in options.Sites)
            {
                string folder = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(options.Folder))!, "sites", name);
                storages.Add(await SiteStorage.OpenAsync(await engines.Database.GetSiteConnectionStringAsync(name, cancellationToken), Path.Combine(folder, "storage.key"), cancellationToken));
                sites.Add(name, await StartSiteAsync(name, folder, storages[^1], engines, market, consortium, cancellationToken));
            }

            RoleLoop[] loops = [new("the market", market.AdvanceAsync), .. sites.Values.Select(site => new RoleLoop("site " + site.Name, site.AdvanceAsync))];
            await using WebApplication web = WebHost.Build(options.Url, new RunningRoles(engines.Client, market, sites, consortium), loops, ApiOf(options, engines, storages));
            await WebHost.RunAsync(web, options.Url, loops, stopping => options.Demo ? ShowAsync(web, options, stopping) : Task.CompletedTask, cancellationToken);
            return ExitCode.Success;
        }
        finally
        {
            foreach (SiteRole site in sites.Values)
            {
                await site.DisposeAsync();
            }

            foreach (SiteStorage storage in storages)
            {
                await storage.DisposeAsync();
            }
        }
    }

    private static async Task ShowAsync(WebApplication web, ServeOptions options, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(options.Folder))!, "people");
        Directory.CreateDirectory(folder);
        DemoMarket demo = new(web.Services.GetRequiredService<RunningRoles>(), web.Services, folder, cancellationToken);
        DemoPeople people = await demo.FillAsync(text => Console.Error.WriteLineAsync("emr: " + text));
        string home = web.Urls.First().TrimEnd('/');
        Console.WriteLine(
            $"""

            The demonstration is ready: {home}
            A link for each kind of user. What follows # stays in the browser; these people exist in this demonstration only.

            patient      {home}/sign-in#patient={people.Site}/{people.SchemaId}/{people.SiteNumber}/{Convert.ToHexStringLower(people.Seed)}/{string.Join(',', people.Pseudonyms)}
            researcher   {home}/sign-in#researcher={people.ResearcherKey}
            site staff   {home}/sign-in#account={await AccountAsync(web, people.Site, "staff", people.Site, cancellationToken)}
            auditor      {home}/sign-in#account={await AccountAsync(web, "auditor", "auditor", null, cancellationToken)}

            """);
    }

    /// <summary>An account with a new password, whatever was there: name and password.</summary>
    private static async Task<string> AccountAsync(WebApplication web, string name, string role, string? site, CancellationToken cancellationToken)
    {
        AccountService accounts = web.Services.GetRequiredService<AccountService>();
        if ((await accounts.ListAsync(cancellationToken)).Any(account => string.Equals(account.Name, name, StringComparison.Ordinal)))
        {
            await accounts.RemoveAsync(name, cancellationToken);
        }

        AccountSecrets secrets = await accounts.AddAsync(
            new NewAccount { Name = name, Role = role, Site = site }, web.Services.GetRequiredService<RunningRoles>().Sites.Keys);
        return $"{name}:{secrets.Password}";
    }

    private static ApiOptions ApiOf(ServeOptions options, Engines engines, IReadOnlyList<SiteStorage> storages)
    {
        string root = Path.GetDirectoryName(Path.GetFullPath(options.Folder))!;
        return new ApiOptions
        {
            Keys = Path.Combine(root, "keys"),
            Spool = Path.Combine(root, "sites", ".spool"),
            Loopback = options.Url.IsLoopback,
            Accounts = new AccountStores(
                new PostgresAccountStore(engines.Storage.Database),
                options.Sites.Zip(storages).ToDictionary(pair => pair.First, pair => (IAccountStore)new PostgresAccountStore(pair.Second.Database), StringComparer.Ordinal)),
        };
    }

    private static async Task<SiteRole> StartSiteAsync(
        string name, string folder, SiteStorage storage, Engines engines, MarketRole market, EmbeddedConsortium consortium, CancellationToken cancellationToken)
    {
        string siteKey = Path.Combine(folder, "site.key");
        if (!File.Exists(siteKey))
        {
            SiteKeyFile.Create(siteKey);
        }

        EthereumAccount account = EthereumAccount.LoadOrCreate(Path.Combine(folder, "account.key"));
        await consortium.AdmitAsync(account.Address, cancellationToken);
        SiteRole site = await SiteRole.StartAsync(
            name, new SiteOptions(SiteKeyFile.Read(siteKey), account.Address, Rates), account, engines.Client, engines.Deployment, market.Link, storage.Ledger,
            services => services.AddSiteStorage(storage));
        await consortium.SecureAsync(site.Host, account.Address, cancellationToken);
        return site;
    }
}
