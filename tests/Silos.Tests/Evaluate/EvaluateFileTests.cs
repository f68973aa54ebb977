using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using MathNet.Numerics.Distributions;

namespace EmrMarket.Silos.Tests.Evaluate;

/// <summary>The evaluation of record files: small ones made here, and the real ones.</summary>
public sealed class EvaluateFileTests : IDisposable
{
    private const string PlantedPerson = "planted-patient-8871";
    private const string PlantedValue = "planted-value-4417";
    private readonly EvaluateProcess _emr = new();

    public void Dispose() => _emr.Dispose();

    [Fact]
    public async Task Evaluate_of_a_file_names_no_person_and_repeats_no_record_anywhere()
    {
        WriteWard(withFault: false);

        (int code, string output, string error) = await _emr.RunAsync(
            "evaluate", "--data", "ward.csv", "--schema", "ward.json", "--experiment", "none", "--out", "out");

        Assert.True(code == 0, error);
        JsonNode results = JsonNode.Parse(File.ReadAllText(_emr.Place("out/results.json")))!;
        Assert.Equal(600, (int)results["run"]!["data"]!["records"]!);
        Assert.Equal(300, (int)results["run"]!["data"]!["persons"]!);
        Assert.Equal("ward.csv", (string?)results["run"]!["data"]!["files"]![0]!["name"]);
        Assert.Equal(
            0.25, (double)results["statistics"]!.AsArray().First(s => (string?)s!["id"] == "frequency:ill")!["cells"]![1]!["truth"]!, 12);
        string everything = string.Concat(Directory.EnumerateFiles(_emr.Place("out")).Select(File.ReadAllText)) + output + error;
        Assert.DoesNotContain("planted", everything, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Evaluate_of_a_faulty_file_says_where_and_how_to_fix_it_but_not_the_value()
    {
        WriteWard(withFault: true);

        (int code, string output, string error) = await _emr.RunAsync(
            "evaluate", "--data", "ward.csv", "--schema", "ward.json", "--out", "out");

        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains("ward.csv:602", error, StringComparison.Ordinal);
        Assert.Contains("'ill'", error, StringComparison.Ordinal);
        Assert.DoesNotContain("planted", error, StringComparison.OrdinalIgnoreCase);
        Assert.False(Directory.Exists(_emr.Place("out")));
        Assert.False(Directory.Exists(_emr.Place("out.partial")));
    }

    [Fact]
    public async Task Evaluate_of_a_file_without_a_schema_lists_the_schemas()
    {
        WriteWard(withFault: false);

        (int code, _, string error) = await _emr.RunAsync("evaluate", "--data", "ward.csv", "--out", "out");

        Assert.Equal(2, code);
        Assert.Contains("nhds2010", error, StringComparison.Ordinal);
    }

    [RequiresFact(Tool.RealData)]
    public async Task Evaluate_of_diabetic_data_agrees_with_the_exact_truth()
    {
        JsonNode results = await RunRealAsync("diabetic_data", "diabetic_data.csv.gz");
        JsonNode truth = Truth("diabetic_data.json");
        string Label(string text) => text == "?" ? "missing" : text;
        Assert.Equal(37, CompareFrequencies(results, truth, Label));
        CompareTable(results, "table:age,readmitted", truth["two_way"]!["age x readmitted"]!, 101_766);
        CompareMean(results, "time_in_hospital", truth);
        CompareMean(results, "num_medications", truth);
    }

    [RequiresFact(Tool.RealData)]
    public async Task Evaluate_of_brfss2015_agrees_with_the_exact_truth()
    {
        JsonNode results = await RunRealAsync("brfss2015", "diabetes_binary_health_indicators_BRFSS2015.csv.gz");
        JsonNode truth = Truth("brfss2015_diabetes_binary.json");
        Assert.Equal(19, CompareFrequencies(results, truth, text => text));
        CompareTable(results, "table:Age,Diabetes_binary", truth["two_way"]!["Age x Diabetes_binary"]!, 253_680);
        CompareMean(results, "BMI", truth);
        // The quartiles of the truth file are the smallest values that reach 1/4, 1/2 and 3/4.
        JsonArray quartiles = Statistic(results, "quantile:BMI:0.25,0.5,0.75")["cells"]!.AsArray();
        Assert.Equal((double)truth["numeric"]!["BMI"]!["q25"]!, (double)quartiles[0]!["truth"]!);
    }

    [RequiresFact(Tool.RealData)]
    public async Task Evaluate_of_nhds2010_agrees_with_the_exact_truth()
    {
        JsonNode results = await RunRealAsync("nhds2010", "nhds2010.csv.gz");
        Assert.Equal(14, CompareFrequencies(results, Truth("nhds2010.json"), text => text.Length == 0 ? "none" : text));
    }

    [RequiresFact(Tool.RealData)]
    public async Task Evaluate_of_both_inpatient_files_joins_their_records()
    {
        JsonNode results = await RunRealAsync("inpatient", "diabetic_data.csv.gz", "nhds2010.csv.gz");
        Assert.Equal(253_317, (int)results["run"]!["data"]!["records"]!);
        JsonArray sources = Statistic(results, "frequency:source")["cells"]!.AsArray();
        Assert.Equal([101_766.0 / 253_317, 151_551.0 / 253_317], sources.Select(c => (double)c!["truth"]!).Order());
    }

    /// <summary>600 stays of 300 persons, a quarter of them ill; with a fault, one line more whose value is in no domain.</summary>
    private void WriteWard(bool withFault)
    {
        File.WriteAllText(_emr.Place("ward.json"),
            """
            {
              "format": 1, "name": "ward", "version": "1", "title": "A ward", "publishable": true,
              "attributes": [
                { "name": "sex", "tier": "low", "labels": ["female", "male"] },
                { "name": "ill", "tier": "moderate", "labels": ["no", "yes"] },
                { "name": "days", "tier": "low", "grid": { "min": 1, "max": 14, "step": 1, "unit": "days" } }
              ],
              "layouts": [ { "name": "ward", "person": { "column": "patient", "kind": "text" } } ]
            }
            """);
        var csv = new StringBuilder("patient,sex,ill,days\n");
        for (int i = 0; i < 600; i++)
        {
            csv.Append(
                CultureInfo.InvariantCulture,
                $"{PlantedPerson}-{i / 2},{(i % 3 == 0 ? "male" : "female")},{(i % 4 == 0 ? "yes" : "no")},{1 + (i % 14)}\n");
        }

        if (withFault)
        {
            csv.Append(CultureInfo.InvariantCulture, $"{PlantedPerson}-x,male,{PlantedValue},3\n");
        }

        File.WriteAllText(_emr.Place("ward.csv"), csv.ToString());
    }

    /// <summary>
    /// The core pass over real files. The seed makes it the same in every run, so that its coverage is a fact and not a chance.
    /// </summary>
    private async Task<JsonNode> RunRealAsync(string schema, params string[] files)
    {
        string folder = Tools.Require(Tool.RealData);
        string[] data = [.. files.SelectMany(f => new[] { "--data", Path.Combine(folder, f) })];
        (int code, _, string error) = await _emr.RunAsync(
            ["evaluate", "--schema", schema, .. data, "--experiment", "none", "--seed", "1", "--out", "out"]);
        Assert.True(code == 0, error);
        JsonNode results = JsonNode.Parse(File.ReadAllText(_emr.Place("out/results.json")))!;
        JsonNode summary = results["summary"]!;
        Assert.Equal(0, (int)summary["guaranteeMissed"]!);
        (int covered, int intervals) = ((int)summary["covered"]!, (int)summary["intervals"]!);

        // As likely under independent intervals of 95 % as one in a million, on either side: 137 of 138 is nothing strange, 6,900 of 7,000
        // is.
        Assert.InRange(Binomial.CDF(0.95, intervals, covered), 1e-6, 1);
        Assert.InRange(Binomial.CDF(0.95, intervals, covered - 1), 0, 1 - 1e-6);
        return results;
    }

    private static JsonNode Truth(string file) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(Tools.Require(Tool.RealData), "truth", file)))!;

