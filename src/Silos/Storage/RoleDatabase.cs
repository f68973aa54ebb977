using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Storage;

/// <summary>Opens the database of a role.</summary>
internal static class RoleDatabase
{
    /// <summary>Takes the database, brings it to the form that this program needs, and makes a storage of it; a failure gives it free
    /// again.</summary>
    /// <param name="connectionString">How to connect.</param>
    /// <param name="role">The role; its name is that of the connections.</param>
    /// <param name="open">What is made of it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StoreInUseException">Another process works on it.</exception>
    /// <exception cref="MigrationException">The database is newer than the program, or has another past.</exception>
    public static async Task<T> OpenAsync<T>(
        string connectionString, DatabaseRole role, Func<NpgsqlDataSource, StoreOwner, Task<T>> open, CancellationToken cancellationToken)
    {
        StoreOwner owner = await StoreOwner.TakeAsync(connectionString, cancellationToken);
        NpgsqlDataSource database = new NpgsqlDataSourceBuilder(owner.ConnectionString)
        {
            Name = role.ToString().ToLowerInvariant(),
        }.Build();
        try
        {
            await Migrations.ApplyAsync(database, role, cancellationToken);
            return await open(database, owner);
        }
        catch
        {
            await owner.DisposeAsync();
            await database.DisposeAsync();
            throw;
        }
    }
}
