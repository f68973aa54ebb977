using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Simulation.Driving;

namespace EmrMarket.Simulation.Ledger;

/// <summary>A process's way to its store, with fault points before and after every read and write.</summary>
internal sealed class FaultyLedgerStore(ILedgerStore store, FaultPoints points) : ILedgerStore
{
    private readonly int _generation = points.Generation;

    public Task<IReadOnlyList<LogCheckpoint>> LoadCheckpointsAsync(CancellationToken cancellationToken) => DoAsync("LoadCheckpoints", () => store.LoadCheckpointsAsync(cancellationToken));

    public Task<IReadOnlyList<LedgerEvent>> LoadEventsAsync(LedgerPosition from, int most, CancellationToken cancellationToken) =>
        DoAsync("LoadEvents", () => store.LoadEventsAsync(from, most, cancellationToken));

    public Task AppendAsync(ulong? undoFrom, IReadOnlyList<LedgerEvent> events, IReadOnlyList<LogCheckpoint> checkpoints, CancellationToken cancellationToken) =>
        WriteAsync("Append", () => store.AppendAsync(undoFrom, events, checkpoints, cancellationToken));

    public Task AddCommandsAsync(string sender, IReadOnlyList<StoredCommand> commands, CancellationToken cancellationToken) =>
        WriteAsync("AddCommands", () => store.AddCommandsAsync(sender, commands, cancellationToken));

    public Task<IReadOnlyList<StoredCommand>> LoadUnsentAsync(string sender, CancellationToken cancellationToken) =>
        DoAsync("LoadUnsent", () => store.LoadUnsentAsync(sender, cancellationToken));

    public Task<IReadOnlyList<StoredCommand>> FindCommandsAsync(string sender, IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        DoAsync("FindCommands", () => store.FindCommandsAsync(sender, ids, cancellationToken));

    public Task RefuseAsync(string sender, string id, string refusal, CancellationToken cancellationToken) =>
        WriteAsync("Refuse", () => store.RefuseAsync(sender, id, refusal, cancellationToken));

    public ITransactionOutbox OutboxOf(string sender) => new Outbox(this, store.OutboxOf(sender));

    private Task<T> DoAsync<T>(string method, Func<Task<T>> work) => points.AroundAsync("store/" + method, _generation, work);

    private Task<bool> WriteAsync(string method, Func<Task> write) => DoAsync(method, async () =>
    {
        await write();
        return true;
    });

    private sealed class Outbox(FaultyLedgerStore owner, ITransactionOutbox outbox) : ITransactionOutbox
    {
        public Task<IReadOnlyList<OutboxEntry>> LoadOpenAsync(CancellationToken cancellationToken) => owner.DoAsync("Outbox.LoadOpen", () => outbox.LoadOpenAsync(cancellationToken));

        public Task<IReadOnlyList<OutboxEntry>> LoadFromNonceAsync(ulong nonce, CancellationToken cancellationToken) =>
            owner.DoAsync("Outbox.LoadFromNonce", () => outbox.LoadFromNonceAsync(nonce, cancellationToken));

        public Task<IReadOnlyList<OutboxEntry>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
            owner.DoAsync("Outbox.Find", () => outbox.FindAsync(ids, cancellationToken));

        public Task SaveAsync(IReadOnlyList<OutboxEntry> entries, CancellationToken cancellationToken) =>
            owner.WriteAsync("Outbox.Save", () => outbox.SaveAsync(entries, cancellationToken));
    }
}
