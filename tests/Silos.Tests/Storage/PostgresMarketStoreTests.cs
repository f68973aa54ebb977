using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Tests.Market;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Tests.Storage;

public sealed class PostgresMarketStoreTests : MarketStoreContract
{
    protected override async Task<IMarketStore> CreateAsync() =>
        new PostgresMarketStore(await TestDatabases.CreateAsync(DatabaseRole.Market));
}
