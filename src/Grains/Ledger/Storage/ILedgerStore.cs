using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;

namespace EmrMarket.Grains.Ledger.Storage;

/// <summary>
/// What one role keeps about one deployment: the journal of what its contracts logged, and the commands and signed transactions of the
/// role's accounts. What a method was given is durable when it returns; a write happens whole or not at all; and every write may be
/// repeated. Safe for use from several threads; one process writes.
/// </summary>
public interface ILedgerStore
{
    /// <summary>The blocks up to which the journal was written, oldest first; empty at the start.</summary>
    Task<IReadOnlyList<LogCheckpoint>> LoadCheckpointsAsync(CancellationToken cancellationToken);

    /// <summary>Events in the order of the chain, from a place on.</summary>
    /// <param name="from">The first place.</param>
    /// <param name="most">At most so many.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task<IReadOnlyList<LedgerEvent>> LoadEventsAsync(LedgerPosition from, int most, CancellationToken cancellationToken);

    /// <summary>Removes the events of a block and all above it, if named, adds events and replaces the checkpoints, in one
    /// transaction.</summary>
    /// <param name="undoFrom">Null, or the first block that is no longer part of the chain.</param>
    /// <param name="events">What to add, in the order of the chain; one that is there already is left alone.</param>
    /// <param name="checkpoints">All checkpoints from now on.</param>
    /// <param name="cancellationToken">Cancels the wait; whether it was stored is then unknown, and the next
    /// <see cref="LoadCheckpointsAsync"/> tells.</param>
    Task AppendAsync(ulong? undoFrom, IReadOnlyList<LedgerEvent> events, IReadOnlyList<LogCheckpoint> checkpoints,
        CancellationToken cancellationToken);

    /// <summary>Adds commands of an account at the end of its queue; one whose id is there already is left alone.</summary>
    Task AddCommandsAsync(string sender, IReadOnlyList<StoredCommand> commands, CancellationToken cancellationToken);

    /// <summary>An account's commands without a refusal and without an entry in its outbox, in the order in which they were
    /// added.</summary>
    Task<IReadOnlyList<StoredCommand>> LoadUnsentAsync(string sender, CancellationToken cancellationToken);

    /// <summary>An account's commands of these ids, as far as they exist, in any order.</summary>
    Task<IReadOnlyList<StoredCommand>> FindCommandsAsync(
        string sender, IReadOnlyCollection<string> ids, CancellationToken cancellationToken);

    /// <summary>Notes why the ledger refuses a command.</summary>
    Task RefuseAsync(string sender, string id, string refusal, CancellationToken cancellationToken);

    /// <summary>The signed transactions of an account.</summary>
    /// <param name="sender">The account as the grain's key names it: <c>chainId/0xaddress</c>.</param>
    ITransactionOutbox OutboxOf(string sender);
}

/// <summary>A place in the journal.</summary>
/// <param name="BlockNumber">The block.</param>
/// <param name="LogIndex">The log's place in the block.</param>
public readonly record struct LedgerPosition(ulong BlockNumber, ulong LogIndex);

/// <summary>A log of one of the contracts, as the chain gave it.</summary>
public sealed record LedgerEvent
{
    /// <summary>The block.</summary>
    public required ulong BlockNumber { get; init; }

    /// <summary>The log's place in the block.</summary>
    public required ulong LogIndex { get; init; }

    /// <summary>The block's time, unix seconds.</summary>
    public required ulong BlockSeconds { get; init; }

    /// <summary>The transaction.</summary>
    public required Bytes32 TransactionHash { get; init; }

    /// <summary>The contract.</summary>
    public required Address Contract { get; init; }

    /// <summary>The topics, 32 bytes each.</summary>
    public required byte[] Topics { get; init; }

    /// <summary>The parameters that are not indexed.</summary>
    public required byte[] Data { get; init; }
}

/// <summary>A command that a grain took.</summary>
public sealed record StoredCommand
{
    /// <summary>Its id, unique for the account.</summary>
    public required string Id { get; init; }

    /// <summary>The contract.</summary>
    public required Address To { get; init; }

    /// <summary>The call, ABI-encoded.</summary>
    public required byte[] Data { get; init; }

    /// <summary>The most gas; estimated when null.</summary>
    public ulong? GasLimit { get; init; }

    /// <summary>Why the ledger refuses it; null while it does not.</summary>
    public string? Refusal { get; init; }
}
