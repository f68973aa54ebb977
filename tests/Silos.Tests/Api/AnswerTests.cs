using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Tests.Api;

[Collection(ApiTests.Name)]
public sealed class AnswerTests(ApiFixture api)
{
    private static string SchemaId => SmallMarket.Schema.Id;

    [RequiresFact(Tool.Anvil)]
    public async Task Known_answer_is_not_sent_again()
    {
        SmallMarket market = await api.GetAsync();
        foreach ((string who, string path) in new[] { ("nobody", "problems"), ("nobody", "schemas/" + SchemaId),
            ("researcher", "requests/" + market.RequestKey), ("researcher", $"requests/{market.RequestKey}/results") })
        {
            using HttpClient http = await api.AsAsync(who);
            using HttpResponseMessage first = await http.GetAsync("/api/v1/" + path);
            EntityTagHeaderValue tag = first.Headers.ETag!;
            Assert.False(tag.IsWeak);
            using HttpRequestMessage again = new(HttpMethod.Get, "/api/v1/" + path);
            again.Headers.IfNoneMatch.Add(tag);
            using HttpResponseMessage second = await http.SendAsync(again);
            Assert.Equal((HttpStatusCode.NotModified, 0), (second.StatusCode, (await second.Content.ReadAsByteArrayAsync()).Length));
            using HttpRequestMessage other = new(HttpMethod.Get, "/api/v1/" + path);
            other.Headers.IfNoneMatch.Add(new EntityTagHeaderValue("\"other\""));
            using HttpResponseMessage third = await http.SendAsync(other);
            Assert.Equal(HttpStatusCode.OK, third.StatusCode);
            Assert.Equal(who != "nobody", third.Headers.CacheControl!.Private);
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Kept_answer_is_the_sessions_alone_and_ends_with_a_change()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = market.Connect();
        EthereumAccount one = EthereumAccount.Generate();
        using HttpClient first = market.Connect(await ApiFixture.SignInAsync(http, one)),
        second = market.Connect(await ApiFixture.SignInAsync(http, EthereumAccount.Generate()));
        Assert.Empty((await ListAsync(first))["items"]!.AsArray());
        await market.EndowAsync(one);
        await OpenAsync(first, "A draft");
        Assert.Single((await ListAsync(first))["items"]!.AsArray());
        Assert.Empty((await ListAsync(second))["items"]!.AsArray());

        static async Task<JsonObject> ListAsync(HttpClient client) => await ApiFixture.ReadAsync(await client.GetAsync("/api/v1/requests"));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Call_that_comes_again_under_its_key_is_answered_as_before()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = market.Connect();
        using HttpClient mine = market.Connect(await ApiFixture.SignInAsync(http, EthereumAccount.Generate())),
        other = market.Connect(await ApiFixture.SignInAsync(http, EthereumAccount.Generate()));

        // Terms have a random nonce, so that two calls without a key differ.
        string wish = Wish("Again").ToJsonString();
        string first = await SendAsync(mine, "k1", wish), again = await SendAsync(mine, "k1", wish);
        Assert.Equal(first, again);
        Assert.NotEqual(first, await SendAsync(mine, "k2", wish));
        Assert.NotEqual(first, await SendAsync(other, "k1", wish));
        Assert.Contains("idempotency-key-reused", await SendAsync(mine, "k1", Wish("Another").ToJsonString()), StringComparison.Ordinal);
        Assert.Contains("invalid-value", await SendAsync(mine, new string('k', 101), wish), StringComparison.Ordinal);

        // What failed is not remembered.
        Assert.Contains("unknown-schema", await SendAsync(mine, "k3", Wish("x", new string('0', 64)).ToJsonString()),
            StringComparison.Ordinal);
        Assert.Contains("termsJson", await SendAsync(mine, "k3", wish), StringComparison.Ordinal);

        static async Task<string> SendAsync(HttpClient client, string key, string body)
        {
            using HttpRequestMessage request = new(HttpMethod.Post, "/api/v1/terms")
            {
                Content = new StringContent(body, Encoding.UTF8, "application/json"),
            };
            request.Headers.Add("Idempotency-Key", key);
            using HttpResponseMessage answer = await client.SendAsync(request);
            return await answer.Content.ReadAsStringAsync();
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Pages_follow_each_other_without_gap_or_repetition()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("nobody");
        string delivery = (await ApiFixture.ReadAsync(await http.GetAsync("/api/v1/ledger/deliveries")))["items"]![0]![
            "id"]!.GetValue<string>();
        JsonArray all = (await ApiFixture.ReadAsync(await http.GetAsync($"/api/v1/ledger/deliveries/{delivery}/claims?limit=1000")))[
            "items"]!.AsArray();
        List<string> paged = [];
        for (string? cursor = ""; cursor is not null;)
        {
            JsonObject page =
                await ApiFixture.ReadAsync(await http.GetAsync(
                    $"/api/v1/ledger/deliveries/{delivery}/claims?limit=37{(cursor.Length > 0 ? "&cursor=" + cursor : "")}"));
            Assert.InRange(page["items"]!.AsArray().Count, all.Count == 0 ? 0 : 1, 37);
            paged.AddRange(page["items"]!.AsArray().Select(item => item!.ToJsonString()));
            cursor = page["next"]?.GetValue<string>();
        }

        Assert.Equal(all.Select(item => item!.ToJsonString()), paged);
        foreach (string query in new[] { "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1&cursor=nothing-has-this" })
        {
            Assert.Equal("invalid-value", await ApiFixture.CodeAsync(await http.GetAsync("/api/v1/ledger/epochs?" + query)));
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Results_come_as_JSON_and_as_CSV_with_the_same_figures()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("researcher");
        JsonObject json = await ApiFixture.ReadAsync(await http.GetAsync($"/api/v1/requests/{market.RequestKey}/results"));
        using HttpResponseMessage table = await http.GetAsync($"/api/v1/requests/{market.RequestKey}/results?format=csv");
        Assert.Equal("text/csv", table.Content.Headers.ContentType!.MediaType);
        string[] lines = (await table.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        JsonNode mean = json["statistics"]![0]!["result"]!["cells"]![0]!;
        Assert.Contains(lines,
            line => line.StartsWith(
                $"{market.RequestId},mean:length_of_stay,,mean,days,{mean["estimate"]!.ToJsonString()},", StringComparison.Ordinal));
        Assert.Equal(
            1 + json["statistics"]!.AsArray()
                .Sum(one => one!["result"]!["cells"]!.AsArray().Count
                    + one["result"]!["sections"]!.AsArray().Sum(section => section!["cells"]!.AsArray().Count)), lines.Length);
        http.DefaultRequestHeaders.Accept.ParseAdd("text/csv");
        using HttpResponseMessage preferred = await http.GetAsync($"/api/v1/requests/{market.RequestKey}/results");
        Assert.Equal("text/csv", preferred.Content.Headers.ContentType!.MediaType);
        Assert.Equal("invalid-value",
            await ApiFixture.CodeAsync(await http.GetAsync($"/api/v1/requests/{market.RequestKey}/results?format=xml")));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Wrong_file_is_refused_by_line_and_nothing_of_it_stays()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient staff = await api.AsAsync("staff");
        const string Planted = "planted-raw-value-7";
        string header = string.Join(',', SmallMarket.Schema.Attributes.Select(attribute => attribute.Name));
        string file = $"{header}\n{string.Join(',', SmallMarket.Schema.Attributes.Select(_ => Planted))}\n";
        using StringContent body = new(file, Encoding.UTF8, "text/csv");
        using HttpResponseMessage begun = await staff.PostAsync($"/api/v1/sites/{SmallMarket.SiteName}/loads?schema={SchemaId}", body);
        JsonObject ended = await FollowAsync(staff, begun);
        Assert.Equal("failed", ended["state"]!.GetValue<string>());
        JsonNode problem = ended["problem"]!;
        Assert.Equal("/problems/invalid-input", problem["type"]!.GetValue<string>());
        Assert.NotEmpty(problem["errors"]!.AsArray());
        Assert.DoesNotContain(Planted, ended.ToJsonString(), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(market.Options.Spool));

        // Somebody else's operation is nobody's.
        using HttpClient auditor = await api.AsAsync("auditor");
        Assert.Equal("unknown-operation", await ApiFixture.CodeAsync(await auditor.GetAsync($"/api/v1/operations/{ended["id"]}")));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Replay_is_followed_to_its_end()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient auditor = await api.AsAsync("auditor");
        using HttpResponseMessage begun = await auditor.PostAsync($"/api/v1/requests/{market.RequestId}/replay", null);
        Assert.Equal(HttpStatusCode.Accepted, begun.StatusCode);
        Assert.NotNull(begun.Headers.RetryAfter);
        Assert.True(begun.Headers.Contains("X-Progress"));
        JsonObject ended = await FollowAsync(auditor, begun);
        Assert.Equal("succeeded", ended["state"]!.GetValue<string>());
        Assert.Null(ended["result"]!["fault"]);
        Assert.True(ended["result"]!["comparedResults"]!.GetValue<bool>());
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Patient_reads_every_use_and_commands_by_signature_alone()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient patient = await api.AsAsync("patient");
        string root = $"/api/v1/sites/{market.Publisher}".Replace(
            SmallMarket.SiteName + "/", SmallMarket.SiteName + "/publishers/", StringComparison.Ordinal);
        JsonObject history = await ApiFixture.ReadAsync(await patient.GetAsync(root + "/history"));
        Assert.Equal(market.RequestId, history["items"]![0]!["requestId"]!.GetValue<ulong>());
        JsonObject offer = await ApiFixture.ReadAsync(await patient.GetAsync(root));
        ulong nonce = offer["nextNonce"]!.GetValue<ulong>();
        Assert.Equal("command-signature", await ApiFixture.CodeAsync(await CommandAsync("pause", nonce, PublisherCommandKind.Resume)));
        Assert.Equal("command-nonce", await ApiFixture.CodeAsync(await CommandAsync("pause", nonce + 1, PublisherCommandKind.Pause)));
        Assert.Equal("command-malformed", await ApiFixture.CodeAsync(await CommandAsync("fly", nonce, PublisherCommandKind.Pause)));
        Assert.Equal("paused",
            (await ApiFixture.ReadAsync(await CommandAsync("pause", nonce, PublisherCommandKind.Pause)))[
                "participation"]!.GetValue<string>());
        Assert.Equal("paused", (await ApiFixture.ReadAsync(await patient.GetAsync(root)))["participation"]!.GetValue<string>());
        Assert.Equal("active",
            (await ApiFixture.ReadAsync(await CommandAsync("resume", nonce + 1, PublisherCommandKind.Resume)))[
                "participation"]!.GetValue<string>());

        async Task<HttpResponseMessage> CommandAsync(string kind, ulong number, PublisherCommandKind signed)
        {
            PublisherDomain domain = new(
                market.Roles.View.Deployment.ChainId, Contracts.Ethereum.Address.Parse(market.Roles.View.Deployment.AccessControl.Address),
                Contracts.Ethereum.Bytes32.ParseDigits(market.Publisher.SchemaId),
                Contracts.Ethereum.Bytes32.ParseDigits(market.Publisher.Pseudonym));
            byte[] signature = new PublisherCommand
            {
                Nonce = number, Kind = signed, Signature = [],
            }.Sign(domain, market.Patient).Signature;
            return await patient.PostAsJsonAsync(
                root + "/commands", new { nonce = number, kind, signature = Convert.ToHexStringLower(signature) });
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Files_and_terms_are_those_that_the_ledger_names()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient auditor = await api.AsAsync("auditor");
        string hash = (await ApiFixture.ReadAsync(await auditor.GetAsync("/api/v1/ledger/epochs")))["items"]![0]![
            "dataHash"]!.GetValue<string>();
        Assert.Equal(hash,
            Convert.ToHexStringLower(
                System.Security.Cryptography.SHA256.HashData(await auditor.GetByteArrayAsync("/api/v1/files/" + hash))));
        string terms = await auditor.GetStringAsync($"/api/v1/ledger/requests/{market.RequestId}/terms");
        Assert.Equal(market.RequestKey, Show.Hash(Contracts.Ethereum.Keccak256.Hash(terms)));
        Assert.Equal("unknown-file", await ApiFixture.CodeAsync(await auditor.GetAsync("/api/v1/files/" + new string('0', 64))));
        string trace = await auditor.GetStringAsync("/api/v1/traces/" + market.Publisher.Pseudonym);
        Assert.Contains("steps", trace, StringComparison.Ordinal);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Key_that_calls_too_often_waits_and_others_do_not()
    {
        SmallMarket market = await api.GetAsync();
        string folder = Directory.CreateTempSubdirectory("emrmarket-limits-").FullName;
        RateLimits limits = new() { Read = new Bucket(5, 1), SignIn = new Bucket(4, 1) };
        try
        {
            ApiOptions options = market.Options with
            {
                Keys = Path.Combine(folder, "keys"), Spool = Path.Combine(folder, "spool"), Limits = limits,
            };
            await using var web = WebHost.Build(new Uri("http://127.0.0.1:0"), market.Roles, [], options);
            await web.StartAsync(CancellationToken.None);
            using HttpClient http = new() { BaseAddress = new Uri(web.Urls.Single()) };
            using HttpClient other = new() { BaseAddress = new Uri(web.Urls.Single()) };
            other.DefaultRequestHeaders.Authorization = new("Bearer", await ApiFixture.SignInAsync(http, EthereumAccount.Generate()));
            HttpResponseMessage[] answers = await Task.WhenAll(
                Enumerable.Range(0, 40).Select(_ => http.GetAsync("/api/v1/problems", CancellationToken.None)));
            HttpResponseMessage refused = answers.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
            Assert.Equal("too-many-requests", await ApiFixture.CodeAsync(refused));
            Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
            Assert.Equal(HttpStatusCode.OK, (await other.GetAsync("/api/v1/problems", CancellationToken.None)).StatusCode);

            // Another session does not help with guessing passwords.
            HttpResponseMessage[] guesses =
                await Task.WhenAll(Enumerable.Range(0, 12)
                    .Select(i => (i % 2 == 0 ? http : other)
                        .PostAsJsonAsync("/api/v1/sign-in/password", new { name = "a", password = "b" }, CancellationToken.None)));
            Assert.Contains(guesses, guess => guess.StatusCode == HttpStatusCode.TooManyRequests);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Plan_for_a_cell_counts_and_prices_that_cells_records()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = market.Connect();
        JsonObject catalogue = await ApiFixture.ReadAsync(await http.GetAsync($"/api/v1/catalogue/{SchemaId}"));
        (string cell, JsonNode? size) = catalogue["recordsByCell"]!.AsObject().First(pair => pair.Key.Length > 0);
        long records = size!.GetValue<long>();
        Assert.InRange(records, 1, catalogue["records"]!.GetValue<long>() - 1);
        JsonObject all = await PlanAsync(""), some = await PlanAsync(cell);
        Assert.Contains(all["options"]!.AsArray(), option => option!["limit"]!.GetValue<string>().Length == 0);
        Assert.All(some["options"]!.AsArray(),
            option => Assert.Contains("are needed", option!["limit"]!.GetValue<string>(), StringComparison.Ordinal));
        Assert.Contains(some["notes"]!.AsArray(), note => note!.GetValue<string>().Contains(cell, StringComparison.Ordinal));
        Assert.Equal("plan", await ApiFixture.CodeAsync(await AskAsync("nobody=here")));

        async Task<JsonObject> PlanAsync(string of) => await ApiFixture.ReadAsync(await AskAsync(of));

        Task<HttpResponseMessage> AskAsync(string of) => http.PostAsJsonAsync("/api/v1/plans", new
        {
            schemaId = SchemaId, statistic = "mean:length_of_stay", records = records + 1, purpose = 2, publicCell = of,
        });
    }

    private static JsonObject Wish(string title, string? schemaId = null) => new()
    {
        ["schemaId"] = schemaId ?? SchemaId, ["statistics"] = new JsonArray("mean:length_of_stay"), ["title"] = title,
        ["why"] = "A test of the API.", ["targetRecords"] = 100,
    };

    private static async Task OpenAsync(HttpClient http, string title)
    {
        JsonObject terms = await ApiFixture.ReadAsync(await http.PostAsJsonAsync("/api/v1/terms", Wish(title)));
        using StringContent body = new(terms["termsJson"]!.GetValue<string>(), Encoding.UTF8, "application/json");
        using HttpResponseMessage opened = await http.PostAsync("/api/v1/requests", body);
        Assert.Equal(HttpStatusCode.Created, opened.StatusCode);
        Assert.Equal($"/api/v1/requests/{terms["key"]}", opened.Headers.Location!.OriginalString);
    }

    private static async Task<JsonObject> FollowAsync(HttpClient http, HttpResponseMessage begun)
    {
        JsonObject operation = await ApiFixture.ReadAsync(begun);
        while (operation["state"]!.GetValue<string>() == "running")
        {
            await Task.Delay(20);
            operation = await ApiFixture.ReadAsync(await http.GetAsync($"/api/v1/operations/{operation["id"]}"));
        }

        return operation;
    }
}
