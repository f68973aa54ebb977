using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Storage.Backup;

/// <summary>
/// Puts a role's database back, in one transaction: the tables as they were, then the migrations that the program has since, then that it
/// was restored, which its owner has to know (docs/BACKUP.md). A process that still had the database loses it for good.
/// </summary>
internal static class DatabaseRestore
{
    private const int AtOnce = 1 << 20;

    /// <summary>Whether a database holds anything.</summary>
    public static async Task<bool> IsEmptyAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = Unpooled(connectionString);
        await connection.OpenAsync(cancellationToken);
        return (await DatabaseSnapshot.TablesAsync(connection, cancellationToken)).Length == 0;
    }

    /// <summary>Restores it.</summary>
    /// <param name="connectionString">The database of the role.</param>
    /// <param name="backup">The backup.</param>
    /// <param name="database">Which of its databases.</param>
    /// <param name="replaces">Whether what is there goes.</param>
    /// <param name="progress">Told every table.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BackupException">The database is not empty, or a table is not what the manifest says. Nothing was
    /// changed.</exception>
    /// <exception cref="StoreInUseException">A process works on it.</exception>
    public static async Task RunAsync(string connectionString, BackupReader backup, BackupDatabase database, bool replaces,
        Action<string>? progress, CancellationToken cancellationToken)
    {
        await using StoreOwner owner = await StoreOwner.TakeAsync(connectionString, cancellationToken);
        await using NpgsqlConnection connection = Unpooled(owner.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        string[] there = await DatabaseSnapshot.TablesAsync(connection, cancellationToken);
        if (there.Length > 0 && !replaces)
        {
            throw new BackupException(
                $"database {connection.Database} is not empty: name an empty one, or add --replace, which drops what it holds");
        }

        await ClearAsync(connection, there, cancellationToken);
        await DatabaseSnapshot.ExecuteAsync(connection, Migrations.Table, cancellationToken);
        Migration[] all = Migrations.Of(database.Role);
        HashSet<int> applied = [.. database.Migrations.Select(one => one.Number)];
        foreach (Migration migration in all.Where(migration => applied.Contains(migration.Number)))
        {
            await Migrations.ApplyAsync(connection, migration, cancellationToken);
        }

        foreach (BackupTable table in database.Tables)
        {
            progress?.Invoke($"{database.Folder}: {table.Name}, {table.Rows:N0} rows");
            await CopyAsync(connection, backup, table, cancellationToken);
        }

        foreach (BackupSequence sequence in database.Sequences)
        {
            await DatabaseSnapshot.ExecuteAsync(
                connection, "SELECT setval($1::regclass, $2, $3)", cancellationToken, sequence.Name, sequence.Last, sequence.IsCalled);
        }

        foreach (Migration migration in all.Where(migration => !applied.Contains(migration.Number)))
        {
            await Migrations.ApplyAsync(connection, migration, cancellationToken);
        }

        if (database.Role == DatabaseRole.Site)
        {
            await DatabaseSnapshot.ExecuteAsync(connection, "DELETE FROM site_restore", cancellationToken);
            await DatabaseSnapshot.ExecuteAsync(
                connection, "INSERT INTO site_restore (snapshot_seconds) VALUES ($1)", cancellationToken, backup.Manifest.Seconds);
        }
        else
        {
            // What was ordered and had not come may have come since, and be lost: it is ordered again.
            await DatabaseSnapshot.ExecuteAsync(
                connection,
                "DELETE FROM market_order o WHERE NOT EXISTS (SELECT FROM market_delivery d "
                    + "WHERE d.request_id = o.request_id AND d.site = o.site AND d.attempt = o.attempt)", cancellationToken);

            // More than any number that was given out: they rise by one, and never as fast as seconds.
            await DatabaseSnapshot.ExecuteAsync(connection, "DELETE FROM market_restore", cancellationToken);
            await DatabaseSnapshot.ExecuteAsync(
                connection, "INSERT INTO market_restore (snapshot_seconds, orders_above) VALUES ($1, $2)", cancellationToken,
                backup.Manifest.Seconds, DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        }

        await StoreFence.RaiseAsync(connection, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task CopyAsync(
        NpgsqlConnection connection, BackupReader backup, BackupTable table, CancellationToken cancellationToken)
    {
        await using (Stream file = backup.OpenFile(table.File))
        await using (NpgsqlRawCopyStream copy = await connection.BeginRawBinaryCopyAsync(
            $"COPY {table.Name} ({string.Join(", ", table.Columns)}) FROM STDIN (FORMAT BINARY)", cancellationToken))
        {
            await file.CopyToAsync(copy, AtOnce, cancellationToken);
        }

        long rows = (await DatabaseSnapshot.RowsAsync(
            connection, $"SELECT count(*) FROM {table.Name}", row => row.GetInt64(0), cancellationToken))[0];
        if (rows != table.Rows)
        {
            throw new BackupException($"table {table.Name} came to {rows} rows, and the manifest says {table.Rows}: nothing was restored");
        }
    }

    /// <summary>Takes everything away but the fence, which has just been taken.</summary>
    private static async Task ClearAsync(NpgsqlConnection connection, string[] tables, CancellationToken cancellationToken)
    {
        await DatabaseSnapshot.ExecuteAsync(connection,
            string.Concat(tables.Append("migration").Select(table => $"DROP TABLE IF EXISTS {table} CASCADE;")), cancellationToken);
        string[] sequences = await DatabaseSnapshot.RowsAsync(connection,
            "SELECT sequencename::text FROM pg_sequences WHERE schemaname = current_schema()", row => row.GetString(0), cancellationToken);
        await DatabaseSnapshot.ExecuteAsync(connection,
            "SELECT 1;" + string.Concat(sequences.Select(sequence => $"DROP SEQUENCE {sequence};")), cancellationToken);
    }

    private static NpgsqlConnection Unpooled(string connectionString)
    {
        NpgsqlConnectionStringBuilder builder = Postgres.ConnectionStrings.Read(connectionString);
        builder.Pooling = false;
        return new NpgsqlConnection(builder.ConnectionString);
    }
}
