using System.Diagnostics;
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
using EmrMarket.Silos.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>A site posts what is false; an auditor finds it in a real Chromium, signs there, and the contracts on a real chain void
/// it.</summary>
public sealed class AuditorInBrowserTests
{
    // Half a window is the time that a person has to demand a leaf.
    private static readonly DeploymentTerms Terms = DeploymentTerms.Embedded with { EpochWindowSeconds = 120 };

    private static string EndToEnd => Path.Combine(Tools.RepositoryRoot, "tests", "EndToEnd");

    [RequiresFact(Tool.Anvil, Tool.Node, Tool.Chromium)]
    public async Task False_and_withheld_batches_become_void_by_what_an_auditor_signs_in_the_browser()
    {
        await InstallAsync();
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

    private static async Task ActAsync(string what, SmallMarket market, string link, Bytes32 batch) => await RunAsync(
        Tools.Require(Tool.Node), ["audit/act.mjs", what], new()
        {
            ["EMR_SERVER"] = market.Address.GetLeftPart(UriPartial.Authority), ["EMR_AUDITOR"] = link, ["EMR_BATCH"] = Show.Hash(batch),
            ["EMR_OPERATOR"] = market.OperatorToken, ["EMR_CHROMIUM"] = Tools.Require(Tool.Chromium),
            ["EMR_REWARD"] = (Terms.EpochBondUnits / 2).ToString("#,0", CultureInfo.InvariantCulture),
            ["EMR_END_TO_END"] = Path.Combine(Tools.RepositoryRoot, "artifacts", "EndToEnd"),
        });

    private static async Task InstallAsync()
    {
        FileInfo installed = new(Path.Combine(EndToEnd, "node_modules", ".package-lock.json"));
        if (!installed.Exists || installed.LastWriteTimeUtc < File.GetLastWriteTimeUtc(Path.Combine(EndToEnd, "package-lock.json")))
        {
            await RunAsync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], []);
        }
    }

    private static async Task RunAsync(string program, string[] arguments, Dictionary<string, string> environment)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = EndToEnd,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        try
        {
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, output + await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
