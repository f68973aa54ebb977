using System.Globalization;
using EmrMarket.Silos.Hosting;
using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>
/// That one process alone works on a role's database: with the embedded runtime a grain is active once in a process, so two processes on
/// one store would each decide for themselves. It is a lock of the server that a connection of its own holds, which therefore goes with the
/// process, however that ends. A cluster of silos shares its stores by design and takes none.
/// </summary>
internal sealed class StoreOwner : IAsyncDisposable
{
    // Any number, the same in every program.
    private const long LockKey = 0x656d725f6f776e;

    // A server that has not noticed yet that the last owner was killed.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly string _connectionString;
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private NpgsqlConnection? _connection;

    private StoreOwner(string connectionString) => _connectionString = connectionString;

    /// <summary>Takes a database.</summary>
    /// <exception cref="StoreInUseException">Another process has it.</exception>
    public static async Task<StoreOwner> TakeAsync(string connectionString, CancellationToken cancellationToken)
    {
        StoreOwner owner = new(new NpgsqlConnectionStringBuilder(connectionString)
        {
            Pooling = false,
            ApplicationName = string.Create(
                CultureInfo.InvariantCulture, $"emr, process {Environment.ProcessId} on {Environment.MachineName}"),
        }.ConnectionString);
        try
        {
            if (GrainHosting.IsOneProcess)
            {
                await owner.ConnectAsync(cancellationToken);
            }

            return owner;
        }
        catch
        {
            await owner.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sees that the database is still this process's: takes it again where the connection was lost.</summary>
    /// <exception cref="StoreInUseException">Another process has it now: this one must not go on.</exception>
    public async Task HoldAsync(CancellationToken cancellationToken)
    {
        if (!GrainHosting.IsOneProcess)
        {
            return;
        }

        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            try
            {
                await using NpgsqlCommand alive = new("SELECT 1", _connection);
                await alive.ExecuteScalarAsync(cancellationToken);
            }
            catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
            {
                await ConnectAsync(cancellationToken);
            }
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _oneAtATime.Dispose();
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        _connection = new NpgsqlConnection(_connectionString);
        await _connection.OpenAsync(cancellationToken);
        long until = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (!await TryAsync(_connection, cancellationToken))
        {
            if (Environment.TickCount64 >= until)
            {
                throw new StoreInUseException(
                    $"database {_connection.Database} is in use by {await HolderAsync(_connection, cancellationToken)}: end that one "
                        + "first, or give this one a database of its own. Two that work on one store would each decide for themselves");
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }

    private static async Task<bool> TryAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new("SELECT pg_try_advisory_lock($1)", connection)
        {
            Parameters = { new() { Value = LockKey } },
        };
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    private static async Task<string> HolderAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            """
            SELECT application_name || ' since ' || to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || 'Z' FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND granted AND classid = ($1::bigint >> 32)::int::oid AND objid = ($1::bigint & 4294967295)::bigint::oid
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            connection)
        { Parameters = { new() { Value = LockKey } } };
        return await command.ExecuteScalarAsync(cancellationToken) as string ?? "another process";
    }
}

/// <summary>Another process works on a store.</summary>
internal sealed class StoreInUseException(string message) : Exception(message);
