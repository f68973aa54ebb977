using System.Collections.Concurrent;
using System.Globalization;

namespace EmrMarket.Grains.Embedded.State;

/// <summary>Keeps state as long as the object lives: a runtime that is opened again on the same object finds what the one before
/// stored.</summary>
public sealed class MemoryGrainStateStore : IGrainStateStore
{
    private readonly ConcurrentDictionary<GrainStateKey, StoredGrainState> _states = new();
    private long _lastVersion;

    /// <summary>Everything that is stored, for tests and for people who look for a fault.</summary>
    public IReadOnlyCollection<KeyValuePair<GrainStateKey, StoredGrainState>> Snapshot() => [.. _states];

    /// <inheritdoc/>
    public Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<StoredGrainState?>(cancellationToken) : Task.FromResult(_states.GetValueOrDefault(key));

    /// <inheritdoc/>
    public Task<string> WriteAsync(
        GrainStateKey key, ReadOnlyMemory<byte> payload, string? expectedEtag, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<string>(cancellationToken);
        }

        var etag = Interlocked.Increment(ref _lastVersion).ToString(CultureInfo.InvariantCulture);
        var written = new StoredGrainState(payload.ToArray(), etag);
        var stored = _states.GetValueOrDefault(key);
        var isWritten = string.Equals(stored?.Etag, expectedEtag, StringComparison.Ordinal)
            && (stored is null ? _states.TryAdd(key, written) : _states.TryUpdate(key, written, stored));
        return isWritten
            ? Task.FromResult(etag) : Task.FromException<string>(key.Conflict(_states.GetValueOrDefault(key)?.Etag, expectedEtag));
    }

    /// <inheritdoc/>
    public Task ClearAsync(GrainStateKey key, string? expectedEtag, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled(cancellationToken);
        }

        var stored = _states.GetValueOrDefault(key);
        var isCleared = string.Equals(stored?.Etag, expectedEtag, StringComparison.Ordinal)
            && (stored is null || _states.TryRemove(KeyValuePair.Create(key, stored)));
        return isCleared ? Task.CompletedTask : Task.FromException(key.Conflict(_states.GetValueOrDefault(key)?.Etag, expectedEtag));
    }
}
