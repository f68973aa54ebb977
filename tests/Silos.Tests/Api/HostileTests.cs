using System.Net;
using System.Net.Sockets;
using System.Text;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>What no client of good will sends: never a crash, never a 500, never a word of what was sent.</summary>
[Collection(ApiTests.Name)]
public sealed class HostileTests(ApiFixture api)
{
    private const int Few = 2_000;
    private const int Many = 100_000;
    private static readonly string[] Sessions = ["nobody", "researcher", "patient", "staff", "auditor", "operator"];

    [RequiresTheory(Tool.Anvil)]
    [InlineData("POST", "/api/v1/plans", "{", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", "[]", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", "null", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", "", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":null,"statistic":"mean:x"}""", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"x","schemaId":"y","statistic":"mean:x"}""", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"'; DROP TABLE account; --","statistic":"mean:x"}""", "malformed-hash", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"SCHEMA","statistic":"mean:length_of_stay","records":100,"isAdministrator":true}""", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"SCHEMA","statistic":"mean:length_of_stay","records":1e400}""", "malformed-request", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"SCHEMA","statistic":"mean:length_of_stay","records":-5}""", "plan", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"SCHEMA","statistic":"mean:no_such_attribute","records":5}""", "plan", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"SCHEMA","statistic":"mean:length_of_stay","budget":"-1"}""", "amount", 400)]
    [InlineData("POST", "/api/v1/plans", """{"schemaId":"SCHEMA","statistic":"mean:length_of_stay","confidence":2,"records":5}""", "plan", 400)]
    [InlineData("POST", "/api/v1/sign-in/challenges", """{"address":"0x12"}""", "malformed-address", 400)]
    [InlineData("POST", "/api/v1/sign-in/challenges", """{"address":"0x0000000000000000000000000000000000000001","publisher":"../../etc/passwd"}""", "invalid-value", 400)]
    [InlineData("POST", "/api/v1/sign-in", """{"message":"hello","signature":"0x"}""", "challenge-refused", 401)]
    [InlineData("POST", "/api/v1/sign-in/password", """{"name":"' OR 1=1 --","password":"x"}""", "sign-in-failed", 401)]
    [InlineData("POST", "/api/v1/ledger/transactions", """{"raw":"0xzz"}""", "malformed-transaction", 400)]
    [InlineData("POST", "/api/v1/ledger/transactions", """{"raw":"0x02c0"}""", "transaction-refused", 422)]
    [InlineData("GET", "/api/v1/schemas/..%2f..%2fetc%2fpasswd", null, "malformed-hash", 400)]
    [InlineData("GET", "/api/v1/catalogue/0000000000000000000000000000000000000000000000000000000000000000", null, "unknown-schema", 404)]
    [InlineData("GET", "/api/v1/sites/nowhere/menus/SCHEMA", null, "unknown-site", 404)]
    [InlineData("GET", "/api/v1/ledger/epochs/zz/members/0", null, "malformed-hash", 400)]
    [InlineData("GET", "/api/v1/ledger/epochs/0000000000000000000000000000000000000000000000000000000000000000/members/0", null,
        "unknown-batch", 404)]
    [InlineData("GET", "/api/v1/ledger/sites/99999999999999999999/findings", null, "invalid-value", 400)]
    [InlineData("GET", "/api/v1/ledger/accounts/0xSCRIPT", null, "malformed-address", 400)]
    [InlineData("GET", "/api/v1/ledger/transactions/0000000000000000000000000000000000000000000000000000000000000000", null,
        "unknown-transaction", 404)]
    [InlineData("GET", "/api/v1/problems/no-such", null, "unknown-problem", 404)]
    [InlineData("GET", "/api/v1/no-such", null, "not-found", 404)]
    [InlineData("GET", "/api/v1/../../../etc/passwd", null, "not-found", 404)]
    [InlineData("DELETE", "/api/v1/market", null, "method-not-allowed", 405)]
    public async Task Wrong_call_is_told_what_is_wrong(string method, string path, string? body, string code, int status)
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("nobody");
        using HttpRequestMessage request = new(new HttpMethod(method),
            new Uri(market.Address, new Uri(path.Replace("SCHEMA", SmallMarket.Schema.Id, StringComparison.Ordinal), UriKind.Relative)));
        request.Content = body is null
            ? null : new StringContent(
                body.Replace("SCHEMA", SmallMarket.Schema.Id, StringComparison.Ordinal), Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await http.SendAsync(request);
        string got = path.Contains("../..", StringComparison.Ordinal)
            && answer.Content.Headers.ContentType?.MediaType != "application/problem+json"
            ? "not-found" : await ApiFixture.CodeAsync(answer);
        Assert.Equal((code, status), (got, (int)answer.StatusCode));
    }

    [RequiresTheory(Tool.Anvil)]
    [InlineData("researcher", "POST", "/api/v1/terms", """{"schemaId":"SCHEMA","statistics":["mean:nothing"],"title":"t","why":"w","targetRecords":5}""", "terms")]
    [InlineData("researcher", "POST", "/api/v1/requests", "{\"a\":1}", "terms-json")]
    [InlineData("researcher", "POST", "/api/v1/requests", "no json", "terms-json")]
    [InlineData("researcher", "POST", "/api/v1/requests/0000000000000000000000000000000000000000000000000000000000000000/cancellation",
        null, "unknown-request")]
    [InlineData("staff", "PUT", "/api/v1/sites/hospital/policies/default", """{"schemaId":"SCHEMA","profileShares":[1],"rateShares":[1000000],"purpose":0}""", "policy-shares")]
    [InlineData("staff", "PUT", "/api/v1/sites/hospital/policies/default", """{"schemaId":"SCHEMA","profileShares":null,"rateShares":[1000000],"purpose":0}""", "malformed-request")]
    [InlineData("staff", "POST", "/api/v1/sites/hospital/wallets", """{"schemaId":"SCHEMA","record":-1,"passphrase":"x"}""", "invalid-value")]
    [InlineData("staff", "POST", "/api/v1/sites/hospital/wallets", """{"schemaId":"SCHEMA","record":999999,"passphrase":"x"}""", "record-unknown")]
    [InlineData("staff", "POST", "/api/v1/sites/hospital/loads?schema=SCHEMA", "{}", "unsupported-media-type")]
    [InlineData("staff", "GET", "/api/v1/sites/hospital", null, "malformed-hash")]
    [InlineData("auditor", "GET", "/api/v1/traces/0000000000000000000000000000000000000000000000000000000000000000", null,
        "unknown-pseudonym")]
    [InlineData("auditor", "GET", "/api/v1/ledger/requests/77/terms", null, "unknown-request")]
    [InlineData("auditor", "GET", "/api/v1/operations/..%2f", null, "unknown-operation")]
    [InlineData("operator", "POST", "/api/v1/accounts", """{"name":"Root!","role":"auditor","password":"long enough for it"}""", "invalid-value")]
    [InlineData("operator", "POST", "/api/v1/accounts", """{"name":"short","role":"auditor","password":"short"}""", "invalid-value")]
    [InlineData("operator", "POST", "/api/v1/accounts", """{"name":"a","role":"operator","password":"long enough for it"}""", "invalid-value")]
    [InlineData("operator", "POST", "/api/v1/accounts", """{"name":"a","role":"staff","site":"elsewhere","password":"long enough for it"}""", "invalid-value")]
    [InlineData("operator", "POST", "/api/v1/accounts", """{"name":"the-auditor","role":"auditor","password":"long enough for it"}""", "account-exists")]
    [InlineData("operator", "POST", "/api/v1/accounts", """{"name":"a","role":"auditor","securityStamp":"x"}""", "malformed-request")]
    [InlineData("operator", "DELETE", "/api/v1/accounts/nobody-of-this-name", null, "account-unknown")]
    [InlineData("operator", "POST", "/api/v1/ledger/embedded/clock", """{"seconds":-1}""", "invalid-value")]
    [InlineData("stranger", "POST", "/api/v1/ledger/embedded/endowments", """{"address":"0x0000000000000000000000000000000000000001"}""", "forbidden")]
    public async Task Wrong_call_of_somebody_is_told_what_is_wrong(string who, string method, string path, string? body, string code)
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync(who);
        using HttpRequestMessage request = new(new HttpMethod(method),
            new Uri(market.Address, new Uri(path.Replace("SCHEMA", SmallMarket.Schema.Id, StringComparison.Ordinal), UriKind.Relative)));
        request.Content = body is null
            ? null : new StringContent(
                body.Replace("SCHEMA", SmallMarket.Schema.Id, StringComparison.Ordinal), Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await http.SendAsync(request);
        Assert.Equal(code, await ApiFixture.CodeAsync(answer));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Oversized_body_is_refused_before_it_is_read()
    {
        using HttpClient http = await api.AsAsync("researcher");
        using HttpResponseMessage answer = await http.PostAsync(
            "/api/v1/plans", new StringContent("\"" + new string('x', 70_000) + "\"", Encoding.UTF8, "application/json"));
        Assert.Equal("too-large", await ApiFixture.CodeAsync(answer));
        using HttpResponseMessage nested = await http.PostAsync(
            "/api/v1/plans", new StringContent(new string('[', 30_000), Encoding.UTF8, "application/json"));
        Assert.Equal("malformed-request", await ApiFixture.CodeAsync(nested));
        using HttpClient machine = await api.AsAsync("operator");
        using HttpResponseMessage xml = await machine.PostAsync(
            "/api/v1/plans", new StringContent("<x/>", Encoding.UTF8, "application/xml"));
        Assert.Equal("unsupported-media-type", await ApiFixture.CodeAsync(xml));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Other_host_names_are_refused_and_every_answer_carries_the_headers()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = market.Connect();
        using HttpRequestMessage rebound = new(HttpMethod.Get, "/api/v1/market");
        rebound.Headers.Host = "evil.example";
        Assert.Equal(HttpStatusCode.BadRequest, (await http.SendAsync(rebound)).StatusCode);
        foreach (string path in new[] { "/api/v1/market", "/api/v1/no-such", "/api/v1/session", "/api/v1/schemas/x",
            "/api/docs/index.html", "/health" })
        {
            using HttpResponseMessage answer = await http.GetAsync(path);
            string csp = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
            Assert.DoesNotContain("unsafe", csp, StringComparison.Ordinal);
            Assert.Contains("default-src 'none'", csp, StringComparison.Ordinal);
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
            Assert.Equal("no-referrer", Assert.Single(answer.Headers.GetValues("Referrer-Policy")));
            Assert.False(answer.Headers.Contains("Server"));
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Browser_of_the_API_asks_this_server_only()
    {
        using HttpClient http = await api.AsAsync("nobody");
        string page = await http.GetStringAsync("/api/docs/index.html");
        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https://", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("<script(?![^>]*src=)[^>]*>\\s*\\S", page);
        Assert.DoesNotMatch("<style|\\son[a-z]+=|style=", page);
    }

    [RequiresFact(Tool.Anvil)]
    public Task Mutated_calls_never_break_the_server() => MutateAsync(Few, 1);

    [Trait("Duration", "Long")]
    [RequiresFact(Tool.Anvil)]
    public Task Hundred_thousand_mutated_calls_never_break_the_server() => MutateAsync(Many, 2);

    private async Task MutateAsync(int count, int seed)
    {
        SmallMarket market = await api.GetAsync();
        Dictionary<string, HttpClient> clients = [];
        foreach (string who in Sessions)
        {
            clients[who] = await api.AsAsync(who);
        }

        (string Method, string Path, string? Body)[] calls = Calls(market);
        List<string> broken = [];
        int next = 0, problems = 0, accepted = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async lane =>
        {
            Random random = new((seed * 1000) + lane);
            while (Interlocked.Increment(ref next) is var number && number <= count)
            {
                (string method, string path, string? body) = calls[random.Next(calls.Length)];
                string who = Sessions[random.Next(Sessions.Length)];
                using HttpRequestMessage request = Mutation.Of(random, market.Address, method, path, body);
                try
                {
                    using HttpResponseMessage answer = await clients[who].SendAsync(request);
                    string text = await answer.Content.ReadAsStringAsync();
                    bool problem = answer.Content.Headers.ContentType?.MediaType == "application/problem+json";
                    _ = (int)answer.StatusCode >= 400 ? Interlocked.Increment(ref problems) : Interlocked.Increment(ref accepted);

                    // A chain that is asked for its state by eight lanes at once may have to say "later"; nothing else is the server's
                    // fault.
                    if ((int)answer.StatusCode >= 500 && (int)answer.StatusCode != 503)
                    {
                        lock (broken)
                        {
                            broken.Add($"{(int)answer.StatusCode} {who} {method} {request.RequestUri} {body}: {text}");
                        }
                    }
                    else if ((int)answer.StatusCode >= 400 && !problem && text.Length > 0
                        && ApiPaths.IsApi(request.RequestUri!.AbsolutePath))
                    {
                        lock (broken)
                        {
                            broken.Add($"no problem document: {(int)answer.StatusCode} {method} {request.RequestUri}: {text}");
                        }
                    }
                }
                catch (HttpRequestException e) when (
                    e.InnerException is IOException or SocketException || e.HttpRequestError is HttpRequestError.InvalidResponse)
                {
                    // Kestrel closes a connection whose request is no HTTP; it must still answer the next one.
                }
            }
        }));
        Assert.Empty(broken);
        Assert.True(problems > count / 4 && accepted > 0, $"{problems} refused, {accepted} accepted: the mutations do not reach both");
        using HttpClient after = await api.AsAsync("nobody");
        Assert.Equal("alive\n", await after.GetStringAsync("/health"));
        Assert.Equal("accepted", (await after.PostAsync("/api/v1/plans", new StringContent(
            $"{{\"schemaId\":\"{SmallMarket.Schema.Id}\",\"statistic\":\"mean:length_of_stay\",\"records\":100}}", Encoding.UTF8,
            "application/json"))).IsSuccessStatusCode ? "accepted" : "refused");
    }

    // Everything but what ends sessions, what makes keys for a second each (passwords and wallets, fed with other bodies above), and what
    // moves time.
    private static (string Method, string Path, string? Body)[] Calls(SmallMarket market)
    {
        string schema = SmallMarket.Schema.Id,
        own = $"/api/v1/sites/{market.Publisher.Site}/publishers/{market.Publisher.SchemaId}/{market.Publisher.Pseudonym}",
        hash = new('a', 64);
        return
        [
            ("GET", "/api/v1/market", null), ("GET", "/api/v1/schemas/" + schema, null), ("GET", "/api/v1/catalogue/" + schema, null),
            ("GET", "/api/v1/problems/defect", null),
            ("GET", "/api/v1/session", null), ("GET", "/api/v1/requests?limit=5", null),
            ("GET", "/api/v1/requests/" + market.RequestKey, null),
            ("GET", $"/api/v1/requests/{market.RequestKey}/results?format=csv", null),
            ("POST", $"/api/v1/requests/{hash}/cancellation", null), ("GET", own, null), ("GET", own + "/history?limit=3", null),
            ("GET", $"/api/v1/sites/hospital/menus/{schema}", null), ("GET", $"/api/v1/sites/hospital?schema={schema}", null),
            ("GET", $"/api/v1/sites/hospital/epochs?schema={schema}&limit=2", null),
            ("GET", $"/api/v1/sites/hospital/deliveries?schema={schema}", null),
            ("GET", $"/api/v1/ledger/requests/{market.RequestId}/terms", null), ("GET", "/api/v1/ledger/epochs?limit=1", null),
            ("GET", "/api/v1/ledger/deliveries", null), ("GET", $"/api/v1/ledger/epochs/{hash}/members/3", null),
            ("GET", $"/api/v1/ledger/deliveries/{hash}/slots/0", null),
            ("GET", "/api/v1/ledger/sites/1/findings", null), ("GET", "/api/v1/operations/" + hash, null),
            ("GET", "/api/v1/files/" + hash, null), ("GET", "/api/v1/accounts", null),
            ("GET", "/api/v1/ledger/transactions/" + hash, null), ("DELETE", "/api/v1/accounts/nobody", null),
            ("POST", "/api/v1/plans",
                $"{{\"schemaId\":\"{schema}\",\"statistic\":\"mean:length_of_stay\",\"records\":100,\"confidence\":0.95}}"),
            ("POST", "/api/v1/plans",
                $"{{\"schemaId\":\"{schema}\",\"statistic\":\"table:disposition,diabetes\",\"budget\":\"100000\",\"purpose\":2}}"),
            ("POST", "/api/v1/terms",
                $"{{\"schemaId\":\"{schema}\",\"statistics\":[\"frequency:diabetes\"],\"title\":\"t\",\"why\":\"w\",\"targetRecords\":100}}"),
            ("POST", "/api/v1/requests",
                market.Roles.Market!.Context.Store.FindRequestAsync(market.RequestKey, CancellationToken.None).Result!.TermsJson),
            ("POST", "/api/v1/sign-in/challenges",
                $"{{\"address\":\"{Show.Address(market.Patient.Address)}\",\"publisher\":\"{market.Publisher}\"}}"),
            ("POST", "/api/v1/sign-in",
                "{\"message\":\"market.example wants you to sign in with your Ethereum account:\\n0x\",\"signature\":\"0x00\"}"),
            ("POST", own + "/commands",
                $"{{\"nonce\":1,\"kind\":\"setPolicy\",\"profile\":1,\"rate\":0,\"quota\":4,\"purpose\":0,\"expirySeconds\":1900000000,\"signature\":\"0x{new string('1', 130)}\"}}"),
            ("POST", own + "/accounts",
                $"{{\"nonce\":1,\"publicKey\":\"02{hash}\",\"chainCode\":\"{hash}\",\"signature\":\"0x{new string('1', 130)}\",\"accountSignature\":\"{new string('1', 130)}\"}}"),
            ("POST", "/api/v1/sites/hospital/withdrawals", $"{{\"schemaId\":\"{hash}\",\"record\":0}}"),
            ("POST", "/api/v1/sites/hospital/epochs", $"{{\"schemaId\":\"{hash}\"}}"),
            ("PUT", "/api/v1/sites/hospital/policies/default",
                $"{{\"schemaId\":\"{hash}\",\"profileShares\":[1000000],\"rateShares\":[1000000],\"purpose\":0}}"),
            ("POST", $"/api/v1/sites/hospital/loads?schema={hash}", "a,b\n1,2\n"),
            ("POST", "/api/v1/ledger/transactions", "{\"raw\":\"0x02f86b\"}"),
            ("POST", "/api/v1/accounts", "{\"name\":\"UPPER\",\"role\":\"auditor\"}"),
        ];
    }
}
