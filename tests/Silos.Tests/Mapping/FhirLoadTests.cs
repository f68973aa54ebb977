using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EmrMarket.Silos.Tests.Commands;
using static EmrMarket.Silos.Tests.Mapping.MappedTexts;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Resources get into the store of a site that is served: by command, which maps where they are, and by API.</summary>
public sealed class FhirLoadTests
{
    private const string BadLine = """{"resourceType":"Observation","status":"final","subject":{"display":"Ann Doe"}}""";

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    public async Task Resources_load_by_command_and_by_API_without_what_is_wrong()
    {
        await using ServedMarket market = new();
        SyntheaShaped synthea = new(21);
        Directory.CreateDirectory(market.Place("fhir"));
        JsonObject[] bundles = [.. Enumerable.Range(0, 30).Select(_ => synthea.Next())];
        for (int i = 0; i < 20; i++)
        {
            await File.WriteAllTextAsync(market.Place($"fhir/{i:00}.json"), bundles[i].ToJsonString());
        }

        await File.WriteAllTextAsync(market.Place("fhir/wrong.ndjson"), BadLine + "\n" + Patient("robot", "\"gender\":\"robot\"") + "\n");
        await market.StartAsync();

        // By command, twice: the second changes nothing.
        string[] load = ["site", "load", "--fhir", market.Place("fhir"), "--mapping", "synthea", "--schema", "synthea", "--outcome",
            market.Place("o.json")];
        foreach (int _ in (int[])[1, 2])
        {
            JsonElement loaded = await market.JsonAsync(load);
            Assert.Equal(20, loaded.GetProperty("records").GetInt64());
            JsonNode outcome = JsonNode.Parse(await File.ReadAllTextAsync(market.Place("o.json")))!;
            Assert.Equal(
                ["informational", "not-supported", "value"],
                    outcome["issue"]!.AsArray().Select(issue => issue!["code"]!.GetValue<string>()));
        }

        Assert.Equal(20, (await market.JsonAsync("site", "status", "--schema", "synthea")).GetProperty("records").GetInt32());
        (int code, _, string error) = await market.RunAsync("site", "load", "--fhir", market.Place("fhir"), "--mapping", "nothing",
            "--schema", "synthea");
        Assert.True(code == 2 && error.Contains("synthea", StringComparison.Ordinal), error);
        (code, _, error) = await market.RunAsync("site", "load", "x.csv", "--fhir", market.Place("fhir"), "--schema", "synthea");
        Assert.True(code == 2 && error.Contains("one of the two", StringComparison.Ordinal), error);

        // By API, as NDJSON and as a bundle; a mapping that does not fit is refused, and so is CSV in place of resources.
        using HttpClient http = new() { BaseAddress = new Uri(market.Url) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer",
            (await File.ReadAllTextAsync(market.Place("keys/operator.token"))).Trim());
        string schema = JsonNode.Parse(await http.GetStringAsync("/api/v1/market"))!["schemas"]!.AsArray()
            .Single(dealt => dealt!["name"]!.GetValue<string>() == "synthea")!["id"]!.GetValue<string>();
        string lines = string.Join('\n',
            bundles[20..25].SelectMany(bundle => bundle["entry"]!.AsArray()).Select(entry => entry!["resource"]!.ToJsonString()));
        JsonNode byLine = await PostAsync(http, schema, "synthea", "application/fhir+ndjson", BadLine + "\n" + lines);
        Assert.Equal(5, byLine["result"]!["records"]!.GetValue<int>());
        JsonArray issues = byLine["result"]!["outcome"]!["issue"]!.AsArray();
        Assert.Equal(["informational", "not-supported"], issues.Select(issue => issue!["code"]!.GetValue<string>()));
        Assert.StartsWith("file-1.ndjson:1, byte 0", issues[1]!["diagnostics"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.DoesNotContain("Ann Doe", byLine.ToJsonString(), StringComparison.Ordinal);
        JsonNode bundled = await PostAsync(http, schema, "synthea", "application/fhir+json", bundles[25].ToJsonString());
        Assert.Equal(1, bundled["result"]!["records"]!.GetValue<int>());
        Assert.Equal("failed", (await PostAsync(http, schema, "synthea", "application/fhir+json",
            "{\"resourceType\":\"Bundle\""))["state"]!.GetValue<string>());
        Assert.Equal("/problems/invalid-value",
            (await PostAsync(http, schema, "other", "application/fhir+json", "{}"))["type"]!.GetValue<string>());
        Assert.Equal("/problems/unsupported-media-type",
            (await PostAsync(http, schema, "synthea", "text/csv", "a\n1\n"))["type"]!.GetValue<string>());
        Assert.Equal("/problems/unsupported-media-type",
            (await PostAsync(http, schema, null, "application/fhir+json", "{}"))["type"]!.GetValue<string>());
        Assert.Equal(26, (await market.JsonAsync("site", "status", "--schema", "synthea")).GetProperty("records").GetInt32());
        await market.StopAsync();
    }

    private static async Task<JsonNode> PostAsync(HttpClient http, string schema, string? mapping, string type, string text)
    {
        using StringContent body = new(text, Encoding.UTF8, type);
        string path = $"/api/v1/sites/hospital/loads?schema={schema}{(mapping is null ? "" : "&mapping=" + mapping)}";
        using HttpResponseMessage begun = await http.PostAsync(path, body);
        JsonNode answer = JsonNode.Parse(await begun.Content.ReadAsStringAsync())!;
        while (answer["state"]?.GetValue<string>() == "running")
        {
            answer = JsonNode.Parse(await http.GetStringAsync("/api/v1/operations/" + answer["id"]!.GetValue<string>()))!;
        }

        return answer;
    }
}
