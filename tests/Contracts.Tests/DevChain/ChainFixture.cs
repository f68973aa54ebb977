using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Tests.Ethereum.Sending;

namespace EmrMarket.Contracts.Tests.DevChain;

/// <summary>One embedded chain per test class, started by the first test that asks for it, with a funded account.</summary>
public sealed class ChainFixture : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-chain-").FullName;
    private EmbeddedChain? _chain;

    public EthereumAccount Account { get; } = EthereumAccount.Generate();

    public static EmbeddedTools EmbeddedTools { get; } = new(Path.Combine(Tools.RepositoryRoot, ".emr", "tools"), TextWriter.Null);

    public static TransactionSenderOptions Fast { get; } = new() { Confirmations = 1, Pause = TimeSpan.FromMilliseconds(5) };

    public async Task<EmbeddedChain> GetAsync()
    {
        Tools.Require(Tool.Anvil);
        if (_chain is null)
        {
            _chain = await EmbeddedChain.StartAsync(
                new EmbeddedChainOptions
                {
                    Folder = _folder, Tools = EmbeddedTools, BlockTime = TimeSpan.FromMilliseconds(20), KeepsState = false,
                }, CancellationToken.None);
            await _chain.FundAsync([Account.Address], CancellationToken.None);
        }

        return _chain;
    }

    /// <summary>A sender of the funded account with an outbox of its own.</summary>
    internal async Task<TransactionSender> SenderAsync() =>
        new((await GetAsync()).Client, Account, EmbeddedChain.DevelopmentChainId, new MemoryOutbox(), Fast);

    /// <summary>Sends a call and returns its receipt.</summary>
    internal async Task<TransactionReceipt> SendAsync(ContractCall call, ulong? gas = null)
    {
        using TransactionSender sender = await SenderAsync();
        TransactionOutcome outcome = (
            await sender.SendAsync([new TransactionIntent(Guid.NewGuid().ToString(), call, gas)], CancellationToken.None))[0];
        return (await (await GetAsync()).Client.GetReceiptsAsync([outcome.TransactionHash], CancellationToken.None))[0]!;
    }

    /// <summary>Mines enough blocks that a reorganisation of this depth leaves everything before it standing.</summary>
    internal async Task SettleAsync(int depth)
    {
        for (int i = 0; i <= depth; i++)
        {
            await (await GetAsync()).MineAsync(CancellationToken.None);
        }
    }

    /// <summary>Replaces the last blocks by empty ones; their transactions do not return to the pool.</summary>
    internal async Task ReorganiseAsync(int depth) => await (await GetAsync()).CommandAsync(
        "anvil_reorg",
        parameters =>
        {
            parameters.WriteNumberValue(depth);
            parameters.WriteStartArray();
            parameters.WriteEndArray();
        },
        CancellationToken.None);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_chain is not null)
        {
            await _chain.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }
}
