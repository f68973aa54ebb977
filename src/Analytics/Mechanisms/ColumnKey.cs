using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>
/// The AES-256 key of one source column: HKDF-SHA-256 (RFC 5869) of the site key with the column's name, so that no two columns share
/// coins.
/// </summary>
public sealed class ColumnKey
{
    private readonly byte[] _key;

    private ColumnKey(byte[] key, ushort valueVersion) => (_key, ValueVersion) = (key, valueVersion);

    /// <summary>The version of the value that is randomised; a corrected value is a new fact with coins of its own.</summary>
    public ushort ValueVersion { get; }

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

    /// <summary>
    /// The generator of one use of this column's coins. Two ladders over one column (another mechanism, domain or grades) must not share
    /// coins: their losses add only when their coins are independent.
    /// </summary>
    /// <param name="use">What the coins are for; equal uses have equal coins.</param>
    internal CoinCipher CipherFor(string use)
    {
        Span<byte> key = stackalloc byte[32];
        HKDF.Expand(HashAlgorithmName.SHA256, _key, key, Encoding.UTF8.GetBytes(use));
        return new CoinCipher(key);
    }
}
