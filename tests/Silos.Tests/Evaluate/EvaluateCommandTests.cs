using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EmrMarket.Silos.Tests.Evaluate;

public sealed class EvaluateCommandTests : IDisposable
{
    private static readonly string[] Files = ["report.html", "results.csv", "results.csv-metadata.json", "results.json", "run.json"];
    private readonly EvaluateProcess _emr = new();

    public void Dispose() => _emr.Dispose();

    [Fact]
    public async Task Evaluate_writes_every_file_and_results_that_fit_their_schema()
    {
        (int code, string output, string error) = await _emr.RunAsync(
            "evaluate", "--records", "4000", "--repetitions", "1", "--out", "out");

        Assert.True(code == 0, error);
        Assert.Equal(Files, FilesIn("out"));
        Assert.False(Directory.Exists(_emr.Place("out.partial")));
        string results = File.ReadAllText(_emr.Place("out/results.json"));
        Assert.Empty(JsonSchemaValidator.Validate(ResultsSchema(), results));
        Assert.Contains("report.html", output, StringComparison.Ordinal);
        JsonNode json = JsonNode.Parse(results)!;
        Assert.Equal("cryptographic", (string?)json["run"]!["seed"]);
        Assert.Equal(4000, (int)json["run"]!["data"]!["records"]!);
        Assert.NotEmpty(json["experiments"]!.AsArray());
        // Every categorical attribute has its frequency.
        string[] frequencies =
            [.. json["statistics"]!.AsArray().Where(s => (string?)s!["kind"] == "frequency").Select(s => (string)s!["attributes"]![0]!)];
        Assert.Contains("race", frequencies);
        Assert.Contains("bmi.present", frequencies);
        int lines = File.ReadAllLines(_emr.Place("out/results.csv")).Length - 1;
        Assert.Equal(json["statistics"]!.AsArray().Sum(s => Math.Max(1, s!["cells"]!.AsArray().Count)), lines);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Evaluate_runs_the_whole_market_and_every_unit_of_money_is_accounted_for()
    {
        (int code, _, string error) = await _emr.RunAsync("evaluate", "--quick", "--records", "3000", "--out", "out");

        Assert.True(code == 0, error);
        string results = File.ReadAllText(_emr.Place("out/results.json"));
        Assert.Empty(JsonSchemaValidator.Validate(ResultsSchema(), results));
        JsonNode market = JsonNode.Parse(results)!["market"]!;
        JsonArray requests = market["requests"]!.AsArray();
        Assert.Equal(20, requests.Count);
        Assert.All(requests, request => Assert.Contains((string?)request!["state"], (string[])["settled", "refunded"]));
        Assert.Contains(requests, request => (string?)request!["state"] == "settled" && (long)request["delivered"]! > 0);
        Assert.Contains(requests, request => (string?)request!["state"] == "refunded");
        Assert.All(requests, request => Assert.Equal((long)request!["budget"]!, (long)request["paid"]! + (long)request["refunded"]!));
        Assert.All(requests, request => Assert.InRange((long)request!["delivered"]!, 0, (long)request["sold"]!));
        Assert.Equal(0, (long)market["matchings"]![0]!["blockingPairs"]!);
        Assert.All(
            market["matchings"]!.AsArray(), rule => Assert.True((double)rule!["welfare"]! <= (double)market["matchings"]![0]!["welfare"]!));
        Assert.All(market["sites"]!.AsArray(), site => Assert.True((double)site!["highestLoss"]! <= 20));
        Assert.Equal(requests.Count(request => (long)request!["delivered"]! > 0), (int)market["replayed"]!);
        Assert.Contains(market["trace"]!.AsArray(), sentence => ((string?)sentence)!.StartsWith("payout: ", StringComparison.Ordinal));
        Assert.Contains("id=\"market\"", File.ReadAllText(_emr.Place("out/report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Evaluate_report_asks_nobody_for_anything()
    {
        (int code, _, string error) = await _emr.RunAsync("evaluate", "--records", "2000", "--experiment", "none", "--out", "out");

        Assert.True(code == 0, error);
        string report = File.ReadAllText(_emr.Place("out/report.html"));
        Assert.Contains("default-src 'none'", report, StringComparison.Ordinal);
        foreach (string loader in new[] { "<script", "<link", "<img", "<iframe", "src=", "url(", "@import", "http://", "https://" })
        {
            Assert.DoesNotContain(loader, report, StringComparison.OrdinalIgnoreCase);
        }

        // Every plot has a name, a description and its numbers as a table.
        int plots = Count(report, "role=\"img\"");
        Assert.True(plots > 5);
        Assert.Equal(plots, Count(report, "<desc id="));
        Assert.Equal(plots, Count(report, "Table of this plot"));
    }

    [Fact]
    public async Task Evaluate_with_a_seed_gives_the_same_results_whatever_the_number_of_threads()
    {
        string[] common = ["evaluate", "--records", "2000", "--repetitions", "1", "--seed", "17"];
        (int first, _, string error) = await _emr.RunAsync([.. common, "--threads", "1", "--out", "a"]);
        (int second, _, _) = await _emr.RunAsync([.. common, "--threads", "2", "--out", "b"]);
        (int third, _, _) = await _emr.RunAsync("evaluate", "--records", "2000", "--repetitions", "1", "--seed", "18", "--out", "c");

        Assert.True(first == 0, error);
        Assert.Equal((0, 0), (second, third));
        Assert.Equal(WithoutRun("a"), WithoutRun("b"));
        Assert.NotEqual(WithoutRun("a"), WithoutRun("c"));
        Assert.Equal(File.ReadAllText(_emr.Place("a/results.csv")), File.ReadAllText(_emr.Place("b/results.csv")));
    }

    [Fact]
    public async Task Evaluate_killed_in_an_experiment_leaves_nothing_whole_and_resumes()
    {
        string[] arguments = ["evaluate", "--records", "2000", "--experiment", "grades", "--experiment", "coverage", "--repetitions", "40",
            "--seed", "5", "--out", "out"];
        using (Process process = _emr.Start(arguments))
        {
            // Standard error says when an experiment's checkpoint exists; the next experiment is then under way.
            while (await process.StandardError.ReadLineAsync() is { } line && !line.Contains("grades", StringComparison.Ordinal))
            {
            }

            Assert.False(Directory.Exists(_emr.Place("out")));
            process.Kill();
            await process.WaitForExitAsync();
        }

        Assert.False(Directory.Exists(_emr.Place("out")));
        (int code, _, string error) = await _emr.RunAsync(arguments);
        Assert.True(code == 0, error);
        JsonNode run = JsonNode.Parse(File.ReadAllText(_emr.Place("out/run.json")))!;
        Assert.Equal("grades", (string?)run["run"]!["resumed"]![0]);

        (int whole, _, _) = await _emr.RunAsync([.. arguments[..^1], "uninterrupted"]);
        Assert.Equal(0, whole);
        Assert.Equal(WithoutRun("uninterrupted"), WithoutRun("out"));
    }

    [Fact]
    public async Task Evaluate_into_a_folder_in_use_is_not_ready()
    {
        Directory.CreateDirectory(_emr.Place("out.partial"));
        await using (new FileStream(_emr.Place("out.partial/lock"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
        {
            (int code, _, string error) = await _emr.RunAsync("evaluate", "--records", "1000", "--experiment", "none", "--out", "out");
            Assert.Equal(75, code);
            Assert.Contains("another evaluation", error, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(_emr.Place("out")));
    }

    [Fact]
    public async Task Evaluate_replaces_an_earlier_evaluation_and_nothing_else()
    {
        Directory.CreateDirectory(_emr.Place("mine"));
        File.WriteAllText(_emr.Place("mine/thesis.txt"), "four years of work");
        (int refused, _, string error) = await _emr.RunAsync("evaluate", "--records", "1000", "--experiment", "none", "--out", "mine");
        Assert.Equal(2, refused);
        Assert.Contains("run.json", error, StringComparison.Ordinal);
        Assert.Equal(["thesis.txt"], FilesIn("mine"));

        Assert.Equal(0, (await _emr.RunAsync("evaluate", "--records", "1000", "--experiment", "none", "--seed", "1", "--out", "out")).Code);
        Assert.Equal(0, (await _emr.RunAsync("evaluate", "--records", "1000", "--experiment", "none", "--seed", "2", "--out", "out")).Code);
        Assert.Equal(Files, FilesIn("out"));
        Assert.Equal("2", (string?)JsonNode.Parse(File.ReadAllText(_emr.Place("out/run.json")))!["run"]!["seed"]);
    }

    [Theory]
    [InlineData("--records", "0")]
    [InlineData("--records", "many")]
    [InlineData("--confidence", "95")]
    [InlineData("--experiment", "alchemy")]
    [InlineData("--schema", "no-such-schema")]
    [InlineData("--data", "no-such-file.csv")]
    [InlineData("--unknown", "1")]
    public async Task Evaluate_with_a_wrong_option_says_so_and_writes_nothing(string option, string value)
    {
        (int code, string output, string error) = await _emr.RunAsync("evaluate", "--out", "out", option, value);

        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.StartsWith("emr: ", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_emr.Place("out")));
        Assert.False(Directory.Exists(_emr.Place("out.partial")));
    }

    [Fact]
    public async Task Evaluate_with_json_prints_results_and_nothing_else()
    {
        (int code, string output, string error) = await _emr.RunAsync(
            "evaluate", "--records", "1000", "--experiment", "none", "--json", "--out", "out");

        Assert.True(code == 0, error);
        Assert.Equal(File.ReadAllText(_emr.Place("out/results.json")).TrimEnd(), output.TrimEnd());
    }

    private static string ResultsSchema()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string path = Path.Combine(folder.FullName, "docs", "results.schema.json");
            if (File.Exists(path))
            {
                return File.ReadAllText(path);
            }
        }

        throw new FileNotFoundException("docs/results.schema.json is not above the test's folder.");
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private string[] FilesIn(string folder) =>
        [.. Directory.EnumerateFileSystemEntries(_emr.Place(folder)).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private string WithoutRun(string folder)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(_emr.Place($"{folder}/results.json")))!.AsObject();
        json.Remove("run");
        json.Remove("stages");
        return json.ToJsonString(new JsonSerializerOptions { WriteIndented = true });
    }
}
