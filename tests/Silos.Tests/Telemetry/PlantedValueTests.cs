using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using EmrMarket.Silos.Telemetry.Logs;
using EmrMarket.Silos.Telemetry.Metrics;
using EmrMarket.Silos.Tests.Commands;
using Microsoft.Extensions.Logging;

namespace EmrMarket.Silos.Tests.Telemetry;

/// <summary>
/// A real server is told everything at its loudest (information, every trace, all measures) while records are loaded, wallets made, a
/// request sold, calls refused and the database killed. Values that were planted in all that comes in are then looked for in all that an
/// operator gets to see. A finder that finds nothing anywhere would pass as well, so it is tried on a leak first.
/// </summary>
public sealed class PlantedValueTests
{
    private const int Records = 240;
    private const string Schema = "synthetic";
    private const long PlantedRecord = 0x5EC2_E7AB_0000;
    private const long PlantedPerson = 0x7B1D_C94E_0000;
    private const string PlantedFraction = ".0719283746";
    private const string Name = "Zebulon Quackenbush";
    private const string Passphrase = "ochre-walnut-trombone-7141";
    private const string Sent = "planted9f3c1e77";

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL, Tool.Promtool)]
    public Task Nothing_planted_is_told_of_loads_policies_refusals_and_a_crash() => TellsNothingAsync(sells: false);

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL, Tool.Promtool)]
    [Trait("Duration", "Long")]
    public Task Nothing_planted_is_told_of_a_sale() => TellsNothingAsync(sells: true);

    private static async Task TellsNothingAsync(bool sells)
    {
        int port = FreePort();
        await using ServedMarket market = new("--config", "telemetry.json");
        string spans = market.Place("spans.jsonl");
        await File.WriteAllTextAsync(market.Place("telemetry.json"), JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["Metrics:Urls"] = $"http://127.0.0.1:{port}", ["Traces:File"] = spans, ["Logs:Format"] = "json",
            ["Logs:Level"] = "information",
        }));
        await market.StartAsync();
        (HashSet<string> planted, string pseudonym) = await TellAsync(market, sells);
        await ActMovesNoMeasureAsync(market, port, pseudonym, sells ? 1 : 0);
        await BeHostileAsync(market, pseudonym);
        string measures = await MeasuresAsync(port, sells ? 1 : 0);
        string log = await CrashAsync(market);
        string traces = await File.ReadAllTextAsync(spans);

        // The finder finds: each value, in each form, where somebody leaks it.
        Assert.All(planted, value => Assert.Equal([value], Found(planted, "x " + value + " y").Intersect([value])));
        Assert.True(planted.Count > Records);
        Assert.Empty(Found(planted, log));
        Assert.Empty(Found(planted, measures));
        Assert.Empty(Found(planted, traces));

        // They are not empty: the crash, the sale and the calls are told.
        string[] lines = log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.True(line.StartsWith('{'), $"a line is no JSON: {line}"));
        JsonElement[] events = [.. lines.Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
        Assert.All(new[] { 201, 202, 204, 205, 209, 210 }, id => Assert.Contains(events, one => one.GetProperty("id").GetInt32() == id));
        JsonElement[] told =
            [.. traces.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
        string[] names = [.. told.Select(span => span.GetProperty("name").GetString()!).Distinct()];
        Assert.All(new[] { "pass of market", "pass of hospital", "IMarketGrain.AdvanceAsync", "eth_getBlockByNumber",
            "POST /api/v1/sites/{site}/loads" },
            name => Assert.Contains(name, names));
        Assert.Contains(names, name => name.StartsWith("SELECT ", StringComparison.Ordinal));

        // What patients do begins no trace, and moves no count.
        Assert.DoesNotContain(names,
            name => name.Contains("publishers", StringComparison.Ordinal) || name.Contains("sign-in", StringComparison.Ordinal)
            || name.StartsWith("IPublisherGrain", StringComparison.Ordinal));
        Assert.DoesNotContain("publishers", measures, StringComparison.Ordinal);
        Assert.DoesNotContain("wallets", measures, StringComparison.Ordinal);

        // Every span below another stands in its trace.
        Dictionary<string, string> traceOf = told.ToDictionary(
            span => span.GetProperty("span").GetString()!, span => span.GetProperty("trace").GetString()!);
        Assert.All(told.Where(span => span.TryGetProperty("parent", out JsonElement parent) && traceOf.ContainsKey(parent.GetString()!)),
            span => Assert.Equal(traceOf[span.GetProperty("parent").GetString()!], span.GetProperty("trace").GetString()));

        await MeasuresAreThoseOfTheTableAsync(measures, sells);
        Assert.Equal(1, Number(measures, "emr_role_ready{role=\"hospital\"}"));
        Assert.Equal(sells, Number(measures, "emr_market_sales") > 100);
        Assert.Equal(sells, Number(measures, "emr_site_delivered{role=\"hospital\"}") > 100);
        Assert.True(Number(measures, "emr_http_problems_total{type=\"sign-in-failed\"}") >= 1);
    }

    [Fact]
    public void Line_of_a_library_or_an_exception_holds_no_value_and_one_of_the_program_its_own()
    {
        StringWriter said = new();
        TextWriter before = Console.Error;
        Console.SetError(said);
        try
        {
            using (ILoggerFactory logs = LogSetup.Create(LogForm.Json, LogLevel.Information))
            {
#pragma warning disable CA1848, CA2254, CA1727 // Events of others, as they come.
                logs.CreateLogger("Npgsql.Command")
                    .LogError(new InvalidOperationException(Name), "Key (person)=({Key}) exists", PlantedPerson);
                logs.CreateLogger("EmrMarket.Anything").LogWarning(new FormatException(Name), "A load of {Person} failed", "role-1");
                logs.CreateLogger("Microsoft.AspNetCore.Routing").LogError("{Path}", Sent);
#pragma warning restore CA1848, CA2254, CA1727
            }
        }
        finally
        {
            Console.SetError(before);
        }

        string text = said.ToString();
        Assert.DoesNotContain(Name, text, StringComparison.Ordinal);
        Assert.DoesNotContain(Sent, text, StringComparison.Ordinal);
        Assert.DoesNotContain(PlantedPerson.ToString(CultureInfo.InvariantCulture), text, StringComparison.Ordinal);
        Assert.Contains("Key (person)=({Key}) exists", text, StringComparison.Ordinal);

        // Its own words are said; a parameter that is not in the list has no field of its own.
        Assert.Contains("A load of role-1 failed", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\"Person\"", text, StringComparison.Ordinal);
        Assert.Contains("\"Fault\":\"FormatException\"", text, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Found(IEnumerable<string> planted, string text) =>
        planted.Where(value => text.Contains(value, StringComparison.OrdinalIgnoreCase));

    /// <summary>Records, people, a wallet, an epoch, and a request that is served. What was planted, and a pseudonym.</summary>
    private static async Task<(HashSet<string> Planted, string Pseudonym)> TellAsync(ServedMarket market, bool sells)
    {
        HashSet<string> planted = new(StringComparer.Ordinal) { PlantedFraction, Name, "Quackenbush", Passphrase, Sent };
        string file = market.Place("records.csv"), wrong = market.Place("wrong.csv");
        Assert.Equal(0, (await CommandProcess.RunAsync(market.Folder, "data", "generate", "--records", $"{Records}", "--out", file)).Code);
        string[] lines = await File.ReadAllLinesAsync(file);
        int measured = Array.IndexOf(lines[0].Split(','), "bmi");
        for (int row = 1; row < lines.Length; row++)
        {
            string[] values = lines[row].Split(',');
            values[0] = (PlantedRecord + long.Parse(values[0], CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture);
            values[1] = (PlantedPerson + long.Parse(values[1], CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture);
            values[measured] = values[measured].Length == 0 ? "" : values[measured].Split('.')[0] + PlantedFraction;
            planted.Add(values[0]);
            planted.Add(values[1]);
            lines[row] = string.Join(',', values);
        }

        await File.WriteAllLinesAsync(file, lines);
        await File.WriteAllLinesAsync(wrong, [.. lines[..5], lines[5].Replace(lines[5].Split(',')[3], Name), .. lines[6..]]);
        (int code, _, _) = await market.RunAsync("site", "load", wrong, "--schema", Schema);
        Assert.Equal(2, code);
        await market.JsonAsync("site", "load", file, "--schema", Schema);

        string wallet = market.Place("a.wallet"), passphrase = CommandProcess.Secret(market.Folder, "pass", Passphrase);
        JsonElement made = await market.JsonAsync("patient", "wallet", "create", wallet, "--site", "hospital", "--schema", Schema,
            "--record", "0", "--passphrase-file", passphrase);
        string pseudonym = made.GetProperty("entries")[0].GetProperty("pseudonym").GetString()!;
        planted.Add(pseudonym);
        JsonElement menu = await market.JsonAsync("patient", "policy", "--schema", Schema);
        string profile = menu.GetProperty("profiles")[menu.GetProperty("profiles").GetArrayLength() - 1].GetProperty("name").GetString()!;
        string[] choice = ["--profile", profile, "--rate", "1", "--purpose", "2", "--quota", "2"];
        await market.JsonAsync(
            ["patient", "policy", "--wallet", wallet, "--passphrase-file", passphrase, "--pseudonym", pseudonym, .. choice]);
        await market.JsonAsync(["site", "policies", "--schema", Schema, .. choice]);

        // Keys of the site, of the market and of a researcher, and what opens the operator's door.
        Assert.Equal(0, (await market.RunAsync("account", "key")).Code);
        string[] secrets =
        [
            .. Directory.EnumerateFiles(market.Folder, "*", SearchOption.AllDirectories)
                .Where(path => Path.GetExtension(path) is ".key" or ".token" or ".password"),
        ];
        Assert.InRange(secrets.Length, 5, 100);
        foreach (string secret in secrets)
        {
            planted.Add((await File.ReadAllTextAsync(secret)).Trim().Split('\n')[0]);
        }

        JsonElement epoch = await market.JsonAsync("site", "post-epoch", "--schema", Schema, "--wait");
        long members = epoch.GetProperty("members").GetInt64();
        if (sells)
        {
            await market.JsonAsync("account", "fund");
            JsonElement opened = await market.JsonAsync("request", "open", "--schema", Schema, "--statistic", "mean:length_of_stay",
                "--records", $"{members}", "--title", "Beds", "--why", "Planning of beds", "--days", "0.01", "--yes");
            planted.Add(opened.GetProperty("key").GetString()!);
            await market.JsonAsync(
                "request", "status", $"{opened.GetProperty("requestId").GetUInt64()}", "--until", "ended", "--timeout", "200");
        }

        return (planted, pseudonym);
    }

    /// <summary>
    /// A patient reads, pauses, takes part again and withdraws, on a server where nothing else happens. No series moves but those that move
    /// all the time by themselves; that staff look at their site is seen, so movements are.
    /// </summary>
    private static async Task ActMovesNoMeasureAsync(ServedMarket market, int port, string pseudonym, int settled)
    {
        string[] restless =
        [
            "dotnet_", "emr_role_pass_duration_seconds", "emr_ledger_head", "emr_ledger_followed", "emr_ledger_gas_price_wei",
            "emr_disk_free_bytes", "emr_market_site_heard_timestamp_seconds", "emr_site_epoch_age_seconds",
            "emr_market_request_longest_seconds",
            "db_client_operation_duration_seconds",
        ];
        string[] wallet = ["--wallet", market.Place("a.wallet"), "--passphrase-file", market.Place("pass")];
        string before = await MeasuresAsync(port, settled);
        await market.JsonAsync(["patient", "offers", .. wallet]);
        await market.JsonAsync(["patient", "policy", .. wallet, "--pseudonym", pseudonym, "--pause"]);
        await market.JsonAsync(["patient", "policy", .. wallet, "--pseudonym", pseudonym, "--resume"]);
        await market.JsonAsync(["patient", "history", .. wallet]);
        await market.JsonAsync(["patient", "withdraw", .. wallet, "--pseudonym", pseudonym, "--yes"]);

        // Two readings later: what is read every few seconds has been. The chain has a block a second, so each reading shows another head.
        string after = await MeasuresAsync(port, settled);
        for (int readings = 0; readings < 2; readings++)
        {
            double head = Number(after, "emr_ledger_head{role=\"market\"}");
            do
            {
                after = await MeasuresAsync(port, settled);
            }
            while (Number(after, "emr_ledger_head{role=\"market\"}") == head);
        }

        string[] moved = Moved(before, after);
        Assert.True(moved.Length == 0, string.Join('\n', moved));
        await market.JsonAsync("site", "status", "--schema", Schema);
        Assert.Contains(Moved(after, await MeasuresAsync(port, settled)),
            line => line.StartsWith("http_server_request_duration_seconds_count{", StringComparison.Ordinal));

        string[] Moved(string first, string second) => [.. second.Split('\n').Except(first.Split('\n'), StringComparer.Ordinal)
            .Where(line => !restless.Any(name => line.StartsWith(name, StringComparison.Ordinal)))];
    }

    /// <summary>Wrong calls with planted values in paths, queries, headers and bodies. No answer of a failure quotes the planted
    /// back.</summary>
    private static async Task BeHostileAsync(ServedMarket market, string pseudonym)
    {
        using HttpClient http = new(
            new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false, ActivityHeadersPropagator = null })
        { BaseAddress = market.Address };
        http.DefaultRequestHeaders.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        http.DefaultRequestHeaders.Add("tracestate", "planted=" + Sent);
        http.DefaultRequestHeaders.UserAgent.ParseAdd(Sent);
        http.DefaultRequestHeaders.Add("Cookie", $"emr={Sent}");
        http.DefaultRequestHeaders.Add("X-Forwarded-For", Sent);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Sent);
        string[] paths =
        [
            "/metrics", "/api/metrics", "/api/v1/metrics",
            $"/api/v1/requests/{Sent}", $"/api/v1/sites/{Sent}/menus/{Sent}", $"/api/v1/ledger/accounts/{Sent}", $"/{Sent}?{Sent}={Sent}",
            $"/api/v1/ledger/epochs?cursor={Sent}&limit={Sent}", $"/records/hospital/{new string('0', 64)}/{pseudonym}",
            $"/api/v1/traces/{pseudonym}", $"/api/v1/catalogue/{Sent}", $"/requests/{Sent}", $"/sign-in?returnUrl=/{Sent}",
        ];
        foreach (string path in paths)
        {
            using HttpResponseMessage answer = await http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.True(path.EndsWith("metrics", StringComparison.Ordinal)
                ? answer.StatusCode == HttpStatusCode.NotFound : answer.StatusCode != HttpStatusCode.InternalServerError, path);
        }

        foreach ((string path, string body) in new[]
        {
            ("/api/v1/sign-in", $"{{\"message\":\"{Sent}\",\"signature\":\"{Sent}\"}}"),
            ("/api/v1/sign-in/password", $"{{\"name\":\"{Name}\",\"password\":\"{Sent}\"}}"),
            ("/api/v1/sign-in/password", $"{{\"name\":\"{Name}\","), ("/api/v1/plans", $"[\"{Sent}\"]"), ("/api/v1/terms", Sent),
            ("/api/v1/ledger/transactions", $"{{\"raw\":\"{Sent}\"}}"), ("/api/v1/sites/hospital/loads", Sent),
        })
        {
            using StringContent content = new(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await http.PostAsync(new Uri(path, UriKind.Relative), content);
            Assert.InRange((int)answer.StatusCode, 400, 499);
            string said = await answer.Content.ReadAsStringAsync();
            Assert.DoesNotContain(Name, said, StringComparison.Ordinal);
            Assert.DoesNotContain(Passphrase, said, StringComparison.Ordinal);
        }
    }

    /// <summary>Kills the database under the server, and ends the server when it goes on. All that it said on standard error.</summary>
    private static async Task<string> CrashAsync(ServedMarket market)
    {
        EmbeddedEngine.Kill(market, "postgres");
        await market.SaysAsync("ready at block");
        return await market.StopAsync();
    }

    private static async Task<string> MeasuresAsync(int port, int settled)
    {
        using HttpClient http = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        string text;
        do
        {
            // Gauges are read every few seconds: those of the sale come with the next reading.
            await Task.Delay(100);
            using HttpResponseMessage answer = await http.GetAsync(new Uri("/metrics", UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(MetricText.ContentType, answer.Content.Headers.ContentType!.ToString());
            text = await answer.Content.ReadAsStringAsync();
        }
        while (!text.Contains($"emr_market_ledger_requests{{outcome=\"settled\"}} {settled}", StringComparison.Ordinal)
            || !text.Contains("emr_site_epoch_members{", StringComparison.Ordinal));
        using HttpResponseMessage elsewhere = await http.GetAsync(new Uri("/api/v1/market", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, elsewhere.StatusCode);
        return text;
    }

    private static async Task MeasuresAreThoseOfTheTableAsync(string measures, bool sells)
    {
        (int code, string said) = await MetricTextTests.PromtoolAsync(measures, "check", "metrics");
        Assert.True(code == 0, said);
        string[] shown = [
            .. measures.Split('\n').Where(line => line.StartsWith("# TYPE ", StringComparison.Ordinal)).Select(line => line.Split(' ')[2])];
        Assert.Equal(InstrumentTable.All.Values.Select(one => one.PrometheusName).Order(StringComparer.Ordinal),
            shown.Order(StringComparer.Ordinal));

        // What has no sample yet is what has not happened, or belongs to another kind of process. Whether the node was asked before it
        // answered depends on how fast it starts.
        string[] silent =
            [.. shown.Where(name => name != "emr_node_call_duration_seconds" && !measures.Contains($"\n{name}", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)];
        Assert.Equal(
        [
            "db_client_operation_failed_total", "emr_backup_last_success_timestamp_seconds", "emr_grains_faults_total",
            "emr_ledger_demand_time_left_seconds", "emr_ledger_reorganisations_total", "emr_link_calls_total",
            "emr_link_certificate_expiry_timestamp_seconds", "emr_link_messages_total",
            .. sells ? (string[])[] : ["emr_market_deliveries_total"], "emr_readings_failures_total", "emr_role_pass_failures_total",
        ], silent);
    }

    private static double Number(string measures, string series) => double.Parse(
        measures.Split('\n').Single(line => line.StartsWith(series + " ", StringComparison.Ordinal))[(series.Length + 1)..],
        CultureInfo.InvariantCulture);

    private static int FreePort()
    {
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        return ((IPEndPoint)free.LocalEndpoint).Port;
    }
}
