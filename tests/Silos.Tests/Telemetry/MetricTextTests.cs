using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using EmrMarket.Silos.Telemetry;
using EmrMarket.Silos.Telemetry.Metrics;
using Microsoft.AspNetCore.Builder;
using OpenTelemetry.Metrics;

namespace EmrMarket.Silos.Tests.Telemetry;

/// <summary>The text of <c>/metrics</c>: what is shown, how it is called, and that Prometheus' own tool takes it.</summary>
public sealed class MetricTextTests
{
    [Theory]
    [InlineData("http.server.request.duration", "s", false, "http_server_request_duration_seconds")]
    [InlineData("emr.role.pass.failures", "{pass}", true, "emr_role_pass_failures_total")]
    [InlineData("emr.disk.free", "By", false, "emr_disk_free_bytes")]
    [InlineData("emr.ledger.signer.balance", "{wei}", false, "emr_ledger_signer_balance_wei")]
    [InlineData("emr.backup.last.success.timestamp", "s", false, "emr_backup_last_success_timestamp_seconds")]
    [InlineData("emr.build.info", "", false, "emr_build_info")]
    public void Name_has_its_unit_at_the_end(string name, string unit, bool isCounter, string expected) =>
        Assert.Equal(expected, MetricText.NameOf(name, unit, isCounter));

    [Fact]
    public void Names_of_the_table_are_Prometheus_and_each_once()
    {
        string[] names = [.. InstrumentTable.All.Values.Select(one => one.PrometheusName)];
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.All(names, name => Assert.Matches("^[a-z_][a-z0-9_]*$", name));
        Assert.All(InstrumentTable.All.Values, one => Assert.EndsWith(".", one.Meaning, StringComparison.Ordinal));
    }

    [Fact]
    public void Text_adds_up_counters_and_histograms_and_escapes_labels()
    {
        using Meter meter = new("EmrMarket.Silos");
        using MetricText text = new(hasSites: true);
        using BaseExportingMetricReader reader = new(text);
        using MeterProvider provider = ProcessTelemetry.Meters(reader);
        string role = $"a \"role\"\\\n{Guid.NewGuid()}", shown = role.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
        Counter<long> failures = meter.CreateCounter<long>("emr.role.pass.failures", "{pass}");
        failures.Add(2, new("role", role), new("fault", "IOException"));
        failures.Add(3, new("role", role), new("fault", "IOException"));
        Histogram<double> passes = meter.CreateHistogram<double>("emr.role.pass.duration", "s");
        double[] times = [0.001, 0.0011, 0.3, 99];
        foreach (double seconds in times)
        {
            passes.Record(seconds, new KeyValuePair<string, object?>("role", role));
        }

        reader.Collect();
        string[] lines = text.Text.Split('\n');
        Assert.Contains($"emr_role_pass_failures_total{{fault=\"IOException\",role=\"{shown}\"}} 5", lines);
        Assert.Contains("# TYPE emr_role_pass_failures_total counter", lines);
        Assert.Contains("# TYPE emr_role_pass_duration_seconds histogram", lines);
        foreach ((double bound, int below) in InstrumentTable.All["emr.role.pass.duration"].Bounds.Append(double.PositiveInfinity)
            .Select(bound => (bound, times.Count(time => time <= bound))))
        {
            string le = double.IsInfinity(bound) ? "+Inf" : bound.ToString(CultureInfo.InvariantCulture);
            Assert.Contains($"emr_role_pass_duration_seconds_bucket{{role=\"{shown}\",le=\"{le}\"}} {below}", lines);
        }

        Assert.Contains($"emr_role_pass_duration_seconds_count{{role=\"{shown}\"}} 4", lines);
        Assert.Contains(lines,
            line => line.StartsWith($"emr_role_pass_duration_seconds_sum{{role=\"{shown}\"}} 99.30", StringComparison.Ordinal));
    }

