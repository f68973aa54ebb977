using EmrMarket.Contracts.Ethereum.Sending;

namespace EmrMarket.Contracts.Tests.Ethereum.Sending;

/// <summary>An outbox that outlives its sender but not the test.</summary>
internal sealed class MemoryOutbox : ITransactionOutbox
{
    private readonly Dictionary<string, OutboxEntry> _entries = new(StringComparer.Ordinal);

    public IReadOnlyCollection<OutboxEntry> Entries => _entries.Values;

    public Task<IReadOnlyList<OutboxEntry>> LoadOpenAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<OutboxEntry>>([.. _entries.Values.Where(entry => entry.Outcome is null)]);

    public Task<IReadOnlyList<OutboxEntry>> LoadFromNonceAsync(ulong nonce, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<OutboxEntry>>([.. _entries.Values.Where(entry => entry.Transaction.Nonce >= nonce)]);

    public Task<IReadOnlyList<OutboxEntry>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<OutboxEntry>>([.. ids.Where(_entries.ContainsKey).Select(id => _entries[id])]);

    public Task SaveAsync(IReadOnlyList<OutboxEntry> entries, CancellationToken cancellationToken)
    {
        foreach (OutboxEntry entry in entries)
        {
            _entries[entry.Id] = entry;
        }

        return Task.CompletedTask;
    }
}
