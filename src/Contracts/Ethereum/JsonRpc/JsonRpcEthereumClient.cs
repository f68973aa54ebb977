using System.Numerics;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Ethereum.JsonRpc;

/// <summary>The client of a node by JSON-RPC over HTTP (EIP-1474).</summary>
public sealed class JsonRpcEthereumClient : IEthereumClient, IDisposable
{
    private readonly JsonRpcConnection _connection;

    /// <summary>Asks the node at a URL.</summary>
    /// <param name="node">http or https; user name and password may be part of it.</param>
    /// <param name="options">Patience and sizes; sensible ones when null.</param>
    /// <param name="handler">Another transport.</param>
    /// <exception cref="ArgumentException">Not an http or https URL.</exception>
    public JsonRpcEthereumClient(Uri node, JsonRpcOptions? options = null, HttpMessageHandler? handler = null)
    {
        ArgumentNullException.ThrowIfNull(node);
        if (!node.IsAbsoluteUri || node.Scheme is not ("http" or "https"))
        {
            throw new ArgumentException($"a node is asked at an http or https URL, got {Hex.Excerpt(node.OriginalString)}", nameof(node));
        }

        _connection = new JsonRpcConnection(node, options ?? new JsonRpcOptions(), handler);
    }

    /// <summary>The raw connection, for methods that only one kind of node has.</summary>
    internal JsonRpcConnection Connection => _connection;

    /// <inheritdoc/>
    public Task<ulong> GetChainIdAsync(CancellationToken cancellationToken) =>
        AskAsync("eth_chainId", _ => { }, JsonRpcReader.Unsigned, cancellationToken);

    /// <inheritdoc/>
    public Task<BlockHeader?> GetBlockAsync(BlockReference block, CancellationToken cancellationToken) =>
        AskAsync(
            "eth_getBlockByNumber",
            parameters =>
            {
                parameters.WriteStringValue(block.ToString());
                parameters.WriteBooleanValue(false);
            },
            result => JsonRpcReader.Block(result, block),
            cancellationToken);

    /// <inheritdoc/>
    public Task<byte[]> CallAsync(ContractCall call, BlockReference block, CancellationToken cancellationToken) =>
        AskAsync(
            "eth_call",
            parameters =>
            {
                WriteCall(parameters, call);
                parameters.WriteStringValue(block.ToString());
            },
            JsonRpcReader.Data,
            cancellationToken);

    /// <inheritdoc/>
    public Task<ulong> EstimateGasAsync(ContractCall call, CancellationToken cancellationToken) =>
        AskAsync("eth_estimateGas", parameters => WriteCall(parameters, call), JsonRpcReader.Unsigned, cancellationToken);

    /// <inheritdoc/>
    public Task<ulong> GetNonceAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        AskAsync("eth_getTransactionCount", parameters => WriteAccount(parameters, account, block), JsonRpcReader.Unsigned,
            cancellationToken);

    /// <inheritdoc/>
    public Task<BigInteger> GetBalanceAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        AskAsync("eth_getBalance", parameters => WriteAccount(parameters, account, block), JsonRpcReader.Quantity, cancellationToken);

    /// <inheritdoc/>
    public Task<byte[]> GetCodeAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        AskAsync("eth_getCode", parameters => WriteAccount(parameters, account, block), JsonRpcReader.Data, cancellationToken);

