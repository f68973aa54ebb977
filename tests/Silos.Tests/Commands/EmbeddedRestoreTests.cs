using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>
/// A market on the embedded chain, which is a child of the process that serves: its machine is gone with all that was on it, the chain and
/// all money too, and a backup with a file of keys is everything that is left.
/// </summary>
public sealed class EmbeddedRestoreTests : IDisposable
{
    private const int Records = 240;
    private const string Schema = "synthetic";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-embedded-restore-");

    public void Dispose() => _folder.Delete(recursive: true);

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    [Trait("Duration", "Long")]
    public async Task Market_whose_chain_was_lost_with_it_goes_on_on_another_machine_where_the_backup_was_made()
    {
        string backup = Path.Combine(_folder.FullName, "backup"), keys = Path.Combine(_folder.FullName, "keys.json");
        string passphrase = CommandProcess.Secret(_folder.FullName, "passphrase", "one good passphrase");
        string first, second, then;
        long members;
        await using (ServedMarket lost = new())
        {
            await lost.StartAsync();
            await lost.JsonAsync("account", "key");
            await lost.JsonAsync("account", "fund");
            members = await FillAsync(lost);
            first = await OpenAsync(lost, "mean:length_of_stay", members);
            await lost.JsonAsync("request", "status", first, "--until", "ended", "--timeout", "300");
            second = await OpenAsync(lost, "frequency:sex", members);
            await lost.JsonAsync("request", "status", second, "--until", "matched", "--timeout", "300");
            await DoAsync("backup", "--folder", lost.Chain, "--to", backup);
            await DoAsync("backup", "keys", "--folder", lost.Chain, "--to", keys, "--passphrase-file", passphrase);
            then = await ResultsAsync(lost, first);
            await lost.KillAsync();
        }

        Assert.Contains("chain/state.json", JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(backup, "manifest.json")))
            .RootElement.GetProperty("files").EnumerateArray().Select(file => file.GetProperty("name").GetString()));

        // The other machine has the program and an empty folder.
        await using ServedMarket market = new();
        await DoAsync("restore", backup, "--folder", market.Chain, "--keys", keys, "--passphrase-file", passphrase);
        await market.ListenAsync();
        await market.SaysAsync("it publishes and hands over nothing");
        await market.HeldAsync();
        Assert.Equal(then, await ResultsAsync(market, first));
        Assert.True((await market.JsonAsync("site", "reconcile", "--confirm", "--yes")).GetProperty("confirmed").GetBoolean());
        await market.SaysAsync("ready at block");
        JsonElement ended = await market.JsonAsync("request", "status", second, "--until", "ended", "--timeout", "300");
        Assert.Equal(("settled", members), (ended.GetProperty("state").GetString(), ended.GetProperty("delivered").GetInt64()));
        Assert.Contains("frequency:sex", await ResultsAsync(market, second), StringComparison.Ordinal);
        await ConservedAsync(market, first);
        await ConservedAsync(market, second);

        // It is a whole market: somebody asks something new, and is answered.
        string third = await OpenAsync(market, "frequency:diabetes", members);
        ended = await market.JsonAsync("request", "status", third, "--until", "ended", "--timeout", "300");
        Assert.Equal(("settled", members), (ended.GetProperty("state").GetString(), ended.GetProperty("delivered").GetInt64()));
        await ConservedAsync(market, third);
    }

    /// <summary>What was paid in on the ledger is what was paid out, and the ledger confirms the request.</summary>
    private static async Task ConservedAsync(ServedMarket market, string request)
    {
        JsonElement verified = await market.JsonAsync("request", "verify", request, "--folder", market.Chain);
        Assert.True(verified.GetProperty("verified").GetBoolean());
        Assert.Equal(Tokens("funded"), Tokens("paidToPatients") + Tokens("relayFees") + Tokens("refunded"));

        BigInteger Tokens(string name) => BigInteger.Parse(verified.GetProperty(name).ToString(), CultureInfo.InvariantCulture);
    }

    private static async Task<string> ResultsAsync(ServedMarket market, string request) =>
        (await market.JsonAsync("request", "results", request)).GetProperty("statistics").GetRawText();

    private static async Task<long> FillAsync(ServedMarket market)
    {
        string file = market.Place("records.csv");
        await DoAsync("data", "generate", "--records", $"{Records}", "--out", file);
        await market.JsonAsync("site", "load", file, "--schema", Schema);
        await market.JsonAsync("site", "policies", "--schema", Schema, "--profile", "generous", "--rate", "1", "--purpose", "2",
            "--quota", "4");
        return (await market.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait")).GetProperty("members").GetInt64();
    }

    private static async Task<string> OpenAsync(ServedMarket market, string statistic, long records) => (await market.JsonAsync(
        "request", "open", "--schema", Schema, "--statistic", statistic, "--records", $"{records}", "--title", statistic, "--why", "A test",
        "--days", "0.05", "--grade", "2", "--yes")).GetProperty("requestId").ToString();

    private static async Task<string> DoAsync(params string[] arguments)
    {
        (int code, string output, string error) = await CommandProcess.RunAsync(Path.GetTempPath(), arguments);
        Assert.True(code == 0, $"emr {string.Join(' ', arguments)} ended with {code}: {error}{output}");
        return output;
    }
}
