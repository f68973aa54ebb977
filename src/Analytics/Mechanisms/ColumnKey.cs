using System.Security.Cryptography;
using System.Text;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>The AES-256 key of one source column: HKDF-SHA-256 (RFC 5869) of the site key with the column's name, so that no two columns share coins.</summary>
public sealed class ColumnKey
{
    private readonly byte[] _key;

    private ColumnKey(byte[] key, ushort valueVersion) => (_key, ValueVersion) = (key, valueVersion);

    /// <summary>The version of the value that is randomised; a corrected value is a new fact with coins of its own.</summary>
    public ushort ValueVersion { get; }

    /// <summary>The 32-byte key.</summary>
    internal ReadOnlySpan<byte> Bytes => _key;

    /// <summary>Derives the key of a source column.</summary>
    /// <param name="siteKey">The site's secret key, 32 bytes.</param>
    /// <param name="source">The source column.</param>
    /// <param name="valueVersion">The version of its values.</param>
    /// <exception cref="ArgumentException">The site key is not 32 bytes long.</exception>
    public static ColumnKey Derive(ReadOnlySpan<byte> siteKey, string source, ushort valueVersion = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        if (siteKey.Length != 32)
        {
            throw new ArgumentException($"A site key has 32 bytes; got {siteKey.Length}.", nameof(siteKey));
        }

        byte[] key = new byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, siteKey, key, salt: [], info: Encoding.UTF8.GetBytes("emrmarket ladder v1 " + source));
        return new ColumnKey(key, valueVersion);
    }
}
