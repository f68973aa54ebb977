using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Simulation.Ledger;

/// <summary>Defects that are built in on purpose: a simulation that does not find them finds nothing.</summary>
internal enum Plant
{
    None,

    /// <summary>The outbox says that it kept signed transactions, and did not.</summary>
    OutboxForgets,

    /// <summary>The outbox does not find what it holds, so that an outcome is never seen.</summary>
    OutboxDoesNotFind,

    /// <summary>The queue says that it took a command, and did not.</summary>
    QueueForgets,

    /// <summary>What a reorganisation removed stays in the journal.</summary>
    UndoIsSkipped,

    /// <summary>The checkpoints of a step are kept, and its events are not.</summary>
    EventsAreLost,

    /// <summary>A transaction counts as final in its first block.</summary>
    FinalTooEarly,

    /// <summary>An outcome is not stored.</summary>
    OutcomeForgotten,
}

/// <summary>A store with one of the defects.</summary>
internal sealed class PlantedStore(ILedgerStore store, Plant plant) : ILedgerStore
{
    public Task<IReadOnlyList<LogCheckpoint>> LoadCheckpointsAsync(CancellationToken cancellationToken) =>
        store.LoadCheckpointsAsync(cancellationToken);

    public Task<IReadOnlyList<LedgerEvent>> LoadEventsAsync(LedgerPosition from, int most, CancellationToken cancellationToken) =>
        store.LoadEventsAsync(from, most, cancellationToken);

    public Task AppendAsync(ulong? undoFrom, IReadOnlyList<LedgerEvent> events, IReadOnlyList<LogCheckpoint> checkpoints,
        CancellationToken cancellationToken) => store.AppendAsync(
        plant == Plant.UndoIsSkipped ? null : undoFrom, plant == Plant.EventsAreLost && events.Count > 1 ? [] : events, checkpoints,
        cancellationToken);

    public Task AddCommandsAsync(string sender, IReadOnlyList<StoredCommand> commands, CancellationToken cancellationToken) =>
        store.AddCommandsAsync(sender, plant == Plant.QueueForgets ? [.. commands.Skip(1)] : commands, cancellationToken);

    public Task<IReadOnlyList<StoredCommand>> LoadUnsentAsync(string sender, CancellationToken cancellationToken) =>
        store.LoadUnsentAsync(sender, cancellationToken);

    public Task<IReadOnlyList<StoredCommand>> FindCommandsAsync(
        string sender, IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        store.FindCommandsAsync(sender, ids, cancellationToken);

    public Task RefuseAsync(string sender, string id, string refusal, CancellationToken cancellationToken) =>
        store.RefuseAsync(sender, id, refusal, cancellationToken);

    public ITransactionOutbox OutboxOf(string sender) => new Outbox(store.OutboxOf(sender), plant);

    private sealed class Outbox(ITransactionOutbox outbox, Plant plant) : ITransactionOutbox
    {
        public Task<IReadOnlyList<OutboxEntry>> LoadOpenAsync(CancellationToken cancellationToken) =>
            outbox.LoadOpenAsync(cancellationToken);

        public Task<IReadOnlyList<OutboxEntry>> LoadFromNonceAsync(ulong nonce, CancellationToken cancellationToken) =>
            outbox.LoadFromNonceAsync(nonce, cancellationToken);

        public async Task<IReadOnlyList<OutboxEntry>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
            plant == Plant.OutboxDoesNotFind ? [] : await outbox.FindAsync(ids, cancellationToken);

        public Task SaveAsync(IReadOnlyList<OutboxEntry> entries, CancellationToken cancellationToken) =>
            outbox.SaveAsync(
                plant switch
                {
                    Plant.OutboxForgets => [.. entries.Where(entry => entry.Outcome is not null)],
                    Plant.OutcomeForgotten => [.. entries.Where(entry => entry.Outcome is null)],
                    _ => entries,
                },
                cancellationToken);
    }
}
