using System.Diagnostics;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>HL7's own word on what is R4: the JSON schema of 4.0.1, and its profiles and value sets (tests/Fhir).</summary>
internal static class FhirOracle
{
    private static readonly SemaphoreSlim Installing = new(1, 1);

    /// <summary>What the validators say of each, a line per fault; nothing when there is none.</summary>
    public static async Task<string[]> FaultsAsync(params string[] resources)
    {
        string tools = await ToolsAsync();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emrmarket-fhir-");
        try
        {
            string[] files = [.. resources.Select((_, i) => Path.Combine(folder.FullName, $"{i}.json"))];
            await Task.WhenAll(files.Zip(resources, (file, resource) => File.WriteAllTextAsync(file, resource)));
            (int code, string said) = await RunAsync(Tools.Require(Tool.Node), tools, ["validate.mjs", .. files]);
            string[] lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(code == (lines.Length == 0 ? 0 : 1) && lines.All(line => files.Any(line.StartsWith)), said);
            return [.. files.Select(file => string.Join('\n', lines.Where(line => line.StartsWith(file, StringComparison.Ordinal))))];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The folder of the tools, with what they need.</summary>
    public static async Task<string> ToolsAsync()
    {
        string tools = Path.Combine(Tools.RepositoryRoot, "tests", "Fhir");
        await Installing.WaitAsync();
        try
        {
            // A folder that an earlier version of the tests filled may lack what came later.
            if (!Directory.Exists(Path.Combine(tools, "node_modules", "fhirpath")))
            {
                (int code, string said) = await RunAsync(
                    OperatingSystem.IsWindows() ? "npm.cmd" : "npm", tools, "ci", "--ignore-scripts", "--no-audit", "--no-fund");
                Assert.True(code == 0, said);
            }
        }
        finally
        {
            Installing.Release();
        }

        return tools;
    }

    private static async Task<(int Code, string Said)> RunAsync(string program, string folder, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, said + await error);
    }
}
