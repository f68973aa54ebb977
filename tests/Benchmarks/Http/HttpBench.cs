using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Access.SignIn;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Telemetry;
using EmrMarket.Silos.Telemetry.Metrics;
using EmrMarket.Silos.Tests.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace EmrMarket.Benchmarks.Http;

/// <summary>
/// Calls per second of the API from another process over loopback, beside a bare ASP.NET Core endpoint of the same process and answer. The
/// reads are cached for a second, so each is what a page that many look at costs: policies, limits, headers and ETag included, the grain
/// only once a second. A plan is computed each time.
/// </summary>
public static class HttpBench
{
    private const string ServeVariable = "EMR_BENCH_HTTP_SERVES";
    private const int Connections = 16;
    private const int Turns = 5;
    private static readonly string[] Modes = ["off", "on", "scraped"];
    private static readonly TimeSpan Warm = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(5);

    /// <summary>Measures and prints the table; in the process that it starts, serves instead.</summary>
    public static async Task RunAsync(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (Environment.GetEnvironmentVariable(ServeVariable) is not null)
        {
            await ServeAsync();
            return;
        }

        ProcessStartInfo start = new(Environment.ProcessPath!, [typeof(HttpBench).Assembly.Location, "http"])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, Environment = { [ServeVariable] = "1" },
        };
        using Process server = Process.Start(start)!;
        try
        {
            string? line;
            while ((line = await server.StandardOutput.ReadLineAsync()) is not null && !line.StartsWith('{'))
            {
                // What the chain says while it starts.
            }

            Target[] targets = JsonSerializer.Deserialize<Targets>(
                line ?? throw new InvalidOperationException("the server ended before it listened"))!.All;
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"http: calls per second over {Connections} connections, from a second process"));
            await output.WriteLineAsync(
                "                                   bytes    calls/s     bare/s   ratio   p50 ms   p99 ms   bare p99");
            foreach (Target target in targets)
            {
                (double bare, _, double bareLate) = await MeasureAsync(target.Bare);
                (double calls, double middle, double late) = await MeasureAsync(target.Call);
                await output.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {target.Name,-30} {target.Bytes,7:N0} {calls,10:N0} {bare,10:N0}   {calls / bare,5:F2}   {middle,6:F2}   "
                        + $"{late,6:F2}   {bareLate,8:F2}"));
            }

            await MeasuresAsync(server, targets[1], output);
        }
        finally
        {
            server.StandardInput.Close();
            if (!server.WaitForExit(TimeSpan.FromSeconds(20)))
            {
                server.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>What instruments cost: the same read without them, with them, and with a scraper that reads them each second, in
    /// turns.</summary>
    private static async Task MeasuresAsync(Process server, Target target, TextWriter output)
    {
        List<double>[] found = [[], [], []];
        for (int turn = 0; turn < Turns; turn++)
        {
            for (int mode = 0; mode < found.Length; mode++)
            {
                await server.StandardInput.WriteLineAsync(Modes[mode]);
                await server.StandardInput.FlushAsync();
                string? line;
                while ((line = await server.StandardOutput.ReadLineAsync()) is not null
                    && !line.StartsWith(Modes[mode], StringComparison.Ordinal))
                {
                    // What others say.
                }

                using CancellationTokenSource over = new();
                Task scraping = mode == 2 ? ScrapeAsync(new Uri(line!.Split(' ')[1]), over.Token) : Task.CompletedTask;
                found[mode].Add((await MeasureAsync(target.Call)).PerSecond);
                await over.CancelAsync();
                await scraping;
            }
        }

        double[] middle = [.. found.Select(one => one.Order().ElementAt(Turns / 2))];
        for (int mode = 0; mode < found.Length; mode++)
        {
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"  {target.Name}, measures {Modes[mode],-7}: {middle[mode],8:N0} calls/s, {middle[mode] / middle[0]:F3} of off, median of "
                    + $"{Turns} turns ({found[mode].Min():N0} to {found[mode].Max():N0})"));
        }
    }

    private static async Task ScrapeAsync(Uri measures, CancellationToken over)
    {
        using HttpClient http = new();
        using PeriodicTimer each = new(TimeSpan.FromSeconds(1));
        try
        {
            do
            {
                await http.GetStringAsync(measures, over);
            }
            while (await each.WaitForNextTickAsync(over));
        }
        catch (OperationCanceledException)
        {
            // The measurement is over.
        }
    }

    private static async Task ServeAsync()
    {
        string root = Environment.GetEnvironmentVariable("EMR_ROOT") is { Length: > 0 } named ? named : Environment.CurrentDirectory;
        await using SmallMarket market = await SmallMarket.StartAsync(
            new EmbeddedTools(Path.Combine(root, ".emr", "tools"), TextWriter.Null), RateLimits.None);
        using HttpClient http = market.Connect();
        string researcher = await SignInAsync(http, market.Researcher, null),
        patient = await SignInAsync(http, market.Patient, market.Publisher);
        string offer = $"/api/v1/sites/{market.Publisher.Site}/publishers/{market.Publisher.SchemaId}/{market.Publisher.Pseudonym}";
        string plan = $"{{\"schemaId\":\"{market.Publisher.SchemaId}\",\"statistic\":\"mean:length_of_stay\",\"records\":300}}";
        (string Name, string Path, string? Token, string? Body)[] calls =
        [
            ("catalogue (cached)", "/api/v1/catalogue/" + market.Publisher.SchemaId, null, null),
            ("request status (cached)", "/api/v1/requests/" + market.RequestKey, researcher, null),
            ("patient history (cached)", offer + "/history", patient, null),
            ("plan (computed)", "/api/v1/plans", null, plan),
        ];
        Dictionary<string, byte[]> answers = [];
        foreach ((string name, string path, string? token, string? body) in calls)
        {
            using HttpClient client = market.Connect(token);
            using StringContent? content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = body is null ? await client.GetAsync(path) : await client.PostAsync(path, content);
            answer.EnsureSuccessStatusCode();
            answers[name] = await answer.Content.ReadAsByteArrayAsync();
        }

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using WebApplication bare = builder.Build();
        int number = 0;
        foreach ((string name, _, _, string? body) in calls)
        {
            byte[] answer = answers[name];
            RequestDelegate reply = context =>
            {
                context.Response.ContentType = "application/json; charset=utf-8";
                context.Response.ContentLength = answer.Length;
                return context.Response.Body.WriteAsync(answer, context.RequestAborted).AsTask();
            };
            _ = body is null ? bare.MapGet($"/{number++}", reply) : bare.MapPost($"/{number++}", reply);
        }

        CancellationToken stopping = bare.Lifetime.ApplicationStopping;
        await bare.StartAsync(stopping);
        Uri simple = new(bare.Urls.Single());
        Target[] all = [.. calls.Select((call, i) => new Target(
            call.Name, answers[call.Name].Length, new Call(market.Address.Port, Request(market.Address, call.Path, call.Token, call.Body)),
            new Call(simple.Port, Request(simple, $"/{i}", null, call.Body))))];
        await Console.Out.WriteLineAsync(JsonSerializer.Serialize(new Targets(all)).AsMemory(), stopping);
        await Console.Out.FlushAsync(stopping);

        // Until whoever measures goes away.
        ProcessTelemetry? telemetry = null;
        while (await Console.In.ReadLineAsync(stopping) is { } mode)
        {
            await (telemetry?.DisposeAsync() ?? ValueTask.CompletedTask);
            telemetry = null;
            string answer = mode;
            if (mode != Modes[0])
            {
                telemetry = ProcessTelemetry.Start(
                    new TelemetryOptions { LogLevel = LogLevel.None, Metrics = new Uri("http://127.0.0.1:0") }, hasSites: true);
                await telemetry.ShowAsync(
                    new ReadProcess { Roles = market.Roles, Root = Environment.CurrentDirectory, BackupFile = "none" }, stopping);
                answer = $"{mode} {telemetry.Urls.Single()}{MetricsHost.Path}";
            }

            await Console.Out.WriteLineAsync(answer.AsMemory(), stopping);
            await Console.Out.FlushAsync(stopping);
        }
    }

    private static string Request(Uri server, string path, string? token, string? body) =>
        $"{(body is null ? "GET" : "POST")} {path} HTTP/1.1\r\nHost: {server.Authority}\r\n"
            + $"{(token is null ? "" : $"Authorization: Bearer {token}\r\n")}"
        + (body is null
            ? "\r\n"
            : $"Content-Type: application/json\r\nContent-Length: {body.Length.ToString(CultureInfo.InvariantCulture)}\r\n\r\n{body}");

    private static async Task<string> SignInAsync(HttpClient http, EthereumAccount account, PublisherName? publisher)
    {
        using HttpResponseMessage asked = await http.PostAsJsonAsync(
            "/api/v1/sign-in/challenges", new { address = Show.Address(account.Address), publisher = publisher?.ToString() });
        string message = (await asked.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message").GetString()!;
        using HttpResponseMessage answer = await http.PostAsJsonAsync(
            "/api/v1/sign-in", new { message, signature = Hex.Encode(account.Sign(SignInMessage.Digest(message)).ToBytes()) });
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
    }

    private static async Task<(double PerSecond, double Middle, double Late)> MeasureAsync(Call call)
    {
        long begin = Stopwatch.GetTimestamp() + (long)(Warm.TotalSeconds * Stopwatch.Frequency),
        end = begin + (long)(Measured.TotalSeconds * Stopwatch.Frequency);
        List<double>[] times = await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(() => AskAsync(call, begin, end))));
        double[] all = [.. times.SelectMany(one => one)];
        Array.Sort(all);
        return (all.Length / Measured.TotalSeconds, all[all.Length / 2], all[(int)(all.Length * 0.99)]);
    }

    /// <summary>Milliseconds of every call of one connection, one after the other. A client by hand: one that does more would be what is
    /// measured.</summary>
    private static async Task<List<double>> AskAsync(Call call, long begin, long end)
    {
        using TcpClient connection = new() { NoDelay = true };
        await connection.ConnectAsync("127.0.0.1", call.Port);
        NetworkStream stream = connection.GetStream();
        byte[] request = Encoding.ASCII.GetBytes(call.Request), buffer = new byte[1 << 20];
        List<double> times = [];
        for (long sent = Stopwatch.GetTimestamp(); sent < end; sent = Stopwatch.GetTimestamp())
        {
            await stream.WriteAsync(request);
            int got = 0;
            do
            {
                int read = await stream.ReadAsync(buffer.AsMemory(got));
                got += read > 0 ? read : throw new IOException("the server closed the connection");
            }
            while (!IsWhole(buffer.AsSpan(0, got)));
            if (!buffer.AsSpan().StartsWith("HTTP/1.1 200"u8))
            {
                throw new InvalidOperationException(
                    "the server does not answer with 200: " + Encoding.ASCII.GetString(buffer, 0, Math.Min(got, 400)));
            }

            if (sent >= begin)
            {
                times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }
        }

        return times;
    }

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        int head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        int length = answer[..head].IndexOf("Content-Length: "u8);
        if (length < 0)
        {
            return answer.EndsWith("\r\n0\r\n\r\n"u8);
        }

        ReadOnlySpan<byte> digits = answer[(length + 16)..];
        return answer.Length == head + 4 + int.Parse(digits[..digits.IndexOf((byte)'\r')], NumberStyles.None, CultureInfo.InvariantCulture);
    }

    private sealed record Targets(Target[] All);

    private sealed record Target(string Name, int Bytes, Call Call, Call Bare);

    private sealed record Call(int Port, string Request);
}
