using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Runtime.Versioning;
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

            // The file is held against the chain by code hash.
            string forged = Path.Combine(_folder, "forged.json");
            (deployment with { Matching = deployment.Matching with { CodeHash = deployment.Evaluation.CodeHash } }).Save(forged);
            (int differs, _, string difference) = await RunAsync("chain", "status", "--folder", Chain, "--deployment", forged);
            Assert.Equal(1, differs);
            Assert.Contains("expected code with hash " + deployment.Evaluation.CodeHash, difference, StringComparison.Ordinal);

            (int status, string json, _) = await RunAsync("chain", "status", "--folder", Chain, "--json");
            Assert.Equal(0, status);
            using (JsonDocument parsed = JsonDocument.Parse(json))
            {
                Assert.Equal(endpoint, parsed.RootElement.GetProperty("endpoint").GetString());
                Assert.Equal(deployment.Matching.Address,
                    parsed.RootElement.GetProperty("deployment").GetProperty("matching").GetProperty("address").GetString());
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

        // And the folder is free for the next one, which is ready when it is told so.
        await StartEmbeddedAsync();
        Assert.NotEqual(running.SupervisorId, EmbeddedChain.FindRunning(Chain)!.SupervisorId);
        Assert.Equal(0, (await RunAsync("chain", "status", "--folder", Chain)).Code);
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
            "chain", "deploy", "--chain", node.Endpoint.ToString(), "--chain-id", id, "--key-file", keyFile, "--token", token,
            "--consortium", someone, "--market", someone, "--patients-fund", someone, "--deployment", file, "--confirmations", "2",
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

    [Fact]
    public async Task Deploy_with_a_published_key_on_another_chain_is_refused_before_anything_is_sent()
    {
        // A node of chain 1 that writes down what it is asked.
        using HttpListener node = new();
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        string endpoint = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}/");
        free.Stop();
        node.Prefixes.Add(endpoint);
        node.Start();
        List<string> asked = [];
        Task answering = AnswerAsync();

        // The first account of the mnemonic that development tools print.
        string key = Path.Combine(_folder, "published.key");
        new EthereumAccount(Convert.FromHexString("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")).Save(key);
        string someone = EthereumAccount.Generate().Address.ToString();
        (int code, _, string said) = await RunAsync(
            "chain", "deploy", "--chain", endpoint, "--chain-id", "1", "--key-file", key, "--token", someone, "--consortium", someone,
            "--market", someone, "--patients-fund", someone, "--deployment", Path.Combine(_folder, "never.json"));
        node.Stop();
        await answering;
        Assert.Equal(1, code);
        Assert.Contains("development key that everybody has", said, StringComparison.Ordinal);
        Assert.Contains("Use a key of your own", said, StringComparison.Ordinal);
        Assert.All(asked, question => Assert.Contains("eth_chainId", question, StringComparison.Ordinal));
        Assert.NotEmpty(asked);
        Assert.Empty(Directory.EnumerateFiles(_folder, "never.json*"));

        async Task AnswerAsync()
        {
            try
            {
                while (true)
                {
                    HttpListenerContext context = await node.GetContextAsync();
                    using StreamReader reader = new(context.Request.InputStream);
                    asked.Add(await reader.ReadToEndAsync());
                    context.Response.ContentType = "application/json";
                    await context.Response.OutputStream.WriteAsync("""{"jsonrpc":"2.0","id":0,"result":"0x1"}"""u8.ToArray());
                    context.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // Stopped.
            }
        }
    }

    [Fact]
    public async Task Start_without_npm_or_with_one_that_fails_says_how_to_mend_it()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        string empty = Directory.CreateDirectory(Path.Combine(_folder, "empty")).FullName;
        (int missing, _, string said) = await RunInCloneAsync(empty);
        Assert.Equal(1, missing);
        Assert.Contains("npm is missing", said, StringComparison.Ordinal);
        Assert.Contains("install Node 20 or later with npm, https://nodejs.org/", said, StringComparison.Ordinal);

        // npm without Node, without its registry, and one that has no package for this machine.
        (int noNode, _, string saidNode) = await RunInCloneAsync(
            Npm("noNode", "echo \"env: 'node': No such file or directory\" >&2; exit 127"));
        Assert.Equal(1, noNode);
        Assert.Contains("exit code 127: it needs Node 20 or later", saidNode, StringComparison.Ordinal);
        Assert.Contains("'node': No such file", saidNode, StringComparison.Ordinal);
        (int offline, _, string saidOffline) = await RunInCloneAsync(Npm("offline", "echo 'npm error code ENOTFOUND' >&2; exit 1"));
        Assert.Equal(1, offline);
        Assert.Contains("npm ci", saidOffline, StringComparison.Ordinal);
        Assert.Contains("npm error code ENOTFOUND", saidOffline, StringComparison.Ordinal);
        Assert.Contains("start again", saidOffline, StringComparison.Ordinal);
        (int foreign, _, string saidForeign) = await RunInCloneAsync(Npm("foreign", "exit 0"));
        Assert.Equal(1, foreign);
        Assert.Contains("there is no package for", saidForeign, StringComparison.Ordinal);
        Assert.Contains("--chain URL", saidForeign, StringComparison.Ordinal);
        Assert.All((string[])[said, saidNode, saidOffline, saidForeign],
            text => Assert.DoesNotContain("   at ", text, StringComparison.Ordinal));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Binary_that_is_missing_is_installed_again_and_a_broken_one_shows_its_reason()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // An npm that puts the real binary where the lock file says, and counts.
        string anvil = await new EmbeddedTools(Path.Combine(Tools.RepositoryRoot, ".emr", "tools"), TextWriter.Null)
            .GetAnvilAsync(CancellationToken.None);
        string file = Path.GetRelativePath(Path.Combine(Tools.RepositoryRoot, ".emr", "tools"), anvil);
        string installed = Path.Combine(_folder, "clone", ".emr", "tools", file);
        string count = Path.Combine(_folder, "count");
        string npm = Npm("working", $"echo x >>{count}; /bin/mkdir -p {Path.GetDirectoryName(file)} && /bin/ln -s {anvil} {file}")
            + ":/usr/bin:/bin";
        for (int times = 1; times <= 2; times++)
        {
            Assert.Equal(0, (await RunInCloneAsync(npm)).Code);
            Assert.Equal(0, (await RunAsync("chain", "stop", "--folder", Chain)).Code);
            Assert.Equal(times, (await File.ReadAllLinesAsync(count)).Length);
            File.Delete(installed);
        }

        await File.WriteAllTextAsync(installed, "#!/bin/sh\necho cannot execute: required file not found >&2\nexit 127\n");
        File.SetUnixFileMode(installed, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        (int broken, _, string said) = await RunInCloneAsync(npm);
        Assert.Equal(1, broken);
        Assert.Contains("exit code 127", said, StringComparison.Ordinal);
        Assert.Contains("required file not found", said, StringComparison.Ordinal);
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
            "What was not delivered goes back", "delivered short, so only after the deadline",
            "The trace of one pseudonym, every proof checked", "policy ", "match ", "delivery ", "payout ", "The books",
            "not a unit was made or lost",
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

    private async Task StartEmbeddedAsync() =>
        Assert.Equal(0, (await RunAsync("chain", "start", "--folder", Chain, "--block-time", "0.05")).Code);

    /// <summary>A folder with an npm of these commands.</summary>
    [UnsupportedOSPlatform("windows")]
    private string Npm(string name, string commands)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
        string npm = Path.Combine(folder, "npm");
        File.WriteAllText(npm, "#!/bin/sh\n" + commands + "\n");
        File.SetUnixFileMode(npm, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return folder;
    }

    /// <summary>Starts the chain in a clone where nothing is installed yet, with these folders to find programs in.</summary>
    private Task<(int Code, string Output, string Errors)> RunInCloneAsync(string path) => RunAsync(
        ["chain", "start", "--folder", Chain, "--block-time", "0.05"],
        new Dictionary<string, string>(StringComparer.Ordinal) { ["EMR_ROOT"] = Path.Combine(_folder, "clone"), ["PATH"] = path });

    private static Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) =>
        RunAsync(arguments, Path.GetTempPath());

    private static Task<(int Code, string Output, string Errors)> RunAsync(string[] arguments, string temporary) =>
        RunAsync(arguments,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["EMR_ROOT"] = Tools.RepositoryRoot, ["TMPDIR"] = temporary });

    private static async Task<(int Code, string Output, string Errors)> RunAsync(string[] arguments, Dictionary<string, string> environment)
    {
        ProcessStartInfo start = new("dotnet", [Emr, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process emr = Process.Start(start)!;
        Task<string> output = emr.StandardOutput.ReadToEndAsync();
        Task<string> errors = emr.StandardError.ReadToEndAsync();
        using CancellationTokenSource late = new(TimeSpan.FromMinutes(2));
        await emr.WaitForExitAsync(late.Token);
        return (emr.ExitCode, await output, await errors);
    }
}
