using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Tests.Commands;
using EmrMarket.Silos.Tests.Records;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>The built-in mapping says of Synthea-shaped bundles what jq says of them, and does so in bounded memory.</summary>
public sealed class SyntheaMappingTests : IDisposable
{
    private static readonly string Mapping = Path.Combine(Tools.RepositoryRoot, "data", "mappings", "synthea.json");
    private readonly MappedTexts _texts = new();

    public void Dispose() => _texts.Dispose();

    [RequiresFact(Tool.Jq)]
    public async Task Every_value_of_every_patient_is_the_one_that_jq_finds()
    {
        SyntheaShaped synthea = new(7);
        JsonObject[] bundles = [.. Enumerable.Range(0, 300).Select(_ => synthea.Next())];
        string[] plain = [.. bundles.Select((bundle, i) => _texts.File(bundle.ToJsonString(), $"{i:000}.json"))];
        SortedDictionary<string, string> expected = await JqAsync(plain);
        Assert.Equal(300, expected.Count);

        // Bundles packed and plain; and the same as a Bulk Data export would have it, by type, in any order, with relative references.
        string mapping = await File.ReadAllTextAsync(Mapping);
        string[] files = [.. bundles.Select((bundle, i) => i % 3 > 0 ? plain[i] : _texts.File(TestFolder.Gzip(bundle.ToJsonString())))];
        (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(mapping, files);
        Assert.Equal(expected, rows);
        Assert.Equal(0, report.TotalIssues);
        JsonNode[] resources = [.. bundles.SelectMany(bundle => bundle["entry"]!.AsArray()).Select(entry => entry!["resource"]!)];
        string[] byType = [.. resources.GroupBy(resource => resource["resourceType"]!.GetValue<string>(), StringComparer.Ordinal)
            .OrderByDescending(type => type.Key, StringComparer.Ordinal).Select(type => _texts.File(
                string.Join('\n', type.Reverse().Select(resource => resource.ToJsonString()
                    .Replace("\"subject\":{\"reference\":\"urn:uuid:", "\"subject\":{\"reference\":\"Patient/", StringComparison.Ordinal))),
                type.Key + ".ndjson"))];
        Assert.Equal(expected, _texts.Map(mapping, byType).Rows);

        // What was compared is something: each column has several values.
        string[][] cells = [.. expected.Values.Select(row => row.Split(','))];
        Assert.All(Enumerable.Range(0, cells[0].Length - 1), column =>
            Assert.True(cells.Select(row => row[column]).Distinct(StringComparer.Ordinal).Count() > 1 || IsRare(column),
                $"column {column} has one value"));

        bool IsRare(int column) => RecordMapping.Parse(mapping, "m").Document.Columns[column].Name
            is "atrial_fibrillation" or "stroke" or "hyperlipidaemia" or "cancer" or "depression" or "dementia" or "osteoporosis";
    }

    [Fact]
    public async Task Commands_map_check_and_evaluate_what_they_mapped()
    {
        SyntheaShaped synthea = new(8);
        Directory.CreateDirectory(_texts.Place("fhir"));
        for (int i = 0; i < 60; i++)
        {
            _texts.File(synthea.Next().ToJsonString(), $"fhir/{i}.json");
        }

        _texts.File("""{"resourceType":"Patient","id":"bad","gender":"robot"}""" + "\n" + """{"resourceType":"Observation","status":"final"}""", "fhir/z.ndjson");
        string folder = _texts.Place(".");
        (int code, string output, string error) = await CommandProcess.RunAsync(
            folder, "data", "map", "--fhir", "fhir", "--mapping", "synthea", "--schema", "synthea", "--out", "r.csv.gz", "--outcome",
                "o.json");
        Assert.True(code == 0, error);
        Assert.Equal("r.csv.gz: 60 rows\n", output);
        JsonNode outcome = JsonNode.Parse(await File.ReadAllTextAsync(_texts.Place("o.json")))!;
        Assert.Equal(["informational", "required", "value"],
            outcome["issue"]!.AsArray().Select(issue => issue!["code"]!.GetValue<string>()));
        Assert.DoesNotContain("robot", outcome.ToJsonString() + error, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_texts.Place("r.csv.gz")));
        }

