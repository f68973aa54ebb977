using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Tests.Commands;
using EmrMarket.Silos.Tests.Storage;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>A site posts what is false and what it withholds; an auditor finds it, signs and is rewarded by commands alone, and the
/// contracts on a real chain void it.</summary>
public sealed class AuditorByCommandTests
{
    // Half a window is the time to demand a leaf, and to answer.
    private static readonly DeploymentTerms Terms = DeploymentTerms.Embedded with { EpochWindowSeconds = 120 };

    [RequiresFact(Tool.Anvil)]
    [Trait("Duration", "Long")]
    public async Task False_and_withheld_epochs_become_void_and_the_auditor_is_rewarded_by_commands_alone()
    {
        await using SmallMarket market = await SmallMarket.StartAsync(TestDatabases.EmbeddedTools, RateLimits.None, null, Terms);
        EthereumAccount auditor = EthereumAccount.Generate();
        auditor.Save(Path.Combine(market.Options.Keys, "auditor.key"));
        await market.EndowAsync(auditor);
        string password = CommandProcess.Secret(market.Options.Keys, "password", "a long pass phrase of a test");
        await RunAsync(market, 0, "account", "add", "audit-desk", "--role", "auditor", "--password-file", password);
        await RunAsync(market, 0, "account", "sign-in", "audit-desk", "--password-file", password);

        // What is right withstands every challenge, and there is nothing to withdraw.
        string right = Show.Hash(market.Roles.View.Epochs()[0].Id);
        JsonElement sound = await JsonAsync(market, 0, "audit", "check", right, "--as", "audit-desk", "--challenge");
        Assert.Equal(JsonValueKind.Null, Member(sound.GetProperty("check"), "challenge"));
        Assert.Contains("nothing of", await RunAsync(market, 2, "audit", "withdraw"), StringComparison.Ordinal);

        await ChallengeAsync(market, auditor);
        await FindAsync(market, auditor);
        await DemandAsync(market, auditor);
        await WithdrawAsync(market, auditor);
    }

    private static async Task ChallengeAsync(SmallMarket market, EthereumAccount auditor)
    {
        Bytes32 wrong = await BatchCheckTests.PostFalseEpochAsync(market, 2, BatchCheckTests.Faults().First().Plant);
        string id = Show.Hash(wrong);
        JsonElement[] posted = [.. (await JsonAsync(market, 0, "audit", "batches", "--posted")).EnumerateArray()];
        Assert.Equal(id, Assert.Single(posted).GetProperty("id").GetString());

        // Told, and nothing filed, before it is asked for.
        string told = await RunAsync(market, 1, "audit", "check", id[..8], "--as", "audit-desk");
        Assert.Contains("--challenge signs and files it", told, StringComparison.Ordinal);
        Assert.Contains("challengeEpsilonCap", told, StringComparison.Ordinal);
        Assert.Equal(BatchStatus.Posted, (await RowAsync(market, wrong)).Status);

        JsonElement filed = await JsonAsync(market, 0, "audit", "check", id[..8], "--as", "audit-desk", "--challenge");
        Assert.Equal("void", filed.GetProperty("batch").GetProperty("status").GetString());
        EpochRow row = await RowAsync(market, wrong);
        Assert.Equal((BatchStatus.Void, BatchFault.EpsilonCap, auditor.Address), (row.Status, row.Fault, row.Challenger));
    }

