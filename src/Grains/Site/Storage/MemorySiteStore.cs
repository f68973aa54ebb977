using EmrMarket.Grains.Abstractions.Site;

namespace EmrMarket.Grains.Site.Storage;

/// <summary>A site's store in memory: for simulation and for runs that keep nothing. It ends with its process.</summary>
public sealed class MemorySiteStore : ISiteStore
{
    private readonly Lock _lock = new();
    private readonly List<(string SchemaId, LoadRecords Batch)> _records = [];
    private readonly Dictionary<string, SortedDictionary<ulong, (byte, byte, ushort, byte, long, Participation)>> _policies = new(
        StringComparer.Ordinal);
    private readonly List<SiteAccountRow> _accounts = [];
    private readonly SortedDictionary<(string, string), SiteRevocationRow> _revocations = [];
    private readonly Dictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly SortedDictionary<(string, uint), SiteEpochRow> _epochs = [];
    private readonly SortedDictionary<long, SiteOrderRow> _orders = [];
    private readonly Dictionary<(string SchemaId, long Day), ulong[]> _withdrawn = [];
    private SiteRestoreRow? _restore;

    /// <inheritdoc/>
    public Task KeepRecordsAsync(LoadRecords batch, string schemaId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        lock (_lock)
        {
            if (!_records.Exists(kept => kept.Batch.Id == batch.Id))
            {
                _records.Add((schemaId, batch));
            }
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<LoadRecords[]> ReadRecordsAsync(string schemaId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_records.Where(kept => kept.SchemaId == schemaId).Select(kept => kept.Batch).ToArray());
        }
    }

    /// <inheritdoc/>
    public Task<string[]> ReadSchemasAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(
                _records.Select(kept => kept.SchemaId).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray());
        }
    }

    /// <inheritdoc/>
    public Task SavePoliciesAsync(SetPolicies policies, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(policies);
        lock (_lock)
        {
            if (!_policies.TryGetValue(policies.SchemaId, out var known))
            {
                _policies.Add(policies.SchemaId, known = []);
            }

            for (int i = 0; i < policies.PersonKeys.Length; i++)
            {
                known[policies.PersonKeys[i]] =
                    (policies.Profiles[i], policies.Rates[i], policies.Quotas[i], policies.Purposes[i], policies.ExpirySeconds[i],
                        policies.Participation[i]);
            }
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<SetPolicies> ReadPoliciesAsync(string schemaId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var known = _policies.GetValueOrDefault(schemaId) ?? [];
            return Task.FromResult(new SetPolicies
            {
                SchemaId = schemaId,
                PersonKeys = [.. known.Keys],
                Profiles = [.. known.Values.Select(policy => policy.Item1)],
                Rates = [.. known.Values.Select(policy => policy.Item2)],
                Quotas = [.. known.Values.Select(policy => policy.Item3)],
                Purposes = [.. known.Values.Select(policy => policy.Item4)],
                ExpirySeconds = [.. known.Values.Select(policy => policy.Item5)],
                Participation = [.. known.Values.Select(policy => policy.Item6)],
            });
        }
    }

    /// <inheritdoc/>
    public Task KeepAccountAsync(SiteAccountRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        lock (_lock)
        {
            if (!_accounts.Exists(kept => kept.PersonKey == row.PersonKey && kept.PublicKey.AsSpan().SequenceEqual(row.PublicKey)
                && kept.ChainCode.AsSpan().SequenceEqual(row.ChainCode)))
            {
                _accounts.Add(row);
            }
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<SiteAccountRow[]> ReadAccountsAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_accounts.ToArray());
        }
    }

    /// <inheritdoc/>
    public Task SaveRevocationAsync(SiteRevocationRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        lock (_lock)
        {
            _revocations[(row.SchemaId, row.Pseudonym)] = row;
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<SiteRevocationRow[]> ReadRevocationsAsync(string schemaId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_revocations.Values.Where(row => row.SchemaId == schemaId).ToArray());
        }
    }

    /// <inheritdoc/>
    public Task KeepFileAsync(string sha256, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _files.TryAdd(sha256, content.ToArray());
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<byte[]?> FindFileAsync(string sha256, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_files.GetValueOrDefault(sha256));
        }
    }

    /// <inheritdoc/>
    public Task<SiteEpochRow> KeepEpochAsync(SiteEpochRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        lock (_lock)
        {
            _epochs.TryAdd((row.SchemaId, row.Epoch.Epoch), row);
            return Task.FromResult(_epochs[(row.SchemaId, row.Epoch.Epoch)]);
        }
    }

    /// <inheritdoc/>
    public Task<SiteEpochRow[]> ReadEpochsAsync(string schemaId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_epochs.Values.Where(row => row.SchemaId == schemaId).ToArray());
        }
    }

    /// <inheritdoc/>
    public Task SaveOrderAsync(SiteOrderRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        lock (_lock)
        {
            long stored = _orders.TryGetValue(row.Sequence, out SiteOrderRow? known) ? known.Version : 0;
            if (stored != row.Version)
            {
                throw new SiteStoreConflictException(
                    $"order {row.Sequence} is stored as version {stored}, but the writer had read version {row.Version}");
            }

            _orders[row.Sequence] = row with { Version = stored + 1 };
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<SiteOrderRow[]> ReadOrdersAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_orders.Values.ToArray());
        }
    }

    /// <inheritdoc/>
    public Task<ulong[]> KeepWithdrawnAsync(string schemaId, long day, ulong[] persons, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _withdrawn.TryAdd((schemaId, day), persons);
            return Task.FromResult(_withdrawn[(schemaId, day)]);
        }
    }

    /// <inheritdoc/>
    public Task<SiteRestoreRow?> FindRestoreAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_restore);
        }
    }

    /// <inheritdoc/>
    public Task SaveRestoreAsync(SiteRestoreRow row, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _restore = row;
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<IAsyncDisposable> HoldAsync(CancellationToken cancellationToken) => Task.FromResult<IAsyncDisposable>(new OwnProcess());

    /// <summary>No other process reaches this one's memory.</summary>
    private sealed class OwnProcess : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
