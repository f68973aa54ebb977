using System.Security.Cryptography.X509Certificates;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Exchange;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Link;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Telemetry;
using EmrMarket.Silos.Telemetry.Logs;
using EmrMarket.Silos.Telemetry.Metrics;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>One run of <c>emr serve</c>: engines, roles, the web host, and the loops that tell the roles to go on.</summary>
internal static class ServeRun
{
    public static async Task<int> RunAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        await using ProcessTelemetry telemetry = ProcessTelemetry.Start(options.Telemetry, options.HasSites);
        ILogger log = telemetry.Logs.CreateLogger(typeof(ServeRun));
        try
        {
            return await Engines.UseAsync(
                options, telemetry.Logs, (engines, stopping) => ServeAsync(engines, telemetry, log, stopping), cancellationToken);
        }
        catch (CommandException e) when (options.Telemetry.LogForm == LogForm.Json)
        {
            // As a line that a collector reads; in text the command line says it.
            log.Ended(e.Message, e.Code);
            return e.Code;
        }
        catch (Exception e) when (
            options.Telemetry.LogForm == LogForm.Json && e is not (OutOfMemoryException or OperationCanceledException))
        {
            log.Defect(e.GetBaseException().GetType().Name, e.GetBaseException().StackTrace ?? "");
            return ExitCode.Failure;
        }
    }

    private static async Task<int> ServeAsync(
        Engines engines, ProcessTelemetry telemetry, ILogger log, CancellationToken cancellationToken)
    {
        ServeOptions options = engines.Options;
        log.Started(typeof(ServeRun).Assembly.GetName().Version!.ToString(3), options.Roles.ToString().ToLowerInvariant());
        await using Consortium? consortium = engines.Consortium is { } account
            ? await Consortium.StartAsync(account, engines.Client, engines.Deployment) : null;
        await using MarketStorage? storage = options.HasMarket ? await engines.OpenMarketAsync(cancellationToken) : null;
        await using MarketRole? market = storage is null ? null : await StartMarketAsync(engines, storage, consortium, cancellationToken);
        using X509Certificate2? certificate = market is null || options.LinkUrl is null
            ? null : LinkHost.Certificate(options.LinkCertificate);
        await using WebApplication? link = certificate is null
            ? null : await StartLinkAsync(engines, market!, storage!, certificate, cancellationToken);
        await using HostedSites sites = new(engines, market, consortium);
        await sites.StartAsync(cancellationToken);
        RoleLoop[] loops =
            [.. market is null
                ? [] : new[] { engines.Loop("the market", market.AdvanceAsync, storage!.Owner, market.Host, market.Account.Address) },
                .. sites.Loops];
        RunningRoles roles = new(engines.Client, market, sites.Roles, consortium) { Connection = sites.Connection };
        await telemetry.ShowAsync(
            new ReadProcess
            {
                Roles = roles, Root = options.Root, BackupFile = options.Telemetry.BackupFile, Restarts = engines.Restarts,
                CertificateExpiry = certificate?.NotAfter,
            }, cancellationToken);
        foreach (string url in telemetry.Urls)
        {
            Console.WriteLine($"measures are at {url}{MetricsHost.Path}");
        }

        await using WebApplication web = WebHost.Build(
            options.Url, roles, loops, ApiOf(options, storage, sites.Storages), telemetry.Logs);
        await WebHost.RunAsync(
            web, options.Url, market is null ? "the site" : "the market", loops,
            stopping => options.Demo ? ShowAsync(web, options, stopping) : Task.CompletedTask, cancellationToken);
        log.Stopped(market is null ? "the site" : "the market");
        return ExitCode.Success;
    }

    private static async Task ShowAsync(WebApplication web, ServeOptions options, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(options.Root, "people");
        Directory.CreateDirectory(folder);
        DemoMarket demo = new(web.Services.GetRequiredService<RunningRoles>(), web.Services, folder, cancellationToken);
        DemoPeople people = await demo.FillAsync(text => Console.Error.WriteLineAsync("emr: " + text));
        string home = web.Urls.First().TrimEnd('/');
        Console.WriteLine(
            $"""

            The demonstration is ready: {home}
            One sale, seen from four sides: open the links one after the other. What follows # stays in the browser; these people
            exist in this demonstration only, and its money is worth nothing.

            Change a setting and read what it would mean; check the proof of a use of the record.
            patient      {home}/sign-in#patient={people.Site}/{people.SchemaId}/{people.SiteNumber}/{Convert.ToHexStringLower(people.Seed)}/{string.Join(',', people.Pseudonyms)}

            Read results with their errors; plan a request and see what it buys before anything is paid.
            researcher   {home}/sign-in#researcher={people.ResearcherKey}

            See what is published of the records, and what was delivered to whom.
            site staff   {home}/sign-in#account={await AccountAsync(web, people.Site, "staff", people.Site, cancellationToken)}

            Follow a sale on the ledger and compute a request again, with no trust in the market; find out a false epoch, which was
            planted for you, and challenge it.
            auditor      {home}/sign-in?returnUrl={Uri.EscapeDataString("/audit?batch=" + people.FalseEpoch)}#account={await AccountAsync(web, "auditor", "auditor", null, cancellationToken)}&key={people.AuditorKey}

            """);
    }

    /// <summary>An account with a new password, whatever was there: name and password.</summary>
    private static async Task<string> AccountAsync(
        WebApplication web, string name, string role, string? site, CancellationToken cancellationToken)
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

    private static ApiOptions ApiOf(ServeOptions options, MarketStorage? market, IReadOnlyDictionary<string, SiteStorage> sites)
    {
        Dictionary<string, IAccountStore> staff = sites.ToDictionary(
            site => site.Key, site => (IAccountStore)new PostgresAccountStore(site.Value.Database), StringComparer.Ordinal);
        return new ApiOptions
        {
            Keys = Path.Combine(options.Root, "keys"),
            Spool = Path.Combine(options.Root, "sites", ".spool"),
            Loopback = options.Url.IsLoopback && options.Hosts.Count == 0,
            Hosts = options.Hosts,
            Accounts = new AccountStores(market is null ? staff.Values.First() : new PostgresAccountStore(market.Database), staff)
            {
                TakesAuditors = market is not null,
            },
        };
    }

    private static async Task<MarketRole> StartMarketAsync(
        Engines engines, MarketStorage storage, Consortium? consortium, CancellationToken cancellationToken)
    {
        Analytics.Schemas.Schema[] schemas = [.. DataFolder.SchemaNames.Select(DataFolder.LoadSchema)];
        EthereumAccount account = await engines.MarketAccountAsync(cancellationToken);
        if (consortium is not null)
        {
            await consortium.PublishAsync(schemas, cancellationToken);
        }
        else
        {
            schemas = await PublishedAsync(engines, schemas, cancellationToken);
        }

        MarketRole market = await MarketRole.StartAsync(
            schemas, account, engines.Client, engines.Deployment, storage.Ledger, services => services.AddMarketStorage(storage),
            engines.Settings);
        if (consortium is not null)
        {
            await consortium.SecureAsync(market.Host, account.Address, cancellationToken);
        }

        return market;
    }

    private static async Task<Analytics.Schemas.Schema[]> PublishedAsync(
        Engines engines, Analytics.Schemas.Schema[] schemas, CancellationToken cancellationToken)
    {
        DataEvaluation evaluation = new(engines.Client, Address.Parse(engines.Deployment.Evaluation.Address));
        List<Analytics.Schemas.Schema> published = [];
        foreach (Analytics.Schemas.Schema schema in schemas)
        {
            if (await evaluation.SchemaExistsAsync(schema.LedgerId(), cancellationToken: cancellationToken))
            {
                published.Add(schema);
            }
        }

        return published.Count > 0 ? [.. published] : throw new CommandException(
            ExitCode.NotReady,
            $"none of the schemas of this program is on the ledger yet ({string.Join(", ", schemas.Select(schema => schema.Name))}): the "
                + "consortium publishes them with './emr chain publish'");
    }

    private static async Task<WebApplication> StartLinkAsync(
        Engines engines, MarketRole market, MarketStorage storage, X509Certificate2 certificate, CancellationToken cancellationToken)
    {
        Uri url = engines.Options.LinkUrl!;
        LinkServer server = new(
            market.Link, market.Account, engines.LinkDomain, account =>
                market.View.Sites().FirstOrDefault(row => row.Account == account)?.Site ?? 0, storage.LinkNonces, TimeProvider.System);
        WebApplication link = LinkHost.Build(url, certificate, server);
        try
        {
            await link.StartAsync(cancellationToken);
        }
        catch (IOException e)
        {
            throw new CommandException(
                ExitCode.Failure, $"it cannot take sites at {url}: {e.Message} Name another address with --link-urls.", e);
        }

        Console.WriteLine($"the market takes sites at {string.Join(", ", link.Urls)}: --market-pin {LinkCertificate.PinOf(certificate)}");
        return link;
    }
}
