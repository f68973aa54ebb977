using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using EmrMarket.Silos.Tests.Api;

namespace EmrMarket.Silos.Tests.Consents;

[Collection(ApiTests.Name)]
public sealed class ConsentApiTests(ApiFixture api)
{
    [RequiresFact(Tool.Anvil, Tool.Node)]
    public async Task Served_consent_is_R4_and_means_the_policy_that_it_was_made_of()
    {
        using HttpClient http = await api.AsAsync("patient");
        string path = await PathAsync();
        using HttpResponseMessage answer = await http.GetAsync(path + "/consent");
        Assert.Equal((HttpStatusCode.OK, "application/fhir+json"), (answer.StatusCode, answer.Content.Headers.ContentType!.MediaType));
        Assert.NotNull(answer.Headers.ETag);
        string consent = await answer.Content.ReadAsStringAsync();
        Assert.Equal([""], await FhirOracle.FaultsAsync(consent));
        SmallMarket market = await api.GetAsync();
        Assert.DoesNotContain(market.Publisher.Pseudonym, consent, StringComparison.OrdinalIgnoreCase);

        JsonObject offer = await ApiFixture.ReadAsync(await http.GetAsync(path));
        JsonObject means = await ApiFixture.ReadAsync(await http.PostAsync(path + "/consent", Body(consent)));
        Assert.Equal("active", means["participation"]!.GetValue<string>());
        Assert.Empty(means["notes"]!.AsArray());
        foreach (string name in (string[])["profile", "rate", "quota", "purpose", "expirySeconds"])
        {
            Assert.Equal(offer[name]!.ToJsonString(), means["policy"]![name]!.ToJsonString());
        }

        // Nothing was set.
        Assert.Equal(offer.ToJsonString(), (await ApiFixture.ReadAsync(await http.GetAsync(path))).ToJsonString());
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Consent_that_no_policy_says_is_refused_with_code_and_place()
    {
        using HttpClient http = await api.AsAsync("patient");
        string path = await PathAsync() + "/consent";
        string consent = await http.GetStringAsync(path);
        using HttpResponseMessage answer = await http.PostAsync(path, Body(consent.Replace("\"purpose\"", "\"actor\"",
            StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        JsonNode problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal("/problems/invalid-input", problem["type"]!.GetValue<string>());
        JsonNode error = Assert.Single(problem["errors"]!.AsArray())!;
        Assert.Equal(("not-supported", "Consent.provision.actor"), (error["code"]!.GetValue<string>(),
            error["column"]!.GetValue<string>()));
        Assert.Equal("unsupported-media-type", await ApiFixture.CodeAsync(await http.PostAsync(path, Body(consent, "text/plain"))));
        Assert.Equal("too-large", await ApiFixture.CodeAsync(await http.PostAsync(path, Body(new string(' ', 65_537)))));
        Assert.Equal("invalid-input", await ApiFixture.CodeAsync(await http.PostAsync(path, Body(""))));
    }

    private async Task<string> PathAsync()
    {
        SmallMarket market = await api.GetAsync();
        return $"/api/v1/sites/{SmallMarket.SiteName}/publishers/{market.Publisher.SchemaId}/{market.Publisher.Pseudonym}";
    }

    private static ByteArrayContent Body(string text, string type = "application/fhir+json")
    {
        ByteArrayContent body = new(Encoding.UTF8.GetBytes(text));
        body.Headers.ContentType = new MediaTypeHeaderValue(type);
        return body;
    }
}
