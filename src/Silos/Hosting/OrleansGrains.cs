using System.Net;
using System.Reflection;
using EmrMarket.Silos.Storage.Site;
using Microsoft.Extensions.Options;
using Npgsql;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Serialization;
using Orleans.Storage;

namespace EmrMarket.Silos.Hosting;

/// <summary>Grains in a cluster of silos. <c>EmbeddedGrains.cs</c> is the same for one process, and the build takes one of the
/// two.</summary>
internal static class GrainHosting
{
    /// <summary>Whether all grains of a role are in one process, which therefore has the role's store for itself.</summary>
    internal static bool IsOneProcess => false;

    // Stable: it is part of the key under which state is stored.
    private const string ServiceId = "emr-market";
    private const string Driver = "Npgsql";
    private const string DefaultStore = "Default";

    /// <summary>Makes a role's host a silo of that role's cluster.</summary>
    /// <param name="builder">The role's host.</param>
    /// <param name="grains">The assemblies of the role's grain classes; named so that they are loaded, since Orleans finds grains in what
    /// is loaded.</param>
    internal static void AddGrains(this IHostApplicationBuilder builder, params Assembly[] grains)
    {
        ArgumentOutOfRangeException.ThrowIfZero(grains.Length);
        var settings = GrainSettings.From(builder.Configuration);
        var cluster = Required(settings.Cluster);
        builder.UseOrleans(silo =>
        {
            silo.Configure<ClusterOptions>(options =>
            {
                options.ClusterId = cluster.ClusterId;
                options.ServiceId = ServiceId;
            });
            silo.ConfigureEndpoints(IPAddress.Parse(cluster.AdvertisedAddress), cluster.SiloPort, cluster.GatewayPort);
            silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = settings.ResponseTimeout);
            silo.Configure<GrainCollectionOptions>(options => options.CollectionAge = settings.CollectionAge);

            // A silo that misses two probes a second apart is declared dead, so that its grains move within one response timeout.
            silo.Configure<ClusterMembershipOptions>(options =>
            {
                options.ProbeTimeout = TimeSpan.FromSeconds(1);
                options.NumMissedProbesLimit = 2;
            });
            silo.UseAdoNetClustering((AdoNetClusteringSiloOptions options) =>
            {
                options.Invariant = Driver;
                options.ConnectionString = cluster.ConnectionString;
            });
            silo.AddAdoNetGrainStorage(DefaultStore, (OptionsBuilder<AdoNetGrainStorageOptions> storage) =>
                storage.Configure<Serializer>((options, serializer) =>
                {
                    options.Invariant = Driver;
                    options.ConnectionString = cluster.ConnectionString;
                    options.DeleteStateOnClear = true;

                    // By [Alias] and [Id]; the default writes CLR type names, and renaming a type would lose its rows.
                    options.GrainStorageSerializer = new OrleansGrainStorageSerializer(serializer);
                }));
        });
    }

    /// <summary>Nothing: a cluster keeps grain state in the tables of its own provider, in the database that its settings name.</summary>
    internal static IServiceCollection AddGrainState(this IServiceCollection services, NpgsqlDataSource database) => services;

    /// <summary>Nothing, as above: the provider's tables are not sealed, which docs/LIMITATIONS.md says.</summary>
    internal static IServiceCollection AddGrainState(this IServiceCollection services, NpgsqlDataSource database, SiteVault vault) =>
        services;

    private static ClusterSettings Required(ClusterSettings? cluster)
    {
        const string Where = GrainSettings.Section + ":Cluster";
        if (cluster is null)
        {
            throw new InvalidOperationException(
                $"{Where} is not configured: this program was built for a cluster and needs it. See deploy/cluster.");
        }

        return string.IsNullOrWhiteSpace(cluster.ClusterId) ? throw Missing(nameof(cluster.ClusterId))
            : string.IsNullOrWhiteSpace(cluster.ConnectionString) ? throw Missing(nameof(cluster.ConnectionString))
            : cluster.SiloPort is <= 0 or > ushort.MaxValue ? throw Missing(nameof(cluster.SiloPort))
            : cluster.GatewayPort is <= 0 or > ushort.MaxValue ? throw Missing(nameof(cluster.GatewayPort))
            : cluster;

        static InvalidOperationException Missing(string key) => new($"{Where}:{key} is missing or out of range. See deploy/cluster.");
    }
}
