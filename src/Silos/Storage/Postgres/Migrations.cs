using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace EmrMarket.Silos.Storage.Postgres;

/// <summary>
/// Brings a role's database to the form that this program needs: numbered SQL files, each in one transaction, recorded with its SHA-256.
/// Numbers rise over all folders; a role gets the files in Common and its own. A database that is newer than the program, or whose past
/// differs from the program's, is left alone and refused. Every table is fenced (<see cref="StoreFence"/>).
/// </summary>
internal static class Migrations
{
    /// <summary>The table of what was applied.</summary>
    internal const string Table =
        "CREATE TABLE IF NOT EXISTS migration (number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied timestamptz NOT "
            + "NULL DEFAULT now())";

    private const string Prefix = "EmrMarket.Migrations.";

    // Any number, the same in every program: only one of them migrates a database at a time.
    private const long LockKey = 0x656d725f6d696772;

    /// <summary>Applies what a role's database lacks; says how many files that were.</summary>
    /// <exception cref="MigrationException">The database is newer, or a past file was changed. Nothing was applied.</exception>
    public static async Task<int> ApplyAsync(NpgsqlDataSource database, DatabaseRole role, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(database);
        return await ApplyAsync(database, Of(role), cancellationToken);
    }

    internal static async Task<int> ApplyAsync(
        NpgsqlDataSource database, IReadOnlyList<Migration> wanted, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync(connection, string.Create(CultureInfo.InvariantCulture, $"SELECT pg_advisory_lock({LockKey})"),
            cancellationToken);
        try
        {
            await ExecuteAsync(connection, Table, cancellationToken);
            List<(int Number, string Name, string Sha256)> applied = await AppliedAsync(connection, cancellationToken);
            foreach ((int number, string name, string sha256) in applied)
            {
                Migration? same = wanted.FirstOrDefault(one => one.Number == number);
                if (same is null || same.Sha256 != sha256)
                {
                    throw new MigrationException(same is null
                        ? $"The database has migration {number:0000} ({name}), which this program does not know: it was made by a later "
                            + "version. Use that one."
                        : $"Migration {number:0000} ({name}) was applied in another form than this program's: expected SHA-256 "
                            + $"{same.Sha256}, applied {sha256}. A past migration is never changed; add a new one.");
                }
            }

            Migration[] missing = [.. wanted.Where(migration => !applied.Exists(one => one.Number == migration.Number))];
            foreach (Migration migration in missing)
            {
                await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
                await ApplyAsync(connection, migration, cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }

            await StoreFence.RaiseAsync(connection, cancellationToken);
            return missing.Length;
        }
        finally
        {
            await ExecuteAsync(connection, string.Create(CultureInfo.InvariantCulture, $"SELECT pg_advisory_unlock({LockKey})"),
                CancellationToken.None);
        }
    }

    /// <summary>Applies one file and records it, within the transaction of the connection.</summary>
    internal static async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await ExecuteAsync(connection, migration.Sql, cancellationToken);
        await using NpgsqlCommand record = new("INSERT INTO migration (number, name, sha256) VALUES ($1, $2, $3)", connection)
        {
            Parameters = { new() { Value = migration.Number }, new() { Value = migration.Name }, new() { Value = migration.Sha256 } },
        };
        await record.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The files of a role by rising number.</summary>
    internal static Migration[] Of(DatabaseRole role) =>
    [
        .. typeof(Migrations).Assembly.GetManifestResourceNames()
            .Where(resource => resource.StartsWith(Prefix + "Common/", StringComparison.Ordinal)
                || resource.StartsWith($"{Prefix}{role}/", StringComparison.Ordinal))
            .Select(resource =>
            {
                using Stream stream = typeof(Migrations).Assembly.GetManifestResourceStream(resource)!;
                using StreamReader reader = new(stream);
                string name = resource[(resource.LastIndexOf('/') + 1)..];
                return new Migration(int.Parse(name[..4], CultureInfo.InvariantCulture), name[5..],
                    reader.ReadToEnd().ReplaceLineEndings("\n"));
            })
            .OrderBy(migration => migration.Number),
    ];

    private static async Task<List<(int, string, string)>> AppliedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        List<(int, string, string)> applied = [];
        await using NpgsqlCommand command = new("SELECT number, name, sha256 FROM migration ORDER BY number", connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            applied.Add((reader.GetInt32(0), reader.GetString(1), reader.GetString(2)));
        }

        return applied;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

/// <summary>One file of SQL.</summary>
/// <param name="Number">From 1, no two alike.</param>
/// <param name="Name">What it is about.</param>
/// <param name="Sql">The statements.</param>
internal sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>SHA-256 of the statements with line feeds.</summary>
    public string Sha256 => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql)));
}

/// <summary>A database cannot be brought to the form that this program needs.</summary>
internal sealed class MigrationException(string message) : Exception(message);
