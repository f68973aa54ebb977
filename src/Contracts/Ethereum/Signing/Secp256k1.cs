using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Math;
using Org.BouncyCastle.Math.EC;
using Org.BouncyCastle.Utilities;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>Deterministic ECDSA (RFC 6979 with SHA-256) over secp256k1 (SEC 2, 2.4.1), with recovery of the public key.</summary>
/// <remarks>The arithmetic is the library's and is not constant-time: keys sign on the machine that owns them.</remarks>
internal static class Secp256k1
{
    private static readonly X9ECParameters Curve = CustomNamedCurves.GetByName("secp256k1");
    private static readonly BigInteger HalfOrder = Curve.N.ShiftRight(1);

    public static bool IsPrivateKey(ReadOnlySpan<byte> key) =>
        key.Length == 32 && new BigInteger(1, key.ToArray()) is { SignValue: > 0 } scalar && scalar.CompareTo(Curve.N) < 0;

    public static Address AddressOf(byte[] privateKey) => AddressOf(GeneratorMultiples.Of(privateKey).Normalize());

    /// <summary>The addresses of many keys, several times faster than one by one.</summary>
    public static Address[] AddressesOf(IReadOnlyList<byte[]> privateKeys) =>
        Array.ConvertAll(GeneratorMultiples.Of(privateKeys), AddressOf);

    /// <summary>The addresses of sums of a point and a multiple of the generator each; null for the point at infinity.</summary>
    public static Address?[] AddressesOf(IReadOnlyList<AffinePoint> points, IReadOnlyList<byte[]> scalars) =>
        Array.ConvertAll(GeneratorMultiples.Add(points, scalars), point => point is { } sum ? AddressOf(sum) : (Address?)null);

    public static AffinePoint PointOf(byte[] privateKey) => AffinePoint.Of(GeneratorMultiples.Of(privateKey).Normalize());

    /// <summary>Reads a point of 33 bytes; SEC 1, 2.3.4.</summary>
    public static AffinePoint Decode(ReadOnlySpan<byte> compressed)
    {
        if (compressed.Length == 1 + FieldElement.Length && compressed[0] is 2 or 3)
        {
            try
            {
                return AffinePoint.Of(Curve.Curve.DecodePoint(compressed.ToArray()));
            }
            catch (Exception e) when (e is ArgumentException or FormatException)
            {
                // Said below, without the library's words.
            }
        }

        throw new ArgumentException(
            "a public key has 33 bytes: 2 or 3, then the x-coordinate of a point of secp256k1", nameof(compressed));
    }

    public static Signature Sign(byte[] privateKey, Bytes32 hash)
    {
        BigInteger key = new(1, privateKey);
        byte[] message = hash.ToArray();
        BigInteger e = new(1, message);
        HMacDsaKCalculator nonces = new(new Sha256Digest());
        nonces.Init(Curve.N, key, message);
        while (true)
        {
            BigInteger k = nonces.NextK();
            ECPoint point = GeneratorMultiples.Of(BigIntegers.AsUnsignedByteArray(32, k)).Normalize();
            BigInteger x = point.AffineXCoord.ToBigInteger();
            BigInteger s = BigIntegers.ModOddInverse(Curve.N, k).Multiply(e.Add(key.Multiply(x))).Mod(Curve.N);

            // An x of n or more (probability 2^-128) would need a recovery bit that no transaction carries.
            if (x.SignValue == 0 || x.CompareTo(Curve.N) >= 0 || s.SignValue == 0)
            {
                continue;
            }

            bool odd = point.AffineYCoord.TestBitZero();
            if (s.CompareTo(HalfOrder) > 0)
            {
                s = Curve.N.Subtract(s);
                odd = !odd;
            }

            return new Signature(Word(x), Word(s), odd ? (byte)1 : (byte)0);
        }
    }

    /// <summary>The address whose key made the signature; SEC 1, 4.1.6.</summary>
    public static Address Recover(Bytes32 hash, Signature signature)
    {
        BigInteger r = new(1, signature.R.ToArray());
        BigInteger s = new(1, signature.S.ToArray());
        if (r.SignValue == 0 || r.CompareTo(Curve.N) >= 0 || s.SignValue == 0 || s.CompareTo(HalfOrder) > 0 || signature.YParity > 1)
        {
            throw new InvalidSignatureException(
                "r, s or the parity is out of range: expected 0 < r < n, 0 < s <= n / 2 (EIP-2), parity 0 or 1");
        }

        ECPoint point;
        try
        {
            byte[] compressed = [(byte)(2 + signature.YParity), .. signature.R.ToArray()];
            point = Curve.Curve.DecodePoint(compressed);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw new InvalidSignatureException("r is not the x-coordinate of a point of secp256k1: the signature is damaged");
        }

        BigInteger inverse = BigIntegers.ModOddInverse(Curve.N, r);
        BigInteger e1 = Curve.N.Subtract(new BigInteger(1, hash.ToArray()).Mod(Curve.N)).Multiply(inverse).Mod(Curve.N);
        ECPoint publicKey = ECAlgorithms.SumOfTwoMultiplies(Curve.G, e1, point, s.Multiply(inverse).Mod(Curve.N));
        return publicKey.IsInfinity
            ? throw new InvalidSignatureException("the signature recovers no public key: it belongs to another message")
            : AddressOf(publicKey.Normalize());
    }

    private static Address AddressOf(ECPoint publicKey) => AddressOf(AffinePoint.Of(publicKey));

    public static Address AddressOf(AffinePoint publicKey)
    {
        Span<byte> point = stackalloc byte[2 * FieldElement.Length];
        publicKey.X.Write(point);
        publicKey.Y.Write(point[FieldElement.Length..]);
        return new Address(Keccak256.Hash(point).ToArray().AsSpan(12));
    }

    private static Bytes32 Word(BigInteger value)
    {
        byte[] digits = value.ToByteArrayUnsigned();
        Span<byte> word = stackalloc byte[32];
        word.Clear();
        digits.CopyTo(word[(32 - digits.Length)..]);
        return new Bytes32(word);
    }
}
