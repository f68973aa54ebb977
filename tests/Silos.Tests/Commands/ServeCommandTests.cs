using System.Diagnostics;
using EmrMarket.Contracts.DevChain;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>The served market as a process: it answers, ends when it is asked to, and finds its ledger again.</summary>
public sealed class ServeCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-serve-").FullName;

    private string Chain => Path.Combine(_folder, "chain");

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    public async Task Market_answers_ends_on_SIGTERM_and_starts_again_on_its_ledger()
    {
        byte[]? deployment = null;
        for (int start = 0; start < 2; start++)
        {
            using Process serve = Start("http://127.0.0.1:0");
            string? line;
            do
            {
                line = await serve.StandardOutput.ReadLineAsync();
                Assert.True(line is not null, "it ended before it listened");
            }
            while (!line.Contains("listens at ", StringComparison.Ordinal));
            Uri address = new(line[(line.IndexOf("http", StringComparison.Ordinal))..]);
            using HttpClient http = new() { BaseAddress = address };
            Assert.Equal("alive\n", await http.GetStringAsync(new Uri("/health", UriKind.Relative)));
            HttpResponseMessage ready;
            while (!(ready = await http.GetAsync(new Uri("/ready", UriKind.Relative))).IsSuccessStatusCode)
            {
                Assert.NotNull(ready.Headers.RetryAfter);
                ready.Dispose();
            }

            ready.Dispose();
            byte[] now = await File.ReadAllBytesAsync(Path.Combine(Chain, "deployment.json"));
            Assert.Equal(deployment ?? now, now);
            deployment = now;
            using (Process kill = Process.Start("kill", ["-TERM", serve.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            {
                await kill.WaitForExitAsync();
            }

            await serve.WaitForExitAsync();
            Assert.Equal(0, serve.ExitCode);
            Assert.Null(EmbeddedChain.FindRunning(Chain));
        }
    }

    [Theory]
    [InlineData("http://0.0.0.0:5080", "--insecure-demo")]
    [InlineData("http://market.example", "--insecure-demo")]
    [InlineData("ftp://127.0.0.1", "--urls")]
    public async Task Address_that_others_reach_or_that_is_none_is_refused_before_anything_starts(string url, string says)
    {
        using Process refused = Start(url);
        string error = await refused.StandardError.ReadToEndAsync();
        await refused.WaitForExitAsync();
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains(says, error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Chain));
    }

    /// <summary>What the file says of a flag holds where the command line says nothing of it; what it says there goes before.</summary>
    [Fact]
    public async Task Flag_of_the_configuration_holds_unless_the_command_line_says_otherwise()
    {
        string config = Path.Combine(_folder, "emr.json");
        await File.WriteAllTextAsync(config, """{ "Demo": "true", "Roles": "market" }""");
        Assert.Contains("--demo fills", await RefusedAsync(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(config, """{ "InsecureDemo": "true", "Urls": "http://0.0.0.0:0" }""");
        Assert.Contains("--insecure-demo", await RefusedAsync("--insecure-demo", "false"), StringComparison.Ordinal);

        async Task<string> RefusedAsync(params string[] more)
        {
            (int code, _, string error) = await CommandProcess.RunAsync(
                _folder, ["serve", "--config", config, "--folder", Chain, .. more]);
            Assert.Equal(2, code);
            return error;
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Process Start(string url)
    {
        ProcessStartInfo start = new(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "emrmarket.dll"), "serve", "--urls", url, "--folder", Chain])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["EMR_ROOT"] = Tools.RepositoryRoot },
        };
        return Process.Start(start)!;
    }
}
