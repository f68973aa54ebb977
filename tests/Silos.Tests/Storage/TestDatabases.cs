using System.Globalization;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

/// <summary>One PostgreSQL for the whole test process, which ends with it; a database of its own for whoever asks.</summary>
internal static class TestDatabases
{
    private static readonly Lazy<Task<EmbeddedPostgres>> Server = new(StartAsync);
    private static int _made;

    public static EmbeddedTools EmbeddedTools { get; } = new(Path.Combine(Tools.RepositoryRoot, ".emr", "tools"), TextWriter.Null);

    /// <summary>A new database with a role's tables.</summary>
    public static async Task<NpgsqlDataSource> CreateAsync(DatabaseRole role)
    {
        NpgsqlDataSource database = await CreateEmptyAsync();
        await Migrations.ApplyAsync(database, role, CancellationToken.None);
        return database;
    }

    /// <summary>A new database with nothing in it.</summary>
    public static async Task<NpgsqlDataSource> CreateEmptyAsync()
    {
        Tools.Require(Tool.PostgreSQL);
        EmbeddedPostgres server = await Server.Value;
        string name = string.Create(CultureInfo.InvariantCulture, $"test_{Interlocked.Increment(ref _made)}");
        await using NpgsqlConnection connection = new(server.AdministratorConnectionString);
        await connection.OpenAsync();
        await using NpgsqlCommand command = new($"CREATE DATABASE {name}", connection);
        await command.ExecuteNonQueryAsync();

        // Tests leave their pools behind; together they would keep more connections than the server has.
        return NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(
            server.AdministratorConnectionString) { Database = name, ConnectionIdleLifetime = 1, ConnectionPruningInterval = 1 });
    }

    /// <summary>How another process connects to a database that was made here; with the password, which the data source itself does not
    /// tell.</summary>
    public static async Task<string> ConnectionStringOfAsync(NpgsqlDataSource made) =>
        new NpgsqlConnectionStringBuilder((await Server.Value).AdministratorConnectionString)
    {
        Database = new NpgsqlConnectionStringBuilder(made.ConnectionString).Database,
    }.ConnectionString;

    private static Task<EmbeddedPostgres> StartAsync() =>
        EmbeddedPostgres.StartAsync(Directory.CreateTempSubdirectory("emrmarket-pg-").FullName, EmbeddedTools, CancellationToken.None);
}
