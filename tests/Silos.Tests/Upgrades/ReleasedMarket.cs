using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Tests.Commands;
using EmrMarket.Silos.Tests.Storage;
using Npgsql;

namespace EmrMarket.Silos.Tests.Upgrades;

/// <summary>
/// A market, a site and their chain that some version of the program left in the middle of a request, in one file: the chain's folder, both
/// processes' folders with their keys, which guard nothing but made-up records, and both databases as text.
/// </summary>
internal static class ReleasedMarket
{
    private const string Schema = "synthetic";
    private const int Records = 240;

    // What another machine has no use for, or makes itself.
    private static readonly string[] NotKept = ["database", "cache", "backups", "records.csv", "password", "deployment.json.outbox"];

    /// <summary>The request that is left.</summary>
    /// <param name="Commit">Of the program that wrote it.</param>
    /// <param name="RequestId">Its id on the ledger.</param>
    /// <param name="Members">Records that were sold.</param>
    /// <param name="LossMicro">The highest loss of a person that the site says, micro-epsilon.</param>
    public sealed record Left(string Commit, ulong RequestId, long Members, long LossMicro);

    /// <summary>Lets a version of the program run a small market, and keeps it twice: when the request is funded and matched, and nothing
    /// is delivered; and when it is delivered, and nobody is paid.</summary>
    /// <param name="program">The program; the one that is tested when null.</param>
    /// <param name="commit">What wrote it, the beginning of the files' names.</param>
    /// <param name="to">The folder of the files.</param>
    public static async Task WriteAsync(string? program, string commit, string to)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-release-");
        try
        {
            await using ConsortiumChain chain = await ConsortiumChain.StartAsync(Path.Combine(folder.FullName, "chain"), program);
            string link = ConsortiumChain.FreeAddress();
            await using ServedMarket market = chain.Market(link);
            await market.StartAsync();
            await using ServedMarket site = chain.Site(link, ConsortiumChain.PinOf(market));
            await site.ListenAsync();
            await chain.AdmitAsync(ConsortiumChain.AccountOf(site));
            await site.SaysAsync("ready at block");
            string researcher = (await market.JsonAsync("account", "key")).GetProperty("address").GetString()!;
            await chain.DoAsync("chain", "fund", researcher, "--folder", chain.Folder, "--tokens", "1000000000");
            long members = await FillAsync(chain, site);
            string loss = "highestLossMicro";
            async Task<Left> LeftAsync(ulong id) => new(commit, id, members,
                (await site.JsonAsync("site", "status", "--schema", Schema)).GetProperty(loss).GetInt64());

            // Nobody delivers while the site is away.
            JsonElement opened = await market.JsonAsync("request", "open", "--schema", Schema, "--statistic", "frequency:sex", "--records",
                $"{members}", "--title", "Sex", "--why", "A test", "--days", "0.05", "--grade", "2", "--yes");
            ulong request = opened.GetProperty("requestId").GetUInt64();
            Left left = await LeftAsync(request);
            await site.KillAsync();
            await market.JsonAsync("request", "status", $"{request}", "--until", "matched", "--timeout", "300");
            await market.KillAsync();
            await chain.StopAsync();
            await KeepAsync(Path.Combine(to, commit + "-matched.tar.br"), left, chain, market, site);

            // Nobody pays while the market is away: the site has its receipt, and makes its delivery final alone.
            await chain.GoOnAsync();
            await market.StartAsync();
            await site.StartAsync();
            while ((await site.JsonAsync("site", "deliver", "--schema", Schema, "--request", $"{request}")).GetArrayLength() == 0)
            {
                await Task.Delay(50);
            }

            await market.KillAsync();
            await FinalAsync(chain, request);
            left = await LeftAsync(request);
            await site.KillAsync();
            await chain.StopAsync();
            await KeepAsync(Path.Combine(to, commit + "-delivered.tar.br"), left, chain, market, site);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Puts what was kept into the folders of a chain, a market and a site; the databases take the form that they had.</summary>
    public static async Task<(Left Left, int[] Levels)> OpenAsync(string file, string chain, string market, string site)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-released-");
        try
        {
            await using (FileStream stream = File.OpenRead(file))
            await using (BrotliStream unpacked = new(stream, CompressionMode.Decompress))
            {
                await TarFile.ExtractToDirectoryAsync(unpacked, folder.FullName, overwriteFiles: false);
            }

            foreach ((string from, string to) in new[] { ("chain", chain), ("market", market), ("site", site) })
            {
                Copy(Path.Combine(folder.FullName, from), to);
            }

            return (JsonSerializer.Deserialize<Left>(await File.ReadAllTextAsync(Path.Combine(folder.FullName, "left.json")))!,
                [await LoadAsync(DatabaseRole.Market, Path.Combine(folder.FullName, "market.sql"), market),
                    await LoadAsync(DatabaseRole.Site, Path.Combine(folder.FullName, "site.sql"), site)]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<long> FillAsync(ConsortiumChain chain, ServedMarket site)
    {
        string file = site.Place("records.csv");
        await chain.DoAsync("data", "generate", "--records", $"{Records}", "--out", file);
        await site.JsonAsync("site", "load", file, "--schema", Schema);
        await site.JsonAsync("site", "policies", "--schema", Schema, "--profile", "generous", "--rate", "1", "--purpose", "2",
            "--quota", "2");
        return (await site.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait")).GetProperty("members").GetInt64();
    }

    /// <summary>Waits until all that was delivered to a request is final; nobody may have been paid by then.</summary>
    private static async Task FinalAsync(ConsortiumChain chain, ulong request)
    {
        using JsonRpcEthereumClient client = new(new Uri(chain.Node));
        using LedgerReadModel view = new(client, ContractDeployment.Load(chain.Deployment), new MemoryLedgerStore(), 0);
        do
        {
            await Task.Delay(100);
            await view.SyncAsync();
        }
        while (view.Deliveries(request) is not { Count: > 0 } posted || posted.Any(delivery => delivery.Status != BatchStatus.Final));

        Assert.All(view.Deliveries(request), delivery => Assert.Equal(0u, delivery.Claimed));
    }

    private static async Task KeepAsync(string file, Left left, ConsortiumChain chain, ServedMarket market, ServedMarket site)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-released-");
        try
        {
            foreach ((string from, string to) in new[] { (chain.Folder, "chain"), (market.Folder, "market"), (site.Folder, "site") })
            {
                Copy(from, Path.Combine(folder.FullName, to));
            }

            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "left.json"), JsonSerializer.Serialize(left));
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "market.sql"), await TextAsync(DatabaseRole.Market, market.Folder));
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "site.sql"), await TextAsync(DatabaseRole.Site, site.Folder));
            await using FileStream stream = File.Create(file);
            await using BrotliStream packed = new(stream, CompressionLevel.SmallestSize);
            await TarFile.CreateFromDirectoryAsync(folder.FullName, packed, includeBaseDirectory: false);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> TextAsync(DatabaseRole role, string folder)
    {
        await using EmbeddedPostgres server = await ServerAsync(folder);
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(await ConnectionAsync(role, server));
        return await DatabaseText.WriteAsync(database);
    }

    private static async Task<int> LoadAsync(DatabaseRole role, string file, string folder)
    {
        string text = await File.ReadAllTextAsync(file);
        await using EmbeddedPostgres server = await ServerAsync(folder);
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(await ConnectionAsync(role, server));
        await DatabaseText.LoadAsync(database, role, text);
        return DatabaseText.LevelOf(text);
    }

    private static Task<string> ConnectionAsync(DatabaseRole role, EmbeddedPostgres server) => role == DatabaseRole.Market
        ? Task.FromResult(server.MarketConnectionString) : server.GetSiteConnectionStringAsync("hospital", CancellationToken.None);

    /// <summary>The server of a folder, as soon as a killed process's own has ended.</summary>
    private static async Task<EmbeddedPostgres> ServerAsync(string folder)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await EmbeddedPostgres.StartAsync(
                    Path.Combine(folder, "database"), TestDatabases.EmbeddedTools, CancellationToken.None);
            }
            catch (Exception e) when (e is ProcessFolderInUseException or ProcessFailedException && attempt < 50)
            {
                await Task.Delay(100);
            }
        }
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string path in Directory.EnumerateFileSystemEntries(from).Where(path => !NotKept.Contains(Path.GetFileName(path))))
        {
            string target = Path.Combine(to, Path.GetFileName(path));
            if (Directory.Exists(path))
            {
                Copy(path, target);
            }
            else if (Path.GetExtension(path) is not (".log" or ".lock" or ".pid"))
            {
                File.Copy(path, target);
            }
        }
    }
}

