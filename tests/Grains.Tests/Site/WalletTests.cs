using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Wallet;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>Keys, phrases and wallets are those of docs/vectors/wallet.json, which another program made; and what is damaged is
/// refused.</summary>
public sealed class WalletTests
{
    private const int QuickCost = 1 << 14;
    private static readonly JsonElement Vector =
        JsonDocument.Parse(File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "docs", "vectors", "wallet.json"))).RootElement;

    private static byte[] Seed => Bytes("seed");

    private static byte[] Bytes(string name) => Convert.FromHexString(Text(name));

    private static string Text(string name) => Vector.GetProperty(name).GetString()!;

    [Fact]
    public void Keys_are_those_of_the_independent_vectors()
    {
        byte[] siteKey = Bytes("siteKey");
        Bytes32 pseudonym = new(Bytes("pseudonym"));
        Assert.Equal(Seed, PatientKeys.SeedAtSite(siteKey, ulong.Parse(Text("person"), CultureInfo.InvariantCulture)));
        Assert.Equal(pseudonym,
            PatientKeys.Pseudonym(siteKey, new Bytes32(Bytes("schemaId")), ulong.Parse(Text("record"), CultureInfo.InvariantCulture)));
        JsonElement account = Vector.GetProperty("patientAccount");
        Assert.Equal(account.GetProperty("key").GetString(), Convert.ToHexStringLower(PatientKeys.Account(Seed)));
        Assert.Equal(account.GetProperty("chainCode").GetString(), Convert.ToHexStringLower(PatientKeys.ChainCode(Seed)));
        Assert.Equal(Bytes("controller"), PatientKeys.Controller(Seed, pseudonym));
        foreach (JsonElement payout in Vector.GetProperty("payouts").EnumerateArray())
        {
            Assert.Equal(
                Convert.FromHexString(payout.GetProperty("key").GetString()!),
                PatientKeys.Payout(Seed, pseudonym, payout.GetProperty("epoch").GetUInt32(), payout.GetProperty("index").GetUInt32()));
        }
    }

    [Fact]
    public void Account_without_the_seed_finds_the_addresses_of_the_vectors_keys_and_no_other_account_does()
    {
        Bytes32 pseudonym = new(Bytes("pseudonym"));
        JsonElement half = Vector.GetProperty("patientAccount");
        PayoutAccount account = new(
            new PublicKey(Convert.FromHexString(half.GetProperty("publicKey").GetString()!)),
            Convert.FromHexString(half.GetProperty("chainCode").GetString()!));
        Assert.Equal(PayoutAccount.Of(Seed), account);
        Address controller = new EthereumAccount(Bytes("controller")).Address;
        Assert.Equal(controller, account.Controller(pseudonym));
        foreach (JsonElement payout in Vector.GetProperty("payouts").EnumerateArray())
        {
            (uint epoch, uint index) = (payout.GetProperty("epoch").GetUInt32(), payout.GetProperty("index").GetUInt32());
            Address own = new EthereumAccount(Convert.FromHexString(payout.GetProperty("key").GetString()!)).Address;
            Assert.Equal(own, account.Payout(pseudonym, epoch, index));
            Assert.NotEqual(own, new PayoutAccount(account.Key, Seed).Payout(pseudonym, epoch, index));
        }
    }

    // What docs/WIRE.md warns of: one child and the chain code are the account.
    [Fact]
    public void Child_key_and_chain_code_together_give_the_account_away()
    {
        BigInteger order = BigInteger.Parse("0FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", NumberStyles.HexNumber,
            CultureInfo.InvariantCulture);
        JsonElement payout = Vector.GetProperty("payouts")[0];
        BigInteger Number(string name) =>
            new(Convert.FromHexString(payout.GetProperty(name).GetString()!), isUnsigned: true, isBigEndian: true);
        BigInteger found = (Number("key") - Number("tweak") + order) % order;
        Assert.Equal(new BigInteger(PatientKeys.Account(Seed), isUnsigned: true, isBigEndian: true), found);
    }

    [Fact]
    public void Phrase_is_that_of_the_independent_vector_and_reads_back_however_it_is_written()
    {
        string phrase = RecoveryPhrase.Write(Seed);
        Assert.Equal(Text("phrase"), phrase);
        Assert.Equal(Seed, RecoveryPhrase.Read(phrase));
        Assert.Equal(Seed, RecoveryPhrase.Read("\n " + phrase.ToUpperInvariant().Replace(" ", " - ", StringComparison.Ordinal) + "\r\n"));
    }

    // The examples of the paper that defines the words, arXiv:0901.4016: 127.0.0.1 and 63.84.220.193.
    [Theory]
    [InlineData("7F000001", "lusab babad")]
    [InlineData("3F54DCC1", "gutih tugad")]
    public void Phrase_begins_as_its_paper_says(string head, string words)
    {
        byte[] seed = new byte[PatientKeys.Length];
        Convert.FromHexString(head).CopyTo(seed, 0);
        Assert.StartsWith(words, RecoveryPhrase.Write(seed), StringComparison.Ordinal);
    }

    [Fact]
    public void Phrase_with_any_one_letter_changed_or_two_words_exchanged_is_refused()
    {
        string phrase = RecoveryPhrase.Write(Seed);
        for (int i = 0; i < phrase.Length; i++)
        {
            if (phrase[i] != ' ')
            {
                string letters = "aiou".Contains(phrase[i], StringComparison.Ordinal) ? "aiou" : "bdfghjklmnprstvz";
                char other = letters[(letters.IndexOf(phrase[i], StringComparison.Ordinal) + 1) % letters.Length];
                Assert.Equal("phrase-checksum", CodeOf(() => RecoveryPhrase.Read(phrase[..i] + other + phrase[(i + 1)..])));
                Assert.Equal("phrase-word", CodeOf(() => RecoveryPhrase.Read(phrase[..i] + 'x' + phrase[(i + 1)..])));
            }
        }

        string[] words = phrase.Split(' ');
        Assert.Equal("phrase-checksum", CodeOf(() => RecoveryPhrase.Read(string.Join(' ', [words[1], words[0], .. words[2..]]))));
        Assert.Equal("phrase-length", CodeOf(() => RecoveryPhrase.Read(string.Join(' ', words[1..]))));
    }

    [Fact]
    public void Wallet_of_the_independent_vector_opens_and_is_written_with_the_same_bytes()
    {
        byte[] file = Encoding.UTF8.GetBytes(Vector.GetProperty("wallet").GetRawText());
        WalletFile wallet = WalletFile.Read(file, Text("passphrase"));
        Assert.Equal(Seed, wallet.Seed.ToArray());
        Assert.Equal([new WalletEntry(3, new Bytes32(Bytes("schemaId")), new Bytes32(Bytes("pseudonym")))], wallet.Entries);

        JsonElement sealedWallet = Vector.GetProperty("wallet");
        byte[] Field(string name) => Convert.FromHexString(sealedWallet.GetProperty(name).GetString()!);
        byte[] written = wallet.Write(Text("passphrase"), sealedWallet.GetProperty("cost").GetInt32(), Field("salt"), Field("nonce"));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(file), JsonNode.Parse(written)));
    }

    [Fact]
    public void Wallet_opens_with_the_same_passphrase_typed_as_other_code_points_and_with_no_other()
    {
        byte[] file = Encoding.UTF8.GetBytes(Vector.GetProperty("wallet").GetRawText());
        Assert.Equal(Seed, WalletFile.Read(file, Text("passphrase").Normalize(NormalizationForm.FormD)).Seed.ToArray());
        Assert.Equal("wallet-locked", CodeOf(() => WalletFile.Read(file, Text("passphrase") + " ")));
        Assert.Equal("passphrase-empty", CodeOf(() => WalletFile.Read(file, Text("passphrase")).Write("")));
    }

    [Fact]
    public void Wallet_that_was_cut_short_altered_or_written_by_a_later_version_is_refused()
    {
        WalletFile wallet = new(Seed, [new WalletEntry(1, Bytes32.Zero, Bytes32.Zero)]);
        byte[] file = wallet.Write("secret", QuickCost, new byte[16], new byte[12]);
        for (int length = 0; length < file.Length; length++)
        {
            Assert.Equal("not-a-wallet", CodeOf(() => WalletFile.Read(file.AsSpan(0, length), "secret")));
        }

        JsonObject Altered(string name, JsonNode value)
        {
            JsonObject json = JsonNode.Parse(file)!.AsObject();
            json[name] = value;
            return json;
        }

        string Code(string name, JsonNode value) =>
            CodeOf(() => WalletFile.Read(Encoding.UTF8.GetBytes(Altered(name, value).ToJsonString()), "secret"));
        Assert.Equal("future-version", Code("version", 2));
        Assert.Equal("not-a-wallet", Code("format", "emr-purse"));
        Assert.Equal("not-a-wallet", Code("surplus", 1));
        Assert.Equal("not-a-wallet", Code("content", "zz"));
        Assert.Equal("wallet-parameters", Code("cost", QuickCost / 2));
        Assert.Equal("wallet-parameters", Code("cost", QuickCost + 1));
        Assert.Equal("wallet-parameters", Code("cost", 1 << 30));
        Assert.Equal("wallet-parameters", Code("nonce", "00"));
        Assert.Equal("wallet-locked", Code("salt", new string('1', 32)));
        Assert.Equal("wallet-locked", Code("nonce", new string('1', 24)));
        Assert.Equal("wallet-locked", Code("tag", new string('1', 32)));
        string content = JsonNode.Parse(file)!["content"]!.GetValue<string>();
        Assert.Equal("wallet-locked", Code("content", (content[0] == '0' ? '1' : '0') + content[1..]));
        Assert.Equal("wallet-locked", Code("content", content[2..]));
    }

    private static string CodeOf(Action action)
    {
        WalletException refusal = Assert.Throws<WalletException>(action);
        Assert.DoesNotContain(Convert.ToHexStringLower(Seed), refusal.ToString(), StringComparison.OrdinalIgnoreCase);
        return refusal.Code;
    }
}
