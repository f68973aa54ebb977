using System.Globalization;
using EmrMarket.Grains.Embedded.State;
using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>The state of grains in PostgreSQL: one row per state, written only over the version that the writer knows.</summary>
/// <param name="database">The role's database, migrated.</param>
internal sealed class PostgresGrainStateStore(NpgsqlDataSource database) : IGrainStateStore
{
    private const string Place = "grain_type = $1 AND grain_key = $2 AND state_name = $3";

    /// <inheritdoc/>
    public async Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = Command($"SELECT payload, version FROM grain_state WHERE {Place}", key);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new StoredGrainState(reader.GetFieldValue<byte[]>(0), Etag(reader.GetInt64(1))) : null;
    }

    /// <inheritdoc/>
    public async Task<string> WriteAsync(
        GrainStateKey key, ReadOnlyMemory<byte> payload, string? expectedEtag, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = expectedEtag is null
            ? Command(
                "INSERT INTO grain_state (grain_type, grain_key, state_name, payload) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING "
                    + "RETURNING version", key, payload)
            : Command(
                $"UPDATE grain_state SET payload = $4, version = nextval('grain_state_version') WHERE {Place} AND version = $5 RETURNING "
                    + "version", key, payload, Version(expectedEtag));
        return await command.ExecuteScalarAsync(cancellationToken) is long version
            ? Etag(version)
            : throw key.Conflict((await ReadAsync(key, cancellationToken))?.Etag, expectedEtag);
    }

    /// <inheritdoc/>
    public async Task ClearAsync(GrainStateKey key, string? expectedEtag, CancellationToken cancellationToken)
    {
        if (expectedEtag is null)
        {
            if (await ReadAsync(key, cancellationToken) is { } stored)
            {
                throw key.Conflict(stored.Etag, expectedEtag);
            }

            return;
        }

        await using NpgsqlCommand command = Command($"DELETE FROM grain_state WHERE {Place} AND version = $4", key, Version(expectedEtag));
        if (await command.ExecuteNonQueryAsync(cancellationToken) == 0)
        {
            throw key.Conflict((await ReadAsync(key, cancellationToken))?.Etag, expectedEtag);
        }
    }

    private NpgsqlCommand Command(string sql, GrainStateKey key, params object[] others)
    {
        NpgsqlCommand command = database.CreateCommand(sql);
        foreach (object value in (object[])[key.GrainType, key.GrainKey, key.StateName, .. others])
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }

    private static string Etag(long version) => version.ToString(CultureInfo.InvariantCulture);

    // What is no version of this store is never stored: versions begin at 1.
    private static long Version(string etag) => long.TryParse(etag, NumberStyles.None, CultureInfo.InvariantCulture, out long version)
        ? version : 0;
}
