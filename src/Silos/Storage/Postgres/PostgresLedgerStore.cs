using System.Text;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Grains.Ledger.Storage;
using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>A role's ledger journal and outboxes in PostgreSQL. Many rows go in one statement.</summary>
/// <param name="database">The role's database, migrated.</param>
internal sealed class PostgresLedgerStore(NpgsqlDataSource database) : ILedgerStore
{
    /// <inheritdoc/>
    public Task<IReadOnlyList<LogCheckpoint>> LoadCheckpointsAsync(CancellationToken cancellationToken) => ReadAsync(
        "SELECT block_number, block_hash FROM ledger_checkpoint ORDER BY block_number",
        reader => new LogCheckpoint((ulong)reader.GetInt64(0), new Bytes32(reader.GetFieldValue<byte[]>(1))), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<LedgerEvent>> LoadEventsAsync(LedgerPosition from, int most, CancellationToken cancellationToken) =>
        ReadAsync(
        """
        SELECT block_number, log_index, block_seconds, transaction_hash, contract, topics, data FROM ledger_event
        WHERE (block_number, log_index) >= ($1, $2) ORDER BY block_number, log_index LIMIT $3
        """,
        reader => new LedgerEvent
        {
            BlockNumber = (ulong)reader.GetInt64(0),
            LogIndex = (ulong)reader.GetInt64(1),
            BlockSeconds = (ulong)reader.GetInt64(2),
            TransactionHash = new Bytes32(reader.GetFieldValue<byte[]>(3)),
            Contract = new Address(reader.GetFieldValue<byte[]>(4)),
            Topics = reader.GetFieldValue<byte[]>(5),
            Data = reader.GetFieldValue<byte[]>(6),
        },
        cancellationToken,
        (long)from.BlockNumber, (long)from.LogIndex, (long)most);

    /// <inheritdoc/>
    public async Task AppendAsync(
        ulong? undoFrom, IReadOnlyList<LedgerEvent> events, IReadOnlyList<LogCheckpoint> checkpoints, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentNullException.ThrowIfNull(checkpoints);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (undoFrom is { } block)
        {
            await ExecuteAsync(connection, "DELETE FROM ledger_event WHERE block_number >= $1", cancellationToken, (long)block);
        }

        if (events.Count > 0)
        {
            await ExecuteAsync(
                connection,
                """
                INSERT INTO ledger_event (block_number, log_index, block_seconds, transaction_hash, contract, topics, data)
                SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[]) ON CONFLICT DO NOTHING
                """,
                cancellationToken,
                events.Select(logged => (long)logged.BlockNumber).ToArray(), events.Select(logged => (long)logged.LogIndex).ToArray(),
                events.Select(logged => (long)logged.BlockSeconds).ToArray(),
                events.Select(logged => logged.TransactionHash.ToArray()).ToArray(),
                events.Select(logged => logged.Contract.ToArray()).ToArray(),
                events.Select(logged => logged.Topics).ToArray(), events.Select(logged => logged.Data).ToArray());
        }

        await ExecuteAsync(connection, "DELETE FROM ledger_checkpoint", cancellationToken);
        await ExecuteAsync(
            connection, "INSERT INTO ledger_checkpoint (block_number, block_hash) SELECT * FROM unnest($1::bigint[], $2::bytea[])",
            cancellationToken, checkpoints.Select(checkpoint => (long)checkpoint.Number).ToArray(),
            checkpoints.Select(checkpoint => checkpoint.Hash.ToArray()).ToArray());
        await transaction.CommitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task AddCommandsAsync(string sender, IReadOnlyList<StoredCommand> commands, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commands);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync(
            connection,
            """
            INSERT INTO ledger_command (sender, id, target, data, gas_limit)
            SELECT $1, id, target, data, gas_limit FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bigint[]) WITH ORDINALITY AS given (id, target, data, gas_limit, place)
            ORDER BY place ON CONFLICT DO NOTHING
            """,
            cancellationToken,
            sender, commands.Select(command => command.Id).ToArray(), commands.Select(command => command.To.ToArray()).ToArray(),
            commands.Select(command => command.Data).ToArray(),
            commands.Select(command => unchecked((long?)command.GasLimit)).ToArray());
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredCommand>> LoadUnsentAsync(string sender, CancellationToken cancellationToken) => ReadAsync(
        """
        SELECT id, target, data, gas_limit, refusal FROM ledger_command AS command WHERE sender = $1 AND refusal IS NULL
            AND NOT EXISTS (SELECT FROM ledger_transaction AS sent WHERE sent.sender = command.sender AND sent.id = command.id) ORDER BY ordinal
        """,
        Command, cancellationToken, sender);

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredCommand>> FindCommandsAsync(
        string sender, IReadOnlyCollection<string> ids, CancellationToken cancellationToken) => ReadAsync(
        "SELECT id, target, data, gas_limit, refusal FROM ledger_command WHERE sender = $1 AND id = ANY ($2)", Command, cancellationToken,
        sender, ids.ToArray());

    /// <inheritdoc/>
    public async Task RefuseAsync(string sender, string id, string refusal, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync(connection, "UPDATE ledger_command SET refusal = $3 WHERE sender = $1 AND id = $2", cancellationToken,
            sender, id, refusal);
    }

    /// <inheritdoc/>
    public ITransactionOutbox OutboxOf(string sender) => new Outbox(this, sender);

    private static StoredCommand Command(NpgsqlDataReader reader) => new()
    {
        Id = reader.GetString(0),
        To = new Address(reader.GetFieldValue<byte[]>(1)),
        Data = reader.GetFieldValue<byte[]>(2),
        GasLimit = reader.IsDBNull(3) ? null : unchecked((ulong)reader.GetInt64(3)),
        Refusal = reader.IsDBNull(4) ? null : reader.GetString(4),
    };

    private async Task<IReadOnlyList<T>> ReadAsync<T>(
        string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object[] values)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlCommand command = With(new NpgsqlCommand(sql, connection), values);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        List<T> rows = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    private static async Task ExecuteAsync(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using NpgsqlCommand command = With(new NpgsqlCommand(sql, connection), values);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static NpgsqlCommand With(NpgsqlCommand command, object[] values)
    {
        foreach (object value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }

    private sealed class Outbox(PostgresLedgerStore store, string sender) : ITransactionOutbox
    {
        public Task<IReadOnlyList<OutboxEntry>> LoadOpenAsync(CancellationToken cancellationToken) =>
            EntriesAsync("SELECT entry FROM ledger_transaction WHERE sender = $1 AND is_open ORDER BY nonce", cancellationToken, sender);

        public Task<IReadOnlyList<OutboxEntry>> LoadFromNonceAsync(ulong nonce, CancellationToken cancellationToken) =>
            EntriesAsync("SELECT entry FROM ledger_transaction WHERE sender = $1 AND nonce >= $2 ORDER BY nonce", cancellationToken,
                sender, (long)nonce);

        public Task<IReadOnlyList<OutboxEntry>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
            EntriesAsync("SELECT entry FROM ledger_transaction WHERE sender = $1 AND id = ANY ($2)", cancellationToken, sender,
                ids.ToArray());

        public async Task SaveAsync(IReadOnlyList<OutboxEntry> entries, CancellationToken cancellationToken)
        {
            await using NpgsqlConnection connection = await store.OpenAsync(cancellationToken);
            await ExecuteAsync(
                connection,
                """
                INSERT INTO ledger_transaction (sender, id, nonce, is_open, entry) SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::boolean[], $5::text[])
                ON CONFLICT (sender, id) DO UPDATE SET nonce = excluded.nonce, is_open = excluded.is_open, entry = excluded.entry
                """,
                cancellationToken,
                sender, entries.Select(entry => entry.Id).ToArray(), entries.Select(entry => (long)entry.Transaction.Nonce).ToArray(),
                entries.Select(entry => entry.Outcome is null).ToArray(),
                entries.Select(entry => Encoding.UTF8.GetString(OutboxEntryJson.Write([entry]))).ToArray());
        }

        private Task<IReadOnlyList<OutboxEntry>> EntriesAsync(string sql, CancellationToken cancellationToken, params object[] values) =>
            store.ReadAsync(sql, reader => OutboxEntryJson.Read(Encoding.UTF8.GetBytes(reader.GetString(0)))[0], cancellationToken, values);
    }

    private ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken) => database.OpenConnectionAsync(cancellationToken);
}
