using System.Net.Http.Json;
using EmrMarket.Silos.Api;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Traffic;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>Every endpoint as everybody. Who may is written here once more, by hand, so that a policy given by mistake is found.</summary>
[Collection(ApiTests.Name)]
public sealed class AccessMatrixTests(ApiFixture api)
{
    private static readonly string[] Everybody = ["nobody", "researcher", "stranger", "patient", "staff", "auditor", "operator"];
    private static readonly string[] SignedIn = Everybody[1..];
    private static readonly string[] Researchers = ["researcher", "stranger"];
    private static readonly string[] Staff = ["staff", "operator"];
    private static readonly string[] Auditors = ["auditor", "operator"];

    // Method and pattern, and who gets past the policy.
    private static readonly Dictionary<string, string[]> Table = new(StringComparer.Ordinal)
    {
        ["GET /health"] = Everybody,
        ["GET /ready"] = Everybody,
        ["GET /problems/{code}"] = Everybody,
        ["GET /api/{documentName}/openapi.json"] = Everybody,
        ["GET /api/v1/market"] = Everybody,
        ["GET /api/v1/schemas"] = Everybody,
        ["GET /api/v1/schemas/{schemaId}"] = Everybody,
        ["GET /api/v1/catalogue/{schemaId}"] = Everybody,
        ["GET /api/v1/problems"] = Everybody,
        ["GET /api/v1/problems/{code}"] = Everybody,
        ["POST /api/v1/sign-in/challenges"] = Everybody,
        ["POST /api/v1/sign-in"] = Everybody,
        ["POST /api/v1/sign-in/password"] = Everybody,
        ["GET /api/v1/session"] = SignedIn,
        ["DELETE /api/v1/session"] = SignedIn,
        ["GET /api/v1/accounts"] = ["operator"],
        ["POST /api/v1/accounts"] = ["operator"],
        ["DELETE /api/v1/accounts/{name}"] = ["operator"],
        ["POST /api/v1/plans"] = Everybody,
        ["POST /api/v1/terms"] = Researchers,
        ["POST /api/v1/requests"] = Researchers,
        ["GET /api/v1/requests"] = Researchers,
        ["GET /api/v1/requests/{key}"] = Researchers,
        ["GET /api/v1/requests/{key}/results"] = Researchers,
        ["POST /api/v1/requests/{key}/cancellation"] = Researchers,
        ["POST /api/v1/requests/{id}/replay"] = Auditors,
        ["GET /api/v1/sites/{site}/menus/{schemaId}"] = Everybody,
        ["GET /api/v1/sites/{site}/publishers/{schemaId}/{pseudonym}"] = ["patient"],
        ["GET /api/v1/sites/{site}/publishers/{schemaId}/{pseudonym}/history"] = ["patient"],
        ["GET /api/v1/sites/{site}/publishers/{schemaId}/{pseudonym}/consent"] = ["patient"],
        ["POST /api/v1/sites/{site}/publishers/{schemaId}/{pseudonym}/consent"] = ["patient"],
        ["POST /api/v1/sites/{site}/publishers/{schemaId}/{pseudonym}/commands"] = ["patient"],
        ["POST /api/v1/sites/{site}/publishers/{schemaId}/{pseudonym}/accounts"] = ["patient"],
        ["GET /api/v1/sites/{site}"] = Staff,
        ["GET /api/v1/sites/{site}/epochs"] = Staff,
        ["POST /api/v1/sites/{site}/epochs"] = Staff,
        ["GET /api/v1/sites/{site}/deliveries"] = Staff,
        ["PUT /api/v1/sites/{site}/policies/default"] = Staff,
        ["POST /api/v1/sites/{site}/loads"] = Staff,
        ["POST /api/v1/sites/{site}/policies/consents"] = Staff,
        ["GET /api/v1/sites/{site}/restore"] = Staff,
        ["POST /api/v1/sites/{site}/restore/confirmation"] = Staff,
        ["POST /api/v1/sites/{site}/wallets"] = Staff,
        ["POST /api/v1/sites/{site}/withdrawals"] = Staff,
        ["GET /api/v1/traces/{pseudonym}"] = ["patient", "auditor", "operator"],
        ["GET /api/v1/files/{sha256}"] = Auditors,
        ["GET /api/v1/operations/{id}"] = SignedIn,
        ["GET /api/v1/ledger/sites"] = Everybody,
        ["GET /api/v1/ledger/schemas"] = Everybody,
        ["GET /api/v1/ledger/epochs"] = Everybody,
        ["GET /api/v1/ledger/rounds"] = Everybody,
        ["GET /api/v1/ledger/requests"] = Everybody,
        ["GET /api/v1/ledger/deliveries"] = Everybody,
        ["GET /api/v1/ledger/demands"] = Everybody,
        ["GET /api/v1/ledger/auditors"] = Everybody,
        ["GET /api/v1/ledger/batches/{id}"] = Everybody,
        ["GET /api/v1/ledger/terms"] = Everybody,
        ["POST /api/v1/ledger/demands"] = Everybody,
        ["POST /api/v1/ledger/demands/end"] = Everybody,
        ["POST /api/v1/ledger/sites/{site}/findings"] = Everybody,
        ["POST /api/v1/ledger/accounts/{address}/withdrawal"] = Everybody,
        ["POST /api/v1/ledger/batches/{id}/check"] = Auditors,
        ["GET /api/v1/ledger/deliveries/{id}/claims"] = Everybody,
        ["GET /api/v1/ledger/deliveries/{id}/slots/{slot}"] = Everybody,
        ["GET /api/v1/ledger/epochs/{id}/members/{position}"] = Everybody,
        ["GET /api/v1/ledger/sites/{site}/revocations"] = Everybody,
        ["GET /api/v1/ledger/sites/{site}/findings"] = Everybody,
        ["GET /api/v1/ledger/requests/{id}/terms"] = Auditors,
        ["GET /api/v1/ledger/requests/{id}/results"] = Auditors,
        ["GET /api/v1/ledger/accounts/{address}"] = Everybody,
        ["POST /api/v1/ledger/transactions"] = Everybody,
        ["GET /api/v1/ledger/transactions/{hash}"] = Everybody,
        ["POST /api/v1/ledger/embedded/endowments"] = SignedIn,
        ["POST /api/v1/ledger/embedded/clock"] = ["operator"],
    };

