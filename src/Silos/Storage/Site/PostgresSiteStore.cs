using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>
/// A site's store in PostgreSQL. What it keeps is sealed; in the clear stand ids of schemas and batches, hashes of files, and numbers.
/// Every write is one transaction.
/// </summary>
/// <param name="database">The site's database, migrated.</param>
/// <param name="vault">Its keys.</param>
internal sealed class PostgresSiteStore(NpgsqlDataSource database, SiteVault vault) : ISiteStore
{
    // Every change of policies is a row; so many of them are folded into one.
    private const int MostPolicyRows = 512;

    private readonly SealedRows _rows = new(vault);

    // An order of one version never changes, and the site asks for all of them again and again.
    private readonly ConcurrentDictionary<(long Sequence, long Version), SiteOrderRow> _orders = [];

    /// <inheritdoc/>
    public Task KeepRecordsAsync(LoadRecords batch, string schemaId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return InsertOnceAsync(
            "INSERT INTO site_records (schema_id, batch_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", [schemaId, batch.Id],
            RecordsPlace(batch.Id), () => SiteRowFormat.Write(batch), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<LoadRecords[]> ReadRecordsAsync(string schemaId, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        List<LoadRecords> batches = [];

        // One at a time: raw records are large, and each is held in three forms for a moment.
        foreach (string id in await ColumnAsync<string>(
            connection, "SELECT batch_id FROM site_records WHERE schema_id = $1 ORDER BY ordinal", cancellationToken, schemaId))
        {
            batches.Add(SiteRowFormat.ReadRecords(await OneAsync(connection, RecordsPlace(id), cancellationToken)));
        }

        return [.. batches];
    }

    /// <inheritdoc/>
    public async Task<string[]> ReadSchemasAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        return [.. await ColumnAsync<string>(
            connection, "SELECT DISTINCT schema_id COLLATE \"C\" FROM site_records ORDER BY 1", cancellationToken)];
    }

    /// <inheritdoc/>
    public async Task SavePoliciesAsync(SetPolicies policies, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(policies);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);

        // The later row wins, so rows are written one after the other.
        await ExecuteAsync(connection, "LOCK TABLE site_policies IN SHARE ROW EXCLUSIVE MODE", cancellationToken);
        List<long> ordinals = await PolicyOrdinalsAsync(connection, policies.SchemaId, cancellationToken);
        if (ordinals.Count >= MostPolicyRows)
        {
            policies = Fold(policies.SchemaId, [.. await PoliciesAsync(connection, ordinals, cancellationToken), policies]);
            await SealedRows.DeleteAsync(connection, [.. ordinals.Select(PoliciesPlace)], cancellationToken);
            await ExecuteAsync(connection, "DELETE FROM site_policies WHERE schema_id = $1", cancellationToken, policies.SchemaId);
        }

        long ordinal =
            (await ColumnAsync<long>(connection, "INSERT INTO site_policies (schema_id) VALUES ($1) RETURNING ordinal", cancellationToken,
                policies.SchemaId))[0];
        await _rows.InsertAsync(connection, [(PoliciesPlace(ordinal), SiteRowFormat.Write(policies))], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<SetPolicies> ReadPoliciesAsync(string schemaId, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);

        // One snapshot: rows may be folded between two statements.
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        return Fold(schemaId,
            await PoliciesAsync(connection, await PolicyOrdinalsAsync(connection, schemaId, cancellationToken), cancellationToken));
    }

    /// <inheritdoc/>
    public Task KeepAccountAsync(SiteAccountRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        byte[] content = SiteRowFormat.Write(row);
        string mark = Convert.ToHexStringLower(SHA256.HashData(content));
        return InsertOnceAsync(
            "INSERT INTO site_account (mark) VALUES ($1) ON CONFLICT DO NOTHING", [mark], AccountPlace(mark), () => content,
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<SiteAccountRow[]> ReadAccountsAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        List<string> marks = await ColumnAsync<string>(connection, "SELECT mark FROM site_account ORDER BY ordinal", cancellationToken);
        return [.. (await ManyAsync(connection, [.. marks.Select(AccountPlace)], cancellationToken)).Select(SiteRowFormat.ReadAccount)];
    }

    /// <inheritdoc/>
    public async Task SaveRevocationAsync(SiteRevocationRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        string place = RevocationPlace(row.SchemaId, row.Pseudonym);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(
            connection,
            "INSERT INTO site_revocation (schema_id, pseudonym) VALUES ($1, $2) ON CONFLICT (schema_id, pseudonym) DO UPDATE "
                + "SET pseudonym = excluded.pseudonym",
            cancellationToken, row.SchemaId, row.Pseudonym);
        await SealedRows.DeleteAsync(connection, [place], cancellationToken);
        await _rows.InsertAsync(connection, [(place, SiteRowFormat.Write(row))], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<SiteRevocationRow[]> ReadRevocationsAsync(string schemaId, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        List<string> pseudonyms = await ColumnAsync<string>(
            connection, "SELECT pseudonym FROM site_revocation WHERE schema_id = $1 ORDER BY pseudonym COLLATE \"C\"", cancellationToken,
            schemaId);
        string[] places = [.. pseudonyms.Select(pseudonym => RevocationPlace(schemaId, pseudonym))];
        return [.. (await ManyAsync(connection, places, cancellationToken)).Select(SiteRowFormat.ReadRevocation)];
    }

    /// <inheritdoc/>
    public Task KeepFileAsync(string sha256, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        InsertOnceAsync("INSERT INTO site_file (sha256) VALUES ($1) ON CONFLICT DO NOTHING", [sha256], FilePlace(sha256), () => content,
            cancellationToken);

    /// <inheritdoc/>
    public async Task<byte[]?> FindFileAsync(string sha256, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        return (await _rows.ReadAsync(connection, [FilePlace(sha256)], cancellationToken))[0];
    }

    /// <inheritdoc/>
    public async Task<SiteEpochRow> KeepEpochAsync(SiteEpochRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        string place = EpochPlace(row.SchemaId, row.Epoch.Epoch);
        await InsertOnceAsync(
            "INSERT INTO site_epoch (schema_id, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING", [row.SchemaId, (long)row.Epoch.Epoch],
            place, () => SiteRowFormat.Write(row), cancellationToken);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        return SiteRowFormat.ReadEpoch(await OneAsync(connection, place, cancellationToken));
    }

    /// <inheritdoc/>
    public async Task<SiteEpochRow[]> ReadEpochsAsync(string schemaId, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        string[] places =
            [.. (await ColumnAsync<long>(connection, "SELECT epoch FROM site_epoch WHERE schema_id = $1 ORDER BY epoch", cancellationToken,
                schemaId)).Select(epoch => EpochPlace(schemaId, epoch))];
        return [.. (await ManyAsync(connection, places, cancellationToken)).Select(SiteRowFormat.ReadEpoch)];
    }

    /// <inheritdoc/>
    public async Task SaveOrderAsync(SiteOrderRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        int saved = row.Version == 0
            ? await ExecuteAsync(connection, "INSERT INTO site_order (sequence, version) VALUES ($1, 1) ON CONFLICT DO NOTHING",
                cancellationToken, row.Sequence)
            : await ExecuteAsync(connection, "UPDATE site_order SET version = version + 1 WHERE sequence = $1 AND version = $2",
                cancellationToken, row.Sequence, row.Version);
        if (saved == 0)
        {
            throw new SiteStoreConflictException(
                $"order {row.Sequence} is not stored as version {row.Version}, which the writer had read: read it again");
        }

        SiteOrderRow next = row with { Version = row.Version + 1 };
        await SealedRows.DeleteAsync(connection, [OrderPlace(row.Sequence, row.Version)], cancellationToken);
        await _rows.InsertAsync(connection, [(OrderPlace(next.Sequence, next.Version), SiteRowFormat.Write(next))], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<SiteOrderRow[]> ReadOrdersAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        List<(long Sequence, long Version)> stored = [];
        await using (NpgsqlCommand command = Command(connection, "SELECT sequence, version FROM site_order ORDER BY sequence"))
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                stored.Add((reader.GetInt64(0), reader.GetInt64(1)));
            }
        }

        string[] unknown = [.. stored.Where(one => !_orders.ContainsKey(one)).Select(one => OrderPlace(one.Sequence, one.Version))];
        foreach (SiteOrderRow row in (await ManyAsync(connection, unknown, cancellationToken)).Select(SiteRowFormat.ReadOrder))
        {
            _orders[(row.Sequence, row.Version)] = row;
            _orders.TryRemove((row.Sequence, row.Version - 1), out _);
        }

        return [.. stored.Select(one => _orders[one])];
    }

    /// <inheritdoc/>
    public async Task<ulong[]> KeepWithdrawnAsync(string schemaId, long day, ulong[] persons, CancellationToken cancellationToken)
    {
        string place = string.Create(CultureInfo.InvariantCulture, $"withdrawn/{schemaId}/{day}");
        await InsertOnceAsync(
            "INSERT INTO site_withdrawn (schema_id, day) VALUES ($1, $2) ON CONFLICT DO NOTHING", [schemaId, day], place,
            () => SiteRowFormat.Write(persons), cancellationToken);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        return SiteRowFormat.ReadPersons(await OneAsync(connection, place, cancellationToken));
    }

    /// <inheritdoc/>
    public async Task<SiteRestoreRow?> FindRestoreAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlCommand command = Command(connection, "SELECT snapshot_seconds, ledger_seconds, is_confirmed FROM site_restore");
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new SiteRestoreRow(reader.GetInt64(0), reader.GetInt64(1), reader.GetBoolean(2)) : null;
    }

    /// <inheritdoc/>
    public async Task SaveRestoreAsync(SiteRestoreRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync(
            connection,
            "INSERT INTO site_restore (snapshot_seconds, ledger_seconds, is_confirmed) VALUES ($1, $2, $3) ON CONFLICT (one) DO UPDATE "
                + "SET snapshot_seconds = $1, ledger_seconds = $2, is_confirmed = $3",
            cancellationToken, row.SnapshotSeconds, row.LedgerSeconds, row.IsConfirmed);
    }

    /// <inheritdoc/>
    public async Task<IAsyncDisposable> HoldAsync(CancellationToken cancellationToken)
    {
        NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        try
        {
            // Its end, with the connection or the process, ends the hold.
            await connection.BeginTransactionAsync(cancellationToken);
            await ExecuteAsync(connection, StoreFence.Hold, cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static string RecordsPlace(string batch) => "records/" + batch;

    private static string PoliciesPlace(long ordinal) => string.Create(CultureInfo.InvariantCulture, $"policies/{ordinal}");

    private static string AccountPlace(string mark) => "account/" + mark;

    private static string RevocationPlace(string schemaId, string pseudonym) => $"revocation/{schemaId}/{pseudonym}";

    private static string FilePlace(string sha256) => "file/" + sha256;

    private static string EpochPlace(string schemaId, long epoch) =>
        string.Create(CultureInfo.InvariantCulture, $"epoch/{schemaId}/{epoch}");

    private static string OrderPlace(long sequence, long version) =>
        string.Create(CultureInfo.InvariantCulture, $"order/{sequence}/{version}");

    private static SetPolicies Fold(string schemaId, SetPolicies[] rows)
    {
        if (rows.Length == 1 && IsAscending(rows[0].PersonKeys))
        {
            return rows[0];
        }

        Dictionary<ulong, (SetPolicies Row, int Index)> latest = [];
        foreach (SetPolicies row in rows)
        {
            for (int i = 0; i < row.PersonKeys.Length; i++)
            {
                latest[row.PersonKeys[i]] = (row, i);
            }
        }

        ulong[] persons = [.. latest.Keys.Order()];
        (SetPolicies Row, int Index)[] of = Array.ConvertAll(persons, person => latest[person]);
        return new SetPolicies
        {
            SchemaId = schemaId,
            PersonKeys = persons,
            Profiles = Array.ConvertAll(of, one => one.Row.Profiles[one.Index]),
            Rates = Array.ConvertAll(of, one => one.Row.Rates[one.Index]),
            Quotas = Array.ConvertAll(of, one => one.Row.Quotas[one.Index]),
            Purposes = Array.ConvertAll(of, one => one.Row.Purposes[one.Index]),
            ExpirySeconds = Array.ConvertAll(of, one => one.Row.ExpirySeconds[one.Index]),
            Participation = Array.ConvertAll(of, one => one.Row.Participation[one.Index]),
        };
    }

    private static bool IsAscending(ulong[] keys)
    {
        for (int i = 1; i < keys.Length; i++)
        {
            if (keys[i] <= keys[i - 1])
            {
                return false;
            }
        }

        return true;
    }

    private static Task<List<long>> PolicyOrdinalsAsync(
        NpgsqlConnection connection, string schemaId, CancellationToken cancellationToken) =>
        ColumnAsync<long>(connection, "SELECT ordinal FROM site_policies WHERE schema_id = $1 ORDER BY ordinal",
            cancellationToken, schemaId);

    private async Task<SetPolicies[]> PoliciesAsync(
        NpgsqlConnection connection, List<long> ordinals, CancellationToken cancellationToken) =>
        [.. (await ManyAsync(connection, [.. ordinals.Select(PoliciesPlace)], cancellationToken)).Select(SiteRowFormat.ReadPolicies)];

    /// <summary>Inserts a row and its content, both or nothing, unless the row is there.</summary>
    private async Task InsertOnceAsync(
        string sql, object[] values, string place, Func<ReadOnlyMemory<byte>> content, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await ExecuteAsync(connection, sql, cancellationToken, values) == 0)
        {
            return;
        }

        await _rows.InsertAsync(connection, [(place, content())], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private async Task<byte[]> OneAsync(NpgsqlConnection connection, string place, CancellationToken cancellationToken) =>
        (await ManyAsync(connection, [place], cancellationToken))[0];

    private async Task<byte[][]> ManyAsync(NpgsqlConnection connection, string[] places, CancellationToken cancellationToken)
    {
        byte[]?[] found = places.Length == 0 ? [] : await _rows.ReadAsync(connection, places, cancellationToken);
        return [.. found.Select((content, i) => content
            ?? throw new SealException($"the site's database lost the content of '{places[i]}': restore it from a backup"))];
    }

    private static async Task<List<T>> ColumnAsync<T>(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object[] values)
    {
        List<T> column = [];
        await using NpgsqlCommand command = Command(connection, sql, values);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            column.Add(reader.GetFieldValue<T>(0));
        }

        return column;
    }

    private static async Task<int> ExecuteAsync(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using NpgsqlCommand command = Command(connection, sql, values);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, params object[] values)
    {
        NpgsqlCommand command = new(sql, connection);
        foreach (object value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }
}
