using System.Text.Json.Nodes;

namespace EmrMarket.Silos.Tests.Api;

[Collection(ApiTests.Name)]
public sealed class ApiDocumentTests(ApiFixture api)
{
    private static string File { get; } = Path.Combine(Tools.RepositoryRoot, "docs", "openapi.json");

    [RequiresFact(Tool.Anvil)]
    public async Task Committed_description_is_that_of_the_served_API()
    {
        using HttpClient http = await api.AsAsync("nobody");
        string served = (await http.GetStringAsync("/api/v1/openapi.json")).ReplaceLineEndings("\n").TrimEnd() + "\n";
        if (Environment.GetEnvironmentVariable("EMR_WRITE_OPENAPI") == "1")
        {
            await System.IO.File.WriteAllTextAsync(File, served);
        }

        Assert.True(
            served == await System.IO.File.ReadAllTextAsync(File),
            "docs/openapi.json is not what the program serves: run the tests of ApiDocumentTests with EMR_WRITE_OPENAPI=1, read the "
                + "difference, and commit it.");
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Description_is_OpenAPI_3_1_and_says_of_every_operation_who_may_and_what_a_failure_is()
    {
        using HttpClient http = await api.AsAsync("nobody");
        JsonNode document = JsonNode.Parse(await http.GetStringAsync("/api/v1/openapi.json"))!;
        Assert.StartsWith("3.1", document["openapi"]!.GetValue<string>(), StringComparison.Ordinal);
        JsonObject[] operations = [
            .. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(operation => operation.Value!.AsObject()))];
        Assert.True(operations.Length > 50);
        Assert.Equal(operations.Length,
            operations.Select(operation => operation["operationId"]!.GetValue<string>()).Distinct(StringComparer.Ordinal).Count());
        Assert.All(operations, operation =>
        {
            Assert.NotEmpty(operation["summary"]!.GetValue<string>());
            Assert.StartsWith("Who may: ", operation["description"]!.GetValue<string>(), StringComparison.Ordinal);
            Assert.NotNull(operation["responses"]!["default"]!["content"]!["application/problem+json"]);
        });
    }
}
