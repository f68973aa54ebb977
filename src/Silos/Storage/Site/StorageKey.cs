using System.Security.Cryptography;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>
/// The key that wraps the data keys of a site's database, 32 bytes: from the environment, or from a file of mode 0600. A database and its
/// backups are readable by whoever has both, and by nobody, the site included, without the key.
/// </summary>
internal sealed class StorageKey : IEquatable<StorageKey>
{
    /// <summary>The variable that holds the key as 64 hexadecimal digits; it goes before the file.</summary>
    public const string Variable = "EMR__SITE__STORAGEKEY";

    /// <summary>The variable that holds the next key while a rotation is under way.</summary>
    public const string NextVariable = "EMR__SITE__NEXTSTORAGEKEY";

    private readonly byte[] _key;

    /// <summary>A key.</summary>
    /// <param name="key">32 bytes.</param>
    public StorageKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != SecretFile.Bytes)
        {
            throw new ArgumentException($"a storage key has {SecretFile.Bytes} bytes", nameof(key));
        }

        _key = key.ToArray();
    }

    /// <summary>The file that holds the next key while a rotation is under way.</summary>
    public static string NextFile(string file) => file + ".next";

    /// <summary>The keys that may open the database, the usual one first: a rotation that was interrupted leaves two. Empty when there is
    /// none yet.</summary>
    /// <param name="file">The key file, read when the environment holds no key.</param>
    /// <exception cref="InputException">A key is malformed, or others may read its file.</exception>
    public static StorageKey[] Find(string file)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        return FromEnvironment(Variable) is { } key
            ? [key, .. FromEnvironment(NextVariable) is { } next ? [next] : Array.Empty<StorageKey>()]
            : [.. new[] { file, NextFile(file) }.Where(File.Exists).Select(Read)];
    }

    /// <summary>The key in a variable of the environment; null when it is not set.</summary>
    public static StorageKey? FromEnvironment(string variable) => Environment.GetEnvironmentVariable(variable) is not { Length: > 0 } text
        ? null
        : text.Length == 2 * SecretFile.Bytes && text.All(char.IsAsciiHexDigit) ? new StorageKey(Convert.FromHexString(text))
        : throw new InputException(
            new InputProblem("malformed-key", variable, 0, "", $"expected {2 * SecretFile.Bytes} hexadecimal digits",
                "Set it to the key that the database was made with."));

    /// <summary>The key in a file.</summary>
    /// <exception cref="InputException">There is no such file, others may read it, or it holds no key.</exception>
    public static StorageKey Read(string file) =>
        new(SecretFile.Read(file, "Restore the storage key from its backup: the site's database cannot be read without it."));

    /// <summary>Makes a new random key in a file that does not exist yet.</summary>
    public static StorageKey Create(string file)
    {
        SecretFile.Create(file, "storage key");
        return Read(file);
    }

    /// <summary>Wraps a data key.</summary>
    public byte[] Wrap(int id, ReadOnlySpan<byte> dataKey) => Sealing.Seal(_key, Sealing.KeyPlace(id), dataKey);

    /// <summary>Unwraps a data key.</summary>
    /// <exception cref="CryptographicException">It was wrapped by another key, or altered.</exception>
    public byte[] Unwrap(int id, ReadOnlySpan<byte> wrapped) => Sealing.Open(_key, Sealing.KeyPlace(id), wrapped);

    /// <inheritdoc/>
    public bool Equals(StorageKey? other) => other is not null && CryptographicOperations.FixedTimeEquals(_key, other._key);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as StorageKey);

    // Nothing of the key leaves it, not even as a hash.
    /// <inheritdoc/>
    public override int GetHashCode() => 0;
}
