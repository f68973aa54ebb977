using Orleans.Hosting;
using Orleans.TestingHost;

namespace EmrMarket.Grains.Tests.Cluster;

/// <summary>The grains of this assembly on the runtime that the build chose; <c>EmbeddedCluster.cs</c> is the same in one
/// process.</summary>
internal sealed class GrainCluster : IAsyncDisposable
{
    private readonly InProcessTestCluster _cluster;

    private GrainCluster(InProcessTestCluster cluster) => _cluster = cluster;

    internal IGrainFactory Grains => _cluster.Client;

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    /// <summary>Starts a cluster of one silo with a default store in memory.</summary>
    internal static async Task<GrainCluster> StartAsync()
    {
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureSilo((_, silo) => silo.AddMemoryGrainStorage("Default"));
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return new GrainCluster(cluster);
    }
}
