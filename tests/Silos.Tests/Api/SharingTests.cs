using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using EmrMarket.Silos.Commands.Estimate;
using EmrMarket.Silos.Reporting.Sharing;
using EmrMarket.Silos.Tests.Commands;
using EmrMarket.Silos.Tests.Evaluate;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>Results as other programs take them up: the CSV's metadata and citations, read by readers of others.</summary>
[Collection(ApiTests.Name)]
public sealed class SharingTests(ApiFixture api) : IDisposable
{
    private const string Hostile = "Stay: \"days\" & 50 % {of} \\beds\\ #1_2 ~ ^ – äöü";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emrmarket-sharing-");

    public void Dispose() => _folder.Delete(recursive: true);

    [RequiresFact(Tool.Anvil, Tool.Node)]
    public async Task Metadata_of_a_CSV_is_that_of_W3C_and_gives_every_cell_its_type()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("researcher");
        string path = $"/api/v1/requests/{market.RequestKey}/results";
        using HttpResponseMessage answer = await http.GetAsync(path + "?format=csv");
        string csv = await answer.Content.ReadAsStringAsync();

        // The metadata that the CSV's link leads to speaks of this very CSV.
        string link = answer.Headers.GetValues("Link").Single();
        Assert.Equal($"<{path}?format=csvw>; rel=\"describedby\"; type=\"application/csvm+json\"", link);
        JsonObject linked = JsonNode.Parse(await http.GetStringAsync(path + "?format=csvw"))!.AsObject();
        Assert.Equal(new Uri(market.Address, path + "?format=csv"),
            new Uri(new Uri(market.Address, path + "?format=csvw"), linked["url"]!.GetValue<string>()));
        using HttpResponseMessage elsewhere = await http.GetAsync(path + "?format=csvw&table=../other.csv");
        Assert.Equal((HttpStatusCode.BadRequest, "invalid-value"), (elsewhere.StatusCode, await ApiFixture.CodeAsync(elsewhere)));

        string metadata = await http.GetStringAsync(path + "?format=csvw&table=request.csv");
        JsonNode read = await ReadAsync("csvw", ("metadata.json", metadata), ("request.csv", csv));
        Assert.Equal("Length of stay", read["title"]!.GetValue<string>());
        Assert.Equal(market.RequestKey, read["identifier"]!.GetValue<string>());
        string[] header = csv.Split('\n')[0].Split(',');
        Assert.Equal(RequestTable.Columns.Select(column => column.Name), header);
        JsonObject[] rows = [.. read["rows"]!.AsArray().Select(row => row!.AsObject())];
        Assert.Equal(csv.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length - 1, rows.Length);
        foreach (JsonObject row in rows)
        {
            Assert.Equal("double", row["estimate"]![1]!.GetValue<string>());
            Assert.Equal("nonNegativeInteger", row["records"]![1]!.GetValue<string>());
            Assert.Equal("string", row["figure"]![1]!.GetValue<string>());
            Assert.False(row.ContainsKey("refusal"));
        }

        JsonObject mean = Assert.Single(rows, row => row["figure"]![0]!.GetValue<string>() == "mean");
        Assert.Equal(SmallMarket.Schema.Attributes[SmallMarket.Schema.IndexOf("length_of_stay")].Domain is Analytics.Schemas.GridDomain grid
            ? grid.Unit : "", mean["unit"]![0]!.GetValue<string>());