    private static JsonNode Statistic(JsonNode results, string id) => results["statistics"]!.AsArray().First(s => (string?)s!["id"] == id)!;

    /// <summary>Compares the truth of every frequency that the truth file counts too; labels that nobody has are not in the file.</summary>
    /// <returns>How many attributes were compared.</returns>
    private static int CompareFrequencies(JsonNode results, JsonNode truth, Func<string, string> label)
    {
        double rows = (double)truth["rows"]!;
        int compared = 0;
        foreach ((string attribute, JsonNode? counts) in truth["counts"]!.AsObject())
        {
            JsonNode? statistic = results["statistics"]!.AsArray().FirstOrDefault(s => (string?)s!["id"] == "frequency:" + attribute);
            if (statistic is null)
            {
                continue;
            }

            var expected = counts!.AsObject().ToDictionary(c => label(c.Key), c => (double)c.Value! / rows, StringComparer.Ordinal);
            foreach (JsonNode? cell in statistic["cells"]!.AsArray())
            {
                Assert.Equal(expected.GetValueOrDefault((string)cell!["value"]!), (double)cell["truth"]!, 12);
            }

            compared++;
        }

        return compared;
    }

    private static void CompareTable(JsonNode results, string id, JsonNode counts, double rows)
    {
        foreach (JsonNode? cell in Statistic(results, id)["cells"]!.AsArray())
        {
            string[] labels = ((string)cell!["value"]!).Split(" | ");
            double expected = (double?)counts[labels[0]]?[labels[1]] ?? 0;
            Assert.Equal(expected / rows, (double)cell["truth"]!, 12);
        }
    }

    private static void CompareMean(JsonNode results, string attribute, JsonNode truth)
    {
        Assert.Equal(
            (double)truth["numeric"]![attribute]!["mean"]!, (double)Statistic(results, $"mean:{attribute}")["cells"]![0]!["truth"]!, 9);
        Assert.Equal((double)truth["numeric"]![attribute]!["variance_population"]!, (
            double)Statistic(results, $"mean:{attribute}:variance")["cells"]![0]!["truth"]!, 6);
    }
}
