using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Tests.Ethereum.Cast;
using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Math;
using Org.BouncyCastle.Utilities;

namespace EmrMarket.Contracts.Tests.Ethereum.Signing;

/// <summary>Children by addition against the library's integers and Foundry's cast.</summary>
public class ChildKeysTests
{
    private static readonly X9ECParameters Curve = CustomNamedCurves.GetByName("secp256k1");

    [Fact]
    public void Child_is_the_sum_modulo_the_order_and_its_address_follows_from_the_public_key_alone()
    {
        foreach ((BigInteger key, BigInteger tweak) in Pairs())
        {
            byte[] child = ChildKeys.Private(Word(key), Word(tweak));
            Assert.Equal(Word(key.Add(tweak).Mod(Curve.N)), child);
            Assert.Equal(new EthereumAccount(child).Address, PublicKey.ChildAddresses([PublicKey.Of(Word(key))], [Word(tweak)])[0]);
        }
    }

    [RequiresFact(Tool.Cast)]
    public void Address_of_a_child_is_that_of_cast()
    {
        (BigInteger Key, BigInteger Tweak)[] pairs = [.. Pairs().TakeLast(8)];
        string[] answers = CastOracle.Ask([.. pairs.Select(pair => (string[])
            ["wallet", "address", "--private-key", Hex.Encode(Word(pair.Key.Add(pair.Tweak).Mod(Curve.N)))])]);
        Assert.Equal(
            answers.Select(answer => (Address?)Address.Parse(answer)),
            PublicKey.ChildAddresses([.. pairs.Select(pair => PublicKey.Of(Word(pair.Key)))], [.. pairs.Select(pair => Word(pair.Tweak))]));
    }

    [Fact]
    public void Sum_that_is_the_order_gives_the_key_itself()
    {
        BigInteger key = new("123456789012345678901234567890");
        byte[] opposite = Word(Curve.N.Subtract(key));
        Assert.Equal(Word(key), ChildKeys.Private(Word(key), opposite));
        Assert.Throws<ArgumentException>(() => ChildKeys.Private(Word(key), opposite.AsSpan(1)));
    }

    private static byte[] Word(BigInteger value) => BigIntegers.AsUnsignedByteArray(32, value);

    /// <summary>Sums that carry over no limb, over each, over the order and over 2^256.</summary>
    private static IEnumerable<(BigInteger Key, BigInteger Tweak)> Pairs()
    {
        BigInteger last = Curve.N.Subtract(BigInteger.One);
        yield return (BigInteger.One, BigInteger.One);
        yield return (last, BigInteger.Two);
        yield return (last, last);
        yield return (BigInteger.One, last.Subtract(BigInteger.One));
        for (int limb = 1; limb < 4; limb++)
        {
            BigInteger full = BigInteger.One.ShiftLeft(64 * limb).Subtract(BigInteger.One);
            yield return (full, BigInteger.One);
            yield return (full, full);
            yield return (Curve.N.Subtract(full), full.Add(BigInteger.One));
        }

        Random random = new(11);
        for (int i = 0; i < 60; i++)
        {
            yield return (Drawn(), Drawn());
        }

        BigInteger Drawn()
        {
            byte[] bytes = new byte[32];
            random.NextBytes(bytes);
            return new BigInteger(1, bytes).Mod(last).Add(BigInteger.One);
        }
    }
}
