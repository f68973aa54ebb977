using System.Globalization;
using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Storage.Backup;

/// <summary>
/// A role's database at one moment, while its owner goes on: everything is read in one transaction that sees what was committed when it
/// began. Whoever holds the database is not disturbed, and what it writes meanwhile is in the next backup.
/// </summary>
internal sealed class DatabaseSnapshot : IAsyncDisposable
{
    // Whoever restores gets a fence of its own, and migrates by the program's files.
    private static readonly string[] NotCopied = ["store_owner", "migration"];

    private readonly NpgsqlConnection _connection;
    private readonly DatabaseRole _role;

    private DatabaseSnapshot(NpgsqlConnection connection, DatabaseRole role, BackupMigration[] migrations) =>
        (_connection, _role, Migrations) = (connection, role, migrations);

    /// <summary>The migrations that were applied.</summary>
    public BackupMigration[] Migrations { get; }

    /// <summary>Takes it.</summary>
    /// <exception cref="BackupException">The database was never migrated, or is newer than this program.</exception>
    public static async Task<DatabaseSnapshot> TakeAsync(string connectionString, DatabaseRole role, CancellationToken cancellationToken)
    {
        NpgsqlConnectionStringBuilder builder = Postgres.ConnectionStrings.Read(connectionString);
        builder.Pooling = false;
        builder.ApplicationName = string.Create(CultureInfo.InvariantCulture, $"emr backup, process {Environment.ProcessId}");
        NpgsqlConnection connection = new(builder.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            await ExecuteAsync(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", cancellationToken);
            BackupMigration[] applied = await RowsAsync(connection, "SELECT to_regclass('migration') IS NOT NULL",
                row => row.GetBoolean(0), cancellationToken) is [true]
                ? await RowsAsync(connection, "SELECT number, name, sha256 FROM migration ORDER BY number",
                    row => new BackupMigration(row.GetInt32(0), row.GetString(1), row.GetString(2)), cancellationToken)
                : throw new BackupException(
                    $"database {connection.Database} is empty: nothing was ever kept in it. Name the role's own database");
            int newest = Postgres.Migrations.Of(role)[^1].Number;
            return applied.FirstOrDefault(one => one.Number > newest) is { } later
                ? throw new BackupException(
                    $"database {connection.Database} has migration {later.Number:0000} ({later.Name}), which this program does not know: "
                        + "back it up with the program that serves it")
                : new DatabaseSnapshot(connection, role, applied);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Copies all tables, each after those that it refers to.</summary>
    /// <param name="folder">The folder of its files in the backup.</param>
    /// <param name="writer">The backup.</param>
    /// <param name="progress">Told every table.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<BackupTable[]> CopyAsync(
        string folder, BackupWriter writer, Action<string>? progress, CancellationToken cancellationToken)
    {
        List<BackupTable> copied = [];
        foreach (string table in await TablesAsync(_connection, cancellationToken))
        {
            string[] columns = await RowsAsync(_connection,
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' "
                    + "ORDER BY attnum", row => row.GetString(0), cancellationToken, table);
            long rows = (await RowsAsync(_connection, $"SELECT count(*) FROM {table}", row => row.GetInt64(0), cancellationToken))[0];
            string file = $"{folder}/{table}.copy";
            progress?.Invoke(string.Create(CultureInfo.InvariantCulture, $"{folder}: {table}, {rows:N0} rows"));
            await writer.AddAsync(file, async stream =>
            {
                await using NpgsqlRawCopyStream copy = await _connection.BeginRawBinaryCopyAsync(
                    $"COPY {table} ({string.Join(", ", columns)}) TO STDOUT (FORMAT BINARY)", cancellationToken);
                await copy.CopyToAsync(stream, cancellationToken);
            });
            copied.Add(new BackupTable(table, columns, rows, file));
        }

        return [.. copied];
    }

    /// <summary>Where the sequences stand: at least where the snapshot was, since they are not part of any transaction.</summary>
    public Task<BackupSequence[]> SequencesAsync(CancellationToken cancellationToken) => RowsAsync(_connection,
        "SELECT sequencename::text, coalesce(last_value, start_value), last_value IS NOT NULL FROM pg_sequences "
            + "WHERE schemaname = current_schema() ORDER BY sequencename",
        row => new BackupSequence(row.GetString(0), row.GetInt64(1), row.GetBoolean(2)), cancellationToken);

    /// <summary>The block up to which the role had read the ledger; null before the first.</summary>
    public async Task<BackupBlock?> BlockAsync(CancellationToken cancellationToken) => (await RowsAsync(_connection,
        "SELECT block_number, block_hash FROM ledger_checkpoint ORDER BY block_number DESC LIMIT 1",
        row => new BackupBlock(row.GetInt64(0), "0x" + Convert.ToHexStringLower(row.GetFieldValue<byte[]>(1))), cancellationToken))
        .FirstOrDefault();

    /// <summary>A site's wrapped data keys; none of the market.</summary>
    public async Task<BackupKey[]> KeysAsync(CancellationToken cancellationToken) => _role == DatabaseRole.Market ? []
        : await RowsAsync(_connection, "SELECT id, wrapped FROM site_key ORDER BY id",
            row => new BackupKey(row.GetInt32(0), Convert.ToHexStringLower(row.GetFieldValue<byte[]>(1))), cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>The tables of the schema but the fence's and the migrations' own, each after those that it refers to.</summary>
    internal static async Task<string[]> TablesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        List<string> waiting = [.. (await RowsAsync(connection,
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname",
            row => row.GetString(0), cancellationToken)).Except(NotCopied, StringComparer.Ordinal)];
        (string From, string To)[] references = await RowsAsync(connection,
            "SELECT f.relname::text, t.relname::text FROM pg_constraint JOIN pg_class f ON f.oid = conrelid JOIN pg_class t ON t.oid = "
                + "confrelid WHERE contype = 'f' AND "
                + "conrelid <> confrelid", row => (row.GetString(0), row.GetString(1)), cancellationToken);
        List<string> ordered = [];
        while (waiting.Count > 0)
        {
            string[] free = [.. waiting.Where(table => references.All(one => one.From != table || !waiting.Contains(one.To)))];
            ordered.AddRange(free.Length > 0 ? free
                : throw new BackupException(
                    $"tables {string.Join(", ", waiting)} of {connection.Database} refer to each other in a circle"));
            waiting.RemoveAll(free.Contains);
        }

        return [.. ordered];
    }

    internal static async Task ExecuteAsync(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using NpgsqlCommand command = Command(connection, sql, values);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    internal static async Task<T[]> RowsAsync<T>(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken,
        params object[] values)
    {
        List<T> rows = [];
        await using NpgsqlCommand command = Command(connection, sql, values);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(reader));
        }

        return [.. rows];
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, object[] values)
    {
        NpgsqlCommand command = new(sql, connection);
        foreach (object value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }
}
