using System.Globalization;
using EmrMarket.Silos.Hosting;
using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>
/// That one process alone works on a role's database: with the embedded runtime a grain is active once in a process, so two processes on
/// one store would each decide for themselves. It is a lock of the server that a connection of its own holds, which therefore goes with the
/// process, however that ends. A lock that was lost with its connection while the process goes on is taken again, unless another process
/// was faster; that one is then the database's holder, and nothing that this one still writes is accepted (<see cref="StoreFence"/>). A
/// cluster of silos shares its stores by design and takes no lock.
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
    private string _holder = "";

    private StoreOwner(string connectionString) => _connectionString = connectionString;

    /// <summary>How the stores connect, so that their writes are known to be this owner's.</summary>
    public string ConnectionString => StoreFence.ConnectionStringOf(_connectionString, _holder);

    /// <summary>Takes a database.</summary>
    /// <exception cref="StoreInUseException">Another process has it.</exception>
    public static async Task<StoreOwner> TakeAsync(string connectionString, CancellationToken cancellationToken)
    {
        StoreOwner owner = new(connectionString);
        try
        {
            await owner.TakeAsync(cancellationToken);
            return owner;
        }
        catch
        {
            await owner.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sees that the database is still this process's: takes the lock again where the connection was lost.</summary>
    /// <exception cref="StoreInUseException">The lock is not free: this process may go on when it is.</exception>
    /// <exception cref="StoreLostException">Another process has taken the database: this one has to end.</exception>
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
                await SeeAsync(cancellationToken);
            }
            catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
            {
                await ConnectAsync(cancellationToken);
                await LockAsync(isMine: true, cancellationToken);
                await SeeAsync(cancellationToken);
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

    private async Task TakeAsync(CancellationToken cancellationToken)
    {
        await ConnectAsync(cancellationToken);
        if (GrainHosting.IsOneProcess)
        {
            await LockAsync(isMine: false, cancellationToken);
        }

        try
        {
            _holder = await StoreFence.TakeAsync(_connection!, isShared: !GrainHosting.IsOneProcess, cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            throw new StoreInUseException(
                $"database {_connection!.Database} is not free: a transaction of its former owner is still under way. Try again when that "
                    + "has ended, or end that process");
        }
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        NpgsqlConnectionStringBuilder builder = ConnectionStrings.Read(_connectionString);
        builder.Pooling = false;
        builder.ApplicationName = string.Create(
            CultureInfo.InvariantCulture, $"emr, process {Environment.ProcessId} on {Environment.MachineName}");
        _connection = new NpgsqlConnection(builder.ConnectionString);
        await _connection.OpenAsync(cancellationToken);
        await using NpgsqlCommand impatient = new(
            string.Create(CultureInfo.InvariantCulture, $"SET lock_timeout = {(int)Patience.TotalMilliseconds}"), _connection);
        await impatient.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task LockAsync(bool isMine, CancellationToken cancellationToken)
    {
        long until = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (!await TryAsync(_connection!, cancellationToken))
        {
            if (isMine)
            {
                await SeeAsync(cancellationToken);
            }

            if (Environment.TickCount64 >= until)
            {
                throw new StoreInUseException(
                    $"database {_connection!.Database} is in use by {await OtherAsync(_connection, cancellationToken)}: end that one "
                        + "first, or give this one a database of its own. Two that work on one store would each decide for themselves");
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }

    private async Task SeeAsync(CancellationToken cancellationToken)
    {
        if (await StoreFence.HolderAsync(_connection!, cancellationToken) != _holder)
        {
            throw new StoreLostException(
                $"database {_connection!.Database} was taken over by {await OtherAsync(_connection, cancellationToken)} while this process "
                    + "had no connection to it: this one ends, and whatever it tried to write since was refused");
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

    private static async Task<string> OtherAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            """
            SELECT application_name || ' since ' || to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || 'Z'
            FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND granted
              AND classid = ($1::bigint >> 32)::int::oid AND objid = ($1::bigint & 4294967295)::bigint::oid
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            connection)
        { Parameters = { new() { Value = LockKey } } };
        return await command.ExecuteScalarAsync(cancellationToken) as string ?? "another process";
    }
}

/// <summary>Another process works on a store.</summary>
internal sealed class StoreInUseException(string message) : Exception(message);

/// <summary>Another process has taken a store that was this one's.</summary>
internal sealed class StoreLostException(string message) : Exception(message);
