using System.Numerics;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>An ECDSA signature over secp256k1 with the parity of R.y, from which the signer's address is recovered.</summary>
/// <param name="R">The x-coordinate of R modulo the group order, 1 to n - 1.</param>
/// <param name="S">The low s of EIP-2, 1 to n / 2.</param>
/// <param name="YParity">1 when R.y is odd, else 0.</param>
public readonly record struct Signature(Bytes32 R, Bytes32 S, byte YParity)
{
    /// <summary>The v that contracts take (ecrecover, EIP-2612 permit): 27 or 28.</summary>
    public byte V => (byte)(27 + YParity);

    /// <summary>The 65 bytes r, s, v that OpenZeppelin's ECDSA takes.</summary>
    public byte[] ToBytes() => [.. R.ToArray(), .. S.ToArray(), V];

    /// <summary>Reads the 65 bytes r, s, v.</summary>
    /// <exception cref="InvalidSignatureException">Not 65 bytes, or v is neither 27 nor 28.</exception>
    public static Signature FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length == 65 && bytes[64] is 27 or 28
        ? new Signature(new Bytes32(bytes[..32]), new Bytes32(bytes[32..64]), (byte)(bytes[64] - 27))
        : throw new InvalidSignatureException("a signature has 65 bytes r, s, v with v = 27 or 28, got "
            + (bytes.Length == 65 ? $"v = {bytes[64]}" : $"{bytes.Length} bytes"));

    internal static BigInteger ToInteger(Bytes32 word) => new(word.ToArray(), isUnsigned: true, isBigEndian: true);
}

/// <summary>A signature that no key can have made, or one outside the canonical form of EIP-2.</summary>
public sealed class InvalidSignatureException(string message) : EthereumException(message);
