using System.Diagnostics;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

/// <summary>The embedded database as a process: what it survives, and whom it lets in.</summary>
public sealed class EmbeddedPostgresTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-pg-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Data_and_passwords_last_over_a_restart_and_a_second_owner_is_kept_out()
    {
        string connection;
        await using (EmbeddedPostgres first = await StartAsync())
        {
            connection = await first.GetSiteConnectionStringAsync("north-side", CancellationToken.None);
            await ExecuteAsync(connection, "CREATE TABLE t (x int); INSERT INTO t VALUES (7)");
            await Assert.ThrowsAsync<ProcessFolderInUseException>(StartAsync);
        }

        await using EmbeddedPostgres again = await StartAsync();
        Assert.Equal(connection, await again.GetSiteConnectionStringAsync("north-side", CancellationToken.None));
        Assert.Equal(7, await ScalarAsync(connection, "SELECT x FROM t"));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Killed_server_comes_back_with_what_was_committed()
    {
        await using EmbeddedPostgres postgres = await StartAsync();
        string connection = postgres.MarketConnectionString;
        await ExecuteAsync(connection, "CREATE TABLE t (x int); INSERT INTO t VALUES (8)");
        int killed = postgres.ProcessId;
        using (Process server = Process.GetProcessById(killed))
        {
            server.Kill();
        }

        for (int i = 0; i < 3_000 && postgres.ProcessId == killed; i++)
        {
            await Task.Delay(10);
        }

        NpgsqlConnection.ClearAllPools();
        Assert.NotEqual(killed, postgres.ProcessId);
        Assert.Equal(8, await ScalarAsync(connection, "SELECT x FROM t"));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Half_made_data_and_a_stale_lock_are_cleared_away()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "data.new", "base"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "postgres.lock"), "999999 2020-01-01T00:00:00Z\n");
        await using (EmbeddedPostgres first = await StartAsync())
        {
            Assert.False(Directory.Exists(Path.Combine(_folder, "data.new")));
        }

        // As after a power cut: the server's own lock file names a process that is gone.
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "data", "postmaster.pid"), $"4194000\n{_folder}/data\n1600000000\n5432\n{_folder}/run\n\n");
        await using EmbeddedPostgres again = await StartAsync();
        Assert.Equal(1, await ScalarAsync(again.MarketConnectionString, "SELECT 1"));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Roles_reach_their_own_database_only_and_no_password_is_readable_by_others()
    {
        await using EmbeddedPostgres postgres = await StartAsync();
        string site = await postgres.GetSiteConnectionStringAsync("a", CancellationToken.None),
        other = await postgres.GetSiteConnectionStringAsync("b", CancellationToken.None);
        string market = postgres.MarketConnectionString;
        await ExecuteAsync(site, "CREATE TABLE secret (x int); INSERT INTO secret VALUES (1)");

        foreach (
            (string from, string to) in new[] { (market, "emr_site_a"), (other, "emr_site_a"), (site, "emr_market"), (site, "postgres") })
        {
            PostgresException refused = await Assert.ThrowsAsync<PostgresException>(
                () => ScalarAsync(new NpgsqlConnectionStringBuilder(from) { Database = to }.ConnectionString, "SELECT x FROM secret"));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }

        foreach (string connection in new[] { site, market })
        {
            Assert.Equal(false,
                await ScalarAsync(connection,
                    "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"));
            PostgresException wrong = await Assert.ThrowsAsync<PostgresException>(
                () => ScalarAsync(new NpgsqlConnectionStringBuilder(connection) { Password = "wrong" }.ConnectionString, "SELECT 1"));
            Assert.Equal(PostgresErrorCodes.InvalidPassword, wrong.SqlState);
        }

        foreach (string file in Directory.GetFiles(Path.Combine(_folder, "keys")))
        {
            Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(file) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }

        Assert.Equal("", await ScalarAsync(postgres.AdministratorConnectionString, "SHOW listen_addresses"));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Folder_that_cannot_be_made_is_an_error_that_says_so()
    {
        string file = Path.Combine(_folder, "a-file");
        await File.WriteAllTextAsync(file, "");
        ProcessFailedException failed = await Assert.ThrowsAsync<ProcessFailedException>(
            () => EmbeddedPostgres.StartAsync(Path.Combine(file, "pg"), TestDatabases.EmbeddedTools, CancellationToken.None));
        Assert.Contains("cannot be made", failed.Message, StringComparison.Ordinal);
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Deep_folder_gets_its_socket_elsewhere()
    {
        string deep = Path.Combine(_folder, new string('d', 120));
        await using EmbeddedPostgres postgres = await EmbeddedPostgres.StartAsync(
            deep, TestDatabases.EmbeddedTools, CancellationToken.None);
        Assert.Equal(1, await ScalarAsync(postgres.MarketConnectionString, "SELECT 1"));
    }

    private Task<EmbeddedPostgres> StartAsync() =>
        EmbeddedPostgres.StartAsync(_folder, TestDatabases.EmbeddedTools, CancellationToken.None);

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using NpgsqlConnection connection = new(connectionString);
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<object?> ScalarAsync(string connectionString, string sql)
    {
        await using NpgsqlConnection connection = new(connectionString);
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