        (code, output, error) = await CommandProcess.RunAsync(folder, "schema", "check", "synthea", "r.csv.gz");
        Assert.True(code == 0, output + error);
        (code, _, error) = await CommandProcess.RunAsync(
            folder, "evaluate", "--data", "r.csv.gz", "--schema", "synthea", "--quick", "--no-market", "--out", "report");
        Assert.True(code == 0, error);
        (code, output, error) = await CommandProcess.RunAsync(folder, "data", "map", "--fhir", "fhir", "--mapping", "synthea", "--out",
            "all.csv");
        Assert.True(code == 0 && output == "all.csv: 61 rows\n", output + error);
        Assert.Contains("fhir/z.ndjson:2, byte ", error, StringComparison.Ordinal);
        (code, _, error) = await CommandProcess.RunAsync(folder, "data", "map", "--fhir", "nowhere.json", "--mapping", "synthea", "--out",
            "x.csv");
        Assert.True(code == 2 && error.Contains("nowhere.json", StringComparison.Ordinal) && !File.Exists(_texts.Place("x.csv")), error);
    }

    [Fact]
    public Task Memory_does_not_grow_with_the_files() => MapsInLittleMemoryAsync(60L << 20);

    [Fact]
    [Trait("Duration", "Long")]
    public Task Memory_does_not_grow_with_a_gigabyte() => MapsInLittleMemoryAsync(1L << 30);

    /// <summary>Maps a file of more bytes than the heap, of 48 MiB, may hold: the runtime ends a process that wants more than its
    /// limit.</summary>
    private async Task MapsInLittleMemoryAsync(long bytes)
    {
        const string Limit = "0x3000000";
        SyntheaShaped synthea = new(9);
        byte[][] entries = [.. synthea.Next()["entry"]!.AsArray().Concat(synthea.Next()["entry"]!.AsArray())
            .Where(entry => entry!["resource"]!["resourceType"]!.GetValue<string>() != "Patient").Select(entry =>
                Encoding.UTF8.GetBytes(entry!.ToJsonString()))];
        string patients = string.Join(',', Enumerable.Range(0, 2).Select(i => $$$"""{"resource":{"resourceType":"Patient","id":"p{{{i}}}","gender":"male"}}"""));
        string file = _texts.Place("large.json");
        await using (FileStream stream = File.Create(file))
        {
            stream.Write(Encoding.UTF8.GetBytes("""{"resourceType":"Bundle","type":"collection","entry":[""" + patients));
            for (int i = 0; stream.Position < bytes; i++)
            {
                stream.Write(","u8);
                stream.Write(entries[i % entries.Length]);
            }

            stream.Write("]}"u8);
        }

        (int code, string output, string error) = await CommandProcess.RunAsync(
            _texts.Place("."), ["data", "map", "--fhir", file, "--mapping", "synthea", "--out", "large.csv"],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_GCHeapHardLimit"] = Limit });
        Assert.True(code == 0, error);
        Assert.Equal("large.csv: 2 rows\n", output);
    }

    private static async Task<SortedDictionary<string, string>> JqAsync(string[] files)
    {
        string program = Path.Combine(Tools.RepositoryRoot, "tests", "Silos.Tests", "Mapping", "synthea.jq");
        using Process process = Process.Start(new ProcessStartInfo(
            Tools.Require(Tool.Jq), ["-r", "-n", "--slurpfile", "m", Mapping, "-f", program, .. files])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await error);
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            rows.Add(line[..line.IndexOf(',', StringComparison.Ordinal)], line[(line.IndexOf(',', StringComparison.Ordinal) + 1)..]);
        }

        return rows;
    }
}
