using System.Text.Json;
using EmrMarket.Silos.Api.Access.Accounts;
using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>The accounts of a role's people in the role's database.</summary>
/// <param name="database">The database, migrated.</param>
internal sealed class PostgresAccountStore(NpgsqlDataSource database) : IAccountStore
{
    /// <inheritdoc/>
    public async Task<Account?> FindAsync(string name, CancellationToken cancellationToken) =>
        (await RowsAsync("SELECT body FROM account WHERE name = $1", cancellationToken, name))
            .Select(body => JsonSerializer.Deserialize<Account>(body)!).FirstOrDefault();

    /// <inheritdoc/>
    public async Task<Account[]> ListAsync(CancellationToken cancellationToken) =>
        [.. (await RowsAsync("SELECT body FROM account ORDER BY name COLLATE \"C\"", cancellationToken))
            .Select(body => JsonSerializer.Deserialize<Account>(body)!)];

    /// <inheritdoc/>
    public async Task<bool> TrySaveAsync(Account account, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(account);
        string body = JsonSerializer.Serialize(account with { Version = account.Version + 1 });
        int saved = account.Version == 0
            ? await ExecuteAsync("INSERT INTO account (name, version, body) VALUES ($1, 1, $2) ON CONFLICT DO NOTHING", cancellationToken,
                account.Name, body)
            : await ExecuteAsync("UPDATE account SET version = version + 1, body = $2 WHERE name = $1 AND version = $3", cancellationToken,
                account.Name, body, account.Version);
        account.Version += saved;
        return saved == 1;
    }

    /// <inheritdoc/>
    public async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken) =>
        await ExecuteAsync("DELETE FROM account WHERE name = $1", cancellationToken, name) == 1;

    /// <inheritdoc/>
    public async Task EndSessionAsync(string id, long untilSeconds, long nowSeconds, CancellationToken cancellationToken)
    {
        await ExecuteAsync("DELETE FROM ended_session WHERE until_seconds < $1", cancellationToken, nowSeconds);
        await ExecuteAsync(
            "INSERT INTO ended_session (id, until_seconds) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET until_seconds = $2",
            cancellationToken, id, untilSeconds);
    }

    /// <inheritdoc/>
    public async Task<string[]> EndedSessionsAsync(CancellationToken cancellationToken) =>
        [.. await RowsAsync("SELECT id FROM ended_session", cancellationToken)];

    private async Task<int> ExecuteAsync(string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using NpgsqlCommand command = Command(sql, values);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task<List<string>> RowsAsync(string sql, CancellationToken cancellationToken, params object[] values)
    {
        List<string> rows = [];
        await using NpgsqlCommand command = Command(sql, values);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }

    private NpgsqlCommand Command(string sql, object[] values)
    {
        NpgsqlCommand command = database.CreateCommand(sql);
        foreach (object value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }
}
