using System.Numerics;
using System.Text.Json;
using EmrMarket.Grains.Market.Storage;
using Npgsql;
using NpgsqlTypes;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>The market's store in PostgreSQL. Every write is one statement or one transaction.</summary>
/// <param name="database">The market's database, migrated.</param>
internal sealed class PostgresMarketStore(NpgsqlDataSource database) : IMarketStore
{
    /// <inheritdoc/>
    public Task KeepFileAsync(string sha256, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        ExecuteAsync("INSERT INTO market_file (sha256, content) VALUES ($1, $2) ON CONFLICT DO NOTHING", cancellationToken,
            sha256, content);

    /// <inheritdoc/>
    public async Task<byte[]?> FindFileAsync(string sha256, CancellationToken cancellationToken) =>
        await ScalarAsync("SELECT content FROM market_file WHERE sha256 = $1", cancellationToken, sha256) as byte[];

    /// <inheritdoc/>
    public async Task<RequestRow?> FindRequestAsync(string key, CancellationToken cancellationToken) =>
        (await RowsAsync<RequestRow>("SELECT body FROM market_request WHERE key = $1", cancellationToken, key)).FirstOrDefault();

    /// <inheritdoc/>
    public async Task SaveRequestAsync(RequestRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        string body = JsonSerializer.Serialize(row with { Version = row.Version + 1 });
        int saved = row.Version == 0
            ? await ExecuteAsync(
                "INSERT INTO market_request (key, version, researcher, ended, body) VALUES ($1, 1, $2, $3, $4) ON CONFLICT DO NOTHING",
                cancellationToken, row.Key, row.Researcher, row.HasEnded, body)
            : await ExecuteAsync(
                "UPDATE market_request SET version = version + 1, ended = $2, body = $3 WHERE key = $1 AND version = $4", cancellationToken,
                row.Key, row.HasEnded, body, row.Version);
        if (saved == 0)
        {
            throw new MarketStoreConflictException(
                $"request {row.Key} is not stored as version {row.Version}, which the writer had read: read it again");
        }
    }

    /// <inheritdoc/>
    public Task<RequestRow[]> FindRequestsOfAsync(string researcher, CancellationToken cancellationToken) =>
        RowsAsync<RequestRow>("SELECT body FROM market_request WHERE researcher = $1 ORDER BY placed DESC", cancellationToken, researcher);

    /// <inheritdoc/>
    public Task<RequestRow[]> FindOpenRequestsAsync(CancellationToken cancellationToken) =>
        RowsAsync<RequestRow>("SELECT body FROM market_request WHERE NOT ended ORDER BY placed", cancellationToken);

    /// <inheritdoc/>
    public async Task<RoundRow> KeepRoundAsync(RoundRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        await ExecuteAsync(
            "INSERT INTO market_round (schema_id, ordinal, attempt, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            cancellationToken, row.SchemaId, (long)row.Ordinal, (long)row.Attempt, JsonSerializer.Serialize(row));
        return (await RowsAsync<RoundRow>(
            "SELECT body FROM market_round WHERE schema_id = $1 AND ordinal = $2 AND attempt = $3", cancellationToken, row.SchemaId,
            (long)row.Ordinal, (long)row.Attempt))[0];
    }

    /// <inheritdoc/>
    public Task<RoundRow[]> FindRoundsAsync(string schemaId, CancellationToken cancellationToken) =>
        RowsAsync<RoundRow>("SELECT body FROM market_round WHERE schema_id = $1 ORDER BY ordinal, attempt", cancellationToken, schemaId);

    /// <inheritdoc/>
    public async Task PlaceOrdersAsync(IReadOnlyList<OrderRow> orders, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(orders);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);

        // Numbers of a site rise without gaps only if one writer gives them at a time.
        await using (NpgsqlCommand hold = new("LOCK TABLE market_order IN SHARE ROW EXCLUSIVE MODE", connection))
        {
            await hold.ExecuteNonQueryAsync(cancellationToken);
        }

        foreach (OrderRow order in orders)
        {
            await using NpgsqlCommand command = new(
                """
                INSERT INTO market_order (site, sequence, request_id, attempt, body)
                SELECT $1, greatest(coalesce(max(sequence), 0), (SELECT coalesce(max(orders_above), 0) FROM market_restore)) + 1, $2, $3, $4
                FROM market_order WHERE site = $1
                ON CONFLICT (site, request_id, attempt) DO NOTHING
                """,
                connection);
            Bind(command, (long)order.Site, (BigInteger)order.RequestId, (long)order.Attempt, JsonSerializer.Serialize(order));
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<OrderRow[]> FindOrdersAsync(uint site, long afterSequence, int most, CancellationToken cancellationToken)
    {
        List<OrderRow> orders = [];
        await using NpgsqlCommand command = database.CreateCommand(
            "SELECT body, sequence FROM market_order WHERE site = $1 AND sequence > $2 ORDER BY sequence LIMIT $3");
        Bind(command, (long)site, afterSequence, most);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            orders.Add(JsonSerializer.Deserialize<OrderRow>(reader.GetString(0))! with { Sequence = reader.GetInt64(1) });
        }

        return [.. orders];
    }

    /// <inheritdoc/>
    public async Task<DeliveryRow> KeepDeliveryAsync(DeliveryRow row, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(row);
        object[] key = [(BigInteger)row.RequestId, (long)row.Site, (long)row.Attempt, row.FileHash];
        await ExecuteAsync(
            "INSERT INTO market_delivery (request_id, site, attempt, file_hash, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            cancellationToken,
            [.. key, JsonSerializer.Serialize(row)]);
        return (await RowsAsync<DeliveryRow>(
            "SELECT body FROM market_delivery WHERE request_id = $1 AND site = $2 AND attempt = $3 AND file_hash = $4",
            cancellationToken, key))[0];
    }

    /// <inheritdoc/>
    public async Task<string> KeepResultsAsync(string requestKey, string resultsJson, CancellationToken cancellationToken)
    {
        await ExecuteAsync("INSERT INTO market_results (request_key, body) VALUES ($1, $2) ON CONFLICT DO NOTHING", cancellationToken,
            requestKey, resultsJson);
        return (await FindResultsAsync(requestKey, cancellationToken))!;
    }

    /// <inheritdoc/>
    public async Task<string?> FindResultsAsync(string requestKey, CancellationToken cancellationToken) =>
        await ScalarAsync("SELECT body FROM market_results WHERE request_key = $1", cancellationToken, requestKey) as string;

    private async Task<int> ExecuteAsync(string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using NpgsqlCommand command = database.CreateCommand(sql);
        Bind(command, values);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task<object?> ScalarAsync(string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using NpgsqlCommand command = database.CreateCommand(sql);
        Bind(command, values);
        return await command.ExecuteScalarAsync(cancellationToken);
    }

    private async Task<T[]> RowsAsync<T>(string sql, CancellationToken cancellationToken, params object[] values)
    {
        List<T> rows = [];
        await using NpgsqlCommand command = database.CreateCommand(sql);
        Bind(command, values);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(JsonSerializer.Deserialize<T>(reader.GetString(0))!);
        }

        return [.. rows];
    }

    private static void Bind(NpgsqlCommand command, params object[] values)
    {
        foreach (object value in values)
        {
            command.Parameters.Add(value is BigInteger number
                ? new NpgsqlParameter { Value = number, NpgsqlDbType = NpgsqlDbType.Numeric } : new NpgsqlParameter { Value = value });
        }
    }
}
