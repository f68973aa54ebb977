using EmrMarket.Grains.Market.Storage;

namespace EmrMarket.Grains.Tests.Market;

public sealed class MemoryMarketStoreTests : MarketStoreContract
{
    protected override Task<IMarketStore> CreateAsync() => Task.FromResult<IMarketStore>(new MemoryMarketStore());
}
