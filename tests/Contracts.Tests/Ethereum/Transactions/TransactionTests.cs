using System.Numerics;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;

namespace EmrMarket.Contracts.Tests.Ethereum.Transactions;

public class TransactionTests
{
    private static readonly EthereumAccount Account = new(Enumerable.Repeat((byte)0x46, 32).ToArray());

    [Fact]
    public void Legacy_transaction_equals_the_example_of_EIP_155()
    {
        SignedTransaction signed = new Transaction(
            1, 9, new GasPrice.Fixed(20_000_000_000), 21_000, Address.Parse("0x3535353535353535353535353535353535353535"),
            BigInteger.Pow(10, 18), default).Sign(Account);
        Assert.Equal(
            "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
            Hex.Encode(signed.Raw.Span));
    }

    // Ethereum's common tests, RLPTests/rlptest.json.
    [Fact]
    public void Rlp_equals_its_known_answers()
    {
        Assert.Equal("0x80", Hex.Encode(Rlp.Bytes([])));
        Assert.Equal("0x00", Hex.Encode(Rlp.Bytes([0])));
        Assert.Equal("0x7f", Hex.Encode(Rlp.Bytes([0x7f])));
        Assert.Equal("0x8180", Hex.Encode(Rlp.Bytes([0x80])));
        Assert.Equal("0x83646f67", Hex.Encode(Rlp.Bytes("dog"u8)));
        Assert.Equal(
            "0xb8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164697069736963696e6720656c6974",
            Hex.Encode(Rlp.Bytes("Lorem ipsum dolor sit amet, consectetur adipisicing elit"u8)));
        Assert.Equal("0x80", Hex.Encode(Rlp.Integer(0)));
        Assert.Equal("0x8203e8", Hex.Encode(Rlp.Integer(1000)));
        Assert.Equal("0x8f102030405060708090a0b0c0d0e0f2",
            Hex.Encode(
                Rlp.Integer(BigInteger.Parse("83729609699884896815286331701780722", System.Globalization.CultureInfo.InvariantCulture))));
        Assert.Equal("0xc0", Hex.Encode(Rlp.List()));
        Assert.Equal("0xcc83646f6783676f6483636174", Hex.Encode(Rlp.List(Rlp.Bytes("dog"u8), Rlp.Bytes("god"u8), Rlp.Bytes("cat"u8))));
        Assert.Equal("0xc4c2c0c0c0", Hex.Encode(Rlp.List(Rlp.List(Rlp.List(), Rlp.List()), Rlp.List())));
    }

    // The creator and addresses of the well-known first contracts of a fresh development account.
    [Theory]
    [InlineData(0UL, "0x5FbDB2315678afecb367f032d93F642f64180aa3")]
    [InlineData(1UL, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")]
    public void Contract_address_follows_from_creator_and_nonce(ulong nonce, string expected) =>
        Assert.Equal(expected, Address.OfContract(Address.Parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), nonce).ToString());

    [Fact]
    public void Amounts_outside_256_bits_are_refused()
    {
        Transaction good = new(1, 0, new GasPrice.Dynamic(1, 2), 21_000, Address.Zero, 0, default);
        foreach (Transaction bad in (Transaction[])[good with { Value = -1 }, good with { Value = BigInteger.One << 256 },
            good with
            {
                GasPrice = new GasPrice.Dynamic(3, 2),
            }, good with { GasPrice = new GasPrice.Dynamic(-1, 2) }, good with { GasPrice = new GasPrice.Fixed(-1) }])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => bad.Sign(Account));
        }

        _ = (good with { Value = (BigInteger.One << 256) - 1 }).Sign(Account);
    }
}
