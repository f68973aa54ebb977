using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>What the roles stand on: a chain with the contracts, and a database for each. Started where they do not run, and ended with whoever started them.</summary>
/// <param name="Client">The node.</param>
/// <param name="Deployment">The contracts.</param>
/// <param name="Market">The market's account.</param>
/// <param name="Consortium">The account that admits, on an embedded chain.</param>
/// <param name="Storage">What the market keeps.</param>
/// <param name="Database">The server, which has a database for every site.</param>
internal sealed record Engines(
    JsonRpcEthereumClient Client, ContractDeployment Deployment, EthereumAccount Market, EthereumAccount Consortium, MarketStorage Storage, EmbeddedPostgres Database)
{
    // The windows of an embedded chain are seconds, and its clock moves with its blocks.
    private static readonly TimeSpan BlockTime = TimeSpan.FromSeconds(1);

    /// <summary>Does work with the engines, and ends afterwards what it started.</summary>
    /// <param name="folder">The embedded chain's folder; the database is beside it.</param>
    /// <param name="work">The work.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="CommandException">An engine is missing, in use or failed; the message says what to do.</exception>
    public static async Task<int> UseAsync(string folder, Func<Engines, Task<int>> work, CancellationToken cancellationToken)
    {
        string full = Path.GetFullPath(folder);
        EmbeddedChain? own = null;
        EmbeddedPostgres? database = null;
        try
        {
            database = await EmbeddedPostgres.StartAsync(Path.Combine(Path.GetDirectoryName(full)!, "database"), ChainFolders.Tools, cancellationToken);
            if (EmbeddedChain.FindRunning(full) is null)
            {
                own = await EmbeddedChain.StartAsync(new EmbeddedChainOptions { Folder = full, Tools = ChainFolders.Tools, BlockTime = BlockTime, IdleBlockTime = BlockTime }, cancellationToken);
            }

            string node = EmbeddedChain.FindRunning(full)?.Endpoint ?? own!.Endpoint.ToString();
            await ChainDeploy.RunAsync(new ChainDeployment { Folder = full }, cancellationToken);
            await using MarketStorage storage = await MarketStorage.OpenAsync(database.MarketConnectionString, cancellationToken);
            using JsonRpcEthereumClient client = new(new Uri(node));
            string keys = ChainFolders.Keys(full);
            return await work(new Engines(
                client, ContractDeployment.Load(ChainFolders.DeploymentOf(full)), EthereumAccount.Load(Path.Combine(keys, "market.key")),
                EthereumAccount.Load(Path.Combine(keys, "consortium.key")), storage, database));
        }
        catch (Exception e) when (e is ToolMissingException or ProcessFolderInUseException or ProcessFailedException or EthereumException or MigrationException or SealException)
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
    }
}
