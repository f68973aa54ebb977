using EmrMarket.Analytics.Records;
using Npgsql;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>
/// Gives a site's database a new storage key and a new data key, and seals everything again. It may be broken off anywhere and called
/// again: it goes on from what the database says, and at every moment one of the two storage keys opens everything.
/// </summary>
internal static class KeyRotation
{
    // Sixteen parts of at most 16 MiB: what one transaction holds in memory.
    private const int PartsAtOnce = 16;

    /// <summary>Rotates, or goes on with a rotation that was broken off.</summary>
    /// <param name="database">The site's database, migrated; no other process should work on it, and one that does fails and loses
    /// nothing.</param>
    /// <param name="keyFile">The file of the storage key; the next one is beside it until the end. With keys in the environment, both must
    /// be there.</param>
    /// <param name="afterStep">Called after every step that is lasting; tests break off there.</param>
    /// <param name="cancellationToken">Ends it after the step under way.</param>
    /// <returns>The parts that were sealed again.</returns>
    /// <exception cref="SealException">No key opens the database, or something in it was damaged; what was sealed again before stays
    /// so.</exception>
    /// <exception cref="InputException">The environment holds the key, but not the next one.</exception>
    public static async Task<int> RunAsync(
        NpgsqlDataSource database, string keyFile, Action<string>? afterStep, CancellationToken cancellationToken)
    {
        SiteVault vault = await SiteVault.OpenAsync(database, keyFile, cancellationToken);
        bool byEnvironment = StorageKey.FromEnvironment(StorageKey.Variable) is not null;
        StorageKey next = Next(keyFile, byEnvironment);
        afterStep?.Invoke("the next storage key is made");
        if (!vault.Wrapping.Equals(next))
        {
            await vault.WrapAgainAsync(database, next, cancellationToken);
            vault = await SiteVault.OpenAsync(database, keyFile, cancellationToken);
            afterStep?.Invoke("the next storage key opens the database");
        }

        int sealedAgain = 0;
        do
        {
            foreach ((string select, string update) in Tables)
            {
                int done;
                while ((done = await SealAgainAsync(database, vault, select, update, cancellationToken)) > 0)
                {
                    sealedAgain += done;
                    afterStep?.Invoke("some parts are sealed again");
                }
            }
        }
        while (!await ForgetAsync(database, vault.Newest, cancellationToken));
        afterStep?.Invoke("the earlier data keys are gone");

        // What was deleted would stay in the files of the database, sealed with keys that somebody may know.
        foreach (string table in (string[])["site_sealed", "grain_state", "site_key"])
        {
            await using NpgsqlCommand command = database.CreateCommand("VACUUM FULL " + table);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        if (!byEnvironment)
        {
            File.Move(StorageKey.NextFile(keyFile), keyFile, overwrite: true);
        }

        return sealedAgain;
    }

    // The columns of both: place in full, part, number of parts, sealed bytes, then what finds the row again.
    private static readonly (string Select, string Update)[] Tables =
    [
        (
            """
            SELECT place, part, (SELECT count(*) FROM site_sealed AS all_parts WHERE all_parts.place = one.place)::int, sealed, ''
            FROM site_sealed AS one WHERE key_id <> $1 LIMIT $2 FOR UPDATE
            """,
            "UPDATE site_sealed SET sealed = $1 WHERE place = $2 AND part = $3 AND $4 = ''"),
        (
            """
            SELECT 'grain ' || length(grain_type) || ':' || grain_type || ' ' || length(grain_key) || ':' || grain_key || ' ' || state_name, 0, 1, payload, ctid::text
            FROM grain_state WHERE key_id <> $1 LIMIT $2 FOR UPDATE
            """,
            "UPDATE grain_state SET payload = $1 WHERE ctid = $4::tid AND $2 <> '' AND $3 = 0"),
    ];

    private static StorageKey Next(string keyFile, bool byEnvironment)
    {
        if (byEnvironment)
        {
            return StorageKey.FromEnvironment(StorageKey.NextVariable) ?? throw new InputException(new InputProblem(
                "no-next-key", StorageKey.NextVariable, 0, "", $"{StorageKey.Variable} holds the key, so the next one has to be there too",
                $"Set {StorageKey.NextVariable} to 64 new random hexadecimal digits; when the rotation is over, move it to "
                    + $"{StorageKey.Variable}."));
        }

        string file = StorageKey.NextFile(keyFile);
        return File.Exists(file) ? StorageKey.Read(file) : StorageKey.Create(file);
    }

    private static async Task<int> SealAgainAsync(
        NpgsqlDataSource database, SiteVault vault, string select, string update, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        List<(string Place, int Part, int Parts, byte[] Sealed, string Row)> rows = [];
        await using (NpgsqlCommand command = new(
            select, connection) { Parameters = { new() { Value = vault.Newest }, new() { Value = PartsAtOnce } } })
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(
                    (reader.GetString(0), reader.GetInt32(1), reader.GetInt32(2), reader.GetFieldValue<byte[]>(3), reader.GetString(4)));
            }
        }

        foreach ((string place, int part, int parts, byte[] bytes, string row) in rows)
        {
            await using NpgsqlCommand command = new(update, connection)
            {
                Parameters = { new() { Value = vault.Seal(place, part, parts, vault.Open(place, part, parts, bytes)) },
                    new() { Value = place }, new() { Value = part }, new() { Value = row } },
            };
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return rows.Count;
    }

    /// <summary>Deletes the earlier data keys; false when something is still, or again, sealed with one of them.</summary>
    private static async Task<bool> ForgetAsync(NpgsqlDataSource database, int newest, CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlCommand command = database.CreateCommand("DELETE FROM site_key WHERE id <> $1");
            command.Parameters.Add(new NpgsqlParameter { Value = newest });
            await command.ExecuteNonQueryAsync(cancellationToken);
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation)
        {
            return false;
        }
    }
}
