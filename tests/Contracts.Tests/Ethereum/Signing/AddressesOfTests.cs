using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Math;
using Org.BouncyCastle.Utilities;

namespace EmrMarket.Contracts.Tests.Ethereum.Signing;

/// <summary>The tables and shared inversions of the own multiples against the library's multiplication.</summary>
public class AddressesOfTests
{
    private static readonly X9ECParameters Curve = CustomNamedCurves.GetByName("secp256k1");

    [Fact]
    public void Addresses_of_many_keys_are_those_of_the_librarys_multiplication()
    {
        Random random = new(7);
        List<BigInteger> keys = [
            BigInteger.One, BigInteger.Two, Curve.N.Subtract(BigInteger.One), Curve.N.Subtract(BigInteger.Two), Curve.N.ShiftRight(1)];

        // One digit, two digits, and all but one: every place is once the first, the last and left out.
        for (int place = 0; place < 32; place++)
        {
            BigInteger unit = BigInteger.One.ShiftLeft(8 * place);
            keys.AddRange([unit, unit.Multiply(BigInteger.ValueOf(254)), unit.Add(BigInteger.One), Curve.N.Subtract(unit),
                Curve.N.Subtract(unit.Multiply(BigInteger.ValueOf(200)))]);
        }

        while (keys.Count < 700)
        {
            byte[] bytes = new byte[32];
            random.NextBytes(bytes);
            keys.Add(new BigInteger(1, bytes).Mod(Curve.N.Subtract(BigInteger.One)).Add(BigInteger.One));
        }

        byte[][] words = [.. keys.Select(key => BigIntegers.AsUnsignedByteArray(32, key))];
        Address[] expected =
            [.. keys.Select(
                key => new Address(Keccak256.Hash(Curve.G.Multiply(key).Normalize().GetEncoded(false).AsSpan(1)).ToArray().AsSpan(12)))];
        Assert.Equal(expected, EthereumAccount.AddressesOf(words));
        Assert.Equal(expected, words.Select(word => new EthereumAccount(word).Address));
        Assert.Equal(expected[..1], EthereumAccount.AddressesOf(words[..1]));
        Assert.Empty(EthereumAccount.AddressesOf([]));
    }

    [Fact]
    public void Word_that_is_no_key_is_refused()
    {
        byte[] good = BigIntegers.AsUnsignedByteArray(32, BigInteger.One);
        foreach (byte[] bad in new[] { new byte[32], BigIntegers.AsUnsignedByteArray(32, Curve.N), new byte[31], [.. good, 0] })
        {
            Assert.Throws<ArgumentException>(() => EthereumAccount.AddressesOf([good, bad]));
        }
    }
}
