using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Link;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>
/// Market and site as two processes, each with its own database, account and connection to a chain that a third one runs: a whole sale over
/// the HTTPS link, the market killed in between, and those whom each side turns away.
/// </summary>
public sealed class SplitMarketTests : IAsyncLifetime
{
    private const int Records = 240;
    private const string Schema = "synthetic";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-split-");
    private bool _runs;

    private string Chain => Path.Combine(_folder.FullName, "chain");

    private string Deployment => Path.Combine(Chain, "deployment.json");

    private string MarketKey => Path.Combine(Chain, "keys", "market.key");

    private string Node { get; set; } = "";

    public async Task InitializeAsync()
    {
        if (Tools.Find(Tool.Anvil) is not null)
        {
            await DoAsync("chain", "start", "--folder", Chain, "--block-time", "0.1", "--idle-block-time", "0.25");
            _runs = true;
            await DoAsync("chain", "deploy", "--folder", Chain);
            await DoAsync("chain", "publish", "--folder", Chain);
            await DoAsync("chain", "fund", EthereumAccount.Load(MarketKey).Address.ToString(), "--folder", Chain);
            using JsonDocument status = JsonDocument.Parse(await DoAsync("chain", "status", "--folder", Chain, "--json"));
            Node = status.RootElement.GetProperty("endpoint").GetString()!;
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
    [Trait("Duration", "Long")]
    public async Task Sale_is_told_by_two_processes_that_meet_over_the_link_alone()
    {
        string link = FreeAddress();
        await using ServedMarket market = Market(link);
        await market.StartAsync();
        string pin = market.Said.Single(line => line.Contains("--market-pin ", StringComparison.Ordinal)).Split("--market-pin ")[1];
        await using ServedMarket site = Site(link, pin);
        await site.ListenAsync();

        // Nobody has admitted it: the market does not take it, and says what to do.
        string account = site.Said.Single(line => line.StartsWith("site hospital has the account ", StringComparison.Ordinal))
            .Split(' ')[^1];
        await site.SaysAsync("ask the consortium to admit it");
        Assert.Contains("site 1 is", await DoAsync("chain", "admit", account, "--folder", Chain), StringComparison.Ordinal);
        await site.SaysAsync("send it payment tokens");
        await DoAsync("chain", "fund", account, "--folder", Chain);
        await site.SaysAsync("ready at block");

        // What one process does, the other does not.
        await site.RefusedAsync(2, "runs sites only", "catalogue", "--schema", Schema);
        await market.RefusedAsync(2, "--site is needed", "site", "status", "--schema", Schema);
        await site.RefusedAsync(2, "at the market", "account", "add", "audit-desk", "--role", "auditor", "--password-file",
            CommandProcess.Secret(site.Folder, "password", "a long enough Passw0rd!"));
        foreach (ServedMarket each in (ServedMarket[])[market, site])
        {
            Assert.Contains("<h1>", await each.GetAsync("/"), StringComparison.Ordinal);
        }


        string file = site.Place("records.csv");
        await DoAsync("data", "generate", "--records", $"{Records}", "--out", file);
        Assert.Equal(Records, (await site.JsonAsync("site", "load", file, "--schema", Schema)).GetProperty("records").GetInt64());
        string wallet = site.Place("anna.wallet"), passphrase = CommandProcess.Secret(site.Folder, "pass", "one good passphrase");
        await site.JsonAsync("patient", "wallet", "create", wallet, "--site", "hospital", "--schema", Schema, "--record", "0",
            "--passphrase-file", passphrase);
        JsonElement menu = (await site.JsonAsync("patient", "policy", "--schema", Schema)).GetProperty("profiles");
        string profile = menu[menu.GetArrayLength() - 1].GetProperty("name").GetString()!;
        await site.JsonAsync("site", "policies", "--schema", Schema, "--profile", profile, "--rate", "1", "--purpose", "2", "--quota", "2");

        // The market is away: the site knows its schemas, does what is its own, and goes on when the market is back.
        await market.KillAsync();
        await site.SaysAsync("does not answer as it should");
        Assert.Equal(Records, (await site.JsonAsync("site", "status", "--schema", Schema)).GetProperty("records").GetInt32());
        JsonElement decided = await site.JsonAsync("site", "post-epoch", "--schema", Schema);
        Assert.Equal("decided", decided.GetProperty("status").GetString());
        await market.StartAsync();
        await site.SaysAsync("ready at block");
        JsonElement epoch = await site.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait");
        Assert.Equal("final", epoch.GetProperty("status").GetString());
        long members = epoch.GetProperty("members").GetInt64();
        Assert.Equal(members, (await market.JsonAsync("catalogue", "--schema", Schema))[0].GetProperty("records").GetInt64());

        // The researcher deals with the market, which gives out no money of this chain.
        string researcher = (await market.JsonAsync("account", "key")).GetProperty("address").GetString()!;
        await market.RefusedAsync(1, "embedded chain", "account", "fund");
        await DoAsync("chain", "fund", researcher, "--folder", Chain, "--tokens", "1000000000");
        JsonElement opened = await market.JsonAsync(
            "request", "open", "--schema", Schema, "--statistic", "mean:length_of_stay", "--records", $"{members}", "--title",
            "Length of stay", "--why", "Planning of beds", "--days", "0.01", "--yes");
        string request = opened.GetProperty("requestId").GetUInt64().ToString(CultureInfo.InvariantCulture);

        // The site is killed while the round is decided, and delivers once, whatever it had done before.
        await site.KillAsync();
        await site.StartAsync();
        JsonElement ended = await market.JsonAsync("request", "status", request, "--until", "ended", "--timeout", "300");
        Assert.Equal("settled", ended.GetProperty("state").GetString());
        Assert.Equal(members, ended.GetProperty("delivered").GetInt64());
        Assert.Equal("mean:length_of_stay",
            Assert.Single((await market.JsonAsync("request", "results", request)).GetProperty("statistics").EnumerateArray())
                .GetProperty("id").GetString());
        Assert.Equal(members,
            Assert.Single((await site.JsonAsync("site", "deliver", "--schema", Schema, "--request", request)).EnumerateArray())
                .GetProperty("delivered").GetInt64());

        // The patient deals with the site, the auditor with market and chain.
        JsonElement used = (await site.JsonAsync("patient", "history", "--wallet", wallet, "--passphrase-file", passphrase))
            .EnumerateArray().First(of => of.GetProperty("uses").GetArrayLength() > 0);
        Assert.Equal("paid", Assert.Single(used.GetProperty("uses").EnumerateArray()).GetProperty("state").GetString());
        Assert.True((await market.JsonAsync("request", "verify", request, "--chain", Node, "--deployment", Deployment))
            .GetProperty("verified").GetBoolean());
        await StrangersAsync(link, Path.Combine(site.Folder, "sites", "hospital", "account.key"));
        Assert.Equal(members, (await market.JsonAsync("catalogue", "--schema", Schema))[0].GetProperty("records").GetInt64());
    }

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    public async Task Process_with_a_key_or_a_ledger_that_does_not_fit_is_refused_with_what_to_do()
    {
        string link = FreeAddress();
        string other = Path.Combine(_folder.FullName, "other.key");
        EthereumAccount.LoadOrCreate(other);
        await using (ServedMarket wrong = new("--roles", "market", "--chain", Node, "--deployment", Deployment, "--market-key", other))
        {
            Assert.Contains("the ledger names", (await Assert.ThrowsAsync<InvalidOperationException>(wrong.ListenAsync)).Message,
                StringComparison.Ordinal);
        }

        string altered = Path.Combine(_folder.FullName, "altered.json");
        ContractDeployment deployment = ContractDeployment.Load(Deployment);
        (deployment with { Matching = deployment.Evaluation }).Save(altered);
        await using (ServedMarket wrong = new("--roles", "market", "--chain", Node, "--deployment", altered, "--market-key", MarketKey))
        {
            Assert.Contains("MatchingDecision", (await Assert.ThrowsAsync<InvalidOperationException>(wrong.ListenAsync)).Message,
                StringComparison.Ordinal);
        }

        // A database that does not answer may answer later.
        (int code, _, string error) = await CommandProcess.RunAsync(
            _folder.FullName, ["serve", "--roles", "market", "--chain", Node, "--deployment", Deployment, "--market-key", MarketKey],
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["EMR__MARKET__DATABASE"] = "Host=127.0.0.1;Port=9;Username=a;Password=hunter2",
            });
        Assert.Equal(75, code);
        Assert.Contains("the database of Market:Database cannot be opened", error, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error, StringComparison.Ordinal);

        // The market's certificate is the one that was named, or somebody vouches for it: nobody does for one that signed itself.
        await using ServedMarket market = Market(link), pinned = Site(link, new string('0', 64)), unpinned = Site(link, null);
        await market.StartAsync();
        await Task.WhenAll(pinned.ListenAsync(), unpinned.ListenAsync());
        await Task.WhenAll(pinned.SaysAsync("does not answer as it should"), unpinned.SaysAsync("does not answer as it should"));
    }

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    public async Task Second_server_on_one_store_is_refused_and_takes_over_when_the_first_is_gone()
    {
        await using Npgsql.NpgsqlDataSource database = await Storage.TestDatabases.CreateEmptyAsync();
        string config = await ConfigureAsync(database);
        await using ServedMarket first = new("--roles", "market", "--config", config),
        second = new("--roles", "market", "--config", config);
        await first.StartAsync();
        string refused = (await Assert.ThrowsAsync<InvalidOperationException>(second.ListenAsync)).Message;
        Assert.Contains("is in use by emr, process ", refused, StringComparison.Ordinal);
        Assert.Contains("end that one first", refused, StringComparison.Ordinal);
        await first.SaysAsync("ready at block");
        await first.KillAsync();
        await second.StartAsync();
        Assert.False(Directory.Exists(Path.Combine(second.Folder, "database")), "no embedded server is started where one is named");
    }

    /// <summary>Its connection to the database broke, and another was faster: two real processes on one database and one
    /// account.</summary>
    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    public async Task Server_that_lost_its_store_to_another_writes_nothing_more_and_ends_by_itself()
    {
        await using Npgsql.NpgsqlDataSource database = await Storage.TestDatabases.CreateEmptyAsync();
        string config = await ConfigureAsync(database);
        await using ServedMarket first = new("--roles", "market", "--config", config);
        await using ServedMarket second = new("--roles", "market", "--config", config);
        await first.StartAsync();

        // Who wrote what, in the order of their statements.
        await using (Npgsql.NpgsqlCommand command = database.CreateCommand(
            """
            CREATE TABLE written (ordinal bigint GENERATED ALWAYS AS IDENTITY, holder text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO written (holder) VALUES (current_setting('emr.owner', true)); RETURN NULL; END $$;
            CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON ledger_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION note();
            """))
        {
            await command.ExecuteNonQueryAsync();
        }

        await UntilAsync(database, "SELECT EXISTS (SELECT FROM written)");

        // The second one comes while the first is cut off, again and again until it was faster.
        Task listening = second.ListenAsync();
        string cut = string.Create(CultureInfo.InvariantCulture, $"emr, process {first.ProcessId} %");
        await UntilAsync(database,
            $"""
            SELECT (SELECT holder FROM store_owner) = '2'
                OR (EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                        AND application_name LIKE 'emr, process %' AND application_name NOT LIKE '{cut}')
                    AND (SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()
                        AND application_name LIKE '{cut}') < 0)
            """);
        (int code, string said) = await first.EndAsync();
        Assert.Equal(1, code);
        Assert.Contains("was taken over by emr, process ", said, StringComparison.Ordinal);
        Assert.Contains("whatever it tried to write since was refused", said, StringComparison.Ordinal);
        await listening;
        await second.SaysAsync("ready at block");
        await UntilAsync(database, "SELECT count(*) > 3 FROM written WHERE holder = '2'");
        Assert.True(await IsAsync(database,
            "SELECT max(ordinal) FILTER (WHERE holder = '1') < min(ordinal) FILTER (WHERE holder = '2') FROM written"));
    }

    private async Task<string> ConfigureAsync(Npgsql.NpgsqlDataSource database)
    {
        string connection = CommandProcess.Secret(
            _folder.FullName, "market.database", await Storage.TestDatabases.ConnectionStringOfAsync(database));
        string config = Path.Combine(_folder.FullName, "market.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(new
        {
            Market = new { DatabaseFile = connection, KeyFile = MarketKey }, Chain = new { Url = Node, Deployment },
        }));
        return config;
    }