    /// <inheritdoc/>
    public async Task<GasPrice> GetGasPriceAsync(CancellationToken cancellationToken)
    {
        BlockHeader head = await GetBlockAsync(BlockReference.Latest, cancellationToken)
            ?? throw new MalformedAnswerException("eth_getBlockByNumber", "the node has no latest block");
        BigInteger suggested = await AskAsync("eth_gasPrice", _ => { }, JsonRpcReader.Quantity, cancellationToken);
        if (head.BaseFeePerGas is not { } baseFee)
        {
            return new GasPrice.Fixed(suggested);
        }

        // eth_gasPrice is base fee and tip together; the base fee grows by an eighth a block at most, so doubling it covers five full
        // blocks.
        BigInteger tip = BigInteger.Max(suggested - baseFee, BigInteger.Zero);
        return new GasPrice.Dynamic(tip, (baseFee * 2) + tip);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<SendOutcome>> SendRawAsync(
        IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transactions);
        const string Method = "eth_sendRawTransaction";
        JsonRpcCall[] calls = [.. transactions.Select(transaction =>
            new JsonRpcCall(Method, parameters => parameters.WriteStringValue(Hex.Encode(transaction.Raw.Span))))];
        return await _connection.AskAsync(
            calls,
            (index, answer) =>
            {
                if (answer.Error is { } error)
                {
                    return new SendOutcome(SortRefusal(error), _connection.ToException(Method, error));
                }

                Bytes32 hash = JsonRpcReader.Word(answer.Result);
                return hash == transactions[index].Hash
                    ? new SendOutcome(SendStatus.Accepted)
                    : throw new MalformedAnswerException(Method, $"the node took {hash}, sent was {transactions[index].Hash}");
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<TransactionReceipt?>> GetReceiptsAsync(
        IReadOnlyList<Bytes32> transactionHashes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transactionHashes);
        const string Method = "eth_getTransactionReceipt";
        JsonRpcCall[] calls =
            [.. transactionHashes.Select(hash => new JsonRpcCall(Method, parameters => parameters.WriteStringValue(hash.ToString())))];
        return await _connection.AskAsync(
            calls, (index, answer) => JsonRpcReader.Receipt(_connection.Result(Method, answer), transactionHashes[index]),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<TransactionReceipt>?> GetBlockReceiptsAsync(ulong blockNumber, CancellationToken cancellationToken)
    {
        const string Method = "eth_getBlockReceipts";
        const int MethodNotFound = -32601;
        return _connection.AskAsync(
            new JsonRpcCall(Method, parameters => parameters.WriteStringValue(Hex.Quantity(blockNumber))),
            answer => answer.Error is { Code: MethodNotFound }
                ? null : JsonRpcReader.BlockReceipts(_connection.Result(Method, answer), blockNumber),
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<LogEntry>> GetLogsAsync(LogFilter filter, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return await AskAsync("eth_getLogs", parameters => WriteFilter(parameters, filter), result => JsonRpcReader.Logs(result, filter),
            cancellationToken);
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _connection.Dispose();

    private Task<T> AskAsync<T>(
        string method, Action<Utf8JsonWriter> parameters, Func<JsonElement, T> read, CancellationToken cancellationToken) =>
        _connection.AskAsync(new JsonRpcCall(method, parameters), answer => read(_connection.Result(method, answer)), cancellationToken);

    // Nodes agree on the meaning, not on codes or words: geth, anvil, Besu, Nethermind and Erigon say each of these in one of these ways.
    private static SendStatus SortRefusal(JsonRpcError error)
    {
        bool Says(params ReadOnlySpan<string> phrases)
        {
            foreach (string phrase in phrases)
            {
                if (error.Message.Contains(phrase, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }

            return false;
        }

        return Says("already known", "already imported", "known transaction", "AlreadyKnown", "already in mempool")
            ? SendStatus.AlreadyKnown
            : Says("nonce too low", "nonce is too low", "OldNonce") ? SendStatus.NonceTooLow
            : error.Code is -32005 or 429
            || Says("rate limit", "too many requests", "pool is full", "pool full", "limit exceeded", "TooManyTxs",
                "nonce too high", "nonce gap")
                ? SendStatus.Deferred
            : SendStatus.Refused;
    }

    private static void WriteCall(Utf8JsonWriter parameters, ContractCall call)
    {
        parameters.WriteStartObject();
        if (call.From is { } from)
        {
            parameters.WriteString("from", from.ToString());
        }

        if (call.To is { } to)
        {
            parameters.WriteString("to", to.ToString());
        }

        if (!call.Value.IsZero)
        {
            parameters.WriteString("value", Hex.Quantity(call.Value));
        }

        parameters.WriteString("input", Hex.Encode(call.Data.Span));
        parameters.WriteEndObject();
    }

    private static void WriteAccount(Utf8JsonWriter parameters, Address account, BlockReference block)
    {
        parameters.WriteStringValue(account.ToString());
        parameters.WriteStringValue(block.ToString());
    }

    private static void WriteFilter(Utf8JsonWriter parameters, LogFilter filter)
    {
        parameters.WriteStartObject();
        parameters.WriteString("fromBlock", Hex.Quantity(filter.FromBlock));
        parameters.WriteString("toBlock", Hex.Quantity(filter.ToBlock));
        if (filter.Addresses.Count > 0)
        {
            parameters.WriteStartArray("address");
            foreach (Address address in filter.Addresses)
            {
                parameters.WriteStringValue(address.ToString());
            }

            parameters.WriteEndArray();
        }

        if (filter.EventTopics.Count > 0)
        {
            parameters.WriteStartArray("topics");
            parameters.WriteStartArray();
            foreach (Bytes32 topic in filter.EventTopics)
            {
                parameters.WriteStringValue(topic.ToString());
            }

            parameters.WriteEndArray();
            parameters.WriteEndArray();
        }

        parameters.WriteEndObject();
    }
}
