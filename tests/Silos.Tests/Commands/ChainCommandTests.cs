using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.RegularExpressions;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>The program itself, as a person runs it: its output, its exit codes, and what it leaves behind.</summary>
public sealed class ChainCommandTests : IDisposable
{
    private static readonly string Emr = Path.Combine(AppContext.BaseDirectory, "emrmarket.dll");
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-cli-").FullName;

    private string Chain => Path.Combine(_folder, "chain");

    [RequiresFact(Tool.Anvil)]
    public async Task Start_deploy_status_stop_do_what_they_say()
    {
        Assert.Equal(75, (await RunAsync("chain", "status", "--folder", Chain)).Code);
        Assert.Equal(75, (await RunAsync("chain", "deploy", "--folder", Chain)).Code);
        Assert.Equal(0, (await RunAsync("chain", "stop", "--folder", Chain)).Code);
        (int code, string output, _) = await RunAsync("chain", "start", "--folder", Chain, "--block-time", "0.05");
        try
        {
            Assert.Equal(0, code);
            string endpoint = EmbeddedChain.FindRunning(Chain)!.Endpoint;
            Assert.Contains(endpoint, output, StringComparison.Ordinal);
            Assert.Contains("already", (await RunAsync("chain", "start", "--folder", Chain)).Output, StringComparison.Ordinal);

            Assert.Equal(0, (await RunAsync("chain", "deploy", "--folder", Chain)).Code);
            ContractDeployment deployment = ContractDeployment.Load(Path.Combine(Chain, "deployment.json"));
            (int again, _, string said) = await RunAsync("chain", "deploy", "--folder", Chain);
            Assert.Equal(0, again);
            Assert.Contains("already", said, StringComparison.Ordinal);
            Assert.Equal(deployment, ContractDeployment.Load(Path.Combine(Chain, "deployment.json")));

            (int status, string json, _) = await RunAsync("chain", "status", "--folder", Chain, "--json");
            Assert.Equal(0, status);
            using (JsonDocument parsed = JsonDocument.Parse(json))
            {
                Assert.Equal(endpoint, parsed.RootElement.GetProperty("endpoint").GetString());
                Assert.Equal(deployment.Matching.Address, parsed.RootElement.GetProperty("deployment").GetProperty("matching").GetProperty("address").GetString());
            }
        }
        finally
        {
            Assert.Equal(0, (await RunAsync("chain", "stop", "--folder", Chain)).Code);
        }

        Assert.Null(EmbeddedChain.FindRunning(Chain));

        // The state stays: the same contracts are there after the next start.
        Assert.Equal(0, (await RunAsync("chain", "start", "--folder", Chain, "--block-time", "0.05")).Code);
        Assert.Equal(0, (await RunAsync("chain", "status", "--folder", Chain)).Code);
        Assert.Equal(0, (await RunAsync("chain", "stop", "--folder", Chain)).Code);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Node_ends_when_its_owner_is_killed_with_SIGKILL()
    {
        await StartEmbeddedAsync();
        SupervisedState running = EmbeddedChain.FindRunning(Chain)!;
        using Process owner = Process.GetProcessById(running.SupervisorId);
        using Process node = Process.GetProcessById(running.ProcessId);
        owner.Kill();
        using CancellationTokenSource late = new(TimeSpan.FromSeconds(30));
        await node.WaitForExitAsync(late.Token);
        Assert.Null(EmbeddedChain.FindRunning(Chain));

        // And the folder is free for the next one.
        await StartEmbeddedAsync();
        Assert.Equal(0, (await RunAsync("chain", "stop", "--folder", Chain)).Code);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Deploy_to_another_chain_checks_its_id_and_key_and_writes_the_file()
    {
        // A node that the command knows by its URL alone plays the other chain.
        await using EmbeddedChain node = await EmbeddedChain.StartAsync(
            new EmbeddedChainOptions
            {
                Folder = Chain,
                Tools = new EmbeddedTools(Path.Combine(Tools.RepositoryRoot, ".emr", "tools"), TextWriter.Null),
                BlockTime = TimeSpan.FromMilliseconds(50),
                KeepsState = false,
            },
            CancellationToken.None);
        EthereumAccount deployer = EthereumAccount.Generate();
        await node.FundAsync([deployer.Address], CancellationToken.None);
        string key = Path.Combine(_folder, "deployer.key");
        deployer.Save(key);
        string file = Path.Combine(_folder, "other.json");
        string someone = EthereumAccount.Generate().Address.ToString();
        string[] Command(string id, string keyFile, string token) =>
        [
            "chain", "deploy", "--chain", node.Endpoint.ToString(), "--chain-id", id, "--key-file", keyFile, "--token", token, "--consortium", someone, "--market", someone,
            "--patients-fund", someone, "--deployment", file, "--confirmations", "2",
        ];

        string known = EmbeddedChain.DevelopmentChainId.ToString(CultureInfo.InvariantCulture);
        (int wrongChain, _, string said) = await RunAsync(Command("1", key, someone));
        Assert.Equal(1, wrongChain);
        Assert.Contains("expected chain 1", said, StringComparison.Ordinal);
        (int noToken, _, string saidToken) = await RunAsync(Command(known, key, someone));
        Assert.Equal(1, noToken);
        Assert.Contains(someone, saidToken, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync(Command(known, key + "-missing", someone))).Code);
        Assert.Equal(2, (await RunAsync("chain", "deploy", "--chain", node.Endpoint.ToString())).Code);
        Assert.Equal(2, (await RunAsync(Command(known, key, "0x12"))).Code);
        Assert.False(File.Exists(file));
        Assert.Equal(0UL, await node.Client.GetNonceAsync(deployer.Address, BlockReference.Latest, CancellationToken.None));

        // A token from elsewhere: that of a deployment of its own.
        await node.FundAsync([EthereumAccount.LoadOrCreate(Path.Combine(_folder, "first.key")).Address], CancellationToken.None);
        Assert.Equal(0, (await RunAsync("chain", "deploy", "--folder", Chain)).Code);
        string token = ContractDeployment.Load(Path.Combine(Chain, "deployment.json")).Token.Address;
        Assert.Equal(0, (await RunAsync(Command(known, key, token))).Code);
        ContractDeployment deployed = ContractDeployment.Load(file);
        Assert.Equal(token, deployed.Token.Address);
        Assert.Null(deployed.Token.TransactionHash);
        using JsonRpcEthereumClient client = new(node.Endpoint);
        await deployed.VerifyAsync(client, CancellationToken.None);
        Assert.Equal(4UL, await node.Client.GetNonceAsync(deployer.Address, BlockReference.Latest, CancellationToken.None));
    }

    public void Dispose()
    {
        if (EmbeddedChain.FindRunning(Chain) is { } running)
        {
            using Process owner = Process.GetProcessById(running.SupervisorId);
            owner.Kill();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Demo_tells_a_whole_sale_and_leaves_nothing_behind()
    {
        string temporary = Directory.CreateDirectory(Path.Combine(_folder, "tmp")).FullName;
        string[] command = ["chain", "demo"];
        (int code, string output, string errors) = await RunAsync(command, temporary);
        Assert.True(code == 0, output + errors);

        // The terminal's width breaks lines anywhere.
        string told = string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

        // Every step, in its order; a step is told only after it is done and checked.
        string[] steps =
        [
            "1. A ledger of its own", "2. The consortium admits", "3. Each site posts an epoch: 500 pseudonyms in 5 classes",
            "A leaf is withheld; the auditor demands it", "Three researchers fund requests", "The market matches, wrongly at first",
            "the contract finds E3", "The right match, final and seeded", "one delivers short", "Anybody claims for everybody",
            "What was not delivered goes back", "delivered short, so only after the deadline", "The trace of one pseudonym, every proof checked",
            "policy ", "match ", "delivery ", "payout ", "The books", "not a unit was made or lost",
        ];
        int at = 0;
        foreach (string step in steps)
        {
            int found = told.IndexOf(step, at, StringComparison.Ordinal);
            Assert.True(found >= 0, $"\"{step}\" is not told after \"{told[Math.Max(0, at - 40)..at]}\"");
            at = found + step.Length;
        }

        // The sum of every request is told in figures that hold.
        MatchCollection sums = Regex.Matches(
            told,
            @"funded (?<funded>\d+) = paid with fees (?<paid>\d+) \+ refunded (?<refunded>\d+)",
            RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant);
        Assert.Equal(3, sums.Count);
        Assert.All(sums, sum => Assert.Equal(Number(sum, "funded"), Number(sum, "paid") + Number(sum, "refunded")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(temporary, "emrmarket-*"));

        static BigInteger Number(Match sum, string group) => BigInteger.Parse(sum.Groups[group].Value, CultureInfo.InvariantCulture);
    }

    private async Task StartEmbeddedAsync() => Assert.Equal(0, (await RunAsync("chain", "start", "--folder", Chain, "--block-time", "0.05")).Code);

    private static Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) => RunAsync(arguments, Path.GetTempPath());

    private static async Task<(int Code, string Output, string Errors)> RunAsync(string[] arguments, string temporary)
    {
        using Process emr = Process.Start(new ProcessStartInfo("dotnet", [Emr, .. arguments])
        {
            Environment = { ["EMR_ROOT"] = Tools.RepositoryRoot, ["TMPDIR"] = temporary },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        Task<string> output = emr.StandardOutput.ReadToEndAsync();
        Task<string> errors = emr.StandardError.ReadToEndAsync();
        using CancellationTokenSource late = new(TimeSpan.FromMinutes(2));
        await emr.WaitForExitAsync(late.Token);
        return (emr.ExitCode, await output, await errors);
    }
}
