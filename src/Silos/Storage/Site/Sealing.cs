using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace EmrMarket.Silos.Storage.Site;

/// <summary>
/// AES-256-GCM (NIST SP 800-38D) of content that is bound to its place: nonce (12 bytes, random), ciphertext, tag (16 bytes), with the
/// place as associated data. Random nonces are safe for 2^32 sealings under one key (SP 800-38D, 8.3), which is more than a site's rows
/// will ever be.
/// </summary>
internal static class Sealing
{
    /// <summary>Bytes of a key.</summary>
    public const int KeyBytes = 32;

    /// <summary>Bytes that sealing adds.</summary>
    public const int Overhead = NonceBytes + TagBytes;

    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    /// <summary>Seals content.</summary>
    public static byte[] Seal(ReadOnlySpan<byte> key, string place, ReadOnlySpan<byte> content)
    {
        byte[] whole = new byte[Overhead + content.Length];
        SealInto(key, place, content, whole);
        return whole;
    }

    /// <summary>Seals content into a span that is longer by <see cref="Overhead"/>.</summary>
    public static void SealInto(ReadOnlySpan<byte> key, string place, ReadOnlySpan<byte> content, Span<byte> whole)
    {
        using AesGcm cipher = new(key, TagBytes);
        RandomNumberGenerator.Fill(whole[..NonceBytes]);
        cipher.Encrypt(whole[..NonceBytes], content, whole[NonceBytes..^TagBytes], whole[^TagBytes..], Encoding.UTF8.GetBytes(place));
    }

    /// <summary>Opens what was sealed.</summary>
    /// <exception cref="CryptographicException">It was sealed with another key or for another place, or altered.</exception>
    public static byte[] Open(ReadOnlySpan<byte> key, string place, ReadOnlySpan<byte> whole)
    {
        if (whole.Length < Overhead)
        {
            throw new CryptographicException("it is shorter than anything sealed");
        }

        using AesGcm cipher = new(key, TagBytes);
        byte[] content = new byte[whole.Length - Overhead];
        cipher.Decrypt(whole[..NonceBytes], whole[NonceBytes..^TagBytes], whole[^TagBytes..], content, Encoding.UTF8.GetBytes(place));
        return content;
    }

    /// <summary>The place of a data key.</summary>
    public static string KeyPlace(int id) => string.Create(CultureInfo.InvariantCulture, $"emr-site 1 key {id}");

    /// <summary>The place of a row's part. The numbers stand last, so that no two rows share a place whatever they are called.</summary>
    public static string PartPlace(int key, string place, int part, int parts) =>
        string.Create(CultureInfo.InvariantCulture, $"emr-site 1 row {place} {part} {parts} {key}");
}

/// <summary>What a site's database holds cannot be opened: another key, damage or alteration.</summary>
internal sealed class SealException : Exception
{
    /// <summary>A failure.</summary>
    public SealException(string message)
        : base(message)
    {
    }

    /// <summary>A failure with its cause.</summary>
    public SealException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
