using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;

namespace EmrMarket.Grains.Ledger.Storage;

/// <summary>Keeps everything as long as the object lives; a role that is opened again on it finds what the one before stored.</summary>
public sealed class MemoryLedgerStore : ILedgerStore
{
    private readonly Lock _gate = new();
    private readonly SortedList<LedgerPosition, LedgerEvent> _events = new(Comparer<LedgerPosition>.Create(
        (left, right) => left.BlockNumber != right.BlockNumber
            ? left.BlockNumber.CompareTo(right.BlockNumber) : left.LogIndex.CompareTo(right.LogIndex)));

    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private LogCheckpoint[] _checkpoints = [];

    /// <inheritdoc/>
    public Task<IReadOnlyList<LogCheckpoint>> LoadCheckpointsAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<LogCheckpoint>>(_checkpoints);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<LedgerEvent>> LoadEventsAsync(LedgerPosition from, int most, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            List<LedgerEvent> events = [];
            for (int i = FirstAt(from); i < _events.Count && events.Count < most; i++)
            {
                events.Add(_events.Values[i]);
            }

            return Task.FromResult<IReadOnlyList<LedgerEvent>>(events);
        }
    }

    /// <inheritdoc/>
    public Task AppendAsync(
        ulong? undoFrom, IReadOnlyList<LedgerEvent> events, IReadOnlyList<LogCheckpoint> checkpoints, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentNullException.ThrowIfNull(checkpoints);
        lock (_gate)
        {
            if (undoFrom is { } block)
            {
                int first = FirstAt(new LedgerPosition(block, 0));
                while (_events.Count > first)
                {
                    _events.RemoveAt(_events.Count - 1);
                }
            }

            foreach (LedgerEvent added in events)
            {
                _events.TryAdd(new LedgerPosition(added.BlockNumber, added.LogIndex), added);
            }

            _checkpoints = [.. checkpoints];
            return Task.CompletedTask;
        }
    }

    /// <inheritdoc/>
    public Task AddCommandsAsync(string sender, IReadOnlyList<StoredCommand> commands, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commands);
        lock (_gate)
        {
            Account account = Of(sender);
            foreach (StoredCommand command in commands)
            {
                if (account.Commands.TryAdd(command.Id, command) && !account.Outbox.ContainsKey(command.Id))
                {
                    account.Unsent.Add(command.Id);
                }
            }

            return Task.CompletedTask;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredCommand>> LoadUnsentAsync(string sender, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            Account account = Of(sender);
            account.Unsent.RemoveAll(id => account.Outbox.ContainsKey(id) || account.Commands[id].Refusal is not null);
            return Task.FromResult<IReadOnlyList<StoredCommand>>([.. account.Unsent.Select(id => account.Commands[id])]);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredCommand>> FindCommandsAsync(
        string sender, IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            Dictionary<string, StoredCommand> commands = Of(sender).Commands;
            return Task.FromResult<IReadOnlyList<StoredCommand>>(
                [.. ids.Distinct(StringComparer.Ordinal).Where(commands.ContainsKey).Select(id => commands[id])]);
        }
    }

    /// <inheritdoc/>
    public Task RefuseAsync(string sender, string id, string refusal, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            Account account = Of(sender);
            account.Commands[id] = account.Commands[id] with { Refusal = refusal };
            return Task.CompletedTask;
        }
    }

    /// <inheritdoc/>
    public ITransactionOutbox OutboxOf(string sender)
    {
        lock (_gate)
        {
            return Of(sender);
        }
    }

    private Account Of(string sender)
    {
        if (!_accounts.TryGetValue(sender, out Account? account))
        {
            account = new Account(_gate);
            _accounts.Add(sender, account);
        }

        return account;
    }

    /// <summary>The index of the first event at a place or after it.</summary>
    private int FirstAt(LedgerPosition place)
    {
        int low = 0;
        int high = _events.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_events.Comparer.Compare(_events.Keys[middle], place) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private sealed class Account(Lock gate) : ITransactionOutbox
    {
        private readonly SortedDictionary<ulong, OutboxEntry> _byNonce = [];
        private readonly HashSet<string> _open = new(StringComparer.Ordinal);

        public Dictionary<string, StoredCommand> Commands { get; } = new(StringComparer.Ordinal);

        public List<string> Unsent { get; } = [];

        public Dictionary<string, OutboxEntry> Outbox { get; } = new(StringComparer.Ordinal);

        public Task<IReadOnlyList<OutboxEntry>> LoadOpenAsync(CancellationToken cancellationToken)
        {
            lock (gate)
            {
                return Task.FromResult<IReadOnlyList<OutboxEntry>>([.. _open.Select(id => Outbox[id])]);
            }
        }

        public Task<IReadOnlyList<OutboxEntry>> LoadFromNonceAsync(ulong nonce, CancellationToken cancellationToken)
        {
            lock (gate)
            {
                return Task.FromResult<IReadOnlyList<OutboxEntry>>(
                    [.. _byNonce.Reverse().TakeWhile(pair => pair.Key >= nonce).Select(pair => pair.Value).Reverse()]);
            }
        }

        public Task<IReadOnlyList<OutboxEntry>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
        {
            lock (gate)
            {
                return Task.FromResult<IReadOnlyList<OutboxEntry>>(
                    [.. ids.Distinct(StringComparer.Ordinal).Where(Outbox.ContainsKey).Select(id => Outbox[id])]);
            }
        }

        public Task SaveAsync(IReadOnlyList<OutboxEntry> entries, CancellationToken cancellationToken)
        {
            lock (gate)
            {
                foreach (OutboxEntry entry in entries)
                {
                    if (Outbox.TryGetValue(entry.Id, out OutboxEntry? earlier) && earlier.Transaction.Nonce != entry.Transaction.Nonce
                        && _byNonce.TryGetValue(earlier.Transaction.Nonce, out OutboxEntry? standing)
                        && string.Equals(standing.Id, entry.Id, StringComparison.Ordinal))
                    {
                        _byNonce.Remove(earlier.Transaction.Nonce);
                    }

                    Outbox[entry.Id] = entry;
                    _byNonce[entry.Transaction.Nonce] = entry;
                    _ = entry.Outcome is null ? _open.Add(entry.Id) : _open.Remove(entry.Id);
                }

                return Task.CompletedTask;
            }
        }
    }
}
