using System.Text.Json;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Reports;
using EmrMarket.Silos.Tests.Evaluate;
using EmrMarket.Silos.Tests.Records;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>The commands as people run them: arguments in, exit code, output and files out.</summary>
public sealed class DataCommandsTests : IDisposable
{
    private readonly EvaluateProcess _emr = new();

    public void Dispose() => _emr.Dispose();

    [Fact]
    public async Task A_site_goes_from_an_unknown_file_to_reports()
    {
        await File.WriteAllTextAsync(_emr.Place("visits.csv"),
            "visit_id,patient_id,name,sex,score\n"
                + string.Concat(Enumerable.Range(1, 300).Select(i => $"{i},{i % 150},Secret Person{i},{"FM"[i % 2]},{i % 5}\n")));
        (int code, string output, string error) = await _emr.RunAsync("schema", "infer", "visits.csv", "--out", "visits.json");
        Assert.True(code == 0, error);
        Assert.Contains("direct identifier", error, StringComparison.Ordinal);
        Assert.DoesNotContain("Secret", error + output + await File.ReadAllTextAsync(_emr.Place("visits.json")), StringComparison.Ordinal);

        Assert.Equal(0, (await _emr.RunAsync("site-key", "new", "site.key")).Code);
        string[] perturb = ["perturb", "--data", "visits.csv", "--schema", "visits.json", "--site-key", "site.key", "--out", "reports"];
        (code, _, error) = await _emr.RunAsync(perturb);
        Assert.Equal(2, code);
        Assert.Contains("confirm", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_emr.Place("reports")));

        (code, _, error) = await _emr.RunAsync("schema", "confirm", "visits.json", "--by", "A. Officer");
        Assert.True(code == 0, error);
        Assert.Equal("A. Officer", Schema.Parse(await File.ReadAllTextAsync(_emr.Place("visits.json")), "v").Document.ConfirmedBy);
        (code, output, error) = await _emr.RunAsync([.. perturb, "--json"]);
        Assert.True(code == 0, error);
        Assert.Equal(300, JsonDocument.Parse(output).RootElement.GetProperty("summary").GetProperty("released").GetInt32());
        ReportFile reports = Assert.Single(ReportFileFormat.ReadAll(_emr.Place("reports")));
        Assert.Equal((300, 150), (reports.Count, reports.PersonCount));
        Assert.DoesNotContain("Secret",
            System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(_emr.Place("reports/visits.emr-reports"))),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_lists_problems_with_values_and_exits_with_2()
    {
        await File.WriteAllTextAsync(_emr.Place("s.json"), RecordLoaderTests.SchemaJson);
        await File.WriteAllTextAsync(_emr.Place("f.csv"), "number,index,sex\n1,20,f\n2,x1,m\n3,20,q2\n");
        (int code, string output, _) = await _emr.RunAsync("schema", "check", "s.json", "f.csv");
        Assert.Equal(2, code);
        Assert.Contains("f.csv:3: column 'index'", output, StringComparison.Ordinal);
        Assert.Contains("Value: 'x1'", output, StringComparison.Ordinal);
        Assert.Contains("f.csv:4: column 'sex'", output, StringComparison.Ordinal);
        Assert.Contains("1 records are valid, 0 values lie outside their bounds and are clipped, 2 problems", output,
            StringComparison.Ordinal);

        (code, output, _) = await _emr.RunAsync("schema", "check", "s.json", "f.csv", "--json");
        Assert.Equal(2, code);
        JsonElement found = JsonDocument.Parse(output).RootElement;
        Assert.Equal((1, 2), (found.GetProperty("records").GetInt32(), found.GetProperty("totalProblems").GetInt32()));
        Assert.Equal(["x1", "q2"], found.GetProperty("problems").EnumerateArray().Select(p => p.GetProperty("value").GetString()!));

        (code, output, string error) = await _emr.RunAsync(
            "perturb", "--data", "f.csv", "--schema", "s.json", "--site-key", "none", "--out", "o");
        Assert.Equal(2, code);
        Assert.DoesNotContain("x1", output + error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_then_check_and_verify_agree_with_the_program()
    {
        Assert.Equal(0, (await _emr.RunAsync("data", "generate", "--records", "5000", "--seed", "3", "--out", "s.csv.gz")).Code);
        (int code, string output, string error) = await _emr.RunAsync("schema", "check", "synthetic", "s.csv.gz");
        Assert.True(code == 0, error + output);
        Assert.Contains("5000 records are valid", output, StringComparison.Ordinal);
        (code, output, _) = await _emr.RunAsync("data", "verify", "s.csv.gz");
        Assert.Equal(1, code);
        Assert.Contains("none of the published files", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Perturb_refuses_what_exceeds_the_cap_and_writes_nothing()
    {
        await _emr.RunAsync("data", "generate", "--records", "500", "--out", "s.csv");
        await _emr.RunAsync("site-key", "new", "k");
        string[] common = ["perturb", "--data", "s.csv", "--schema", "synthetic", "--site-key", "k", "--out", "o"];
        (int code, _, string error) = await _emr.RunAsync([.. common, "--cap", "3", "--attribute", "age", "--attribute", "payer"]);
        Assert.Equal(2, code);
        Assert.Contains("above the cap of 3", error, StringComparison.Ordinal);
        foreach (string[] wrong in new string[][] { ["--grade", "age"], ["--grade", "age=9"], ["--attribute", "height"], ["--cap", "-1"],
            ["--policies", "careful"] })
        {
            (code, _, error) = await _emr.RunAsync([.. common, .. wrong]);
            Assert.True(code == 2, string.Join(' ', wrong) + ": " + error);
        }

        Assert.False(Directory.Exists(_emr.Place("o")));
    }

    [Fact]
    public async Task Show_lists_every_built_in_schema()
    {
        (int code, string output, string error) = await _emr.RunAsync("schema", "show");
        Assert.True(code == 0, error);
        Assert.All(DataFolder.SchemaNames, n => Assert.Contains(n, output, StringComparison.Ordinal));
        (_, output, _) = await _emr.RunAsync("schema", "show", "inpatient", "--json");
        Assert.Equal(DataFolder.LoadSchema("inpatient").Id, Schema.Parse(output, "x").Id);
        Assert.Equal(2, (await _emr.RunAsync("schema", "show", "nothing")).Code);
    }

    [RequiresFact(Tool.RealData)]
    public async Task Verify_knows_the_published_files()
    {
        string folder = Tools.Require(Tool.RealData);
        (int code, string output, string error) = await _emr.RunAsync(
            ["data", "verify", .. DataFolder.Sources().Select(s => Path.Combine(folder, s.File + ".gz"))]);
        Assert.True(code == 0, error + output);
        Assert.Contains("101766 rows, unchanged", output, StringComparison.Ordinal);
    }
}
