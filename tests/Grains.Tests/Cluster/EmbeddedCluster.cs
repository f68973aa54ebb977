using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Embedded.State;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Grains.Tests.Cluster;

/// <summary>The grains of this assembly on the runtime that the build chose; <c>OrleansCluster.cs</c> is the same on Orleans.</summary>
internal sealed class GrainCluster : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    private GrainCluster(ServiceProvider services) => _services = services;

    internal IGrainFactory Grains => _services.GetRequiredService<IGrainFactory>();

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    /// <summary>Starts a runtime with a default store in memory.</summary>
    internal static Task<GrainCluster> StartAsync() => Task.FromResult(new GrainCluster(new ServiceCollection()
        .AddEmbeddedGrains(options =>
        {
            options.GrainAssemblies.Add(typeof(GrainCluster).Assembly);
            options.StateStores[EmbeddedGrainOptions.DefaultStore] = _ => new MemoryGrainStateStore();
        })
        .BuildServiceProvider()));
}
