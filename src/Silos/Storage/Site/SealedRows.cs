using Npgsql;
using NpgsqlTypes;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>The table of sealed content. A row is one or more parts, each sealed for its place among them, so that a part that is missing,
/// added or moved is found.</summary>
internal sealed class SealedRows(SiteVault vault)
{
    private const int PartBytes = 16 << 20;

    /// <summary>Seals and inserts rows; they must not exist.</summary>
    public async Task InsertAsync(
        NpgsqlConnection connection, IReadOnlyList<(string Place, ReadOnlyMemory<byte> Content)> rows, CancellationToken cancellationToken)
    {
        await using NpgsqlBinaryImporter importer = await connection.BeginBinaryImportAsync(
            "COPY site_sealed (place, part, sealed) FROM STDIN (FORMAT BINARY)", cancellationToken);
        foreach ((string place, ReadOnlyMemory<byte> content) in rows)
        {
            int parts = Math.Max(1, (content.Length + PartBytes - 1) / PartBytes);
            for (int part = 0; part < parts; part++)
            {
                ReadOnlyMemory<byte> bytes = content[(part * PartBytes)..Math.Min(content.Length, (part + 1) * PartBytes)];
                await importer.StartRowAsync(cancellationToken);
                await importer.WriteAsync(place, NpgsqlDbType.Text, cancellationToken);
                await importer.WriteAsync(part, NpgsqlDbType.Integer, cancellationToken);
                await importer.WriteAsync(vault.Seal(place, part, parts, bytes.Span), NpgsqlDbType.Bytea, cancellationToken);
            }
        }

        await importer.CompleteAsync(cancellationToken);
    }

    /// <summary>Deletes rows.</summary>
    public static async Task DeleteAsync(NpgsqlConnection connection, IReadOnlyList<string> places, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new("DELETE FROM site_sealed WHERE place = ANY ($1)", connection)
        {
            Parameters = { new() { Value = places.ToArray() } },
        };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The content of rows in the order asked for; null for one that does not exist.</summary>
    public async Task<byte[]?[]> ReadAsync(NpgsqlConnection connection, IReadOnlyList<string> places, CancellationToken cancellationToken)
    {
        Dictionary<string, List<byte[]>> found = new(StringComparer.Ordinal);
        await using NpgsqlCommand command = new(
            "SELECT place, sealed FROM site_sealed WHERE place = ANY ($1) ORDER BY place, part", connection)
        {
            Parameters = { new() { Value = places.ToArray() } },
        };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            string place = reader.GetString(0);
            if (!found.TryGetValue(place, out List<byte[]>? parts))
            {
                found.Add(place, parts = []);
            }

            parts.Add(reader.GetFieldValue<byte[]>(1));
        }

        return [.. places.Select(place => found.TryGetValue(place, out List<byte[]>? parts) ? Open(place, parts) : null)];
    }

    private byte[] Open(string place, List<byte[]> parts)
    {
        byte[][] opened = [.. parts.Select((part, i) => vault.Open(place, i, parts.Count, part))];
        if (opened.Length == 1)
        {
            return opened[0];
        }

        byte[] content = new byte[opened.Sum(part => part.Length)];
        int at = 0;
        foreach (byte[] part in opened)
        {
            part.CopyTo(content, at);
            at += part.Length;
        }

        return content;
    }
}
