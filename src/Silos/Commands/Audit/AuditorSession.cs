using System.CommandLine;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Commands.Client;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Commands.Audit;

/// <summary>
/// An auditor's key and the server that writes and relays calls of the ledger. The server is not trusted with them: what can be formed here
/// is compared to the byte, and of the others, whose leaves only the server has, contract and function must be those that were asked for.
/// </summary>
internal sealed class AuditorSession : IDisposable
{
    private const string KeyFile = "auditor.key";
    private const int ShortestBeginning = 6;
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    // Forms calls, and is never asked anything.
    private readonly JsonRpcEthereumClient _nobody;

    private AuditorSession(MarketClient market, EthereumAccount? account, ContractsInfo contracts)
    {
        (Market, _nobody) = (market, new JsonRpcEthereumClient(market.Server));
        Access = new DynamicAccessControl(_nobody, Contracts.Ethereum.Address.Parse(contracts.AccessControl));
        Matching = new MatchingDecision(_nobody, Contracts.Ethereum.Address.Parse(contracts.Matching));
        Evaluation = new DataEvaluation(_nobody, Contracts.Ethereum.Address.Parse(contracts.Evaluation));
        Payments = new AnonymousTransaction(_nobody, Contracts.Ethereum.Address.Parse(contracts.Payments));
        Token = new DevelopmentToken(_nobody, Contracts.Ethereum.Address.Parse(contracts.Token));
        _account = account;
    }

    private readonly EthereumAccount? _account;

    public MarketClient Market { get; }

    public DynamicAccessControl Access { get; }

    public MatchingDecision Matching { get; }

    public DataEvaluation Evaluation { get; }

    public AnonymousTransaction Payments { get; }

    public DevelopmentToken Token { get; }

    /// <summary>Who signs.</summary>
    public EthereumAccount Account => _account ?? throw new InvalidOperationException("the command was opened without a key");

    /// <summary>The address of <see cref="Account"/>, lower case.</summary>
    public string Address => Account.Address.ToString().ToLowerInvariant();

    /// <summary>The option that names the key file.</summary>
    public static Option<string?> KeyOption() => new("--key")
    {
        Description = $"The key file that signs; without it {KeyFile} in the folder of keys ('emr account key --key FILE' makes one).",
        HelpName = "FILE",
    };

    /// <summary>The argument that names a batch.</summary>
    public static Argument<string> BatchArgument() => new("BATCH")
    {
        Description = "The batch: its id, or how it begins (6 digits or more); 'emr audit batches' lists them.",
    };

