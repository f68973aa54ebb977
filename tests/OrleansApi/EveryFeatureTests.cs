using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Embedded.State;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.OrleansApi;

/// <summary>The grain that the compiler accepts against Orleans runs on the embedded runtime.</summary>
public sealed class EveryFeatureTests
{
    [Fact]
    public async Task Grain_that_uses_every_feature_runs()
    {
        await using var services = new ServiceCollection()
            .AddEmbeddedGrains(options =>
            {
                options.GrainAssemblies.Add(typeof(EveryFeatureGrain).Assembly);
                options.StateStores[EmbeddedGrainOptions.DefaultStore] = _ => new MemoryGrainStateStore();
            })
            .BuildServiceProvider();
        var grains = services.GetRequiredService<IGrainFactory>();
        var grain = grains.GetGrain<IEveryFeatureGrain>("a");

        await grain.AddAsync(new() { Sum = 2 });
        await grain.AddAsync(new() { Sum = 3 });
        Assert.Equal(5, (await grain.ReadAsync()).Sum);
        Assert.Equal("b", await grain.TraceAsync("b"));
        await grain.ClearAsync(CancellationToken.None);
        Assert.Equal(0, (await grain.ReadAsync()).Sum);
        Assert.True(await grain.TicksAsync() >= 0);
        await grain.RetireAsync();
        Assert.Equal("a", await grain.WhoAsync());
        Assert.Equal(7, await grains.GetGrain<INumberGrain>(7).KeyAsync());
        var id = Guid.NewGuid();
        Assert.Equal(id, await grains.GetGrain<IIdentityGrain>(id).KeyAsync());
    }
}
