using System.Diagnostics;

namespace EmrMarket.Silos.Tests.Hosting;

/// <summary>Scripts of tests/EndToEnd that drive a real Chromium against a host of a test.</summary>
internal static class BrowserScript
{
    private static readonly SemaphoreSlim Installing = new(1);

    private static string Folder => Path.Combine(Tools.RepositoryRoot, "tests", "EndToEnd");

    /// <summary>Runs a script to its end, which must be a good one.</summary>
    /// <param name="script">The script and its arguments.</param>
    /// <param name="environment">What it is told.</param>
    public static async Task RunAsync(string[] script, Dictionary<string, string> environment)
    {
        await InstallAsync();
        await ExecuteAsync(Tools.Require(Tool.Node), script, new(environment)
        {
            ["EMR_CHROMIUM"] = Tools.Require(Tool.Chromium),
            ["EMR_END_TO_END"] = Path.Combine(Tools.RepositoryRoot, "artifacts", "EndToEnd"),
        });
    }

    private static async Task InstallAsync()
    {
        await Installing.WaitAsync();
        try
        {
            FileInfo installed = new(Path.Combine(Folder, "node_modules", ".package-lock.json"));
            if (!installed.Exists || installed.LastWriteTimeUtc < File.GetLastWriteTimeUtc(Path.Combine(Folder, "package-lock.json")))
            {
                await ExecuteAsync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], []);
            }
        }
        finally
        {
            Installing.Release();
        }
    }

    private static async Task ExecuteAsync(string program, string[] arguments, Dictionary<string, string> environment)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Folder,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        try
        {
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, output + await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
