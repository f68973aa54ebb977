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
        Array.ConvertAll(GeneratorMultiples.Of(privateKeys), point => AddressOf(point.X.GetEncoded(), point.Y.GetEncoded()));

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

    private static Address AddressOf(ECPoint publicKey) =>
        AddressOf(publicKey.AffineXCoord.GetEncoded(), publicKey.AffineYCoord.GetEncoded());

    private static Address AddressOf(byte[] x, byte[] y)
    {
        Span<byte> point = stackalloc byte[64];
        x.CopyTo(point);
        y.CopyTo(point[32..]);
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

    /// <summary>
    /// Multiples of the generator by a table: for each byte of the scalar the 255 multiples of its place, so that a product is 31 additions
    /// and no doubling (Brickell, Gordon, McCurley and Wilson 1992, doi:10.1007/3-540-47555-9_18). Built from the library's points once,
    /// 8,160 of them.
    /// </summary>
    private static class GeneratorMultiples
    {
        private const int Digits = 256;
        private static readonly ECPoint[] Table = Build();

        public static ECPoint Of(byte[] scalar)
        {
            ECPoint sum = Curve.Curve.Infinity;
            for (int place = 0; place < 32; place++)
            {
                int digit = scalar[31 - place];
                if (digit != 0)
                {
                    sum = sum.Add(Table[(place * Digits) + digit]);
                }
            }

            return sum;
        }

        /// <summary>
        /// Those of many scalars, place by place for all of them, in affine coordinates: an addition then takes one inversion, which all
        /// share by three products each (Montgomery 1987, doi:10.1090/S0025-5718-1987-0866113-7, 10.3.1), and so half the products of one
        /// in Jacobian coordinates. Scalars are in [1, n):
        /// what has been summed is then never the point that is added to it, nor its opposite, because it is a smaller multiple and not the
        /// order's complement.
        /// </summary>
        public static (ECFieldElement X, ECFieldElement Y)[] Of(IReadOnlyList<byte[]> scalars)
        {
            var sums = new (ECFieldElement X, ECFieldElement Y)[scalars.Count];
            int[] added = new int[scalars.Count];
            ECPoint[] points = new ECPoint[scalars.Count];
            ECFieldElement[] distances = new ECFieldElement[scalars.Count], products = new ECFieldElement[scalars.Count];
            for (int place = 0; place < 32; place++)
            {
                int count = 0;
                for (int i = 0; i < scalars.Count; i++)
                {
                    int digit = scalars[i][31 - place];
                    if (digit == 0)
                    {
                        continue;
                    }

                    ECPoint point = Table[(place * Digits) + digit];
                    if (sums[i].X is null)
                    {
                        sums[i] = (point.AffineXCoord, point.AffineYCoord);
                        continue;
                    }

                    (added[count], points[count]) = (i, point);
                    distances[count] = point.AffineXCoord.Subtract(sums[i].X);
                    products[count] = count == 0 ? distances[0] : products[count - 1].Multiply(distances[count]);
                    count++;
                }

                if (count == 0)
                {
                    continue;
                }

                ECFieldElement inverse = products[count - 1].Invert();
                for (int k = count - 1; k >= 0; k--)
                {
                    ECFieldElement ownInverse = k == 0 ? inverse : inverse.Multiply(products[k - 1]);
                    inverse = inverse.Multiply(distances[k]);
                    (ECFieldElement x, ECFieldElement y) = sums[added[k]];
                    ECFieldElement slope = points[k].AffineYCoord.Subtract(y).Multiply(ownInverse);
                    ECFieldElement sumX = slope.Square().Subtract(x).Subtract(points[k].AffineXCoord);
                    sums[added[k]] = (sumX, slope.Multiply(x.Subtract(sumX)).Subtract(y));
                }
            }

            return sums;
        }

        private static ECPoint[] Build()
        {
            ECPoint[] table = new ECPoint[32 * Digits];
            ECPoint unit = Curve.G;
            for (int place = 0; place < 32; place++)
            {
                table[place * Digits] = Curve.Curve.Infinity;
                for (int digit = 1; digit < Digits; digit++)
                {
                    table[(place * Digits) + digit] = table[(place * Digits) + digit - 1].Add(unit);
                }

                unit = table[(place * Digits) + Digits - 1].Add(unit);
            }

            Curve.Curve.NormalizeAll(table);
            return table;
        }
    }
}
