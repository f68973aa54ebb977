using System.Globalization;
using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;

namespace EmrMarket.Contracts.Tests.Model;

/// <summary>The contracts on an embedded chain, and the model of their rules, told the same calls in the same blocks.</summary>
internal sealed class TwinLedger : IAsyncDisposable
{
    private readonly string _folder;
    private readonly HttpClient _http = new();
    private readonly EmbeddedChain _chain;

    private TwinLedger(EmbeddedChain chain, string folder) => (_chain, _folder) = (chain, folder);

    public ContractsStruct Contracts { get; private set; } = null!;

    public Parameters Parameters { get; private set; } = null!;

    public LedgerModel Model { get; private set; } = null!;

    public Address Token { get; private set; }

    public DynamicAccessControl Access => new(_chain.Client, Contracts.AccessControl);

    public MatchingDecision Matching => new(_chain.Client, Contracts.Matching);

    public DataEvaluation Evaluation => new(_chain.Client, Contracts.Evaluation);

    public AnonymousTransaction Payments => new(_chain.Client, Contracts.Payments);

    public DevelopmentToken TokenClient => new(_chain.Client, Token);

    /// <summary>Time of the last block.</summary>
    public ulong Now { get; private set; }

    /// <summary>Number of the last block.</summary>
    public ulong Height { get; private set; }

    public int Calls { get; private set; }

    public int Accepted { get; private set; }

    public Dictionary<string, int> Refusals { get; } = new(StringComparer.Ordinal);

    public Dictionary<BatchFault, int> Faults { get; } = [];

    public static async Task<TwinLedger> StartAsync(
        EmbeddedTools tools, Func<Address, Parameters> parameters, IReadOnlyCollection<Address> accounts)
    {
        string folder = Directory.CreateTempSubdirectory("emrmarket-twin-").FullName;

        // Blocks are mined one by one here, each with the time that the model is told.
        EmbeddedChain chain = await EmbeddedChain.StartAsync(
            new EmbeddedChainOptions
            {
                Folder = folder, Tools = tools, KeepsState = false, BlockTime = TimeSpan.FromHours(10),
                IdleBlockTime = TimeSpan.FromHours(10),
            },
            CancellationToken.None);
        TwinLedger twin = new(chain, folder);
        await chain.FundAsync(accounts, CancellationToken.None);
        await twin.AskAsync("anvil_autoImpersonateAccount", true);
        Address deployer = accounts.First();
        Address At(ulong nonce) => Address.OfContract(deployer, nonce);
        twin.Token = At(0);
        twin.Contracts = new ContractsStruct(At(1), At(2), At(3), At(4));
        twin.Parameters = parameters(At(0));
        twin.Model = new LedgerModel(EmbeddedChain.DevelopmentChainId, twin.Contracts, twin.Parameters, number => twin.BlockHash(number));
        (twin.Now, twin.Height) = await twin.LatestAsync();
        foreach (ContractCall create in new[]
        {
            DevelopmentToken.Create(), DynamicAccessControl.Create(twin.Contracts, twin.Parameters),
            MatchingDecision.Create(twin.Contracts, twin.Parameters), DataEvaluation.Create(twin.Contracts, twin.Parameters),
            AnonymousTransaction.Create(twin.Contracts, twin.Parameters),
        })
        {
            (JsonElement receipt, _) = await twin.SendAsync(deployer, create, twin.Now + 1);
            Assert.Equal("0x1", receipt.GetProperty("status").GetString());
        }

        Assert.NotEmpty(await twin.TokenClient.Client.GetCodeAsync(At(4), default, default));
        return twin;
    }

    /// <summary>Runs a call on the chain alone: of the token, whose rules are its library's.</summary>
    public async Task SetUpAsync(Address sender, ContractCall call)
    {
        (JsonElement receipt, _) = await SendAsync(sender, call, Now + 1);
        Assert.Equal("0x1", receipt.GetProperty("status").GetString());
    }

