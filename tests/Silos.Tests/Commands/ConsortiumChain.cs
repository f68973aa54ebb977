using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>A chain with the contracts in a process of its own, on which a market and a site meet that are two processes.</summary>
internal sealed class ConsortiumChain : IAsyncDisposable
{
    private readonly string? _program;
    private bool _runs;

    private ConsortiumChain(string folder, string? program) => (Folder, _program) = (folder, program);

    /// <summary>The chain's folder.</summary>
    public string Folder { get; }

    /// <summary>What was deployed.</summary>
    public string Deployment => Path.Combine(Folder, "deployment.json");

    /// <summary>The key of the market's account.</summary>
    public string MarketKey => Path.Combine(Folder, "keys", "market.key");

    /// <summary>The node.</summary>
    public string Node { get; private set; } = "";

    /// <summary>Starts a new one.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="program">The version of the program; the one that is tested when null.</param>
    public static async Task<ConsortiumChain> StartAsync(string folder, string? program = null)
    {
        ConsortiumChain chain = new(folder, program);
        try
        {
            await chain.GoOnAsync();
            await chain.DoAsync("chain", "deploy", "--folder", folder);
            await chain.DoAsync("chain", "publish", "--folder", folder);
            await chain.DoAsync("chain", "fund", EthereumAccount.Load(chain.MarketKey).Address.ToString(), "--folder", folder);
            return chain;
        }
        catch
        {
            await chain.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it where it stands, at the address that it had.</summary>
    public async Task GoOnAsync()
    {
        string[] port = Node.Length == 0 ? [] : ["--port", new Uri(Node).Port.ToString(CultureInfo.InvariantCulture)];
        await DoAsync(["chain", "start", "--folder", Folder, "--block-time", "0.1", "--idle-block-time", "0.25", .. port]);
        _runs = true;
        using JsonDocument status = JsonDocument.Parse(await DoAsync("chain", "status", "--folder", Folder, "--json"));
        Node = status.RootElement.GetProperty("endpoint").GetString()!;
    }

    /// <summary>Ends it; its state stays.</summary>
    public async Task StopAsync()
    {
        await DoAsync("chain", "stop", "--folder", Folder);
        _runs = false;
    }

    /// <summary>Admits a site's account, and gives it money.</summary>
    public async Task AdmitAsync(string account)
    {
        await DoAsync("chain", "admit", account, "--folder", Folder);
        await DoAsync("chain", "fund", account, "--folder", Folder);
    }

    /// <summary>The market's process on it.</summary>
    public ServedMarket Market(string link) =>
        new("--roles", "market", "--chain", Node, "--deployment", Deployment, "--market-key", MarketKey, "--link-urls", link)
        {
            Program = _program,
        };

    /// <summary>A site's process on it.</summary>
    public ServedMarket Site(string link, string pin) =>
        new("--roles", "site", "--chain", Node, "--deployment", Deployment, "--market", link, "--market-pin", pin) { Program = _program };

    /// <summary>The pin of a market's certificate, as it told it.</summary>
    public static string PinOf(ServedMarket market) =>
        market.Said.Single(line => line.Contains("--market-pin ", StringComparison.Ordinal)).Split("--market-pin ")[1];

    /// <summary>The account of a site, as it told it.</summary>
    public static string AccountOf(ServedMarket site) =>
        site.Said.Single(line => line.StartsWith("site hospital has the account ", StringComparison.Ordinal)).Split(' ')[^1];

    /// <summary>An address on which a market may listen for sites.</summary>
    public static string FreeAddress()
    {
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        return string.Create(CultureInfo.InvariantCulture, $"https://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
    }

    /// <summary>Runs a command that must succeed.</summary>
    public async Task<string> DoAsync(params string[] command)
    {
        (int code, string output, string error) = await CommandProcess.RunAsync(Path.GetTempPath(), command, variables: null, _program);
        Assert.True(code == 0, $"emr {string.Join(' ', command)} ended with {code}: {error}{output}");
        return output;
    }

    public async ValueTask DisposeAsync()
    {
        if (_runs)
        {
            await StopAsync();
        }
    }
}