/// <summary>A chain that was kept, and goes on where it stood: the time in between did not pass on it, or every deadline would be
/// over.</summary>
internal sealed class KeptChain : IAsyncDisposable
{
    private readonly EmbeddedChain _chain;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _mining;

    private KeptChain(EmbeddedChain chain)
    {
        _chain = chain;
        _mining = MineAsync();
    }

    /// <summary>The node.</summary>
    public Uri Node => _chain.Endpoint;

    /// <summary>Starts it.</summary>
    public static async Task<KeptChain> StartAsync(string folder)
    {
        // Its own pace would begin with the time of today.
        EmbeddedChain chain = await EmbeddedChain.StartAsync(
            new EmbeddedChainOptions { Folder = folder, Tools = TestDatabases.EmbeddedTools, BlockTime = TimeSpan.FromDays(1) },
            CancellationToken.None);
        try
        {
            BlockHeader last = (await chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!;
            using HttpClient http = new();
            using HttpResponseMessage answer = await http.PostAsync(chain.Endpoint, new StringContent(
                $$"""{"jsonrpc":"2.0","id":1,"method":"evm_setTime","params":[{{last.Timestamp + 1}}]}""",
                System.Text.Encoding.UTF8, "application/json"));
            answer.EnsureSuccessStatusCode();
            return new KeptChain(chain);
        }
        catch
        {
            await chain.DisposeAsync();
            throw;
        }
    }

    private async Task MineAsync()
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(100));
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                await _chain.MineAsync(_stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _mining;
        _stopping.Dispose();
        await _chain.DisposeAsync();
    }
}
