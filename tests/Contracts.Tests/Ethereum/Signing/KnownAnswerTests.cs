using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Math;
using SHA256 = System.Security.Cryptography.SHA256;

namespace EmrMarket.Contracts.Tests.Ethereum.Signing;

/// <summary>Hashes and signatures against the vectors of their standards.</summary>
public class KnownAnswerTests
{
    [Theory]
    [InlineData("", "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")]
    [InlineData("testing", "0x5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02")]
    [InlineData("transfer(address,uint256)", "0xa9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b")]
    public void Keccak256_equals_its_known_answers(string text, string hash) => Assert.Equal(hash, Keccak256.Hash(text).ToString());

    // https://eips.ethereum.org/EIPS/eip-55
    [Theory]
    [InlineData("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    [InlineData("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")]
    [InlineData("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB")]
    [InlineData("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb")]
    public void Address_carries_the_checksum_of_EIP_55(string text)
    {
        Assert.Equal(text, Address.Parse(text.ToLowerInvariant()).ToString());
        Assert.Equal(Address.Parse(text), Address.Parse(text.ToLowerInvariant()));
        string mistyped = text[..^1]
            + (char.IsUpper(text[^1]) ? char.ToLowerInvariant(text[^1]) : char.IsDigit(text[^1])
                ? (char)(text[^1] ^ 1) : char.ToUpperInvariant(text[^1]));
        Assert.Throws<FormatException>(() => Address.Parse(mistyped));
    }

    [Fact]
    public void Nonces_are_those_of_RFC_6979()
    {
        // RFC 6979, A.2.5: P-256 with SHA-256, message "sample".
        BigInteger order = new("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16);
        HMacDsaKCalculator nonces = new(new Sha256Digest());
        nonces.Init(order, new BigInteger("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", 16),
            SHA256.HashData("sample"u8));
        Assert.Equal(new BigInteger("A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60", 16), nonces.NextK());
    }

    // secp256k1 has no vectors in the RFC; these are the ones that its implementations share (key 1, SHA-256 of the text).
    [Theory]
    [InlineData("Satoshi Nakamoto", "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
        "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5")]
    [InlineData("All those moments will be lost in time, like tears in rain. Time to die...",
        "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
        "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21")]
    public void Signature_is_deterministic_with_low_s(string message, string r, string s)
    {
        byte[] one = new byte[32];
        one[31] = 1;
        Signature signature = new EthereumAccount(one).Sign(new Bytes32(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(message))));
        Assert.Equal("0x" + r, signature.R.ToString());
        Assert.Equal("0x" + s, signature.S.ToString());
    }

    [Fact]
    public void Typed_data_equals_the_example_of_EIP_712()
    {
        TypedDataType mail = TypedDataType.Parse("Mail(Person from,Person to,string contents)Person(string name,address wallet)");
        TypedDataDomain domain = new("Ether Mail", "1", 1, Address.Parse("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"));
        object[] message =
        [
            new object[] { "Cow", Address.Parse("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826") },
            new object[] { "Bob", Address.Parse("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB") },
            "Hello, Bob!",
        ];
        Assert.Equal("0xa0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2", mail.TypeHash.ToString());
        Assert.Equal("0xc52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e", mail.HashStruct(message).ToString());
        Assert.Equal("0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f", domain.Separator.ToString());
        Bytes32 hash = mail.HashToSign(domain, message);
        Assert.Equal("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2", hash.ToString());
        EthereumAccount cow = new(Keccak256.Hash("cow").ToArray());
        Assert.Equal(Address.Parse("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"), cow.Address);
        Signature signature = cow.Sign(hash);
        Assert.Equal(28, signature.V);
        Assert.Equal("0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d", signature.R.ToString());
        Assert.Equal("0x07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562", signature.S.ToString());
    }

    [Fact]
    public void Permit_has_the_type_hash_of_EIP_2612() =>
        Assert.Equal("0x6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9", Eip2612Permit.TypeHash.ToString());

    [Fact]
    public void Recover_refuses_what_no_key_can_have_signed()
    {
        EthereumAccount account = EthereumAccount.Generate();
        Bytes32 hash = Keccak256.Hash("message");
        Signature good = account.Sign(hash);
        System.Numerics.BigInteger order =
            System.Numerics.BigInteger.Parse("0fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
                System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture);
        Bytes32 highS =
            new((order - new System.Numerics.BigInteger(good.S.ToArray(), isUnsigned: true, isBigEndian: true))
                .ToByteArray(isUnsigned: true, isBigEndian: true));
        Assert.Equal(account.Address, EthereumAccount.Recover(hash, good));
        foreach (Signature bad in (Signature[])[
            good with { R = default }, good with { S = default }, good with { S = highS }, good with { YParity = 2 },
            good with { R = Bytes32.Parse("0x" + new string('f', 64)) }, good with { R = Bytes32.Parse("0x" + new string('0', 63) + "5") }])
        {
            Assert.Throws<InvalidSignatureException>(() => EthereumAccount.Recover(hash, bad));
        }

        Assert.Throws<InvalidSignatureException>(() => Signature.FromBytes(new byte[64]));
        Assert.Throws<InvalidSignatureException>(() => Signature.FromBytes(new byte[65]));
        Assert.NotEqual(account.Address, EthereumAccount.Recover(Keccak256.Hash("another message"), good));
    }

    [Fact]
    public void Private_key_must_lie_below_the_order()
    {
        Assert.Throws<ArgumentException>(() => new EthereumAccount(new byte[32]));
        Assert.Throws<ArgumentException>(() => new EthereumAccount(new byte[31]));
        Assert.Throws<ArgumentException>(
            () => new EthereumAccount(Bytes32.Parse("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").ToArray()));
        _ = new EthereumAccount(Bytes32.Parse("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140").ToArray());
    }

    [Fact]
    public void Key_file_is_for_its_owner_alone_and_errors_do_not_show_its_content()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        string folder = Directory.CreateTempSubdirectory("emrmarket-keys-").FullName;
        try
        {
            string path = Path.Combine(folder, "a.key");
            EthereumAccount account = EthereumAccount.LoadOrCreate(path);
            Assert.Equal(account.Address, EthereumAccount.LoadOrCreate(path).Address);
            Assert.Throws<IOException>(() => account.Save(path));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead);
            Assert.Contains("chmod 600", Assert.Throws<KeyFileException>(() => EthereumAccount.Load(path)).Message,
                StringComparison.Ordinal);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.WriteAllText(path, "abcdefgh");
            Assert.DoesNotContain("abcdefgh", Assert.Throws<KeyFileException>(() => EthereumAccount.Load(path)).Message,
                StringComparison.Ordinal);
            Assert.Throws<KeyFileException>(() => EthereumAccount.Load(path + "-missing"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