    private static async Task UntilAsync(Npgsql.NpgsqlDataSource database, string sql)
    {
        while (!await IsAsync(database, sql))
        {
            await Task.Yield();
        }
    }

    private static async Task<bool> IsAsync(Npgsql.NpgsqlDataSource database, string sql)
    {
        await using Npgsql.NpgsqlCommand command = database.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is true;
    }

    private ServedMarket Market(string link) =>
        new("--roles", "market", "--chain", Node, "--deployment", Deployment, "--market-key", MarketKey, "--link-urls", link);

    private ServedMarket Site(string link, string? pin) =>
        new(["--roles", "site", "--chain", Node, "--deployment", Deployment, "--market", link,
            .. pin is null ? [] : (string[])["--market-pin", pin]]);

    /// <summary>Who is not known, speaks another version or repeats what was said has no answer but a problem.</summary>
    private async Task StrangersAsync(string link, string siteKey)
    {
        ContractDeployment deployment = ContractDeployment.Load(Deployment);
        LinkDomain domain = new(deployment.ChainId, Address.Parse(deployment.AccessControl.Address));
        EthereumAccount site = EthereumAccount.Load(siteKey), stranger = EthereumAccount.Generate();
#pragma warning disable MA0039 // Here the attacker's client is meant: what the server refuses matters, not who the server is.
        using HttpClientHandler handler = new() { ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
#pragma warning restore MA0039
        using HttpClient http = new(handler) { BaseAddress = new Uri(link) };
        byte[] message = Signed(site), later = Signed(site);
        later[8] = 2;
        Assert.Equal((HttpStatusCode.OK, null), await PostAsync(message));
        Assert.Equal((HttpStatusCode.Conflict, "/problems/link-replayed"), await PostAsync(message));
        Assert.Equal((HttpStatusCode.BadRequest, "/problems/link-version"), await PostAsync(later));
        Assert.Equal((HttpStatusCode.Forbidden, "/problems/link-unknown-site"), await PostAsync(Signed(stranger)));
        byte[] forged = Signed(site);
        forged[^1] ^= 1;
        Assert.Equal((HttpStatusCode.Unauthorized, "/problems/link-signature"), await PostAsync(forged));
        using HttpResponseMessage elsewhere = await http.GetAsync(new Uri("/", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, elsewhere.StatusCode);

        byte[] Signed(EthereumAccount sender)
        {
            LinkRequest head = new()
            {
                Kind = LinkKind.Describe, Sender = sender.Address, Receiver = EthereumAccount.Load(MarketKey).Address,
                Seconds = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
                Nonce = new Bytes32(RandomNumberGenerator.GetBytes(32)), PayloadLength = 0, PayloadHash = new Bytes32(SHA256.HashData([])),
            };
            return (head with { Signature = sender.Sign(head.Digest(domain)).ToBytes() }).Write();
        }

        async Task<(HttpStatusCode, string?)> PostAsync(byte[] bytes)
        {
            using ByteArrayContent content = new(bytes);
            using HttpResponseMessage answer = await http.PostAsync(new Uri(LinkServer.Path, UriKind.Relative), content);
            if (answer.IsSuccessStatusCode)
            {
                return (answer.StatusCode, null);
            }

            using JsonDocument problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            return (answer.StatusCode, problem.RootElement.GetProperty("type").GetString());
        }
    }

    private static string FreeAddress()
    {
        using System.Net.Sockets.TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        return string.Create(CultureInfo.InvariantCulture, $"https://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
    }

    private async Task<string> DoAsync(params string[] command)
    {
        (int code, string output, string error) = await CommandProcess.RunAsync(_folder.FullName, command);
        Assert.True(code == 0, $"emr {string.Join(' ', command)} ended with {code}: {error}{output}");
        return output;
    }
}
