using EmrMarket.Grains.Embedded.State;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>The state of a site's grains, sealed: a patient's command that is under way says what a person allows.</summary>
internal sealed class SealedGrainStateStore(IGrainStateStore store, SiteVault vault) : IGrainStateStore
{
    /// <inheritdoc/>
    public async Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) =>
        await store.ReadAsync(key, cancellationToken) is { } stored ? stored with
        {
            Payload = vault.Open(PlaceOf(key), 0, 1, stored.Payload.Span),
        } : null;

    /// <inheritdoc/>
    public Task<string> WriteAsync(
        GrainStateKey key, ReadOnlyMemory<byte> payload, string? expectedEtag, CancellationToken cancellationToken) =>
        store.WriteAsync(key, vault.Seal(PlaceOf(key), 0, 1, payload.Span), expectedEtag, cancellationToken);

    /// <inheritdoc/>
    public Task ClearAsync(GrainStateKey key, string? expectedEtag, CancellationToken cancellationToken) =>
        store.ClearAsync(key, expectedEtag, cancellationToken);

    private static string PlaceOf(GrainStateKey key) => SiteVault.GrainPlace(key.GrainType, key.GrainKey, key.StateName);
}
