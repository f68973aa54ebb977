using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Link;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using EmrMarket.Silos.Telemetry.Logs;
using EmrMarket.Silos.Telemetry.Metrics;
using Npgsql;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>What the roles stand on: a chain with the contracts, and databases. Embedded ones are started where they do not run, and ended
/// with whoever started them.</summary>
/// <param name="Options">What was asked for.</param>
/// <param name="Client">The node.</param>
/// <param name="Deployment">The contracts, which stand on the node's chain.</param>
/// <param name="Settings">How roles read this chain.</param>
/// <param name="Consortium">The account that admits, on an embedded chain; null on any other.</param>
/// <param name="Database">The embedded server; null when no role needs it.</param>
internal sealed record Engines(ServeOptions Options, JsonRpcEthereumClient Client, ContractDeployment Deployment, RoleSettings Settings,
    EthereumAccount? Consortium, EmbeddedPostgres? Database)
{
    /// <summary>How often each embedded engine of this process was started again.</summary>
    public IReadOnlyDictionary<string, Func<int>> Restarts { get; init; } = new Dictionary<string, Func<int>>(StringComparer.Ordinal);

    /// <summary>The loggers of the process.</summary>
    public ILoggerFactory Logs => Settings.Logs;

    private const ulong UsualConfirmations = 10;
    private const int UsualNumberInFlight = 256;

    // The windows of an embedded chain are seconds, and its clock moves with its blocks.
    private static readonly TimeSpan BlockTime = TimeSpan.FromSeconds(1);

    /// <summary>Does work with the engines, and ends afterwards what it started.</summary>
    /// <param name="options">Which ones.</param>
    /// <param name="logs">The loggers of the process.</param>
    /// <param name="work">The work; its token says that it is to end, because somebody said so or an engine is lost.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CommandException">An engine is missing, in use, failed, or died and cannot be started again; the message says what
    /// to do.</exception>
    public static async Task<int> UseAsync(
        ServeOptions options, ILoggerFactory logs, Func<Engines, CancellationToken, Task<int>> work, CancellationToken cancellationToken)
    {
        EmbeddedChain? own = null;
        EmbeddedPostgres? database = null;
        await using ProgressLog progress = new(logs.CreateLogger<Engines>());
        EmbeddedTools tools = ChainFolders.ToolsTelling(progress);
        try
        {
            if ((options.HasMarket && options.MarketDatabase is null) || (options.HasSites && options.SiteDatabase is null))
            {
                database = await EmbeddedPostgres.StartAsync(Path.Combine(options.Root, "database"), tools, cancellationToken);
            }

            Uri node = options.Chain ?? await EmbeddedAsync();
            using JsonRpcEthereumClient client = new(node);
            ContractDeployment deployment = ContractDeployment.Load(File.Exists(options.Deployment) ? options.Deployment
                : throw new CommandException(ExitCode.Usage,
                    $"there is no deployment file {options.Deployment}: get it from the consortium, and name it with --deployment"));
            if (options.Chain is not null)
            {
                await deployment.VerifyAsync(client, cancellationToken);
            }

            bool isDevelopment = deployment.ChainId == EmbeddedChain.DevelopmentChainId;
            if (isDevelopment && !options.IsLoopback && !options.InsecureDemo)
            {
                throw new CommandException(ExitCode.Usage, ServeOptions.Forgeable(options));
            }

            RoleSettings settings = new()
            {
                Confirmations = options.Confirmations ?? (isDevelopment ? 1 : UsualConfirmations),
                LargestNumberInFlight = isDevelopment ? RoleSettings.Embedded.LargestNumberInFlight : UsualNumberInFlight,
                Configuration = options.Configuration,
                Logs = logs,
            };
            EthereumAccount? consortium = options.Chain is null
                ? EthereumAccount.Load(Path.Combine(ChainFolders.Keys(options.Folder), "consortium.key")) : null;
            Dictionary<string, Func<int>> restarts = new(StringComparer.Ordinal);
            List<(string, Task, Func<int>)> watched = [];
            if (own is { } chain)
            {
                watched.Add(("the embedded chain", chain.Completion, restarts["chain"] = () => chain.Restarts));
            }

            if (database is { } server)
            {
                watched.Add(("the embedded database", server.Completion, restarts["database"] = () => server.Restarts));
            }

            Engines engines = new(options, client, deployment, settings, consortium, database) { Restarts = restarts };
            return await EngineWatch.RunAsync(
                watched, logs.CreateLogger<Engines>(), stopping => work(engines, stopping), cancellationToken);
        }
        catch (Exception e) when (e is ToolMissingException or ProcessFolderInUseException or ProcessFailedException or EthereumException
            or MigrationException or SealException or StoreInUseException or StoreLostException)
        {
            throw new CommandException(e is EthereumException { IsTransient: true } ? ExitCode.NotReady : ExitCode.Failure, e.Message, e);
        }
        finally
        {
            if (own is not null)
            {
                await own.DisposeAsync();
            }

            if (database is not null)
            {
                await database.DisposeAsync();
            }
        }

        async Task<Uri> EmbeddedAsync()
        {
            string full = Path.GetFullPath(options.Folder);
            if (EmbeddedChain.FindRunning(full) is null)
            {
                own = await EmbeddedChain.StartAsync(
                    new EmbeddedChainOptions
                    {
                        Folder = full, Tools = tools, BlockTime = BlockTime, IdleBlockTime = BlockTime,
                    }, cancellationToken);
            }

            await ChainDeploy.RunAsync(
                new ChainDeployment
                {
                    Folder = full, EmbeddedTerms = options.Demo ? DemoMarket.Terms : DeploymentTerms.Embedded, Progress = progress,
                }, cancellationToken);
            return own?.Endpoint ?? new Uri(EmbeddedChain.FindRunning(full)!.Endpoint);
        }
    }

    /// <summary>The account of the market, which the ledger names too.</summary>
    /// <exception cref="CommandException">The key file is missing, or the ledger names another market.</exception>
    public async Task<EthereumAccount> MarketAccountAsync(CancellationToken cancellationToken)
    {
        string file = Options.MarketKey ?? Path.Combine(ChainFolders.Keys(Options.Folder), "market.key");
        EthereumAccount account = File.Exists(file) ? EthereumAccount.Load(file)
            : throw new CommandException(ExitCode.Usage, $"there is no key file {file} of the market's account: name it with --market-key");
        Address named = await MarketAddressAsync(cancellationToken);
        return account.Address == named ? account
            : throw new CommandException(ExitCode.Usage,
                $"{file} is the key of {account.Address}, and the ledger names {named} as its market: name the right key with "
                    + "--market-key, or let the consortium rotate it");
    }

    /// <summary>The account that the ledger names as its market.</summary>
    public Task<Address> MarketAddressAsync(CancellationToken cancellationToken) =>
        new DynamicAccessControl(Client, Address.Parse(Deployment.AccessControl.Address)).MarketAsync(cancellationToken: cancellationToken);

    /// <summary>The ledger that messages of the link are for.</summary>
    public LinkDomain LinkDomain => new(Deployment.ChainId, Address.Parse(Deployment.AccessControl.Address));

    /// <summary>
    /// How a role goes on: only while its store is its own, and seeing to its bonds, which on an embedded chain the consortium did and on
    /// any other somebody has to give the account money for.
    /// </summary>
    public RoleLoop Loop(string name, Func<Task<Advance>> advance, StoreOwner owner, RoleHost role, Address account) =>
        new(name, role.Name, Logs.CreateLogger<RoleLoop>(), async () =>
    {
        try
        {
            await owner.HoldAsync(CancellationToken.None);
        }
        catch (StoreInUseException e)
        {
            SilosMeter.StoreContested(role.Name);
            throw new RoleProblemException(e.Message);
        }

        Advance answer = await advance();
        if (Consortium is null)
        {
            await Bonds.DepositAsync(role, account, Client, CancellationToken.None);
        }

        return answer;
    });

    /// <summary>Opens what the market keeps.</summary>
    public Task<MarketStorage> OpenMarketAsync(CancellationToken cancellationToken) =>
        ConnectAsync("Market:Database",
            () => MarketStorage.OpenAsync(Options.MarketDatabase ?? Database!.MarketConnectionString, cancellationToken));

    /// <summary>Opens what a site keeps.</summary>
    public Task<SiteStorage> OpenSiteAsync(string name, CancellationToken cancellationToken) =>
        ConnectAsync("Site:Database", async () => await SiteStorage.OpenAsync(
        Options.SiteDatabase ?? await Database!.GetSiteConnectionStringAsync(name, cancellationToken),
        Path.Combine(Options.SiteFolder(name), "storage.key"), cancellationToken));

    private static async Task<T> ConnectAsync<T>(string key, Func<Task<T>> open)
    {
        try
        {
            return await open();
        }
        catch (ArgumentException e)
        {
            // The parser's own message quotes what it stumbled over, which may be a piece of the password.
            throw new CommandException(ExitCode.Usage,
                $"{key} is not of Npgsql's form: Host=...;Database=...;Username=...;Password=..., a value with a semicolon in quotes", e);
        }
        catch (NpgsqlException e)
        {
            // Its message may name the user and the server, never the password.
            throw new CommandException(
                e.IsTransient ? ExitCode.NotReady : ExitCode.Failure,
                $"the database of {key} cannot be opened: {e.Message}. See that the server runs, and that {key} names it", e);
        }
    }
}