    /// <summary>Mines blocks in which nothing happens.</summary>
    public async Task MineAsync(int blocks)
    {
        await AskAsync("anvil_mine", Hex.Quantity(blocks), "0x1");
        (Now, Height) = await LatestAsync();
    }

    /// <summary>Runs a call on both, at the same time, and compares outcome, error and events.</summary>
    /// <returns>True when both accepted it.</returns>
    public async Task<bool> CallAsync(
        string name, Address sender, ContractCall call, Action<LedgerModel, CallContext> rule, ulong seconds = 1)
    {
        Calls++;
        ulong time = Now + seconds;
        (JsonElement receipt, Bytes32 hash) = await SendAsync(sender, call, time);
        bool succeeded = receipt.GetProperty("status").GetString() == "0x1";
        RefusedException? refused = null;
        try
        {
            Model.Run(model => rule(model, new CallContext(sender, Now, Height)));
        }
        catch (RefusedException e)
        {
            refused = e;
        }

        string where = $"call {Calls} ({name} by {sender} at {Now})";
        if (!succeeded)
        {
            ContractRevertException error = ContractErrors.FromData(await RevertDataAsync(hash));
            string found = error.GetType().Name.Replace("Exception", "", StringComparison.Ordinal);
            Assert.True(refused is not null, $"{where}: the chain refuses with {error.Message}, the model accepts");
            Assert.True(
                refused!.Reasons.Any(reason => reason.Error == found
                    && (reason.Arguments is null || reason.Arguments.Select(Show).SequenceEqual(ArgumentsOf(error)))),
                $"{where}: the chain refuses with {error.Message}, the model with " + string.Join(
                    "; ", refused.Reasons.Select(reason => $"{reason.Error}({string.Join(",", (reason.Arguments ?? []).Select(Show))})")));
            Refusals[found] = Refusals.GetValueOrDefault(found) + 1;
            return false;
        }

        Assert.True(refused is null, $"{where}: the chain accepts, the model says {refused?.Message}");
        IContractEvent[] events = [.. receipt.GetProperty("logs").EnumerateArray().Select(Log).Select(ContractEvents.Decode)
            .Where(e => e is not (null or TransferEvent or ApprovalEvent)).Select(e => e!)
            .OrderBy(e => e.ToString(), StringComparer.Ordinal)];
        IContractEvent[] expected = [.. Model.Events.OrderBy(e => e.ToString(), StringComparer.Ordinal)];
        Assert.True(expected.SequenceEqual(events),
            $"{where}: events differ\nchain: {string.Join("\n", events.AsEnumerable())}\nmodel: "
                + $"{string.Join("\n", expected.AsEnumerable())}");
        foreach (BatchVoidedEvent voided in events.OfType<BatchVoidedEvent>())
        {
            Faults[(BatchFault)voided.Fault] = Faults.GetValueOrDefault((BatchFault)voided.Fault) + 1;
        }

        Accepted++;
        return true;
    }