    private static readonly string[] Refusals = ["sign-in-required", "session-ended", "forbidden"];

    [RequiresFact(Tool.Anvil)]
    public async Task Every_endpoint_names_one_policy_and_has_a_row()
    {
        List<(string Method, string Pattern, RouteEndpoint Endpoint)> endpoints = await EndpointsAsync();
        Assert.All(endpoints, one => Assert.Contains(Assert.Single(one.Endpoint.Metadata.OfType<PolicyName>()).Policy, Policies.All.Keys));
        Assert.All(endpoints, one => Assert.Single(one.Endpoint.Metadata.OfType<Microsoft.AspNetCore.Authorization.IAuthorizeData>()));
        string[] rows =
            [.. endpoints.Select(one => $"{one.Method} {one.Pattern}").Where(row => !row.Contains("/api/docs", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)];
        Assert.Equal(Table.Keys.Order(StringComparer.Ordinal), rows);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Everybody_reaches_exactly_what_the_table_says()
    {
        SmallMarket market = await api.GetAsync();
        List<string> wrong = [];
        foreach ((string row, string[] allowed) in Table)
        {
            foreach (string who in Everybody)
            {
                string? refusal = await RefusalAsync(await AsAsync(who, row), row, Own(market));
                bool expected = allowed.Contains(who);
                if (expected != refusal is null || (refusal is not null && refusal != (who == "nobody" ? "sign-in-required" : "forbidden")))
                {
                    wrong.Add($"{row} as {who}: expected {(expected ? "to pass" : "a refusal")}, got {refusal ?? "past"}");
                }
            }
        }

        Assert.Empty(wrong);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Nobody_reaches_what_is_another_ones()
    {
        SmallMarket market = await api.GetAsync();
        Dictionary<string, string> own = Own(market);
        foreach ((string who, string name, string other) in new[]
        {
            ("patient", "pseudonym", new string('0', 64)), ("patient", "schemaId", new string('0', 64)), ("patient", "site", "elsewhere"),
            ("staff", "site", "elsewhere"),
            ("staff", "site", SmallMarket.SiteName.ToUpperInvariant()),
            ("patient", "pseudonym", market.Publisher.Pseudonym.ToUpperInvariant()),
        })
        {
            foreach (string row in Table.Where(pair => pair.Value.Contains(who) && !pair.Value.Contains("nobody")
                && pair.Key.Contains($"{{{name}}}", StringComparison.Ordinal)).Select(pair => pair.Key))
            {
                Assert.Equal("forbidden",
                    await RefusalAsync(await api.AsAsync(who), row,
                        new Dictionary<string, string>(own, StringComparer.Ordinal) { [name] = other }));
            }
        }

        using HttpClient stranger = await api.AsAsync("stranger");
        foreach (string path in new[] { "", "/results" })
        {
            using HttpResponseMessage answer = await stranger.GetAsync($"/api/v1/requests/{market.RequestKey}{path}");
            Assert.Equal("unknown-request", await ApiFixture.CodeAsync(answer));
        }
    }

    private async Task<List<(string Method, string Pattern, RouteEndpoint Endpoint)>> EndpointsAsync() =>
    [
        .. (await api.GetAsync()).Web.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Select(endpoint => (endpoint, pattern: "/" + endpoint.RoutePattern.RawText!.Trim('/')))
            .Where(one => ApiPaths.IsApi(one.pattern) || one.pattern.StartsWith("/problems/", StringComparison.Ordinal))
            .SelectMany(one => (one.endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"])
                .Where(method => method != "HEAD").Select(method => (method, one.pattern, one.endpoint))),
    ];

    private static Dictionary<string, string> Own(SmallMarket market) => new(StringComparer.Ordinal)
    {
        ["site"] = SmallMarket.SiteName, ["schemaId"] = market.Publisher.SchemaId, ["pseudonym"] = market.Publisher.Pseudonym,
        ["key"] = new string('0', 64), ["id"] = "0", ["name"] = "no-such-account",
        ["sha256"] = new string('0', 64), ["hash"] = new string('0', 64), ["address"] = "0x" + new string('0', 40), ["code"] = "defect",
        ["documentName"] = "v1", ["position"] = "0", ["slot"] = "0",
    };

    // A session that is ended must be one of its own.
    private async Task<HttpClient> AsAsync(string who, string row)
    {
        SmallMarket market = await api.GetAsync();
        if (row != "DELETE /api/v1/session" || who is "nobody" or "operator")
        {
            return await api.AsAsync(who);
        }

        using HttpClient http = market.Connect();
        return market.Connect(await ApiFixture.SignInAsync(http, market.Researcher));
    }

    /// <summary>The code with which the policy refuses; null when the call got past it, to be refused for what it holds.</summary>
    private static async Task<string?> RefusalAsync(HttpClient http, string row, Dictionary<string, string> values)
    {
        using HttpClient used = http;
        string[] parts = row.Split(' ');
        string path = values.Aggregate(parts[1], (text, value) => text.Replace($"{{{value.Key}}}", value.Value, StringComparison.Ordinal));
        using HttpRequestMessage request = new(new HttpMethod(parts[0]), new Uri(path, UriKind.Relative));
        if (parts[0] is "POST" or "PUT" && !row.EndsWith("/loads", StringComparison.Ordinal)
            && !row.EndsWith("/consents", StringComparison.Ordinal))
        {
            request.Content = JsonContent.Create(new { });
        }

        using HttpResponseMessage answer = await used.SendAsync(request);
        Assert.True((int)answer.StatusCode < 500 || row == "GET /ready",
            $"{row}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        if ((int)answer.StatusCode is not (401 or 403))
        {
            return null;
        }

        string code = await ApiFixture.CodeAsync(answer);
        return Refusals.Contains(code) ? code : null;
    }
}
