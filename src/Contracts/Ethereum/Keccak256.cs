using System.Text;
using Org.BouncyCastle.Crypto.Digests;

namespace EmrMarket.Contracts.Ethereum;

/// <summary>The hash of Ethereum: Keccak with 256 bits and the padding from before FIPS 202, hence not SHA3-256.</summary>
public static class Keccak256
{
    // A digest is 400 bytes of state and stateless between hashes: one per thread saves an allocation on every leaf of a tree.
    [ThreadStatic]
    private static KeccakDigest? _digest;

    [ThreadStatic]
    private static byte[]? _buffer;

    /// <summary>The hash of the bytes.</summary>
    public static Bytes32 Hash(ReadOnlySpan<byte> bytes)
    {
        KeccakDigest digest = _digest ??= new KeccakDigest(256);
        byte[] buffer = _buffer ??= new byte[4096];
        for (ReadOnlySpan<byte> rest = bytes; rest.Length > 0;)
        {
            int count = Math.Min(rest.Length, buffer.Length);
            rest[..count].CopyTo(buffer);
            digest.BlockUpdate(buffer, 0, count);
            rest = rest[count..];
        }

        digest.DoFinal(buffer, 0);
        return new Bytes32(buffer.AsSpan(0, Bytes32.Length));
    }

    /// <summary>The hash of a text's UTF-8 bytes, as for signatures of functions and types.</summary>
    public static Bytes32 Hash(string text) => Hash(Encoding.UTF8.GetBytes(text));
}
