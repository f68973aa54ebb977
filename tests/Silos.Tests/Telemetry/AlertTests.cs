using System.Text.Json;
using System.Text.RegularExpressions;
using EmrMarket.Silos.Telemetry.Metrics;

namespace EmrMarket.Silos.Tests.Telemetry;

/// <summary>Alerts, runbook and dashboard belong together, and name only measures and labels that there are.</summary>
public sealed partial class AlertTests
{
    private static readonly string Monitoring = Path.Combine(Tools.RepositoryRoot, "deploy", "monitoring");
    private static readonly string Rules = File.ReadAllText(Path.Combine(Monitoring, "alerts.yml"));

    [Fact]
    public void Every_alert_has_a_section_and_every_section_an_alert()
    {
        string[] alerts = [.. Alert().Matches(Rules).Select(match => match.Groups["name"].Value)];
        string[] runbook = File.ReadAllLines(Path.Combine(Tools.RepositoryRoot, "docs", "RUNBOOK.md"));
        string[] sections = [.. runbook.Where(line => line.StartsWith("### ", StringComparison.Ordinal)).Select(line => line[4..])];
        Assert.Equal(alerts, sections);
        Assert.InRange(alerts.Length, 30, 100);
        foreach (string alert in alerts)
        {
            string section = string.Join('\n', runbook.SkipWhile(line => line != "### " + alert).Skip(1)
                .TakeWhile(line => !line.StartsWith('#')));
            Assert.All(new[] { "Means", "Notice", "First", "Mend", "Over" },
                part => Assert.True(section.Contains($"**{part}**", StringComparison.Ordinal), $"{alert} does not say '{part}'"));
            Assert.Contains($"runbook: docs/RUNBOOK.md#{alert.ToLowerInvariant()}\n", Rules, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Rules_dashboard_and_runbook_name_measures_that_there_are()
    {
        string dashboard = File.ReadAllText(Path.Combine(Monitoring, "dashboard.json"));
        string runbook = File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "docs", "RUNBOOK.md"));
        HashSet<string> known = [.. InstrumentTable.All.Values.SelectMany(one => one.Kind == InstrumentKind.Histogram
            ? new[] { one.PrometheusName + "_bucket", one.PrometheusName + "_count", one.PrometheusName + "_sum" } : [one.PrometheusName])];
        foreach (string text in (string[])[Rules, dashboard, runbook])
        {
            string[] named = [.. Measure().Matches(text).Select(match => match.Value)];
            Assert.NotEmpty(named);
            Assert.All(named, name => Assert.Contains(name, known));
        }
    }

    [Fact]
    public void Rules_and_dashboard_select_labels_that_their_measures_have()
    {
        string dashboard = File.ReadAllText(Path.Combine(Monitoring, "dashboard.json")).Replace("\\\"", "\"", StringComparison.Ordinal);
        int found = 0;
        foreach (Match selector in Selector().Matches(Rules + dashboard))
        {
            Instrument instrument = InstrumentTable.All.Values.First(one => selector.Groups["name"].Value.StartsWith(
                one.PrometheusName, StringComparison.Ordinal));
            foreach (Match label in Label().Matches(selector.Groups["labels"].Value))
            {
                found++;
                Assert.Contains(label.Groups["label"].Value, instrument.Labels.Select(MetricText.LabelOf));
            }
        }

        Assert.InRange(found, 15, int.MaxValue);
    }

    [RequiresFact(Tool.Promtool)]
    public async Task Promtool_takes_rules_and_configuration()
    {
        (int code, string said) = await MetricTextTests.PromtoolAsync(null, "check", "rules", Path.Combine(Monitoring, "alerts.yml"));
        Assert.True(code == 0 && said.Contains($"{Alert().Count(Rules)} rules found", StringComparison.Ordinal), said);
        (code, said) = await MetricTextTests.PromtoolAsync(null, "check", "config", Path.Combine(Monitoring, "prometheus.yml"));
        Assert.True(code == 0, said);
    }

    [RequiresFact(Tool.Promtool)]
    public async Task Rules_tell_what_they_are_for()
    {
        (int code, string said) = await MetricTextTests.PromtoolAsync(null, "test", "rules", Path.Combine(Monitoring, "alerts.test.yml"));
        Assert.True(code == 0, said);
    }

    /// <summary>promtool compares all that is told, so that a series which is named beside the one that is told is silent.</summary>
    [Fact]
    public void Every_alert_is_tried_with_what_it_tells_and_with_what_it_does_not()
    {
        string[] cases = File.ReadAllText(Path.Combine(Monitoring, "alerts.test.yml")).Split("\n  - name: ")[1..];
        foreach (Match alert in Alert().Matches(Rules))
        {
            string name = alert.Groups["name"].Value;
            string[] own = [.. cases.Where(one => one.Contains($"alertname: {name}\n", StringComparison.Ordinal))];
            Assert.True(own.Any(one => one.Contains("exp_alerts:", StringComparison.Ordinal)), $"{name} is never told");
            Assert.True(own.Any(IsSilentForOne), $"{name} is always told");
        }

        static bool IsSilentForOne(string one) =>
            Instance().Matches(one).Select(match => match.Groups["of"].Value)
                .Except(Told().Matches(one).Select(match => match.Groups["of"].Value), StringComparer.Ordinal).Any()
            || one.Split("eval_time:").Length > one.Split("exp_alerts:").Length;
    }

    [Fact]
    public void Dashboard_is_of_Grafanas_form()
    {
        using JsonDocument dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Monitoring, "dashboard.json")));
        JsonElement[] panels = [.. dashboard.RootElement.GetProperty("panels").EnumerateArray()];
        Assert.InRange(panels.Length, 8, 40);
        Assert.Equal(panels.Length, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        Assert.All(panels, panel => Assert.NotEmpty(panel.GetProperty("title").GetString()!));
    }

    [GeneratedRegex("^      - alert: (?<name>[A-Za-z]+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Alert();

    [GeneratedRegex("instance=\"(?<of>[a-z]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Instance();

    [GeneratedRegex("instance: (?<of>[a-z]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Told();

    [GeneratedRegex(@"\b(emr|http_server|dotnet|db_client)_[a-z0-9_]*[a-z0-9](?![a-z0-9_.]*[=!]~?\\?"")\b(?!_)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Measure();

    [GeneratedRegex(@"(?<name>(emr|http_server|dotnet|db_client)_[a-z0-9_]+)\{(?<labels>[^}]*)\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Selector();

    [GeneratedRegex(@"(?<label>[a-z_]+)\s*(=~|!~|!=|=)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Label();
}