    /// <summary>Opens a connection.</summary>
    /// <param name="parsed">The command.</param>
    /// <param name="client">Its options.</param>
    /// <param name="key">The option of the key; null for a command that signs nothing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<AuditorSession> OpenAsync(
        ParseResult parsed, ClientOptions client, Option<string?>? key, CancellationToken cancellationToken)
    {
        MarketClient market = client.Connect(parsed);
        try
        {
            EthereumAccount? account = key is null ? null
                : market.Keys.Account(parsed.GetValue(key) ?? market.Keys.Place(KeyFile));
            return new AuditorSession(
                market, account, (await market.GetAsync<MarketInfo>("api/v1/market", cancellationToken)).Contracts);
        }
        catch
        {
            market.Dispose();
            throw;
        }
    }

    /// <summary>Every batch of the ledger, the latest first.</summary>
    public async Task<IReadOnlyList<BatchInfo>> BatchesAsync(CancellationToken cancellationToken)
    {
        List<BatchInfo> all = [];
        foreach (string kind in (string[])["epochs", "rounds", "deliveries"])
        {
            all.AddRange(await Market.ListAsync<BatchInfo>($"api/v1/ledger/{kind}?limit=1000", cancellationToken));
        }

        return [.. all.OrderByDescending(batch => batch.PostedBlock)];
    }

    /// <summary>A batch by what a person calls it.</summary>
    /// <exception cref="CommandException">None or several are called so.</exception>
    public async Task<BatchInfo> FindAsync(string named, CancellationToken cancellationToken)
    {
        string text = (named.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? named[2..] : named).ToLowerInvariant();
        if (text.Length == 64)
        {
            return await ReadAsync(text, cancellationToken);
        }

        BatchInfo[] found = text.Length < ShortestBeginning ? []
            : [.. (await BatchesAsync(cancellationToken)).Where(batch => batch.Id.StartsWith(text, StringComparison.Ordinal))];
        return found.Length == 1 ? found[0] : throw new CommandException(
            ExitCode.Usage, $"{(found.Length == 0 ? "no batch of the ledger is" : $"{found.Length} batches are")} called '{named}': "
                + "'./emr audit batches' lists them");
    }

    /// <summary>A batch as it stands.</summary>
    public Task<BatchInfo> ReadAsync(string id, CancellationToken cancellationToken) =>
        Market.GetAsync<BatchInfo>("api/v1/ledger/batches/" + id, cancellationToken);

    /// <summary>What the account has.</summary>
    public Task<AccountInfo> HoldingsAsync(CancellationToken cancellationToken) =>
        Market.GetAsync<AccountInfo>("api/v1/ledger/accounts/" + Address, cancellationToken);

    /// <summary>The contract that judges a batch, and the name of the function that data asks of it.</summary>
    public (Address Contract, Func<ReadOnlyMemory<byte>, string?> FunctionOf) Judge(string batchKind) => batchKind switch
    {
        "epoch" => (Access.Address, DynamicAccessControl.FunctionOf),
        "round" => (Matching.Address, MatchingDecision.FunctionOf),
        _ => (Evaluation.Address, DataEvaluation.FunctionOf),
    };

    /// <summary>Takes a call of the server's that asks one of some functions of the contract that judges the batch, and ends in what the
    /// auditor named.</summary>
    /// <exception cref="CommandException">It is another: nothing was signed.</exception>
    public ContractCall Take(CallInfo offered, string batchKind, Func<string, bool> isAsked, ReadOnlySpan<byte> end)
    {
        (Address contract, Func<ReadOnlyMemory<byte>, string?> functionOf) = Judge(batchKind);
        byte[] data = Hex.Decode(offered.Data);
        return string.Equals(offered.To, contract.ToString(), StringComparison.OrdinalIgnoreCase)
            && functionOf(data) is { } function && isAsked(function) && data.AsSpan().EndsWith(end)
            ? new ContractCall(contract, data)
            : throw Differs();
    }

    /// <summary>Holds the server's calls against own ones.</summary>
    /// <exception cref="CommandException">They differ: nothing was signed.</exception>
    public static void Compare(IReadOnlyList<CallInfo> offered, IReadOnlyList<ContractCall> own)
    {
        if (offered.Count != own.Count || own.Where((call, i) =>
            !string.Equals(call.To.ToString(), offered[i].To, StringComparison.OrdinalIgnoreCase)
                || !string.Equals(Hex.Encode(call.Data.Span), offered[i].Data, StringComparison.OrdinalIgnoreCase)).Any())
        {
            throw Differs();
        }
    }

    /// <summary>Asks until the server has seen what was sent.</summary>
    /// <exception cref="CommandException">75: it has not within two minutes.</exception>
    public static async Task<T> SeenAsync<T>(string what, Func<CancellationToken, Task<T?>> ask, CancellationToken cancellationToken)
        where T : class
    {
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(LongestWait);
        try
        {
            while (true)
            {
                if (await ask(late.Token) is { } seen)
                {
                    return seen;
                }

                await Task.Delay(Pause, late.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(
                ExitCode.NotReady, $"{what} is on the chain, and the server has not seen it within {LongestWait.TotalMinutes:0} minutes",
                e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Market.Dispose();
        _nobody.Dispose();
    }

    /// <summary>The server's calls are others than were asked for.</summary>
    public static CommandException Differs() => new(
        ExitCode.Failure, "the server's calls are not those that follow from the command: nothing was signed. Compare the versions of this "
            + "program and of the server's");
}
