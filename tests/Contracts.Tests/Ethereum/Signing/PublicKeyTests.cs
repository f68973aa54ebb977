using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Math;
using Org.BouncyCastle.Utilities;

namespace EmrMarket.Contracts.Tests.Ethereum.Signing;

public class PublicKeyTests
{
    private static readonly BigInteger Order = CustomNamedCurves.GetByName("secp256k1").N;

    [Fact]
    public void Key_is_read_back_from_its_compressed_form_and_has_the_address_of_its_private_key()
    {
        X9ECParameters curve = CustomNamedCurves.GetByName("secp256k1");
        foreach (BigInteger key in Keys(50))
        {
            PublicKey known = PublicKey.Of(Word(key));
            Assert.Equal(curve.G.Multiply(key).Normalize().GetEncoded(true), known.ToArray());
            Assert.Equal(known, new PublicKey(known.ToArray()));
            Assert.Equal(new EthereumAccount(Word(key)).Address, known.Address);
        }
    }

    [Fact]
    public void Child_addresses_are_those_of_the_sum_of_the_private_keys()
    {
        BigInteger[] parents = Keys(300), tweaks = [.. Keys(600).Skip(300)];

        // Parent and tweak equal, which doubles, and opposite, which cancels out: a parent may be chosen so.
        (parents[10], parents[20]) = (tweaks[10], Order.Subtract(tweaks[20]));
        Address?[] children = PublicKey.ChildAddresses(
            [.. parents.Select(key => PublicKey.Of(Word(key)))], [.. tweaks.Select(Word)]);
        Assert.Null(children[20]);
        for (int i = 0; i < parents.Length; i++)
        {
            Assert.Equal(i == 20 ? null : new EthereumAccount(Word(parents[i].Add(tweaks[i]).Mod(Order))).Address, children[i]);
        }
    }

    [Fact]
    public void What_is_no_point_and_tweaks_out_of_range_are_refused()
    {
        byte[] good = PublicKey.Of(Word(BigInteger.One)).ToArray();
        byte[] noPoint = [2, .. new byte[31], 5];
        foreach (byte[] bad in new[] { noPoint, good[..32], [.. good, 0], [4, .. good[1..]], [2, .. Enumerable.Repeat((byte)255, 32)] })
        {
            Assert.Throws<ArgumentException>(() => new PublicKey(bad));
        }

        Assert.Throws<ArgumentException>(() => PublicKey.ChildAddresses([new PublicKey(good)], [new byte[32]]));
        Assert.Throws<ArgumentException>(() => PublicKey.ChildAddresses([new PublicKey(good)], []));
        Assert.Throws<ArgumentException>(() => PublicKey.Of(Word(Order)));
    }

    private static BigInteger[] Keys(int count)
    {
        Random random = new(20261122);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            byte[] bytes = new byte[32];
            random.NextBytes(bytes);
            return new BigInteger(1, bytes).Mod(Order.Subtract(BigInteger.One)).Add(BigInteger.One);
        })];
    }

    private static byte[] Word(BigInteger value) => BigIntegers.AsUnsignedByteArray(32, value);
}
