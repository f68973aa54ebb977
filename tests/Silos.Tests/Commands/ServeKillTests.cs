using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>
/// SIGKILL of a real server at ten random points of a run, restarted each time: what comes out and what everybody has is the same as
/// without. Requests buy every record on offer, so the draw decides nothing, at a grade at which no person reaches the cap; and the site's
/// key, from which the reports follow, is the same in both runs.
/// </summary>
public sealed class ServeKillTests
{
    private const int Records = 10_000;
    private const int Kills = 10;
    private const string Schema = "synthetic";
    private static readonly string[] Statistics = ["mean:length_of_stay", "frequency:sex"];

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    [Trait("Duration", "Long")]
    public async Task Killed_server_comes_to_the_same_results_and_balances()
    {
        using TempFile records = new("records.csv");
        using TempFile key = new("site.key");
        Assert.Equal(0,
            (await CommandProcess.RunAsync(records.Folder, "data", "generate", "--records", $"{Records}", "--out", records.Path)).Code);
        Assert.Equal(0, (await CommandProcess.RunAsync(key.Folder, "site-key", "new", key.Path)).Code);

        // Side by side, since both wait most of the time for the windows of their ledgers.
        Task<(Outcome Outcome, int Kills)> undisturbed = RunAsync(records.Path, key.Path, kills: 0),
        disturbed = RunAsync(records.Path, key.Path, Kills);
        await Task.WhenAll(undisturbed, disturbed);
        ((Outcome whole, _), (Outcome killed, int kills)) = (await undisturbed, await disturbed);
        Assert.Equal(Kills, kills);
        Assert.Equal(whole.Figures, killed.Figures);
        Assert.Equal(whole.Estimates.Count, killed.Estimates.Count);
        foreach (((string cell, double expected), (string name, double got)) in whole.Estimates.Zip(killed.Estimates))
        {
            // The slots of a delivery come in the order of its draw, so sums of doubles differ in their last digits.
            Assert.Equal(cell, name);
            Assert.Equal(expected, got, 1e-9 * Math.Max(1, Math.Abs(expected)));
        }
    }

    private static async Task<(Outcome Outcome, int Kills)> RunAsync(string records, string siteKey, int kills)
    {
        await using ServedMarket market = new();
        Directory.CreateDirectory(market.Place("sites/hospital"));
        File.Copy(siteKey, market.Place("sites/hospital/site.key"));
        await market.StartAsync();

        // Before the first kill, since money that is given out twice is twice as much.
        Assert.Equal(0, (await market.RunAsync("account", "key")).Code);
        await market.JsonAsync("account", "fund");
        using CancellationTokenSource over = new();
        Task<int> killer = KillAsync(market, kills, over.Token);
        Outcome outcome;
        try
        {
            outcome = await StoryAsync(market, records, killer);
        }
        finally
        {
            await over.CancelAsync();
        }

        return (outcome, await killer);
    }

    /// <summary>Kills the server again and again, each time after it has been ready for a random while.</summary>
    private static async Task<int> KillAsync(ServedMarket market, int kills, CancellationToken over)
    {
        int done = 0;
        try
        {
            for (; done < kills; done++)
            {
                await Task.Delay(RandomNumberGenerator.GetInt32(100, 5_000), over);
                await market.KillAsync();
                await market.StartAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // The story is over.
        }

        return done;
    }

    private static async Task<Outcome> StoryAsync(ServedMarket market, string records, Task killer)
    {
        async Task<JsonElement> DoAsync(params string[] command) => await market.PatientlyAsync(killer, command);

        await DoAsync("site", "load", records, "--schema", Schema);
        await DoAsync("site", "policies", "--schema", Schema, "--profile", "generous", "--rate", "1", "--purpose", "2", "--quota", "2");
        await DoAsync("site", "post-epoch", "--schema", Schema, "--wait");
        long members = (await DoAsync("site", "status", "--schema", Schema)).GetProperty("epochs")[0].GetProperty("members").GetInt64();
        List<string> keys = [];
        foreach (string statistic in Statistics)
        {
            string terms = market.Place(statistic.Replace(':', '-') + ".json");
            keys.Add((await market.PatientlyAsync(killer, () => File.Exists(terms)
                ? ["request", "open", "--terms", terms, "--yes"]
                : ["request", "open", "--schema", Schema, "--statistic", statistic, "--records", $"{members}", "--title", statistic,
                    "--why", "A test", "--grade", "2", "--save", terms, "--yes"]))
                .GetProperty("key").GetString()!);
        }

        foreach (string key in keys)
        {
            await DoAsync("request", "status", key, "--until", "ended", "--timeout", "600");
        }

        // Also what ended before the last kill is read after it.
        await killer;
        List<string> figures = [$"members {members}"];
        List<(string, double)> estimates = [];
        foreach (string key in keys)
        {
            JsonElement ended = await DoAsync("request", "status", key);
            figures.Add(
                string.Join(' ',
                    ((string[])["state", "sold", "delivered", "effectiveRecords", "paid", "refunded"])
                        .Select(name => $"{name} {ended.GetProperty(name)}")));
            JsonElement results = await DoAsync("request", "results", key);
            estimates.AddRange(results.GetProperty("statistics").EnumerateArray()
                .SelectMany(answer => answer.GetProperty("result").GetProperty("cells").EnumerateArray())
                .Select(cell => (cell.GetProperty("value").GetString()!, cell.GetProperty("estimate").GetDouble())));
            JsonElement verified = await DoAsync("request", "verify",
                ended.GetProperty("requestId").GetUInt64().ToString(CultureInfo.InvariantCulture), "--folder", market.Chain);
            figures.Add(
                string.Join(' ',
                    ((string[])["verified", "records", "claims", "funded", "paidToPatients", "relayFees", "refunded"])
                        .Select(name => $"{name} {verified.GetProperty(name)}")));
        }

        JsonElement site = await DoAsync("site", "status", "--schema", Schema);
        figures.Add(
            $"loss {site.GetProperty("highestLossMicro")} records {site.GetProperty("records")} deliveries "
                + $"{site.GetProperty("deliveries").GetArrayLength()}");
        figures.Add("researcher has " + await market.TokensAsync());
        return new Outcome(figures, estimates);
    }

    private sealed record Outcome(IReadOnlyList<string> Figures, IReadOnlyList<(string Cell, double Estimate)> Estimates);

    private sealed class TempFile(string name) : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-kill-");

        public string Folder => _folder.FullName;

        public string Path => System.IO.Path.Combine(_folder.FullName, name);

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
