using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Hosting;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;

namespace EmrMarket.Silos.Storage;

/// <summary>All that a site keeps, in the database of its role, sealed.</summary>
internal sealed class SiteStorage : IAsyncDisposable
{
    private SiteStorage(NpgsqlDataSource database, StoreOwner owner, SiteVault vault) =>
        (Database, Owner, Vault, Ledger) = (database, owner, vault, new PostgresLedgerStore(database));

    /// <summary>The role's database, migrated.</summary>
    public NpgsqlDataSource Database { get; }

    /// <summary>That no other process works on it.</summary>
    public StoreOwner Owner { get; }

    /// <summary>The keys of what is in it.</summary>
    public SiteVault Vault { get; }

    /// <summary>What the role reads from the ledger and sends to it; all of it is public, and not sealed.</summary>
    public ILedgerStore Ledger { get; }

    /// <summary>Opens the database and brings it to the form that this program needs.</summary>
    /// <param name="connectionString">How to connect.</param>
    /// <param name="keyFile">The file of the storage key, unless the environment holds it (<see cref="StorageKey.Variable"/>); made with
    /// the database.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StoreInUseException">Another process works on it.</exception>
    /// <exception cref="MigrationException">The database is newer than the program, or has another past.</exception>
    /// <exception cref="SealException">The storage key is missing or not the one that the database was made with.</exception>
    public static Task<SiteStorage> OpenAsync(string connectionString, string keyFile, CancellationToken cancellationToken) =>
        RoleDatabase.OpenAsync(
            connectionString, DatabaseRole.Site,
            async (database, owner) => new SiteStorage(database, owner, await SiteVault.OpenAsync(database, keyFile, cancellationToken)),
            cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Owner.DisposeAsync();
        await Database.DisposeAsync();
    }
}

/// <summary>Gives a site's host its storage.</summary>
internal static class SiteStorageServices
{
    /// <summary>Adds the site's store, its ledger store and, where the runtime does not bring its own, the store of grain state. The
    /// storage is disposed of by whoever opened it.</summary>
    public static IServiceCollection AddSiteStorage(this IServiceCollection services, SiteStorage storage)
    {
        ArgumentNullException.ThrowIfNull(storage);
        services.TryAddSingleton(storage.Ledger);
        services.AddSingleton<ISiteStore>(new PostgresSiteStore(storage.Database, storage.Vault));
        return services.AddGrainState(storage.Database, storage.Vault);
    }
}
