using System.Globalization;
using System.Text;
using EmrMarket.Silos.Storage.Backup;
using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Tests.Upgrades;

/// <summary>A role's database of any form as text: which migrations it has had, its tables as PostgreSQL's COPY writes them, where its
/// sequences stand.</summary>
internal static class DatabaseText
{
    private const string Head = "-- migration ";

    /// <summary>Writes a database down as it stands.</summary>
    public static async Task<string> WriteAsync(NpgsqlDataSource database)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync();
        StringBuilder text = new();
        foreach ((int number, string sha256) in await DatabaseSnapshot.RowsAsync(connection,
            "SELECT number, sha256 FROM migration ORDER BY number", row => (row.GetInt32(0), row.GetString(1)), CancellationToken.None))
        {
            text.Append(CultureInfo.InvariantCulture, $"{Head}{number:0000} {sha256}\n");
        }

        foreach (string table in await DatabaseSnapshot.TablesAsync(connection, CancellationToken.None))
        {
            string columns = string.Join(", ", await DatabaseSnapshot.RowsAsync(connection,
                "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attgenerated = '' ORDER BY attnum",
                row => row.GetString(0), CancellationToken.None, table));
            using TextReader rows = await connection.BeginTextExportAsync($"COPY {table} ({columns}) TO STDOUT", CancellationToken.None);
            text.Append(CultureInfo.InvariantCulture, $"COPY {table} ({columns}) FROM STDIN;\n{await rows.ReadToEndAsync()}\\.\n");
        }

        foreach ((string name, long last) in await DatabaseSnapshot.RowsAsync(connection,
            "SELECT sequencename::text, last_value FROM pg_sequences WHERE last_value IS NOT NULL",
            row => (row.GetString(0), row.GetInt64(1)),
            CancellationToken.None))
        {
            text.Append(CultureInfo.InvariantCulture, $"SELECT setval('{name}', {last});\n");
        }

        return text.ToString();
    }

    /// <summary>The newest migration that a database had.</summary>
    public static int LevelOf(string text) => text.Split('\n').Where(line => line.StartsWith(Head, StringComparison.Ordinal))
        .Max(line => int.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture));

    /// <summary>Makes an empty database what it was.</summary>
    public static async Task LoadAsync(NpgsqlDataSource database, DatabaseRole role, string text)
    {
        string[] lines = text.Split('\n');
        Migration[] applied = [.. lines.Where(line => line.StartsWith(Head, StringComparison.Ordinal)).Select(line =>
        {
            string[] words = line.Split(' ');
            Migration same = Migrations.Of(role).Single(one => one.Number == int.Parse(words[2], CultureInfo.InvariantCulture));
            Assert.Equal(words[3], same.Sha256);
            return same;
        })];
        await Migrations.ApplyAsync(database, applied, CancellationToken.None);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync();
        for (int i = applied.Length; i < lines.Length; i++)
        {
            if (lines[i].StartsWith("COPY ", StringComparison.Ordinal))
            {
                await using TextWriter copy = await connection.BeginTextImportAsync(lines[i].TrimEnd(';'), CancellationToken.None);
                while (lines[++i] != "\\.")
                {
                    await copy.WriteAsync(lines[i] + "\n");
                }
            }
            else if (lines[i].Length > 0)
            {
                await DatabaseSnapshot.ExecuteAsync(connection, lines[i], CancellationToken.None);
            }
        }
    }
}
