using EmrMarket.Grains.Embedded.State;

namespace EmrMarket.Grains.Tests.Runtime.State;

public sealed class MemoryGrainStateStoreTests : GrainStateStoreContract
{
    protected override Task<IGrainStateStore> CreateAsync() => Task.FromResult<IGrainStateStore>(new MemoryGrainStateStore());
}
