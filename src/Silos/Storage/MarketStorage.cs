using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Silos.Hosting;
using EmrMarket.Silos.Link;
using EmrMarket.Silos.Storage.Postgres;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;

namespace EmrMarket.Silos.Storage;

/// <summary>All that a market keeps, in the database of its role.</summary>
internal sealed class MarketStorage : IAsyncDisposable
{
    private MarketStorage(NpgsqlDataSource database, StoreOwner owner) =>
        (Database, Owner, Ledger) = (database, owner, new PostgresLedgerStore(database));

    /// <summary>The role's database, migrated.</summary>
    public NpgsqlDataSource Database { get; }

    /// <summary>That no other process works on it.</summary>
    public StoreOwner Owner { get; }

    /// <summary>What the role reads from the ledger and sends to it.</summary>
    public ILedgerStore Ledger { get; }

    /// <summary>The messages that were taken from sites over HTTPS.</summary>
    public PostgresLinkNonces LinkNonces => new(Database);

    /// <summary>Opens the database and brings it to the form that this program needs.</summary>
    /// <exception cref="StoreInUseException">Another process works on it.</exception>
    /// <exception cref="MigrationException">The database is newer than the program, or has another past.</exception>
    public static Task<MarketStorage> OpenAsync(string connectionString, CancellationToken cancellationToken) => RoleDatabase.OpenAsync(
        connectionString, DatabaseRole.Market, (database, owner) => Task.FromResult(new MarketStorage(database, owner)), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Owner.DisposeAsync();
        await Database.DisposeAsync();
    }
}

/// <summary>Gives a market's host its storage.</summary>
internal static class MarketStorageServices
{
    /// <summary>Adds the market's store, its ledger store and, where the runtime does not bring its own, the store of grain state. The
    /// storage is disposed of by whoever opened it.</summary>
    public static IServiceCollection AddMarketStorage(this IServiceCollection services, MarketStorage storage)
    {
        ArgumentNullException.ThrowIfNull(storage);
        services.TryAddSingleton(storage.Ledger);
        services.AddSingleton<IMarketStore>(new PostgresMarketStore(storage.Database));
        return services.AddGrainState(storage.Database);
    }
}
