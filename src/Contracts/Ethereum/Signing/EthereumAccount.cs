using System.Security.Cryptography;
using System.Text;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>An account with its private key. The key is never part of a text, an exception or an equality.</summary>
public sealed class EthereumAccount
{
    private readonly byte[] _key;

    /// <summary>Takes a private key of 32 bytes.</summary>
    /// <exception cref="ArgumentException">Not a scalar between 1 and the group order minus 1.</exception>
    public EthereumAccount(ReadOnlySpan<byte> privateKey)
    {
        if (!Secp256k1.IsPrivateKey(privateKey))
        {
            throw new ArgumentException(
                "a private key has 32 bytes and lies between 1 and the order of secp256k1 minus 1", nameof(privateKey));
        }

        _key = privateKey.ToArray();
        Address = Secp256k1.AddressOf(_key);
    }

    /// <summary>The address that the key controls.</summary>
    public Address Address { get; }

    /// <summary>A new account from the system's cryptographic generator.</summary>
    public static EthereumAccount Generate()
    {
        Span<byte> key = stackalloc byte[32];
        do
        {
            RandomNumberGenerator.Fill(key);
        }
        while (!Secp256k1.IsPrivateKey(key));

        return new EthereumAccount(key);
    }

    /// <summary>The addresses of many private keys of 32 bytes, without keeping the keys: what a site derives for its patients.</summary>
    /// <exception cref="ArgumentException">One of them is not a scalar between 1 and the group order minus 1.</exception>
    public static Address[] AddressesOf(IReadOnlyList<byte[]> privateKeys)
    {
        ArgumentNullException.ThrowIfNull(privateKeys);
        return privateKeys.All(key => Secp256k1.IsPrivateKey(key))
            ? Secp256k1.AddressesOf(privateKeys)
            : throw new ArgumentException(
                "a private key has 32 bytes and lies between 1 and the order of secp256k1 minus 1", nameof(privateKeys));
    }

    /// <summary>The signature of a 32-byte hash, the same on every call (RFC 6979).</summary>
    public Signature Sign(Bytes32 hash) => Secp256k1.Sign(_key, hash);

    /// <summary>The address whose key signed the hash.</summary>
    /// <exception cref="InvalidSignatureException">No key can have made this signature.</exception>
    public static Address Recover(Bytes32 hash, Signature signature) => Secp256k1.Recover(hash, signature);

    /// <summary>Reads a key file: one line of 0x and 64 hexadecimal digits, readable by its owner alone.</summary>
    /// <exception cref="KeyFileException">The file is missing, open to others, or holds something else.</exception>
    public static EthereumAccount Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!File.Exists(path))
        {
            throw new KeyFileException($"there is no key file {path}: give the path of a file with one line, 0x and 64 hexadecimal digits");
        }

        if (!OperatingSystem.IsWindows()
            && (File.GetUnixFileMode(path) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)) != UnixFileMode.None)
        {
            throw new KeyFileException($"key file {path} is open to others: run chmod 600 {path}");
        }

        byte[] key;
        try
        {
            string text = File.ReadAllText(path, Encoding.ASCII).Trim();
            key = Convert.FromHexString(text.StartsWith("0x", StringComparison.Ordinal) ? text[2..] : text);
        }
        catch (FormatException)
        {
            throw new KeyFileException($"key file {path} does not hold one line of 0x and 64 hexadecimal digits");
        }

        return Secp256k1.IsPrivateKey(key)
            ? new EthereumAccount(key)
            : throw new KeyFileException(
                $"key file {path} holds {key.Length} bytes that are no private key: expected 32 bytes below the order of secp256k1");
    }

    /// <summary>Writes the key to a new file that only its owner can read.</summary>
    /// <exception cref="IOException">The file exists, or cannot be written.</exception>
    public void Save(string path)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using FileStream file = new(path, options);
        file.Write(Encoding.ASCII.GetBytes(Hex.Encode(_key) + "\n"));
        file.Flush(flushToDisk: true);
    }

    /// <summary>The account of a key file, which is made with a new key when it is missing.</summary>
    /// <exception cref="KeyFileException">The file is open to others, or holds something else.</exception>
    public static EthereumAccount LoadOrCreate(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!File.Exists(path))
        {
            Generate().Save(path);
        }

        return Load(path);
    }

    /// <summary>The address; never the key.</summary>
    public override string ToString() => Address.ToString();
}

/// <summary>A key file that is missing, open to others, or no key file.</summary>
public sealed class KeyFileException(string message) : EthereumException(message);
