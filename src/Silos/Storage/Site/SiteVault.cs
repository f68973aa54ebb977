using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>
/// The data keys of a site's database, unwrapped in memory. What is sealed begins with the number of its key (4 bytes, big-endian); new
/// content is sealed under the newest key, and old content stays readable until the rotation that made the newest one has sealed it again.
/// </summary>
internal sealed class SiteVault
{
    private const int NumberBytes = sizeof(int);
    private readonly SortedDictionary<int, byte[]> _keys;

    private SiteVault(SortedDictionary<int, byte[]> keys, StorageKey wrapping) => (_keys, Wrapping) = (keys, wrapping);

    /// <summary>The number of the newest key.</summary>
    public int Newest => _keys.Keys.Last();

    /// <summary>The numbers of the keys.</summary>
    public IReadOnlyCollection<int> Numbers => _keys.Keys;

    /// <summary>The storage key that opened it.</summary>
    public StorageKey Wrapping { get; }

    /// <summary>Opens the vault of a database; makes it, with a first key, where there is none.</summary>
    /// <param name="database">The site's database, migrated.</param>
    /// <param name="keyFile">The file of the storage key; made where neither it nor a key in the environment nor a vault exists.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SealException">No key opens it: what is there was sealed with another one.</exception>
    public static async Task<SiteVault> OpenAsync(NpgsqlDataSource database, string keyFile, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        List<(int Id, byte[] Wrapped)> stored = await StoredAsync(connection, cancellationToken);
        StorageKey[] candidates = StorageKey.Find(keyFile);
        if (stored.Count == 0)
        {
            StorageKey wrapping = candidates.Length > 0 ? candidates[0] : StorageKey.Create(keyFile);
            await using NpgsqlCommand insert = new("INSERT INTO site_key (id, wrapped) VALUES (1, $1) ON CONFLICT DO NOTHING", connection)
            {
                Parameters = { new() { Value = wrapping.Wrap(1, RandomNumberGenerator.GetBytes(Sealing.KeyBytes)) } },
            };
            await insert.ExecuteNonQueryAsync(cancellationToken);
            stored = await StoredAsync(connection, cancellationToken);
            candidates = [wrapping];
        }

        foreach (StorageKey candidate in candidates)
        {
            try
            {
                return new SiteVault(new SortedDictionary<int, byte[]>(
                    stored.ToDictionary(key => key.Id, key => candidate.Unwrap(key.Id, key.Wrapped))), candidate);
            }
            catch (CryptographicException)
            {
                // Another one may be the right one: a rotation that was interrupted leaves two.
            }
        }

        throw new SealException(candidates.Length == 0
            ? $"the site's database is sealed, and there is no storage key: neither {StorageKey.Variable} nor {keyFile}. Restore the key "
                + "from its backup; without it the data cannot be read"
            : $"the storage key ({StorageKey.Variable} or {keyFile}) does not open the site's database: it was made with another key, or "
                + "its table site_key was altered. Restore the right key from its backup");
    }

    /// <summary>The place of a grain's state; its parts cannot run into each other, since each comes after its length.</summary>
    public static string GrainPlace(string type, string key, string name) =>
        string.Create(CultureInfo.InvariantCulture, $"grain {type.Length}:{type} {key.Length}:{key} {name}");

    /// <summary>Seals a part of a row.</summary>
    public byte[] Seal(string place, int part, int parts, ReadOnlySpan<byte> content)
    {
        (int number, byte[] key) = _keys.Last();
        byte[] whole = new byte[NumberBytes + Sealing.Overhead + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(whole, number);
        Sealing.SealInto(key, Sealing.PartPlace(number, place, part, parts), content, whole.AsSpan(NumberBytes));
        return whole;
    }

    /// <summary>Opens a part of a row.</summary>
    /// <exception cref="SealException">It was sealed for another place, altered, or sealed with a key that is not here.</exception>
    public byte[] Open(string place, int part, int parts, ReadOnlySpan<byte> whole)
    {
        int number = whole.Length >= NumberBytes ? BinaryPrimitives.ReadInt32BigEndian(whole) : 0;
        if (!_keys.TryGetValue(number, out byte[]? key))
        {
            throw new SealException(string.Create(
                CultureInfo.InvariantCulture,
                $"row '{place}' of the site's database is sealed with key {number}, which was not there when this process began: the "
                    + $"keys were rotated. Start it again"));
        }

        try
        {
            return Sealing.Open(key, Sealing.PartPlace(number, place, part, parts), whole[NumberBytes..]);
        }
        catch (CryptographicException e)
        {
            throw new SealException(
                $"part {part + 1} of {parts} of row '{place}' of the site's database was damaged or altered: restore it from a backup", e);
        }
    }

    /// <summary>Wraps the data keys under another storage key and adds a new data key, all at once. This vault is out of date
    /// afterwards.</summary>
    public async Task WrapAgainAsync(NpgsqlDataSource database, StorageKey next, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach ((int id, byte[] key) in _keys)
        {
            await ExecuteAsync("UPDATE site_key SET wrapped = $2 WHERE id = $1", id, next.Wrap(id, key));
        }

        int added = Newest + 1;
        await ExecuteAsync("INSERT INTO site_key (id, wrapped) VALUES ($1, $2)", added,
            next.Wrap(added, RandomNumberGenerator.GetBytes(Sealing.KeyBytes)));
        await transaction.CommitAsync(cancellationToken);

        async Task ExecuteAsync(string sql, int id, byte[] wrapped)
        {
            await using NpgsqlCommand command = new(sql, connection) { Parameters = { new() { Value = id }, new() { Value = wrapped } } };
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private static async Task<List<(int Id, byte[] Wrapped)>> StoredAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        List<(int, byte[])> stored = [];
        await using NpgsqlCommand command = new("SELECT id, wrapped FROM site_key ORDER BY id", connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            stored.Add((reader.GetInt32(0), reader.GetFieldValue<byte[]>(1)));
        }

        return stored;
    }
}
