using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Tests.Site;

public sealed class MemorySiteStoreTests : SiteStoreContract
{
    protected override Task<ISiteStore> CreateAsync() => Task.FromResult<ISiteStore>(new MemorySiteStore());
}
