using System.Numerics;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Ethereum;

/// <summary>All that the project asks of a node of an EVM chain. Everything above it (contracts, sender, log follower) uses nothing
/// else.</summary>
/// <remarks>Every method throws an <see cref="EthereumException"/>, and repeating a call is always safe.</remarks>
public interface IEthereumClient
{
    /// <summary>The id of the chain that the node follows now.</summary>
    Task<ulong> GetChainIdAsync(CancellationToken cancellationToken);

    /// <summary>A block's header, or null when the node has no such block.</summary>
    Task<BlockHeader?> GetBlockAsync(BlockReference block, CancellationToken cancellationToken);

    /// <summary>Runs a call against the state after a block, changing nothing.</summary>
    /// <exception cref="ContractRevertException">The contract refused.</exception>
    Task<byte[]> CallAsync(ContractCall call, BlockReference block, CancellationToken cancellationToken);

    /// <summary>The gas that a call would use now as a transaction.</summary>
    /// <exception cref="ContractRevertException">The contract would refuse.</exception>
    Task<ulong> EstimateGasAsync(ContractCall call, CancellationToken cancellationToken);

    /// <summary>The number of an account's transactions, which is the next one's nonce.</summary>
    Task<ulong> GetNonceAsync(Address account, BlockReference block, CancellationToken cancellationToken);

    /// <summary>An account's wei.</summary>
    Task<BigInteger> GetBalanceAsync(Address account, BlockReference block, CancellationToken cancellationToken);

    /// <summary>The code at an address; empty where there is no contract.</summary>
    Task<byte[]> GetCodeAsync(Address account, BlockReference block, CancellationToken cancellationToken);

    /// <summary>A price at which a transaction is taken for the next blocks, with room for the base fee to double.</summary>
    Task<GasPrice> GetGasPriceAsync(CancellationToken cancellationToken);

    /// <summary>Offers signed transactions to the node in their order; one outcome for each.</summary>
    Task<IReadOnlyList<SendOutcome>> SendRawAsync(IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellationToken);

    /// <summary>The receipts of transactions, null for each that is in no block.</summary>
    Task<IReadOnlyList<TransactionReceipt?>> GetReceiptsAsync(
        IReadOnlyList<Bytes32> transactionHashes, CancellationToken cancellationToken);

    /// <summary>The receipts of all transactions of a block in their order: one question where many receipts are wanted.</summary>
    /// <returns>Null when there is no such block, or when the node does not answer this question at all; single receipts can still be asked
    /// for.</returns>
    Task<IReadOnlyList<TransactionReceipt>?> GetBlockReceiptsAsync(ulong blockNumber, CancellationToken cancellationToken);

    /// <summary>The logs that match, in the order of the chain.</summary>
    Task<IReadOnlyList<LogEntry>> GetLogsAsync(LogFilter filter, CancellationToken cancellationToken);
}

/// <summary>A block by number or by its standing.</summary>
public readonly record struct BlockReference
{
    private readonly string? _tag;

    private BlockReference(string? tag, ulong number) => (_tag, Number) = (tag, number);

    /// <summary>The newest block, which a reorganisation may still replace. The default.</summary>
    public static BlockReference Latest => default;

    /// <summary>The newest block and the transactions that wait for the next one.</summary>
    public static BlockReference Pending { get; } = new("pending", 0);

    /// <summary>The block's number, where the reference is one.</summary>
    public ulong Number { get; }

    /// <summary>The block of a number.</summary>
    public static BlockReference At(ulong number) => new("number", number);

    /// <summary>The form that JSON-RPC takes.</summary>
    public override string ToString() => _tag is null ? "latest" : string.Equals(_tag, "number", StringComparison.Ordinal)
        ? Hex.Quantity(Number) : _tag;
}

/// <summary>What the client uses of a block.</summary>
/// <param name="Number">Blocks before it.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="ParentHash">The hash of the block before.</param>
/// <param name="Timestamp">Unix seconds.</param>
/// <param name="GasLimit">The most gas that its transactions may declare together.</param>
/// <param name="BaseFeePerGas">Wei per gas that are burned; null before the London fork.</param>
public sealed record BlockHeader(
    ulong Number, Bytes32 Hash, Bytes32 ParentHash, ulong Timestamp, ulong GasLimit, BigInteger? BaseFeePerGas);

