using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>A real <c>emr serve</c> over a folder that goes away with the test: embedded chain, embedded PostgreSQL, a market and a site,
/// or what its arguments say. It can be killed and started again.</summary>
internal sealed class ServedMarket : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly string _url;
    private readonly string[] _arguments;
    private Process? _serve;
    private Task<string>? _errors;

    /// <summary>Nothing is started yet.</summary>
    /// <param name="arguments">What <c>serve</c> gets besides its address and its folder.</param>
    public ServedMarket(params string[] arguments)
        : this(Directory.CreateTempSubdirectory("emr-market-"), arguments)
    {
    }

    /// <summary>The same over a folder that is there.</summary>
    public ServedMarket(DirectoryInfo folder, params string[] arguments)
    {
        (_folder, _arguments) = (folder, arguments);

        // A free port that stays the same over restarts, since sign-ins are kept by the server's address.
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        _url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
    }

    /// <summary>The version of the program that serves and asks; the one that is tested when null.</summary>
    public string? Program { get; init; }

    /// <summary>Where pages and API are.</summary>
    public Uri Address => new(_url);

    /// <summary>The folder.</summary>
    public string Folder => _folder.FullName;

    /// <summary>Where it listens.</summary>
    public string Url => _url;

    /// <summary>The folder of the embedded chain; everything else of the server is beside it.</summary>
    public string Chain => Path.Combine(Folder, "chain");

    /// <summary>A file of the folder.</summary>
    public string Place(string name) => Path.Combine(Folder, name);

    /// <summary>What it said before it listened.</summary>
    public List<string> Said { get; } = [];

    /// <summary>Starts it, and returns when it is ready.</summary>
    public async Task StartAsync()
    {
        await ListenAsync();
        await SaysAsync("ready at block");
    }

    /// <summary>Starts it, and returns when it listens, ready or not.</summary>
    public async Task ListenAsync()
    {
        _serve = CommandProcess.Start(Folder, ["serve", "--urls", _url, "--folder", Chain, .. _arguments], program: Program);
        _errors = _serve.StandardError.ReadToEndAsync();
        Said.Clear();
        do
        {
            Said.Add(await _serve.StandardOutput.ReadLineAsync()
                ?? throw new InvalidOperationException("serve ended before it listened: " + await _errors));
        }
        while (!Said[^1].Contains("listens at ", StringComparison.Ordinal));
        _ = _serve.StandardOutput.ReadToEndAsync();
    }

    /// <summary>Asks whether it is ready until the answer says something.</summary>
    public async Task SaysAsync(string text)
    {
        using HttpClient http = new() { BaseAddress = new Uri(_url) };
        string last;
        do
        {
            // Each question reads the ledger: asked without a pause, it would have the machine for itself.
            await Task.Delay(50);
            Assert.False(_serve!.HasExited, "serve ended");
            using HttpResponseMessage ready = await http.GetAsync(new Uri("/ready", UriKind.Relative));
            last = await ready.Content.ReadAsStringAsync();
        }
        while (!last.Contains(text, StringComparison.Ordinal));
    }

    /// <summary>A page or an answer that must be there.</summary>
    public async Task<string> GetAsync(string path)
    {
        using HttpClient http = new() { BaseAddress = new Uri(_url) };
        return await http.GetStringAsync(new Uri(path, UriKind.Relative));
    }

    /// <summary>SIGKILL: nothing is told, nothing is saved.</summary>
    public async Task KillAsync()
    {
        _serve!.Kill(entireProcessTree: false);
        await _serve.WaitForExitAsync();
        await _errors!;
        _serve.Dispose();
        _serve = null;
    }

    /// <summary>Its process.</summary>
    public int ProcessId => _serve!.Id;

    /// <summary>Waits until it has ended by itself; how, and what it said on standard error from its start to its end.</summary>
    public async Task<(int Code, string Said)> EndAsync()
    {
        await _serve!.WaitForExitAsync();
        (int, string) end = (_serve.ExitCode, await _errors!);
        _serve.Dispose();
        _serve = null;
        return end;
    }

    /// <summary>SIGTERM, and what it said on standard error from its start to its end.</summary>
    public async Task<string> StopAsync()
    {
        using Process kill = Process.Start("kill", ["-TERM", _serve!.Id.ToString(CultureInfo.InvariantCulture)]);
        await _serve.WaitForExitAsync();
        string said = await _errors!;
        Assert.Equal(0, _serve.ExitCode);
        _serve.Dispose();
        _serve = null;
        return said;
    }

    /// <summary>Runs a client's command against it.</summary>
    public Task<(int Code, string Output, string Error)> RunAsync(params IEnumerable<string> arguments) =>
        CommandProcess.RunAsync(Folder, [.. arguments, "--server", _url, "--keys", Place("keys")], variables: null, Program);

    /// <summary>Runs a client's command that must succeed, and reads its JSON.</summary>
    public async Task<JsonElement> JsonAsync(params IEnumerable<string> arguments)
    {
        (int code, string output, string error) = await RunAsync([.. arguments, "--json"]);
        Assert.True(code == 0, $"emr {string.Join(' ', arguments)} ended with {code}: {error}{output}");
        using JsonDocument document = JsonDocument.Parse(output);
        return document.RootElement.Clone();
    }

    /// <summary>Runs a client's command until it succeeds: 75 says that it will, when the server is back. Any other failure is
    /// one.</summary>
    /// <param name="meanwhile">Ends when nobody restarts the server any more, and fails when that failed, so that nobody waits for
    /// ever.</param>
    /// <param name="arguments">The command.</param>
    public Task<JsonElement> PatientlyAsync(Task meanwhile, params string[] arguments) => PatientlyAsync(meanwhile, () => arguments);

    /// <summary>The same for a command that depends on what its last run left behind.</summary>
    public async Task<JsonElement> PatientlyAsync(Task meanwhile, Func<string[]> arguments)
    {
        while (true)
        {
            string[] command = [.. arguments(), "--json"];
            Task<(int, string, string)> run = RunAsync(command);
            await await Task.WhenAny(run, meanwhile);
            (int code, string output, string error) = await run;
            if (code == 0)
            {
                using JsonDocument document = JsonDocument.Parse(output);
                return document.RootElement.Clone();
            }

            Assert.True(code == 75, $"emr {string.Join(' ', command)} ended with {code}: {error}{output}");
        }
    }

    /// <summary>Where a site stands that was put back from a backup and holds itself back, once it has made good what the ledger
    /// shows.</summary>
    public async Task<JsonElement> HeldAsync()
    {
        while (true)
        {
            (int code, string output, string error) = await RunAsync("site", "reconcile", "--json");
            Assert.True(code == 75, $"emr site reconcile ended with {code}: {error}{output}");
            using JsonDocument document = JsonDocument.Parse(output);
            if (document.RootElement.GetProperty("open").GetArrayLength() == 0)
            {
                return document.RootElement.Clone();
            }
        }
    }

    /// <summary>What the researcher has, in token units.</summary>
    public async Task<string> TokensAsync()
    {
        JsonElement key = await JsonAsync("account", "key");
        using HttpClient http = new() { BaseAddress = new Uri(_url) };
        using JsonDocument account = JsonDocument.Parse(
            await http.GetStringAsync(new Uri("/api/v1/ledger/accounts/" + key.GetProperty("address").GetString(), UriKind.Relative)));
        return account.RootElement.GetProperty("tokens").GetString()!;
    }

    /// <summary>Runs a client's command that must end with a code and say something on standard error.</summary>
    public async Task RefusedAsync(int expected, string says, params IEnumerable<string> arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);
        Assert.True(code == expected && error.Contains(says, StringComparison.Ordinal),
            $"emr {string.Join(' ', arguments)} ended with {code}, expected {expected} and '{says}': {error}{output}");
    }

    /// <summary>Takes something of it away, once the children of a killed server have let it go.</summary>
    public async Task LoseAsync(params IEnumerable<string> names)
    {
        foreach (string path in names.Select(Place))
        {
            for (int attempt = 0; Directory.Exists(path); attempt++)
            {
                try
                {
                    Directory.Delete(path, recursive: true);
                }
                catch (IOException) when (attempt < 100)
                {
                    await Task.Yield();
                    Thread.SpinWait(1_000_000);
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_serve is { HasExited: false })
        {
            await KillAsync();
        }

        // The children end with their parent, a moment later.
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                _folder.Delete(recursive: true);
                return;
            }
            catch (IOException) when (attempt < 50)
            {
                await Task.Yield();
                Thread.SpinWait(1_000_000);
            }
        }
    }
}
