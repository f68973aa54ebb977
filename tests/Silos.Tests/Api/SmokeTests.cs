namespace EmrMarket.Silos.Tests.Api;

[Collection(ApiTests.Name)]
public sealed class SmokeTests(ApiFixture api)
{
    [RequiresFact(Tool.Anvil)]
    public async Task Everything_answers()
    {
        foreach (string path in new[] { "market", "schemas", "catalogue/" + SmallMarket.Schema.Id, "problems", "ledger/requests", "ledger/epochs", "openapi.json" })
        {
            using HttpClient http = await api.AsAsync("nobody");
            using HttpResponseMessage answer = await http.GetAsync("/api/v1/" + path);
            Assert.True(answer.IsSuccessStatusCode, path + await answer.Content.ReadAsStringAsync());
        }
    }
}
