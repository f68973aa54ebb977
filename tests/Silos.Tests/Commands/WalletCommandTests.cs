using System.Text.Json;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Wallet;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>The commands around wallet and key files, which need no server.</summary>
public sealed class WalletCommandTests : IDisposable
{
    private const string Schema = "00000000000000000000000000000000000000000000000000000000000000aa";
    private const string Pseudonym = "5f00000000000000000000000000000000000000000000000000000000000001";

    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-wallet-").FullName;
    private readonly byte[] _seed = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    [Fact]
    public async Task Wallet_is_restored_from_its_phrase_and_opens_with_the_chosen_passphrase_only()
    {
        string phrase = RecoveryPhrase.Write(_seed);
        string words = CommandProcess.Secret(_folder, "words", phrase);
        string first = CommandProcess.Secret(_folder, "first", "one good passphrase");
        string second = CommandProcess.Secret(_folder, "second", "another passphrase");
        (int code, string output, string error) = await RunAsync(
            "restore", "w", "--phrase-file", words, "--passphrase-file", first, "--entry", $"1/{Schema}/{Pseudonym}", "--json");
        Assert.True(code == 0, error);
        using JsonDocument restored = JsonDocument.Parse(output);
        JsonElement entry = Assert.Single(restored.RootElement.GetProperty("entries").EnumerateArray());

        // The address follows from the seed by the documented derivation, whatever the command does.
        Address expected = new EthereumAccount(PatientKeys.Controller(_seed, Bytes32.ParseDigits(Pseudonym))).Address;
        Assert.Equal(expected.ToString(), entry.GetProperty("controller").GetString(), ignoreCase: true);
        Assert.DoesNotContain(phrase, output, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "w")));
        }

        Assert.Equal(0, (await RunAsync("passphrase", "w", "--passphrase-file", first, "--new-passphrase-file", second)).Code);
        (int locked, _, string said) = await RunAsync("show", "w", "--passphrase-file", first);
        Assert.Equal(2, locked);
        Assert.Contains("does not open", said, StringComparison.Ordinal);
        (int opened, string shown, _) = await RunAsync("show", "w", "--passphrase-file", second, "--phrase");
        Assert.Equal(0, opened);
        Assert.Contains(phrase, shown, StringComparison.Ordinal);
        Assert.Contains(Pseudonym, shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Payout_key_spends_from_the_address_that_the_site_derives()
    {
        string words = CommandProcess.Secret(_folder, "words", RecoveryPhrase.Write(_seed));
        string passphrase = CommandProcess.Secret(_folder, "pass", "one good passphrase");
        Assert.Equal(0,
            (await RunAsync("restore", "w", "--phrase-file", words, "--passphrase-file", passphrase, "--entry",
                $"1/{Schema}/{Pseudonym}")).Code);
        Assert.Equal(0,
            (await RunAsync("payout", "w", "--passphrase-file", passphrase, "--epoch", "3", "--index", "2", "--out", "payout.key")).Code);
        Address site = EthereumAccount.AddressesOf([PatientKeys.Payout(_seed, Bytes32.ParseDigits(Pseudonym), 3, 2)])[0];
        Assert.Equal(site, EthereumAccount.Load(Path.Combine(_folder, "payout.key")).Address);
    }

    [Fact]
    public async Task Secret_that_others_can_read_or_that_is_missing_is_refused_and_no_file_is_written()
    {
        string words = CommandProcess.Secret(_folder, "words", RecoveryPhrase.Write(_seed));
        string open = CommandProcess.Secret(_folder, "open", "one good passphrase");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(open, UnixFileMode.UserRead | UnixFileMode.GroupRead);
            (int code, _, string error) = await RunAsync("restore", "w", "--phrase-file", words, "--passphrase-file", open);
            Assert.Equal(2, code);
            Assert.Contains("chmod 600", error, StringComparison.Ordinal);
        }

        // Nobody can be asked, since standard input is closed.
        (int asked, _, string said) = await RunAsync("restore", "w", "--phrase-file", words);
        Assert.Equal(2, asked);
        Assert.Contains("--passphrase-file", said, StringComparison.Ordinal);
        string wrong = CommandProcess.Secret(
            _folder, "wrong", RecoveryPhrase.Write(_seed).Replace("babad", "babaf", StringComparison.Ordinal)[..^1] + "b");
        string passphrase = CommandProcess.Secret(_folder, "pass", "one good passphrase");
        Assert.Equal(2, (await RunAsync("restore", "w", "--phrase-file", wrong, "--passphrase-file", passphrase)).Code);
        Assert.False(File.Exists(Path.Combine(_folder, "w")));
        Assert.Equal(0, (await RunAsync("restore", "w", "--phrase-file", words, "--passphrase-file", passphrase)).Code);
        (int again, _, string exists) = await RunAsync("restore", "w", "--phrase-file", words, "--passphrase-file", passphrase);
        Assert.Equal(2, again);
        Assert.Contains("exists", exists, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) =>
        CommandProcess.RunAsync(_folder, ["patient", "wallet", .. arguments]);
}
