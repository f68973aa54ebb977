using Orleans.Storage;

namespace EmrMarket.Grains.Embedded.State;

/// <summary>
/// Where the runtime keeps the state of grains: bytes under a key with a version. Versions are the store's own; equal strings mean equal
/// versions, and none comes back, also not after a clearing. A write or a clearing happens whole or not at all, and only against the
/// version that the writer knows. Safe for use from several threads.
/// </summary>
public interface IGrainStateStore
{
    /// <summary>What is stored under a key, or null.</summary>
    Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken);

    /// <summary>Stores bytes and answers with their new version.</summary>
    /// <param name="key">The place.</param>
    /// <param name="payload">The bytes; valid during the call only.</param>
    /// <param name="expectedEtag">The version that the writer knows; null when it knows of none.</param>
    /// <param name="cancellationToken">Cancels the wait; whether the bytes were stored is then unknown.</param>
    /// <exception cref="InconsistentStateException">Another version is stored (<see cref="GrainStateKey.Conflict"/>); nothing was
    /// written.</exception>
    Task<string> WriteAsync(GrainStateKey key, ReadOnlyMemory<byte> payload, string? expectedEtag, CancellationToken cancellationToken);

    /// <summary>Removes what is stored under a key; removing nothing when nothing is expected is no fault.</summary>
    /// <exception cref="InconsistentStateException">Another version is stored; nothing was removed.</exception>
    Task ClearAsync(GrainStateKey key, string? expectedEtag, CancellationToken cancellationToken);
}

/// <summary>Stored bytes.</summary>
/// <param name="Payload">The bytes as they were written.</param>
/// <param name="Etag">Their version.</param>
public sealed record StoredGrainState(ReadOnlyMemory<byte> Payload, string Etag);

/// <summary>The place of one state of one grain.</summary>
/// <param name="GrainType">The grain class by its [GrainType], or by its name without "Grain", in lower case.</param>
/// <param name="GrainKey">The grain's key; integers as hexadecimal digits, GUIDs as 32 digits.</param>
/// <param name="StateName">The name in [PersistentState].</param>
public readonly record struct GrainStateKey(string GrainType, string GrainKey, string StateName)
{
    /// <summary>The exception for a write or a clearing that meets another version than it expected.</summary>
    public InconsistentStateException Conflict(string? storedEtag, string? expectedEtag) => new(
        $"State {this} is stored as version {storedEtag ?? "none"}, but the writer had read version {expectedEtag ?? "none"}: read it "
            + "again.",
        storedEtag,
        expectedEtag);

    /// <inheritdoc/>
    public override string ToString() => $"{GrainType}/{GrainKey}/{StateName}";
}
