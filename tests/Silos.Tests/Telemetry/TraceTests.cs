using System.Diagnostics;
using System.Text.Json;
using EmrMarket.Silos.Telemetry;
using EmrMarket.Silos.Telemetry.Traces;
using EmrMarket.Silos.Tests.Records;
using OpenTelemetry.Trace;

namespace EmrMarket.Silos.Tests.Telemetry;

/// <summary>What a span keeps, which traces are kept, and the file of spans.</summary>
public sealed class TraceTests
{
    private const string Planted = "planted-5c1d";

    [Theory]
    [InlineData("SELECT body FROM market_request WHERE key = $1", "SELECT market_request")]
    [InlineData("INSERT INTO market_file (sha256, content) VALUES ($1, $2) ON CONFLICT DO NOTHING", "INSERT market_file")]
    [InlineData("\n  UPDATE store_owner SET taken = taken + 1", "UPDATE store_owner")]
    [InlineData("DELETE FROM link_nonce WHERE expires < $1", "DELETE link_nonce")]
    [InlineData("SELECT hold_store()", "SELECT")]
    [InlineData("", "connect")]
    [InlineData(null, "connect")]
    public void Statement_is_called_by_verb_and_table(string? statement, string expected) =>
        Assert.Equal(expected, SpanKeeper.NameOf(statement));

    [Fact]
    public async Task Span_keeps_the_tags_of_the_table_and_a_failed_statement_is_not_told()
    {
        using TestFolder folder = new();
        string file = folder.Place("spans.jsonl");
        using (ActivitySource npgsql = new("Npgsql"))
        {
            await using (ProcessTelemetry.Start(new TelemetryOptions { TraceFile = file }, hasSites: true))
            {
                using Activity pass = Spans.Begin("pass of market")!;
                pass.SetTag("emr.role", "market");
                pass.SetTag("person", Planted);
                using (Activity good = npgsql.StartActivity("emr_market", ActivityKind.Client)!)
                {
                    good.SetTag("db.query.text", "SELECT body FROM market_request WHERE key = $1");
                    good.SetTag("db.connection_string", Planted);
                    good.AddEvent(new ActivityEvent("received-first-response"));
                }

                using Activity bad = npgsql.StartActivity("emr_market", ActivityKind.Client)!;
                bad.SetTag("db.query.text", "INSERT INTO market_file VALUES ($1)");
                bad.AddEvent(new ActivityEvent("exception", tags: new() { ["exception.message"] = Planted }));
                bad.SetStatus(ActivityStatusCode.Error, Planted);
            }
        }

        string[] lines = await File.ReadAllLinesAsync(file);
        Assert.DoesNotContain(Planted, string.Concat(lines), StringComparison.Ordinal);
        JsonElement[] spans = [.. lines.Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
        JsonElement root = Assert.Single(spans, span => span.GetProperty("name").GetString() == "pass of market");
        JsonElement statement = Assert.Single(spans, span => span.GetProperty("source").GetString() == "Npgsql");
        Assert.Equal("SELECT market_request", statement.GetProperty("name").GetString());
        Assert.Equal(root.GetProperty("trace").GetString(), statement.GetProperty("trace").GetString());
        Assert.Equal(root.GetProperty("span").GetString(), statement.GetProperty("parent").GetString());
        Assert.Equal("market", root.GetProperty("emr.role").GetString());
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.25)]
    [InlineData(1)]
    public void Share_of_traces_is_kept_by_id_whatever_a_stranger_asks_for(double ratio)
    {
        RootedSampler sampler = new(ratio);
        const int Traces = 4_000;
        int kept = 0;
        for (int i = 0; i < Traces; i++)
        {
            ActivityTraceId id = ActivityTraceId.CreateRandom();
            SamplingDecision asked = Decide(
                id, new ActivityContext(id, ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded, isRemote: true)),
            unasked = Decide(id, new ActivityContext(id, ActivitySpanId.CreateRandom(), ActivityTraceFlags.None)),
            root = Decide(id, default);
            Assert.Equal(asked, unasked);
            Assert.Equal(asked, root);
            kept += asked == SamplingDecision.RecordAndSample ? 1 : 0;
        }

        // Seven standard deviations of a binomial: false alarms below 1e-11.
        double allowed = 7 * Math.Sqrt(Traces * ratio * (1 - ratio));
        Assert.InRange(kept, (Traces * ratio) - allowed, (Traces * ratio) + allowed);

        // A statement outside a trace begins none.
        Assert.Equal(SamplingDecision.Drop, sampler.ShouldSample(
            new SamplingParameters(default, ActivityTraceId.CreateRandom(), "SELECT", ActivityKind.Client)).Decision);

        SamplingDecision Decide(ActivityTraceId id, ActivityContext parent) =>
            sampler.ShouldSample(new SamplingParameters(parent, id, "any", ActivityKind.Server)).Decision;
    }
}
