using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Access.SignIn;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Tests.Storage;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>One <see cref="SmallMarket"/> for all tests of the API, with a session of each kind of user.</summary>
public sealed class ApiFixture : IAsyncLifetime
{
    internal const string Password = "correct horse battery";

    private readonly Lazy<Task<SmallMarket>> _market;
    private SmallMarket? _filled;
    private readonly Dictionary<string, string?> _tokens = new(StringComparer.Ordinal);

    public ApiFixture() => _market = new(StartAsync);

    /// <summary>The market, started by the first test that asks for it.</summary>
    internal Task<SmallMarket> GetAsync()
    {
        Tools.Require(Tool.Anvil);
        return _market.Value;
    }

    /// <summary>A client with the session of somebody: nobody, researcher, stranger (another researcher), patient, staff, foreign-staff,
    /// auditor or operator.</summary>
    internal async Task<HttpClient> AsAsync(string who) => (await GetAsync()).Connect(_tokens[who]);

    internal static async Task<string> SignInAsync(HttpClient http, EthereumAccount account, PublisherName? publisher = null)
    {
        using HttpResponseMessage asked = await http.PostAsJsonAsync(
            "/api/v1/sign-in/challenges", new { address = Show.Address(account.Address), publisher = publisher?.ToString() });
        string message = (await ReadAsync(asked))["message"]!.GetValue<string>();
        using HttpResponseMessage answer = await http.PostAsJsonAsync(
            "/api/v1/sign-in", new { message, signature = Sign(account, message) });
        return (await ReadAsync(answer))["token"]!.GetValue<string>();
    }

    internal static string Sign(EthereumAccount account, string message) =>
        Hex.Encode(account.Sign(SignInMessage.Digest(message)).ToBytes());

    /// <summary>The JSON of a good answer.</summary>
    internal static async Task<JsonObject> ReadAsync(HttpResponseMessage answer)
    {
        string text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode}: {text}");
        return JsonNode.Parse(text)!.AsObject();
    }

    /// <summary>The code of a problem, after checking that it is one.</summary>
    internal static async Task<string> CodeAsync(HttpResponseMessage answer)
    {
        string text = await answer.Content.ReadAsStringAsync();
        Assert.True("application/problem+json" == answer.Content.Headers.ContentType?.MediaType,
            $"{(int)answer.StatusCode} {answer.Content.Headers.ContentType}: {text}");
        using JsonDocument problem = JsonDocument.Parse(text);
        JsonElement root = problem.RootElement;
        string type = root.GetProperty("type").GetString()!;
        Assert.Equal((int)answer.StatusCode, root.GetProperty("status").GetInt32());
        Assert.NotEmpty(root.GetProperty("title").GetString()!);
        Assert.NotEmpty(root.GetProperty("detail").GetString()!);
        Assert.NotEmpty(root.GetProperty("fix").GetString()!);
        Assert.StartsWith("/problems/", type, StringComparison.Ordinal);
        return type["/problems/".Length..];
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_filled is not null)
        {
            await _filled.DisposeAsync();
        }
    }

    private async Task<SmallMarket> StartAsync()
    {
        SmallMarket market = _filled = await SmallMarket.StartAsync(TestDatabases.EmbeddedTools, RateLimits.None);
        await SignInAllAsync(market);
        return market;
    }

    private async Task SignInAllAsync(SmallMarket market)
    {
        using HttpClient http = market.Connect();
        using HttpClient machine = market.Connect(market.OperatorToken);
        _tokens["nobody"] = null;
        _tokens["operator"] = market.OperatorToken;
        _tokens["researcher"] = await SignInAsync(http, market.Researcher);
        _tokens["stranger"] = await SignInAsync(http, EthereumAccount.Generate());
        _tokens["patient"] = await SignInAsync(http, market.Patient, market.Publisher);
        foreach ((string who, string role, string? site) in new[] { ("staff", "staff", SmallMarket.SiteName),
            ("auditor", "auditor", (string?)null) })
        {
            using HttpResponseMessage added = await machine.PostAsJsonAsync(
                "/api/v1/accounts", new { name = "the-" + who, role, site, password = Password });
            Assert.Equal(System.Net.HttpStatusCode.Created, added.StatusCode);
            using HttpResponseMessage answer = await http.PostAsJsonAsync(
                "/api/v1/sign-in/password", new { name = "the-" + who, password = Password });
            _tokens[who] = (await ReadAsync(answer))["token"]!.GetValue<string>();
        }
    }
}

[CollectionDefinition(Name)]
public sealed class ApiTests : ICollectionFixture<ApiFixture>
{
    public const string Name = "api";
}
