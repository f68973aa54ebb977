using System.Globalization;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>
/// A market and its site that are killed in the middle of requests, lose every file, and are put back from a backup that is older than the
/// ledger, which goes on without them. What they come to is what the same run had come to before.
/// </summary>
public sealed class BackupCommandTests : IAsyncLifetime
{
    private const int Records = 240;
    private const string Schema = "synthetic";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-recovery-");
    private bool _runs;

    private string Chain => Path.Combine(_folder.FullName, "chain");

    private string Node { get; set; } = "";

    private string Passphrase => CommandProcess.Secret(_folder.FullName, "passphrase", "one good passphrase");

    private string Backup => Path.Combine(_folder.FullName, "backup");

    private string Keys => Path.Combine(_folder.FullName, "keys.json");

    public async Task InitializeAsync()
    {
        if (Tools.Find(Tool.Anvil) is not null)
        {
            await DoAsync("chain", "start", "--folder", Chain, "--block-time", "0.1", "--idle-block-time", "0.25");
            _runs = true;
            await DoAsync("chain", "deploy", "--folder", Chain);
            await DoAsync("chain", "publish", "--folder", Chain);
        }
    }

    public async Task DisposeAsync()
    {
        if (_runs)
        {
            await DoAsync("chain", "stop", "--folder", Chain);
        }

        _folder.Delete(recursive: true);
    }

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    public async Task Market_that_lost_everything_comes_from_an_older_backup_to_what_it_had_come_to()
    {
        string marketKey = Path.Combine(Chain, "keys", "market.key");
        await DoAsync("chain", "fund", EthereumAccount.Load(marketKey).Address.ToString(), "--folder", Chain);
        using JsonDocument status = JsonDocument.Parse(await DoAsync("chain", "status", "--folder", Chain, "--json"));
        Node = status.RootElement.GetProperty("endpoint").GetString()!;
        string[] served = ["--chain", Node, "--deployment", Path.Combine(Chain, "deployment.json"), "--market-key", marketKey];
        await using ServedMarket market = new(served);

        // The same as every command that is about this process and not a client of it.
        string configuration = market.Place("emr.json");
        await File.WriteAllTextAsync(configuration, JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["Folder"] = market.Chain, ["Chain:Url"] = Node, ["Chain:Deployment"] = served[3], ["Market:KeyFile"] = marketKey,
        }));
        await StartAsync(market);
        long members = await FillAsync(market);
        string first = await OpenAsync(market, "mean:length_of_stay", members);
        await market.JsonAsync("request", "status", first, "--until", "delivered", "--timeout", "300");
        string second = await OpenAsync(market, "frequency:sex", members);

        // While it runs, in the middle of both.
        JsonElement backup = JsonDocument.Parse(await DoAsync(
            "backup", "--config", configuration, "--to", Backup, "--json")).RootElement;
        Assert.Equal(["market", "sites/hospital"],
            backup.GetProperty("databases").EnumerateArray().Select(one => one.GetProperty("name").GetString()));
        Assert.Equal(backup.GetProperty("seconds").GetInt64(), JsonDocument.Parse(
            await File.ReadAllTextAsync(market.Place(Path.Combine("backups", "last-success")))).RootElement.GetProperty("seconds")
                .GetInt64());
        await DoAsync("backup", "keys", "--config", configuration, "--to", Keys, "--passphrase-file", Passphrase);
        await RefusedAsync(1, "never written over", "backup", "--config", configuration, "--to", Backup);

        // What the backup does not know: a round, deliveries, payments, two ends.
        await market.JsonAsync("request", "status", second, "--until", "ended", "--timeout", "300");
        await market.JsonAsync("request", "status", first, "--until", "ended", "--timeout", "300");
        Dictionary<string, string> before = await FiguresAsync(market, first, second);
        await market.KillAsync();
        await market.LoseAsync("database", "sites", "keys");

        // Without keys, with the wrong ones, and beside a process: nothing is touched.
        await RefusedAsync(1, "keys are never in a backup", "restore", Backup, "--config", configuration);
        await RefusedAsync(1, "does not open", "restore", Backup, "--config", configuration, "--keys", Keys, "--passphrase-file",
            CommandProcess.Secret(_folder.FullName, "other", "another passphrase"));
        await RefusedAsync(2, "site lakeview", "restore", Backup, "--config", configuration, "--site", "lakeview");
        Assert.False(Directory.Exists(market.Place("database")) || Directory.Exists(market.Place("sites")), "a refused restore left files");

        Assert.Equal("hospital", JsonDocument.Parse(await DoAsync("restore", Backup, "--config", configuration, "--keys", Keys,
            "--passphrase-file", Passphrase, "--json")).RootElement.GetProperty("sitesToReconcile")[0].GetString());
        await RefusedAsync(1, "holds something already", "restore", Backup, "--config", configuration);

        // The site has charged what the ledger shows, and does nothing more until somebody vouches for what it cannot know.
        await market.ListenAsync();
        await market.SaysAsync("it publishes and hands over nothing");
        JsonElement restore = await market.HeldAsync();
        Assert.False(restore.GetProperty("confirmed").GetBoolean());
        Assert.Equal(backup.GetProperty("seconds").GetInt64(), restore.GetProperty("snapshotSeconds").GetInt64());
        await market.RefusedAsync(2, "put back from a backup", "site", "post-epoch", "--schema", Schema);
        Assert.Equal(before["loss"], await LossAsync(market));

        Assert.True((await market.JsonAsync("site", "reconcile", "--confirm", "--yes")).GetProperty("confirmed").GetBoolean());
        await market.SaysAsync("ready at block");
        foreach (string request in (string[])[first, second])
        {
            await market.JsonAsync("request", "status", request, "--until", "ended", "--timeout", "300");
        }

        Dictionary<string, string> after = await FiguresAsync(market, first, second);
        Assert.Equal(before.Keys, after.Keys);
        Assert.All(before, figure => Assert.Equal((figure.Key, figure.Value), (figure.Key, after[figure.Key])));

        // It goes on, and who withdrew is not in it, although the epoch that is sold still names them.
        Assert.Equal(0, (await market.RunAsync("site", "withdraw", "--schema", Schema, "--record", "0", "--yes")).Code);
        string third = await OpenAsync(market, "frequency:diabetes", members);

        // It ends at its deadline only, when the money of the one who is missing goes back.
        JsonElement delivered = await market.JsonAsync("request", "status", third, "--until", "delivered", "--timeout", "300");
        Assert.Equal(members - 1, delivered.GetProperty("delivered").GetInt64());
    }

    private static async Task<long> FillAsync(ServedMarket market)
    {
        string file = market.Place("records.csv");
        await DoAsync("data", "generate", "--records", $"{Records}", "--out", file);
        await market.JsonAsync("site", "load", file, "--schema", Schema);
        await market.JsonAsync("site", "policies", "--schema", Schema, "--profile", "generous", "--rate", "1", "--purpose", "2",
            "--quota", "4");
        return (await market.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait")).GetProperty("members").GetInt64();
    }

    private async Task StartAsync(ServedMarket market)
    {
        await market.ListenAsync();
        string account = market.Said.Single(line => line.StartsWith("site hospital has the account ", StringComparison.Ordinal))
            .Split(' ')[^1];
        await DoAsync("chain", "admit", account, "--folder", Chain);
        await DoAsync("chain", "fund", account, "--folder", Chain);
        await market.SaysAsync("ready at block");
        string researcher = (await market.JsonAsync("account", "key")).GetProperty("address").GetString()!;
        await DoAsync("chain", "fund", researcher, "--folder", Chain, "--tokens", "1000000000");
    }

    private static async Task<string> OpenAsync(ServedMarket market, string statistic, long records) => (await market.JsonAsync(
        "request", "open", "--schema", Schema, "--statistic", statistic, "--records", $"{records}", "--title", statistic, "--why", "A test",
        "--days", "0.01", "--grade", "2", "--yes")).GetProperty("key").GetString()!;

    private static async Task<string> LossAsync(ServedMarket market) =>
        (await market.JsonAsync("site", "status", "--schema", Schema)).GetProperty("highestLossMicro").ToString();

    /// <summary>What everybody has and knows in the end.</summary>
    private async Task<Dictionary<string, string>> FiguresAsync(ServedMarket market, params string[] requests)
    {
        Dictionary<string, string> figures = new(StringComparer.Ordinal)
        {
            ["loss"] = await LossAsync(market), ["researcher"] = await market.TokensAsync(),
        };
        foreach (string request in requests)
        {
            JsonElement ended = await market.JsonAsync("request", "status", request);
            foreach (string name in (string[])["state", "sold", "delivered", "effectiveRecords", "paid", "refunded"])
            {
                figures.Add($"{request} {name}", ended.GetProperty(name).ToString());
            }

            figures.Add(request + " results",
                (await market.JsonAsync("request", "results", request)).GetProperty("statistics").GetRawText());
            JsonElement verified = await market.JsonAsync("request", "verify",
                ended.GetProperty("requestId").GetUInt64().ToString(CultureInfo.InvariantCulture), "--chain", Node,
                "--deployment", Path.Combine(Chain, "deployment.json"));
            foreach (string name in (string[])["verified", "records", "claims", "funded", "paidToPatients", "relayFees", "refunded"])
            {
                figures.Add($"{request} {name} on the ledger", verified.GetProperty(name).ToString());
            }
        }

        return figures;
    }

    private static async Task<string> DoAsync(params string[] arguments)
    {
        (int code, string output, string error) = await CommandProcess.RunAsync(Path.GetTempPath(), arguments);
        Assert.True(code == 0, $"emr {string.Join(' ', arguments)} ended with {code}: {error}{output}");
        return output;
    }

    private static async Task RefusedAsync(int expected, string says, params string[] arguments)
    {
        (int code, string output, string error) = await CommandProcess.RunAsync(Path.GetTempPath(), arguments);
        Assert.True(code == expected && error.Contains(says, StringComparison.Ordinal),
            $"emr {string.Join(' ', arguments)} ended with {code}, expected {expected} and '{says}': {error}{output}");
    }
}
