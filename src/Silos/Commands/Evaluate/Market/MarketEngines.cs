using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Commands.Evaluate.Market;

/// <summary>What an evaluated market stands on, as a served one does: a chain with the contracts, and a database for every role. All of it
/// in a folder that ends with the run.</summary>
internal sealed class MarketEngines : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-evaluate-").FullName;
    private EmbeddedPostgres? _database;

    private MarketEngines()
    {
    }

    /// <summary>The node; its clock is moved by whoever drives the market.</summary>
    public EmbeddedChain Chain { get; private set; } = null!;

    /// <summary>The contracts.</summary>
    public ContractDeployment Deployment { get; private set; } = null!;

    /// <summary>What the market keeps.</summary>
    public MarketStorage Market { get; private set; } = null!;

    /// <summary>What each site keeps.</summary>
    public List<SiteStorage> Sites { get; } = [];

    /// <summary>Sees that the engines are installed, and installs them where it can.</summary>
    /// <exception cref="ToolMissingException">One is missing and cannot be installed.</exception>
    public static async Task RequireAsync(CancellationToken cancellationToken)
    {
        await ChainFolders.Tools.GetAnvilAsync(cancellationToken);
        await ChainFolders.Tools.GetPostgresAsync(cancellationToken);
    }

    /// <summary>Starts them and deploys the contracts.</summary>
    /// <param name="consortium">Admits sites, and deploys.</param>
    /// <param name="roles">Who may do what on the ledger.</param>
    /// <param name="accounts">Accounts that pay for gas.</param>
    /// <param name="sites">How many sites there are.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<MarketEngines> StartAsync(
        EthereumAccount consortium, DeploymentRoles roles, IReadOnlyList<EthereumAccount> accounts, int sites,
        CancellationToken cancellationToken)
    {
        MarketEngines engines = new();
        try
        {
            await Task.WhenAll(
                engines.StartChainAsync(consortium, roles, accounts, cancellationToken),
                engines.StartDatabaseAsync(sites, cancellationToken));
            return engines;
        }
        catch
        {
            await engines.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable? engine in (IAsyncDisposable?[])[.. Sites, Market, _database, Chain])
        {
            if (engine is not null)
            {
                await engine.DisposeAsync();
            }
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartChainAsync(
        EthereumAccount consortium, DeploymentRoles roles, IReadOnlyList<EthereumAccount> accounts, CancellationToken cancellationToken)
    {
        Chain = await EmbeddedChain.StartAsync(
            new EmbeddedChainOptions
            {
                Folder = Path.Combine(_folder, "chain"), Tools = ChainFolders.Tools, KeepsState = false,
                BlockTime = TimeSpan.FromMilliseconds(20),
            },
            cancellationToken);
        await Chain.FundAsync([.. accounts.Select(account => account.Address)], cancellationToken);
        using TransactionSender deployer = new(
            Chain.Client, consortium, EmbeddedChain.DevelopmentChainId, new MemoryLedgerStore().OutboxOf("deployment"),
            new TransactionSenderOptions { Confirmations = 1, Pause = TimeSpan.FromMilliseconds(10) });
        Deployment = await ContractDeployment.DeployAsync(
            deployer, Chain.Client, EmbeddedChain.DevelopmentChainId, roles, DeploymentTerms.Default, null, cancellationToken);
    }

    private async Task StartDatabaseAsync(int sites, CancellationToken cancellationToken)
    {
        _database = await EmbeddedPostgres.StartForOneRunAsync(Path.Combine(_folder, "database"), ChainFolders.Tools, cancellationToken);
        Market = await MarketStorage.OpenAsync(_database.MarketConnectionString, cancellationToken);
        for (int site = 1; site <= sites; site++)
        {
            string connection = await _database.GetSiteConnectionStringAsync($"site-{site}", cancellationToken);
            Sites.Add(await SiteStorage.OpenAsync(connection, Path.Combine(_folder, $"site-{site}.key"), cancellationToken));
        }
    }
}