    private static async Task FindAsync(SmallMarket market, EthereumAccount auditor)
    {
        string memo = Path.Combine(market.Options.Keys, "memo.txt");
        await File.WriteAllTextAsync(memo, "Its reports of one attribute cannot come from the channel.", CancellationToken.None);
        string[] find = ["audit", "finding", "--site", "1", "--kind", "channel", "--document", memo];
        Assert.Contains("registered auditors", await RunAsync(market, 1, find), StringComparison.Ordinal);
        await market.Roles.Consortium!.SetAuditorAsync(auditor.Address, registered: true, CancellationToken.None);
        JsonElement recorded = await JsonAsync(market, 0, find);
        string hash = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(memo, CancellationToken.None)));
        Assert.Equal(hash, recorded.GetProperty("contentHash").GetString());
        FindingRow row = Assert.Single(market.Roles.View.Findings(1));
        Assert.Equal((auditor.Address, (byte)1, hash), (row.Author, row.Kind, Show.Hash(row.ContentHash)));
        Assert.Equal(hash,
            Assert.Single((await JsonAsync(market, 0, "audit", "findings")).EnumerateArray()).GetProperty("contentHash").GetString());
    }

    private static async Task DemandAsync(SmallMarket market, EthereumAccount auditor)
    {
        // The site has no file of it, so it cannot open the leaf.
        Bytes32 withheld = await BatchCheckTests.PostFalseEpochAsync(market, 3, file => file, isWithheld: true);
        string[] leaf = [Show.Hash(withheld), "--kind", "member", "--position", "4"];
        Assert.Contains("nobody waits", await RunAsync(market, 2, ["audit", "end-demand", .. leaf]), StringComparison.Ordinal);
        Assert.Contains("positions of kind 1",
            await RunAsync(market, 2, "audit", "demand", leaf[0], "--kind", "member", "--position", "99999999"), StringComparison.Ordinal);
        JsonElement demanded = await JsonAsync(market, 0, ["audit", "demand", .. leaf]);
        Assert.Equal("open", demanded.GetProperty("demand").GetProperty("state").GetString());
        Assert.Contains("until then it may come", await RunAsync(market, 2, ["audit", "end-demand", .. leaf]), StringComparison.Ordinal);
        await market.Roles.Consortium!.AdvanceTimeAsync(
            TimeSpan.FromSeconds(Terms.EpochWindowSeconds / 2), CancellationToken.None);
        JsonElement ended = await JsonAsync(market, 0, ["audit", "end-demand", .. leaf]);
        Assert.Equal("void", ended.GetProperty("batch").GetProperty("status").GetString());
        EpochRow row = await RowAsync(market, withheld);
        Assert.Equal((BatchStatus.Void, BatchFault.LeafWithheld, auditor.Address), (row.Status, row.Fault, row.Challenger));
        Assert.Equal("void", Assert.Single((await JsonAsync(market, 0, "audit", "demands")).EnumerateArray())
            .GetProperty("state").GetString());
    }

    private static async Task WithdrawAsync(SmallMarket market, EthereumAccount auditor)
    {
        // Half of each of two bonds; the first of them served as the deposit, which came back.
        ulong free = Terms.EpochBondUnits;
        Assert.Equal(free, market.Roles.View.FreeBalance(auditor.Address));
        DevelopmentToken token = new(market.Roles.Client, Address.Parse(market.Roles.View.Deployment.Token.Address));
        System.Numerics.BigInteger before = await token.BalanceOfAsync(auditor.Address, cancellationToken: CancellationToken.None);
        JsonElement after = await JsonAsync(market, 0, "audit", "withdraw");
        Assert.Equal(
            (before + free).ToString(CultureInfo.InvariantCulture), after.GetProperty("tokens").GetString());
        Assert.Equal("0", after.GetProperty("free").GetString());
    }

    private static async Task<EpochRow> RowAsync(SmallMarket market, Bytes32 id)
    {
        await market.Roles.View.SyncAsync(CancellationToken.None);
        return market.Roles.View.Epoch(id)!;
    }

    private static JsonValueKind Member(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement member) ? member.ValueKind : JsonValueKind.Null;

    private static async Task<JsonElement> JsonAsync(SmallMarket market, int code, params IEnumerable<string> arguments)
    {
        using JsonDocument document = JsonDocument.Parse(await RunAsync(market, code, [.. arguments, "--json"]));
        return document.RootElement.Clone();
    }

    /// <summary>What the command printed; of one that fails also what it said on standard error.</summary>
    private static async Task<string> RunAsync(SmallMarket market, int code, params IEnumerable<string> arguments)
    {
        (int ended, string output, string error) = await CommandProcess.RunAsync(
            market.Options.Keys,
            [.. arguments, "--server", market.Address.GetLeftPart(UriPartial.Authority), "--keys", market.Options.Keys]);
        Assert.True(ended == code, $"emr {string.Join(' ', arguments)} ended with {ended}, expected {code}: {error}{output}");
        return code == 0 ? output : output + error;
    }
}
