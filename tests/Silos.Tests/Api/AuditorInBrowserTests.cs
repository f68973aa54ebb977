using System.Globalization;
using System.Numerics;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Tests.Hosting;
using EmrMarket.Silos.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>A site posts what is false; an auditor finds it in a real Chromium, signs there, and the contracts on a real chain void
/// it.</summary>
public sealed class AuditorInBrowserTests
{
    // Half a window is the time that a person has to demand a leaf.
    private static readonly DeploymentTerms Terms = DeploymentTerms.Embedded with { EpochWindowSeconds = 120 };

    [RequiresFact(Tool.Anvil, Tool.Node, Tool.Chromium)]
    public async Task False_and_withheld_batches_become_void_by_what_an_auditor_signs_in_the_browser()
    {
        await using SmallMarket market = await SmallMarket.StartAsync(TestDatabases.EmbeddedTools, RateLimits.None, null, Terms);
        EthereumAccount auditor = EthereumAccount.Generate();
        string key = Path.Combine(market.Options.Keys, "auditor.key");
        auditor.Save(key);
        await market.EndowAsync(auditor);
        await market.Roles.Consortium!.SetAuditorAsync(auditor.Address, registered: true, CancellationToken.None);
        AccountSecrets secrets = await market.Web.Services.GetRequiredService<AccountService>()
            .AddAsync(new NewAccount { Name = "auditor", Role = "auditor" }, market.Roles.Sites.Keys);
        string link = $"auditor:{secrets.Password}&key={(await File.ReadAllTextAsync(key, CancellationToken.None)).Trim()}";

        Bytes32 wrong = await BatchCheckTests.PostFalseEpochAsync(market, 2, BatchCheckTests.Faults().First().Plant);
        await ActAsync("challenge", market, link, wrong);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        EpochRow row = market.Roles.View.Epoch(wrong)!;
        Assert.Equal((BatchStatus.Void, BatchFault.EpsilonCap, auditor.Address), (row.Status, row.Fault, row.Challenger));
        Assert.Equal(BigInteger.Zero, market.Roles.View.FreeBalance(auditor.Address));
        Assert.Equal(auditor.Address, Assert.Single(market.Roles.View.Findings(1)).Author);

        // Nobody has the file of it, so nobody can open the leaf.
        Bytes32 withheld = await BatchCheckTests.PostFalseEpochAsync(market, 3, file => file, isWithheld: true);
        await ActAsync("demand", market, link, withheld);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        row = market.Roles.View.Epoch(withheld)!;
        Assert.Equal((BatchStatus.Void, BatchFault.LeafWithheld, auditor.Address), (row.Status, row.Fault, row.Challenger));
    }

    private static Task ActAsync(string what, SmallMarket market, string link, Bytes32 batch) => BrowserScript.RunAsync(
        ["audit/act.mjs", what], new()
        {
            ["EMR_SERVER"] = market.Address.GetLeftPart(UriPartial.Authority), ["EMR_AUDITOR"] = link, ["EMR_BATCH"] = Show.Hash(batch),
            ["EMR_OPERATOR"] = market.OperatorToken,
            ["EMR_REWARD"] = (Terms.EpochBondUnits / 2).ToString("#,0", CultureInfo.InvariantCulture),
        });
}
