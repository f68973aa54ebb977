using System.Text.Json;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>
/// A site in a process of its own that loses everything, its keys too, and is put back from a backup that is older than its last delivery,
/// while the market, in another process, goes on and sells of it.
/// </summary>
public sealed class SiteRestoreTests : IDisposable
{
    private const int Records = 240;
    private const string Schema = "synthetic";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-site-restore-");

    public void Dispose() => _folder.Delete(recursive: true);

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    [Trait("Duration", "Long")]
    public async Task Site_that_comes_back_alone_holds_back_and_charges_what_it_forgot_while_the_market_goes_on()
    {
        await using ConsortiumChain chain = await ConsortiumChain.StartAsync(Path.Combine(_folder.FullName, "chain"));
        string link = ConsortiumChain.FreeAddress();
        await using ServedMarket market = chain.Market(link);
        await market.StartAsync();
        string pin = ConsortiumChain.PinOf(market);
        await using ServedMarket site = chain.Site(link, pin);
        await site.ListenAsync();
        await chain.AdmitAsync(ConsortiumChain.AccountOf(site));
        await site.SaysAsync("ready at block");
        string researcher = (await market.JsonAsync("account", "key")).GetProperty("address").GetString()!;
        await chain.DoAsync("chain", "fund", researcher, "--folder", chain.Folder, "--tokens", "1000000000");
        long members = await FillAsync(chain, site);
        string first = await OpenAsync(market, "mean:length_of_stay", members);
        await EndedAsync(market, first, members);

        // As 'serve' is told to run, so are the commands about its folder.
        string configuration = site.Place("emr.json"), backup = Path.Combine(_folder.FullName, "backup");
        string keys = Path.Combine(_folder.FullName, "keys.json");
        string passphrase = CommandProcess.Secret(_folder.FullName, "passphrase", "one good passphrase");
        await File.WriteAllTextAsync(configuration, JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["Roles"] = "site", ["Folder"] = site.Chain, ["Chain:Url"] = chain.Node, ["Chain:Deployment"] = chain.Deployment,
            ["Link:Market"] = link, ["Link:Pin"] = pin,
        }));
        JsonElement made = JsonDocument.Parse(await chain.DoAsync("backup", "--config", configuration, "--to", backup, "--json"))
            .RootElement;
        Assert.Equal("sites/hospital", Assert.Single(made.GetProperty("databases").EnumerateArray()).GetProperty("name").GetString());
        await chain.DoAsync("backup", "keys", "--config", configuration, "--to", keys, "--passphrase-file", passphrase);

        // What the backup does not know: a delivery with losses of its own, and a withdrawal.
        string second = await OpenAsync(market, "frequency:sex", members);
        await EndedAsync(market, second, members);
        Assert.Equal(0, (await site.RunAsync("site", "withdraw", "--schema", Schema, "--record", "0", "--yes")).Code);
        string loss = await LossAsync(site);
        await site.KillAsync();
        await site.LoseAsync("database", "sites", "keys");

        // The market sells of it while it is away, also what only the lost delivery had.
        string third = await OpenAsync(market, "frequency:sex", members);
        await market.JsonAsync("request", "status", third, "--until", "matched", "--timeout", "300");
        await chain.DoAsync("restore", backup, "--config", configuration, "--keys", keys, "--passphrase-file", passphrase);
        await site.ListenAsync();
        await site.SaysAsync("it publishes and hands over nothing");
        JsonElement held = await site.HeldAsync();
        Assert.Equal(made.GetProperty("seconds").GetInt64(), held.GetProperty("snapshotSeconds").GetInt64());

        // What left stands in the books again, and what may be asked of it has not left.
        Assert.Equal(loss, await LossAsync(site));
        JsonElement waiting = await market.JsonAsync("request", "status", third);
        Assert.Equal((0L, "delivering"), (waiting.GetProperty("delivered").GetInt64(), waiting.GetProperty("state").GetString()));
        Assert.Equal(0, (await site.RunAsync("site", "withdraw", "--schema", Schema, "--record", "0", "--yes")).Code);
        Assert.True((await site.JsonAsync("site", "reconcile", "--confirm", "--yes")).GetProperty("confirmed").GetBoolean());
        await site.SaysAsync("ready at block");
        JsonElement delivered = await market.JsonAsync("request", "status", third, "--until", "delivered", "--timeout", "300");
        Assert.Equal(members - 1, delivered.GetProperty("delivered").GetInt64());

        // The same facts at the same grade: the same reports, and nothing more is lost.
        Assert.Equal(loss, await LossAsync(site));
        foreach (string request in (string[])[first, second])
        {
            Assert.True((await market.JsonAsync("request", "verify", request, "--chain", chain.Node, "--deployment", chain.Deployment))
                .GetProperty("verified").GetBoolean());
        }
    }

    private static async Task<long> FillAsync(ConsortiumChain chain, ServedMarket site)
    {
        string file = site.Place("records.csv");
        await chain.DoAsync("data", "generate", "--records", $"{Records}", "--out", file);
        await site.JsonAsync("site", "load", file, "--schema", Schema);
        await site.JsonAsync("site", "policies", "--schema", Schema, "--profile", "generous", "--rate", "1", "--purpose", "2",
            "--quota", "4");
        return (await site.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait")).GetProperty("members").GetInt64();
    }

    private static async Task<string> OpenAsync(ServedMarket market, string statistic, long records) => (await market.JsonAsync(
        "request", "open", "--schema", Schema, "--statistic", statistic, "--records", $"{records}", "--title", statistic, "--why", "A test",
        "--days", "0.05", "--grade", "2", "--yes")).GetProperty("requestId").ToString();

    private static async Task EndedAsync(ServedMarket market, string request, long members)
    {
        JsonElement ended = await market.JsonAsync("request", "status", request, "--until", "ended", "--timeout", "300");
        Assert.Equal(("settled", members), (ended.GetProperty("state").GetString(), ended.GetProperty("delivered").GetInt64()));
    }

    private static async Task<string> LossAsync(ServedMarket site) =>
        (await site.JsonAsync("site", "status", "--schema", Schema)).GetProperty("highestLossMicro").ToString();
}
