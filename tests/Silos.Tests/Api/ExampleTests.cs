using System.Diagnostics;
using System.Text.Json.Nodes;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>The examples of docs/, run as they stand.</summary>
[Collection(ApiTests.Name)]
public sealed class ExampleTests(ApiFixture api)
{
    private static string Folder { get; } = Path.Combine(Tools.RepositoryRoot, "docs", "examples");

    [RequiresFact(Tool.Anvil, Tool.Curl)]
    public async Task Quickstart_with_curl_runs()
    {
        SmallMarket market = await api.GetAsync();
        string said = await RunAsync("bash", [Path.Combine(Folder, "quickstart.sh")], market, null);
        Assert.Contains("records on offer", said, StringComparison.Ordinal);
        Assert.Contains("recommended grade", said, StringComparison.Ordinal);
        Assert.Contains("problem /problems/unknown-schema", said, StringComparison.Ordinal);
    }

    [RequiresFact(Tool.Anvil, Tool.Python)]
    public async Task Notebook_runs_from_its_first_cell_to_its_last()
    {
        SmallMarket market = await api.GetAsync();
        JsonNode notebook = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Folder, "results.ipynb")))!;
        string code = string.Join('\n', notebook["cells"]!.AsArray().Where(cell => cell!["cell_type"]!.GetValue<string>() == "code")
            .Select(cell => string.Concat(cell!["source"]!.AsArray().Select(line => line!.GetValue<string>()))));
        using HttpClient http = market.Connect();
        string said = await RunAsync(
            Tools.Require(Tool.Python), ["-c", code], market, await ApiFixture.SignInAsync(http, market.Researcher));
        Assert.Contains("mean:length_of_stay", said, StringComparison.Ordinal);
        Assert.Contains("95 %", said, StringComparison.Ordinal);
    }

    private static async Task<string> RunAsync(string program, string[] arguments, SmallMarket market, string? token)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["EMR_SERVER"] = market.Address.GetLeftPart(UriPartial.Authority), ["EMR_TOKEN"] = token ?? "" },
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output + await error);
        return output;
    }
}
