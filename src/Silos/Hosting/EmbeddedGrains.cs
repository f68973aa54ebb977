using System.Reflection;
using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Embedded.State;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;

namespace EmrMarket.Silos.Hosting;

/// <summary>Grains in this process. <c>OrleansGrains.cs</c> is the same for a cluster, and the build takes one of the two.</summary>
internal static class GrainHosting
{
    /// <summary>Whether all grains of a role are in one process, which therefore has the role's store for itself.</summary>
    internal static bool IsOneProcess => true;

    /// <summary>Adds the runtime of one role's grains and <see cref="IGrainFactory"/> to a host of that role's own.</summary>
    /// <param name="builder">The role's host. A store of grain state that it already has is used; otherwise state lives in memory.</param>
    /// <param name="grains">The assemblies of the role's grain classes.</param>
    internal static void AddGrains(this IHostApplicationBuilder builder, params Assembly[] grains)
    {
        var settings = GrainSettings.From(builder.Configuration);
        if (settings.Cluster is not null)
        {
            throw new InvalidOperationException(
                $"{GrainSettings.Section}:Cluster is configured, but this program was built with the embedded grain runtime, which is "
                    + "one process: build it with -p:GrainRuntime=Orleans, or remove the section.");
        }

        builder.Services.TryAddSingleton<IGrainStateStore, MemoryGrainStateStore>();
        builder.Services.AddEmbeddedGrains(options =>
        {
            options.GrainAssemblies.UnionWith(grains);
            options.ResponseTimeout = settings.ResponseTimeout;
            options.CollectionAge = settings.CollectionAge;
            options.StateStores[EmbeddedGrainOptions.DefaultStore] = services => services.GetRequiredService<IGrainStateStore>();
        });
    }

    /// <summary>Keeps the state of a role's grains in its database.</summary>
    internal static IServiceCollection AddGrainState(this IServiceCollection services, NpgsqlDataSource database) =>
        services.AddSingleton<IGrainStateStore>(new PostgresGrainStateStore(database));

    /// <summary>Keeps the state of a site's grains in its database, sealed.</summary>
    internal static IServiceCollection AddGrainState(this IServiceCollection services, NpgsqlDataSource database, SiteVault vault) =>
        services.AddSingleton<IGrainStateStore>(new SealedGrainStateStore(new PostgresGrainStateStore(database), vault));
}
