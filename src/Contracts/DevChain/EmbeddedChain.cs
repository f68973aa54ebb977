using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;

namespace EmrMarket.Contracts.DevChain;

/// <summary>How the embedded chain runs.</summary>
public sealed record EmbeddedChainOptions
{
    /// <summary>Where its state, log, lock and caches are.</summary>
    public required string Folder { get; init; }

    /// <summary>The installed engines.</summary>
    public required EmbeddedTools Tools { get; init; }

    /// <summary>Time between blocks while there is something to do.</summary>
    public TimeSpan BlockTime { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Time between blocks while there is nothing to do: an idle day then adds 2.5 MB to the state, not 75.</summary>
    public TimeSpan IdleBlockTime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>False for a chain that is forgotten when it ends.</summary>
    public bool KeepsState { get; init; } = true;

    /// <summary>The port on 127.0.0.1; a free one when 0.</summary>
    public int Port { get; init; }
}

/// <summary>An Ethereum chain on this machine (anvil): nothing but this machine reaches it, no account exists on it but those that are
/// funded, and time can be moved.</summary>
/// <remarks>For demonstrations, tests and evaluation: whoever reaches its port can rewrite it. A killed node comes back with the state of
/// up to a second ago, which looks like a reorganisation; transactions are therefore sent again from an outbox.</remarks>
public sealed class EmbeddedChain : IAsyncDisposable
{
    private const string Name = "anvil";

    /// <summary>The chain id of development chains.</summary>
    public const ulong DevelopmentChainId = 31337;

    // The block limit counts declared gas, so it is far above what a block of a public chain holds.
    private const string BlockGasLimit = "300000000";

    // States of blocks kept in memory: enough for every reorganisation that is waited for, and bounded.
    private const string KeptStates = "256";

    private static readonly BigInteger Funds = BigInteger.Pow(10, 24);

    private readonly JsonRpcEthereumClient _client;
    private readonly HashSet<Address> _funded = [];
    private SupervisedProcess? _process;
    private readonly CancellationTokenSource _stopping = new();
    private Task _pacing = Task.CompletedTask;

    private EmbeddedChain(Uri endpoint)
    {
        Endpoint = endpoint;

        // A node that restarts is away for a moment, and never limits its rate.
        _client = new JsonRpcEthereumClient(endpoint, new JsonRpcOptions { Attempts = 6, FirstPause = TimeSpan.FromMilliseconds(100) });
    }

    /// <summary>Where it answers JSON-RPC, on 127.0.0.1.</summary>
    public Uri Endpoint { get; }

    /// <summary>A client of it.</summary>
    public IEthereumClient Client => _client;

    /// <summary>Ends when the chain cannot be started again; never while it runs.</summary>
    public Task Completion => _process!.Completion;

    /// <summary>The client with the methods that only development nodes have.</summary>
    internal JsonRpcEthereumClient DevelopmentClient => _client;

    /// <summary>The node's process, which another one replaces after a crash.</summary>
    internal int ProcessId => _process!.ProcessId;

    /// <summary>How often the node died and was started again.</summary>
    public int Restarts => _process!.Restarts;

    /// <summary>Starts the chain, with the state that its folder holds.</summary>
    /// <exception cref="ToolMissingException">Node, npm or the chain's binary is missing.</exception>
    /// <exception cref="ProcessFolderInUseException">A chain runs in this folder.</exception>
    /// <exception cref="ProcessFailedException">The node did not start.</exception>
    public static async Task<EmbeddedChain> StartAsync(EmbeddedChainOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        string anvil = await options.Tools.GetAnvilAsync(cancellationToken);
        string folder = Path.GetFullPath(options.Folder);
        int port = options.Port > 0 ? options.Port : FreePort();
        EmbeddedChain chain = new(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")));
        List<string> arguments =
        [
            "--host", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--chain-id",
            DevelopmentChainId.ToString(CultureInfo.InvariantCulture), "--accounts", "0", "--no-cors", "--no-mining", "--order", "fifo",
            "--gas-limit", BlockGasLimit, "--slots-in-an-epoch", "1", "--hardfork", "prague", "--prune-history", KeptStates,
            "--no-request-size-limit", "--cache-path", Path.Combine(folder, "cache"), "--quiet",
        ];
        if (options.KeepsState)
        {
            arguments.AddRange(["--state", Path.Combine(folder, "state.json"), "--state-interval", "1"]);
        }

        try
        {
            chain._process = await SupervisedProcess.StartAsync(
                new SupervisedProcessOptions
                {
                    Name = Name,
                    Program = anvil,
                    Arguments = arguments,
                    Folder = folder,
                    Endpoint = chain.Endpoint.ToString(),
                    Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["HOME"] = folder },
                    IsReadyAsync = chain.AnswersAsync,
                    PrepareAsync = chain.PrepareAsync,
                },
                cancellationToken);
            chain._pacing = new BlockPacer(chain._client, options.IdleBlockTime).PaceAsync(options.BlockTime, chain._stopping.Token);
        }
        catch
        {
            await chain.DisposeAsync();
            throw;
        }

        return chain;
    }

