namespace EmrMarket.Silos.Api.Access.Accounts;

/// <summary>Accounts in memory, for tests and for processes without a database.</summary>
internal sealed class MemoryAccountStore : IAccountStore
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _ended = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public Task<Account?> FindAsync(string name, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_accounts.TryGetValue(name, out Account? account) ? account with { } : null);
        }
    }

    /// <inheritdoc/>
    public Task<Account[]> ListAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<Account[]>([.. _accounts.Values.Select(account => account with { })]);
        }
    }

    /// <inheritdoc/>
    public Task<bool> TrySaveAsync(Account account, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if ((_accounts.TryGetValue(account.Name, out Account? stored) ? stored.Version : 0) != account.Version)
            {
                return Task.FromResult(false);
            }

            account.Version++;
            _accounts[account.Name] = account with { };
            return Task.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public Task<bool> RemoveAsync(string name, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_accounts.Remove(name));
        }
    }

    /// <inheritdoc/>
    public Task EndSessionAsync(string id, long untilSeconds, long nowSeconds, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (string old in _ended.Where(pair => pair.Value < nowSeconds).Select(pair => pair.Key).ToArray())
            {
                _ended.Remove(old);
            }

            _ended[id] = untilSeconds;
            return Task.CompletedTask;
        }
    }

    /// <inheritdoc/>
    public Task<string[]> EndedSessionsAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<string[]>([.. _ended.Keys]);
        }
    }
}
