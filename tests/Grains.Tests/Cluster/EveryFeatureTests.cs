namespace EmrMarket.Grains.Tests.Cluster;

/// <summary>What grains rely on, on whichever runtime the build chose.</summary>
public sealed class EveryFeatureTests : IAsyncLifetime
{
    private GrainCluster _cluster = null!;

    public async Task InitializeAsync() => _cluster = await GrainCluster.StartAsync();

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task State_is_kept_when_the_activation_is_not()
    {
        var grain = _cluster.Grains.GetGrain<IEveryFeatureGrain>("kept");
        await grain.AddAndWaitAsync(new() { Sum = 2 });
        await grain.AddAndWaitAsync(new() { Sum = 3 });

        await grain.RetireAsync();

        Assert.Equal(5, (await grain.ReadAsync()).Sum);
        await grain.ClearAsync(CancellationToken.None);
        Assert.Equal(0, (await grain.ReadAsync()).Sum);
    }

    [Fact]
    public async Task One_way_call_runs_before_a_later_call_of_the_same_caller_is_answered()
    {
        var grain = _cluster.Grains.GetGrain<IEveryFeatureGrain>("one way");

        await grain.AddAsync(new() { Sum = 2 });
        await grain.AddAndWaitAsync(new() { Sum = 1 });

        Assert.Equal(3, (await grain.ReadAsync()).Sum);
    }

    [Fact]
    public async Task Grains_call_each_other_and_know_their_keys()
    {
        var id = Guid.NewGuid();

        Assert.Equal("other", await _cluster.Grains.GetGrain<IEveryFeatureGrain>("one").TraceAsync("other"));
        Assert.Equal(-7, await _cluster.Grains.GetGrain<INumberGrain>(-7).KeyAsync());
        Assert.Equal(id, await _cluster.Grains.GetGrain<IIdentityGrain>(id).KeyAsync());
    }

    [Fact]
    public async Task Exception_crosses_the_call_as_its_type()
    {
        var fault = await Assert.ThrowsAsync<ArgumentException>(
            () => _cluster.Grains.GetGrain<IEveryFeatureGrain>("faulty").AddAndWaitAsync(new() { Sum = -1 }));

        Assert.Contains("not negative", fault.Message, StringComparison.Ordinal);
    }
}