    /// <summary>Compares balances, escrows, batches and books.</summary>
    public async Task CompareStateAsync(IEnumerable<Address> accounts, IEnumerable<Bytes32> epochs, IEnumerable<Bytes32> rounds,
        IEnumerable<Bytes32> deliveries, Bytes32 schemaId)
    {
        foreach (Address account in accounts.Append(Contracts.Payments))
        {
            Assert.Equal(await TokenClient.BalanceOfAsync(account), Model.TokensOf(account));
            Assert.Equal(await Payments.BalanceOfAsync(account), Model.FreeOf(account));
        }

        Assert.Equal(await Payments.BurnableAsync(), Model.Burnable);
        Assert.Equal(await Access.MarketAsync(), Model.Market);
        Assert.Equal(await Access.PausedAsync(), Model.Paused);
        Assert.Equal(await Access.SiteCountAsync(), Model.SiteCount);
        Assert.Equal(await Matching.RequestCountAsync(), Model.RequestCount);
        Assert.Equal(await Matching.OpenBookAsync(schemaId), Model.OpenBook(schemaId));
        for (ulong id = 1; id <= Model.RequestCount; id++)
        {
            Assert.Equal(await Matching.RequestOfAsync(id), Model.RequestOf(id));
            (Escrow escrow, EscrowEnd end) = await Payments.EscrowOfAsync(id);
            Assert.Equal((escrow, end), Model.EscrowOf(id));
            Assert.Equal(await Evaluation.EffectiveRecordsAsync(id), Model.EffectiveRecords(id));
        }

        foreach (Bytes32 id in epochs)
        {
            Assert.Equal(await Access.BatchStateAsync(id), Model.StateOf(id));
        }

        foreach (Bytes32 id in rounds)
        {
            Assert.Equal(await Matching.BatchStateAsync(id), Model.StateOf(id));
            Assert.Equal(await Matching.SeedOfAsync(id), Model.SeedOf(id));
        }

        foreach (Bytes32 id in deliveries)
        {
            Assert.Equal(await Evaluation.BatchStateAsync(id), Model.StateOf(id));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _chain.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Show(object value) =>
        value is IFormattable formattable ? formattable.ToString(null, CultureInfo.InvariantCulture) : value.ToString()!;

    private static IEnumerable<string> ArgumentsOf(ContractRevertException error) => error.GetType()
        .GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
        .OrderBy(property => property.MetadataToken)
        .Select(property => Show(property.GetValue(error)!));

    private static LogEntry Log(JsonElement json) => new(
        Address.Parse(json.GetProperty("address").GetString()!),
        [.. json.GetProperty("topics").EnumerateArray().Select(topic => Bytes32.Parse(topic.GetString()!))],
        Hex.Decode(json.GetProperty("data").GetString()!), 0, default, default, 0, 0);

    private async Task<(JsonElement Receipt, Bytes32 Hash)> SendAsync(Address sender, ContractCall call, ulong time)
    {
        Dictionary<string, string> transaction = new(StringComparer.Ordinal)
        {
            ["from"] = sender.ToString(), ["data"] = Hex.Encode(call.Data.Span), ["gas"] = "0x1c9c380", ["gasPrice"] = "0x174876e800",
        };
        if (call.To is { } to)
        {
            transaction["to"] = to.ToString();
        }

        Bytes32 hash = Bytes32.Parse((await AskAsync("eth_sendTransaction", transaction)).GetString()!);
        await AskAsync("evm_setNextBlockTimestamp", time);
        await AskAsync("evm_mine");
        JsonElement receipt = await AskAsync("eth_getTransactionReceipt", hash.ToString());
        (Now, Height) = (time, (ulong)Hex.ParseQuantity(receipt.GetProperty("blockNumber").GetString()!));
        return (receipt, hash);
    }

    private async Task<byte[]> RevertDataAsync(Bytes32 hash)
    {
        JsonElement trace = await AskAsync(
            "debug_traceTransaction", hash.ToString(), new { tracer = "callTracer", tracerConfig = new { onlyTopCall = true } });
        return Hex.Decode(trace.TryGetProperty("output", out JsonElement output) ? output.GetString()! : "0x");
    }

    private async Task<(ulong Time, ulong Height)> LatestAsync()
    {
        JsonElement block = await AskAsync("eth_getBlockByNumber", "latest", false);
        return ((ulong)Hex.ParseQuantity(block.GetProperty("timestamp").GetString()!),
            (ulong)Hex.ParseQuantity(block.GetProperty("number").GetString()!));
    }

    private Bytes32? BlockHash(ulong number)
    {
        JsonElement block = AskAsync("eth_getBlockByNumber", Hex.Quantity(number), false).GetAwaiter().GetResult();
        return block.ValueKind == JsonValueKind.Null ? null : Bytes32.Parse(block.GetProperty("hash").GetString()!);
    }

    private async Task<JsonElement> AskAsync(string method, params object[] arguments)
    {
        HttpResponseMessage response = await _http.PostAsJsonAsync(
            _chain.Endpoint, new { jsonrpc = "2.0", id = 1, method, @params = arguments });
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return answer.TryGetProperty("result", out JsonElement result)
            ? result : throw new InvalidOperationException($"{method}: {answer}");
    }
}
