using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Ethereum.Sending;

/// <summary>Where an account's signed transactions are kept before they are sent, so that a crash at any point neither loses one nor sends
/// another in its place.</summary>
/// <remarks>One outbox belongs to one account on one chain. What <see cref="SaveAsync"/> was given is durable when it returns.</remarks>
public interface ITransactionOutbox
{
    /// <summary>The entries without a final outcome.</summary>
    Task<IReadOnlyList<OutboxEntry>> LoadOpenAsync(CancellationToken cancellationToken);

    /// <summary>The entries of this nonce and above, final ones included: what has to be sent again when a chain has lost blocks.</summary>
    Task<IReadOnlyList<OutboxEntry>> LoadFromNonceAsync(ulong nonce, CancellationToken cancellationToken);

    /// <summary>The entries of these ids, as far as they exist.</summary>
    Task<IReadOnlyList<OutboxEntry>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken);

    /// <summary>Adds entries or replaces those of the same id, all or none.</summary>
    Task SaveAsync(IReadOnlyList<OutboxEntry> entries, CancellationToken cancellationToken);
}

/// <summary>What somebody wants to be sent.</summary>
/// <param name="Id">The command's own id: the same id is sent once, however often it is asked for.</param>
/// <param name="Call">The call.</param>
/// <param name="GasLimit">The most gas; estimated when null, which also refuses what the contract would refuse.</param>
public sealed record TransactionIntent(string Id, ContractCall Call, ulong? GasLimit = null);

/// <summary>A signed transaction with what is known of it.</summary>
/// <param name="Id">The command's id.</param>
/// <param name="Transaction">What was signed.</param>
/// <param name="Hash">The hash of the signed bytes.</param>
/// <param name="Raw">The signed bytes, which every retry sends again.</param>
public sealed record OutboxEntry(string Id, Transaction Transaction, Bytes32 Hash, ReadOnlyMemory<byte> Raw)
{
    /// <summary>Earlier versions with the same nonce and a lower price, or with a nonce that another program used up: any of them may still
    /// turn up in a block.</summary>
    public IReadOnlyList<Bytes32> ReplacedHashes { get; init; } = [];

    /// <summary>The outcome, once it is final.</summary>
    public TransactionOutcome? Outcome { get; init; }
}

/// <summary>What became of a transaction.</summary>
/// <param name="Id">The command's id.</param>
/// <param name="TransactionHash">The hash under which it is in the block.</param>
/// <param name="BlockNumber">The block.</param>
/// <param name="BlockHash">The block's hash.</param>
/// <param name="Succeeded">False when the contract refused.</param>
/// <param name="GasUsed">Gas.</param>
/// <param name="ContractAddress">The contract that it created.</param>
public sealed record TransactionOutcome(
    string Id, Bytes32 TransactionHash, ulong BlockNumber, Bytes32 BlockHash, bool Succeeded, ulong GasUsed, Address? ContractAddress);
