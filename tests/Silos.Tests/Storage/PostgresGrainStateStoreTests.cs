using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Tests.Runtime.State;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Tests.Storage;

public sealed class PostgresGrainStateStoreTests : GrainStateStoreContract
{
    protected override async Task<IGrainStateStore> CreateAsync() =>
        new PostgresGrainStateStore(await TestDatabases.CreateAsync(DatabaseRole.Market));
}