        // The readers are awake: a name that is not the vocabulary's is found.
        Assert.Contains("Safe mode", await FaultAsync(
            "csvw", ("bad.json", metadata.Replace("\"tableSchema\"", "\"tableScheme\"", StringComparison.Ordinal)), ("request.csv", csv)),
            StringComparison.Ordinal);
    }

    [RequiresFact(Tool.Node)]
    public async Task Metadata_of_estimates_from_files_gives_every_cell_its_type()
    {
        using EvaluateProcess emr = new();
        await EstimateCommandsTests.PerturbAsync(emr, records: 400);
        (int code, string csv, string error) = await emr.RunAsync(
            "estimate", "--reports", "o", "--statistic", "frequency:sex", "--statistic", "table:sex,admission", "--statistic",
            "mean:length_of_stay", "--csv", "--metadata", "sex.csv-metadata.json");
        Assert.True(code == 0, error);
        string metadata = await File.ReadAllTextAsync(emr.Place("sex.csv-metadata.json"));
        JsonNode read = await ReadAsync("csvw", ("sex.csv-metadata.json", metadata), ("sex.csv", csv));
        Assert.Equal(EstimateTable.Columns.Select(column => column.Name), csv.Split('\n')[0].Split(','));
        JsonObject[] rows = [.. read["rows"]!.AsArray().Select(row => row!.AsObject())];
        Assert.Equal(csv.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length - 1, rows.Length);
        Assert.Contains(rows, row => row["estimate"]?[1]!.GetValue<string>() == "double");
        Assert.All(rows, row => Assert.Equal(("nonNegativeInteger", "decimal"),
            (row["n"]![1]!.GetValue<string>(), row["epsilon"]![1]!.GetValue<string>())));
        Assert.StartsWith("Estimates: frequency:sex, table:sex,admission", read["title"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [RequiresFact(Tool.Node)]
    public async Task Citations_are_read_by_others_with_every_word_as_it_was()
    {
        Citation citation = new()
        {
            Title = Hostile, RequestId = 7, Key = new string('a', 64), ChainId = 31_337, Contract = "0x" + new string('3', 40),
            Date = new DateTimeOffset(2031, 2, 3, 4, 5, 6, TimeSpan.Zero),
        };
        JsonNode cff = await ReadAsync("cff", ("CITATION.cff", citation.Cff()));
        Assert.Equal((Hostile, "2031-02-03", "dataset"),
            (cff["title"]!.GetValue<string>(), cff["date-released"]!.GetValue<string>(), cff["type"]!.GetValue<string>()));
        Assert.Equal(citation.Key, cff["identifiers"]![0]!["value"]!.GetValue<string>());
        foreach ((string form, string text) in new[] { ("bibtex", citation.Bibtex()), ("ris", citation.Ris()), ("csl", citation.Csl()) })
        {
            JsonNode item = (await ReadAsync(form, ($"citation.{form}", text)))[0]!;
            Assert.Equal(Hostile, WebUtility.HtmlDecode(item["title"]!.GetValue<string>()));
            Assert.Equal(2031, item["issued"]!["date-parts"]![0]![0]!.GetValue<int>());
            Assert.Contains(citation.Key, item.ToJsonString(), StringComparison.Ordinal);
            Assert.Contains("EmrMarket", item["author"]!.ToJsonString(), StringComparison.Ordinal);
        }

        Assert.Contains("date-released", await FaultAsync(
            "cff", ("bad.cff", citation.Cff().Replace("2031-02-03", "3 February 2031", StringComparison.Ordinal))),
                StringComparison.Ordinal);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Citations_of_page_and_API_say_the_same()
    {
        SmallMarket market = await api.GetAsync();
        using HttpClient http = await api.AsAsync("researcher");
        string path = $"/api/v1/requests/{market.RequestKey}/results?format=";
        using HttpResponseMessage cff = await http.GetAsync(path + "cff");
        Assert.Equal(("application/yaml", "CITATION.cff"),
            (cff.Content.Headers.ContentType!.MediaType, cff.Content.Headers.ContentDisposition!.FileName!.Trim('"')));
        string page = await http.GetStringAsync("/requests/" + market.RequestKey);
        Assert.Contains($"results?format=csvw&amp;table=request-{market.RequestKey[..8]}.csv\"", page, StringComparison.Ordinal);
        JsonNode csl = JsonNode.Parse(await http.GetStringAsync(path + "csl"))![0]!;
        int[] day = [.. csl["issued"]!["date-parts"]![0]!.AsArray().Select(part => part!.GetValue<int>())];
        string told = new DateTime(day[0], day[1], day[2]).ToString("d MMMM yyyy", CultureInfo.InvariantCulture);
        Assert.Contains($"terms {market.RequestKey}, chain {market.Roles.View.Deployment.ChainId}, {told}.", page,
            StringComparison.Ordinal);
        Assert.Contains(told, await http.GetStringAsync(path + "html"), StringComparison.Ordinal);
    }

    private async Task<JsonNode> ReadAsync(string form, params (string Name, string Text)[] files)
    {
        (int code, string said) = await RunAsync(form, files);
        Assert.True(code == 0, said);
        return JsonNode.Parse(said)!;
    }

    private async Task<string> FaultAsync(string form, params (string Name, string Text)[] files)
    {
        (int code, string said) = await RunAsync(form, files);
        Assert.True(code == 1, $"{form} took what is wrong: {said}");
        return said;
    }

    private async Task<(int Code, string Said)> RunAsync(string form, (string Name, string Text)[] files)
    {
        string tools = Path.Combine(Tools.RepositoryRoot, "tests", "Formats");
        if (!Directory.Exists(Path.Combine(tools, "node_modules")))
        {
            (int code, string said) = await StartAsync(
                OperatingSystem.IsWindows() ? "npm.cmd" : "npm", tools, "ci", "--ignore-scripts", "--no-audit", "--no-fund");
            Assert.True(code == 0, said);
        }

        foreach ((string name, string text) in files)
        {
            await File.WriteAllTextAsync(Path.Combine(_folder.FullName, name), text);
        }

        return await StartAsync(
            Tools.Require(Tool.Node), tools, ["validate.mjs", form, .. files.Select(file => Path.Combine(_folder.FullName, file.Name))]);
    }

    private static async Task<(int Code, string Said)> StartAsync(string program, string folder, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, process.ExitCode == 0 ? said : said + await error);
    }
}