/// <summary>A call of a contract, to be run, estimated or sent.</summary>
/// <param name="To">The contract; null creates one from the data.</param>
/// <param name="Data">Selector and arguments.</param>
public sealed record ContractCall(Address? To, ReadOnlyMemory<byte> Data)
{
    /// <summary>Wei that go along.</summary>
    public BigInteger Value { get; init; }

    /// <summary>On whose behalf; the zero address when null.</summary>
    public Address? From { get; init; }
}

/// <summary>What the node said of one transaction.</summary>
/// <param name="Status">The answer, sorted.</param>
/// <param name="Error">The node's own words, where it did not take the transaction.</param>
public sealed record SendOutcome(SendStatus Status, EthereumException? Error = null);

/// <summary>What became of an offered transaction.</summary>
public enum SendStatus
{
    /// <summary>The node took it.</summary>
    Accepted,

    /// <summary>The node had it already, which is as good.</summary>
    AlreadyKnown,

    /// <summary>The account's nonce is past it: this transaction or another of that nonce is in a block.</summary>
    NonceTooLow,

    /// <summary>The node refused for now (a rate limit, a full pool): offer the same bytes again later.</summary>
    Deferred,

    /// <summary>The node refused for good as things stand, such as a price below the base fee, or too little ether.</summary>
    Refused,
}

/// <summary>The outcome of a transaction in a block.</summary>
/// <param name="TransactionHash">Which transaction.</param>
/// <param name="TransactionIndex">Its place in the block.</param>
/// <param name="BlockNumber">The block's number.</param>
/// <param name="BlockHash">The block's hash, which tells a reorganisation.</param>
/// <param name="From">The sender.</param>
/// <param name="To">The receiver; null where a contract was created.</param>
/// <param name="ContractAddress">The contract that was created.</param>
/// <param name="Succeeded">False when it was reverted, so that it changed nothing but the nonce and the fee.</param>
/// <param name="GasUsed">Gas.</param>
/// <param name="Logs">What the contracts logged.</param>
public sealed record TransactionReceipt(
    Bytes32 TransactionHash,
    ulong TransactionIndex,
    ulong BlockNumber,
    Bytes32 BlockHash,
    Address From,
    Address? To,
    Address? ContractAddress,
    bool Succeeded,
    ulong GasUsed,
    IReadOnlyList<LogEntry> Logs)
{
    /// <summary>True when both tell the same, log by log: a second reading of the same receipt.</summary>
    public bool SameAs(TransactionReceipt other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Logs.Count == other.Logs.Count && (this with { Logs = other.Logs }) == other
            && Logs.Zip(other.Logs).All(pair => pair.First.SameAs(pair.Second));
    }
}

/// <summary>A log of a contract.</summary>
/// <param name="Address">The contract.</param>
/// <param name="Topics">The event's hash and its indexed parameters.</param>
/// <param name="Data">The other parameters.</param>
/// <param name="BlockNumber">The block's number.</param>
/// <param name="BlockHash">The block's hash.</param>
/// <param name="TransactionHash">Which transaction.</param>
/// <param name="TransactionIndex">Its place in the block.</param>
/// <param name="LogIndex">The log's place in the block.</param>
public sealed record LogEntry(
    Address Address,
    IReadOnlyList<Bytes32> Topics,
    ReadOnlyMemory<byte> Data,
    ulong BlockNumber,
    Bytes32 BlockHash,
    Bytes32 TransactionHash,
    ulong TransactionIndex,
    ulong LogIndex)
{
    /// <summary>True when both have equal fields, byte by byte.</summary>
    public bool SameAs(LogEntry other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Topics.SequenceEqual(other.Topics) && Data.Span.SequenceEqual(other.Data.Span)
            && (this with { Topics = other.Topics, Data = other.Data }) == other;
    }
}

/// <summary>Which logs are asked for.</summary>
/// <param name="FromBlock">The first block.</param>
/// <param name="ToBlock">The last block, included.</param>
/// <param name="Addresses">Of these contracts; empty for all.</param>
/// <param name="EventTopics">With one of these first topics; empty for all.</param>
public sealed record LogFilter(ulong FromBlock, ulong ToBlock, IReadOnlyList<Address> Addresses, IReadOnlyList<Bytes32> EventTopics);
