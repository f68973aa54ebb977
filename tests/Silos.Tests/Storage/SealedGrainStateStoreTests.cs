using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Tests.Runtime.State;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using EmrMarket.Silos.Tests.Records;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

public sealed class SealedGrainStateStoreTests : GrainStateStoreContract, IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    protected override async Task<IGrainStateStore> CreateAsync() => (await OpenAsync()).Store;

    [RequiresFact(Tool.PostgreSQL)]
    public async Task State_of_one_grain_does_not_open_as_that_of_another()
    {
        (NpgsqlDataSource database, IGrainStateStore store) = await OpenAsync();
        GrainStateKey a = new("publisher", "a", "s"), b = new("publisher", "b", "s");
        await store.WriteAsync(a, new byte[] { 1 }, null, CancellationToken.None);
        await store.WriteAsync(b, new byte[] { 2 }, null, CancellationToken.None);
        await using NpgsqlCommand command = database.CreateCommand(
            "UPDATE grain_state SET payload = (SELECT payload FROM grain_state WHERE grain_key = 'a') WHERE grain_key = 'b'");
        await command.ExecuteNonQueryAsync();
        Assert.Equal([1], (await store.ReadAsync(a, CancellationToken.None))!.Payload.ToArray());
        await Assert.ThrowsAsync<SealException>(() => store.ReadAsync(b, CancellationToken.None));
    }

    private async Task<(NpgsqlDataSource Database, IGrainStateStore Store)> OpenAsync()
    {
        NpgsqlDataSource database = await TestDatabases.CreateAsync(DatabaseRole.Site);
        return (database,
            new SealedGrainStateStore(new PostgresGrainStateStore(database),
                await SiteVault.OpenAsync(database, _folder.Place("storage.key"), CancellationToken.None)));
    }
}