    [Fact]
    public void Text_shows_no_label_and_no_measure_that_the_table_lacks()
    {
        string planted = "pseudonym-" + Guid.NewGuid();
        using Meter meter = new("EmrMarket.Silos"), npgsql = new("Npgsql");
        using MetricText text = new(hasSites: true);
        using BaseExportingMetricReader reader = new(text);
        using MeterProvider provider = ProcessTelemetry.Meters(reader);
        meter.CreateCounter<long>("emr.role.pass.failures", "{pass}").Add(1, new("role", "market"), new("pseudonym", planted));
        meter.CreateCounter<long>("emr.withdrawals." + planted).Add(1, new KeyValuePair<string, object?>("role", planted));

        // Of databases the market's alone.
        Histogram<double> statements = npgsql.CreateHistogram<double>("db.client.operation.duration", "s");
        statements.Record(1, new KeyValuePair<string, object?>(InstrumentTable.Pool, planted));
        statements.Record(1, new KeyValuePair<string, object?>(InstrumentTable.Pool, "market"));
        // Of questions to the node those without an answer.
        using Meter node = new("EmrMarket.Ethereum");
        Histogram<double> calls = node.CreateHistogram<double>("emr.node.call.duration", "s");
        calls.Record(1, new("method", "eth_planted"), new("outcome", "answered"));
        calls.Record(1, new("method", "eth_planted"), new("outcome", "unavailable"));
        reader.Collect();
        Assert.Single(text.Text.Split('\n'),
            line => line.StartsWith("emr_node_call_duration_seconds_count{method=\"eth_planted\"", StringComparison.Ordinal));
        Assert.DoesNotContain(planted, text.Text, StringComparison.Ordinal);
        Assert.Contains("emr_role_pass_failures_total{role=\"market\"}", text.Text, StringComparison.Ordinal);
        Assert.Contains("db_client_operation_duration_seconds_count{db_client_connection_pool_name=\"market\"}", text.Text,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Address_of_measures_answers_nothing_else_and_wants_its_token()
    {
        await using WebApplication open = await MetricsHost.StartAsync(
            new Uri("http://127.0.0.1:0"), null, () => "a 1\n", CancellationToken.None);
        await using WebApplication closed = await MetricsHost.StartAsync(
            new Uri("http://127.0.0.1:0"), "the token", () => "a 1\n", CancellationToken.None);
        using HttpClient http = new();
        foreach ((WebApplication host, string? token, string path, HttpStatusCode expected) in new[]
        {
            (open, null, "/metrics", HttpStatusCode.OK), (open, null, "/", HttpStatusCode.NotFound),
            (open, null, "/api/v1/market", HttpStatusCode.NotFound),
            (open, null, "/ready", HttpStatusCode.NotFound), (closed, "the token", "/metrics", HttpStatusCode.OK),
            (closed, null, "/metrics", HttpStatusCode.Unauthorized), (closed, "the toke", "/metrics", HttpStatusCode.Unauthorized),
            (closed, "the tokens", "/metrics", HttpStatusCode.Unauthorized), (closed, "The token", "/metrics", HttpStatusCode.Unauthorized),
        })
        {
            using HttpRequestMessage request = new(HttpMethod.Get, new Uri(new Uri(host.Urls.Single()), path));
            if (token is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
            }

            using HttpResponseMessage answer = await http.SendAsync(request, CancellationToken.None);
            string said = await answer.Content.ReadAsStringAsync(CancellationToken.None);
            Assert.True(expected == answer.StatusCode, $"{path} with '{token}': {answer.StatusCode}");
            Assert.Equal(expected == HttpStatusCode.OK ? "a 1\n" : "", said);
        }

        using HttpRequestMessage post = new(HttpMethod.Post, new Uri(new Uri(open.Urls.Single()), "/metrics"));
        using HttpResponseMessage refused = await http.SendAsync(post, CancellationToken.None);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, refused.StatusCode);
    }

    /// <summary>What a tool of Prometheus says of a text; nothing when it takes it.</summary>
    internal static async Task<(int Code, string Said)> PromtoolAsync(string? input, params string[] arguments)
    {
        using Process tool = Process.Start(new ProcessStartInfo(Tools.Require(Tool.Promtool), arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        Task<string> output = tool.StandardOutput.ReadToEndAsync(), error = tool.StandardError.ReadToEndAsync();
        await tool.StandardInput.WriteAsync(input ?? "");
        tool.StandardInput.Close();
        await tool.WaitForExitAsync();
        return (tool.ExitCode, await output + await error);
    }
}
