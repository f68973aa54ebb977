using System.Globalization;
using System.Numerics;
using System.Text.Json;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Tests.Commands;

namespace EmrMarket.Silos.Tests.Upgrades;

/// <summary>
/// Markets that earlier programs ran and left in the middle of a request (README.md beside this file): today's program opens what they
/// stored, migrates it, and brings the request to its end, as if it had always been there.
/// </summary>
public sealed class ReleasedMarketTests
{
    private static readonly string Kept = Path.Combine(Tools.RepositoryRoot, "tests", "Silos.Tests", "Upgrades", "released");

    public static TheoryData<string> Files => [.. Directory.GetFiles(Kept, "*.tar.br").Select(path => Path.GetFileName(path)).Order()];

    [RequiresTheory(Tool.Anvil, Tool.PostgreSQL)]
    [Trait("Duration", "Long")]
    [MemberData(nameof(Files))]
    public Task Request_that_an_earlier_program_left_half_way_is_finished_by_todays(string file) =>
        FinishAsync(Path.Combine(Kept, file), isEarlier: true);

    /// <summary>What is done at a release, with the program of today; with EMR_WRITE_UPGRADE_OF, which names another program, and
    /// EMR_WRITE_UPGRADE_COMMIT, its commit, the files are kept for good.</summary>
    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    [Trait("Duration", "Long")]
    public async Task Request_that_a_program_leaves_half_way_can_be_kept_for_the_next_one()
    {
        if (Environment.GetEnvironmentVariable("EMR_WRITE_UPGRADE_OF") is { Length: > 0 } program)
        {
            Directory.CreateDirectory(Kept);
            await ReleasedMarket.WriteAsync(program, Environment.GetEnvironmentVariable("EMR_WRITE_UPGRADE_COMMIT")!, Kept);
            return;
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-kept-");
        try
        {
            await ReleasedMarket.WriteAsync(null, "today", folder.FullName);
            foreach (string file in Directory.GetFiles(folder.FullName))
            {
                await FinishAsync(file, isEarlier: false);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task FinishAsync(string file, bool isEarlier)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-upgraded-");
        try
        {
            string chain = Path.Combine(folder.FullName, "chain"), deployment = Path.Combine(chain, "deployment.json");
            string link = ConsortiumChain.FreeAddress();
            string[] places = [Path.Combine(folder.FullName, "market"), Path.Combine(folder.FullName, "site")];
            (ReleasedMarket.Left left, int[] levels) = await ReleasedMarket.OpenAsync(file, chain, places[0], places[1]);
            int[] today = [Migrations.Of(DatabaseRole.Market)[^1].Number, Migrations.Of(DatabaseRole.Site)[^1].Number];
            Assert.Equal(isEarlier, levels[0] < today[0] || levels[1] < today[1]);
            await using KeptChain node = await KeptChain.StartAsync(chain);
            await using ServedMarket market = new(new DirectoryInfo(places[0]), "--roles", "market", "--chain", node.Node.ToString(),
                "--deployment", deployment, "--market-key", Path.Combine(chain, "keys", "market.key"), "--link-urls", link);
            await market.StartAsync();
            await using ServedMarket site = new(new DirectoryInfo(places[1]), "--roles", "site", "--chain", node.Node.ToString(),
                "--deployment", deployment, "--market", link, "--market-pin", ConsortiumChain.PinOf(market));
            await site.StartAsync();

            string request = left.RequestId.ToString(CultureInfo.InvariantCulture);
            JsonElement ended = await market.JsonAsync("request", "status", request, "--until", "ended", "--timeout", "300");
            Assert.Equal(("settled", left.Members), (ended.GetProperty("state").GetString(), ended.GetProperty("delivered").GetInt64()));
            JsonElement cells = Assert.Single(
                (await market.JsonAsync("request", "results", request)).GetProperty("statistics").EnumerateArray())
                .GetProperty("result").GetProperty("cells");
            Assert.Equal(2, cells.GetArrayLength());

            // Everybody has what the ledger says, to the last token unit, and whoever replays the request from chain and files agrees.
            JsonElement verified = await market.JsonAsync("request", "verify", request, "--chain", node.Node.ToString(), "--deployment",
                deployment);
            Assert.True(verified.GetProperty("verified").GetBoolean());
            Assert.Equal(left.Members, verified.GetProperty("claims").GetInt64());
            Assert.Equal(Tokens("funded"), Tokens("paidToPatients") + Tokens("relayFees") + Tokens("refunded"));

            // What left is charged once, by whichever program it was handed over.
            long loss = (await site.JsonAsync("site", "status", "--schema", "synthetic")).GetProperty("highestLossMicro").GetInt64();
            Assert.True(left.LossMicro == 0 ? loss > 0 : loss == left.LossMicro, $"{left.LossMicro} micro-epsilon before, {loss} now");

            BigInteger Tokens(string name) => BigInteger.Parse(verified.GetProperty(name).ToString(), CultureInfo.InvariantCulture);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