    /// <summary>The chain that runs in a folder, owned by any process of this machine; null when none does.</summary>
    public static SupervisedState? FindRunning(string folder) => SupervisedProcess.FindRunning(folder, Name);

    /// <summary>Gives accounts a million ether each, now and whenever the node comes back.</summary>
    public async Task FundAsync(IReadOnlyCollection<Address> accounts, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(accounts);
        lock (_funded)
        {
            _funded.UnionWith(accounts);
        }

        await FundAgainAsync(cancellationToken);
    }

    /// <summary>Gives accounts of a chain that another process owns a million ether each.</summary>
    public static async Task FundAsync(
        JsonRpcEthereumClient client, IReadOnlyCollection<Address> accounts, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(accounts);
        foreach (Address account in accounts)
        {
            await CommandAsync(
                client,
                "anvil_setBalance",
                parameters =>
                {
                    parameters.WriteStringValue(account.ToString());
                    parameters.WriteStringValue(Hex.Quantity(Funds));
                },
                cancellationToken);
        }
    }

    /// <summary>Moves the chain's clock forward and mines the block that shows it.</summary>
    /// <param name="by">At least a second; parts of a second are dropped.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task AdvanceTimeAsync(TimeSpan by, CancellationToken cancellationToken) => AdvanceTimeAsync(_client, by, cancellationToken);

    /// <summary>Moves the clock of a chain that another process owns.</summary>
    public static async Task AdvanceTimeAsync(JsonRpcEthereumClient client, TimeSpan by, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.FromSeconds(1));
        await CommandAsync(client, "evm_increaseTime", parameters => parameters.WriteNumberValue((long)by.TotalSeconds), cancellationToken);
        await CommandAsync(client, "evm_mine", _ => { }, cancellationToken);
    }

    /// <summary>Mines one block now.</summary>
    public Task MineAsync(CancellationToken cancellationToken) => CommandAsync("evm_mine", _ => { }, cancellationToken);

    /// <summary>Ends the chain; its state is saved where it is kept.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _pacing;
        _stopping.Dispose();
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _client.Dispose();
    }

    /// <summary>A method that only development nodes have.</summary>
    internal Task CommandAsync(string method, Action<Utf8JsonWriter> parameters, CancellationToken cancellationToken) =>
        CommandAsync(_client, method, parameters, cancellationToken);

    private static Task<JsonValueKind> CommandAsync(
        JsonRpcEthereumClient client, string method, Action<Utf8JsonWriter> parameters, CancellationToken cancellationToken) =>
        client.Connection.AskAsync(
            new JsonRpcCall(method, parameters), answer => client.Connection.Result(method, answer).ValueKind, cancellationToken);

    private async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        using JsonRpcEthereumClient impatient = new(Endpoint, new JsonRpcOptions { Attempts = 1, Timeout = TimeSpan.FromSeconds(2) });
        try
        {
            ulong chainId = await impatient.GetChainIdAsync(cancellationToken);
            return chainId == DevelopmentChainId ? true : throw new WrongChainException(DevelopmentChainId, chainId);
        }
        catch (NodeUnreachableException)
        {
            return false;
        }
    }

    /// <summary>What a new process of the node does not know of the one before it.</summary>
    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        // Its clock is that of the machine again, though the last block's may have been moved ahead: time on a chain never goes back.
        if (await _client.GetBlockAsync(BlockReference.Latest, cancellationToken) is { } latest
            && latest.Timestamp >= (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds())
        {
            await CommandAsync("evm_setTime", parameters => parameters.WriteNumberValue(latest.Timestamp + 1), cancellationToken);
        }

        await FundAgainAsync(cancellationToken);
    }

    private async Task FundAgainAsync(CancellationToken cancellationToken)
    {
        Address[] accounts;
        lock (_funded)
        {
            accounts = [.. _funded];
        }

        await FundAsync(_client, accounts, cancellationToken);
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
