using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EmrMarket.Silos.Tests.Commands;
using EmrMarket.Silos.Tests.Records;
using EmrMarket.Silos.Tests.Storage;
using Npgsql;
using static EmrMarket.Silos.Tests.Mapping.MappedTexts;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Resources get into the store of a site that is served: by command, which maps where they are, and by API.</summary>
public sealed class FhirLoadTests
{
    private const string BadLine = """{"resourceType":"Observation","status":"final","subject":{"display":"Ann Doe"}}""";

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL, Tool.Jq)]
    public async Task Resources_and_tables_load_by_command_and_by_API_without_what_is_wrong()
    {
        await using ServedMarket market = new();
        SyntheaShaped synthea = new(21);
        Directory.CreateDirectory(market.Place("fhir"));
        JsonObject[] bundles = [.. Enumerable.Range(0, 30).Select(_ => synthea.Next())];
        for (int i = 0; i < 20; i++)
        {
            await File.WriteAllTextAsync(market.Place($"fhir/{i:00}.json"), bundles[i].ToJsonString());
        }

        await File.WriteAllTextAsync(market.Place("fhir/wrong.ndjson"), BadLine + "\n" + Patient("robot", "\"gender\":\"robot\"") + "\n");
        await market.StartAsync();

        // By command, twice: the second changes nothing.
        string[] load = ["site", "load", "--fhir", market.Place("fhir"), "--mapping", "synthea", "--schema", "synthea", "--outcome",
            market.Place("o.json")];
        foreach (int _ in (int[])[1, 2])
        {
            JsonElement loaded = await market.JsonAsync(load);
            Assert.Equal(20, loaded.GetProperty("records").GetInt64());
            JsonNode outcome = JsonNode.Parse(await File.ReadAllTextAsync(market.Place("o.json")))!;
            Assert.Equal(
                ["informational", "not-supported", "value"],
                    outcome["issue"]!.AsArray().Select(issue => issue!["code"]!.GetValue<string>()));
        }

        Assert.Equal(20, (await market.JsonAsync("site", "status", "--schema", "synthea")).GetProperty("records").GetInt32());
        (int code, _, string error) = await market.RunAsync("site", "load", "--fhir", market.Place("fhir"), "--mapping", "nothing",
            "--schema", "synthea");
        Assert.True(code == 2 && error.Contains("synthea", StringComparison.Ordinal), error);
        (code, _, error) = await market.RunAsync("site", "load", "x.csv", "--fhir", market.Place("fhir"), "--schema", "synthea");
        Assert.True(code == 2 && error.Contains("one of the two", StringComparison.Ordinal), error);

        // By API, as NDJSON and as a bundle; a mapping that does not fit is refused, and so is CSV in place of resources.
        using HttpClient http = new() { BaseAddress = new Uri(market.Url) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer",
            (await File.ReadAllTextAsync(market.Place("keys/operator.token"))).Trim());
        string schema = JsonNode.Parse(await http.GetStringAsync("/api/v1/market"))!["schemas"]!.AsArray()
            .Single(dealt => dealt!["name"]!.GetValue<string>() == "synthea")!["id"]!.GetValue<string>();
        string lines = string.Join('\n',
            bundles[20..25].SelectMany(bundle => bundle["entry"]!.AsArray()).Select(entry => entry!["resource"]!.ToJsonString()));
        JsonNode byLine = await PostAsync(http, schema, "synthea", "application/fhir+ndjson", BadLine + "\n" + lines);
        Assert.Equal(5, byLine["result"]!["records"]!.GetValue<int>());
        JsonArray issues = byLine["result"]!["outcome"]!["issue"]!.AsArray();
        Assert.Equal(["informational", "not-supported"], issues.Select(issue => issue!["code"]!.GetValue<string>()));
        Assert.StartsWith("file-1.ndjson:1, byte 0", issues[1]!["diagnostics"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.DoesNotContain("Ann Doe", byLine.ToJsonString(), StringComparison.Ordinal);
        JsonNode bundled = await PostAsync(http, schema, "synthea", "application/fhir+json", bundles[25].ToJsonString());
        Assert.Equal(1, bundled["result"]!["records"]!.GetValue<int>());
        Assert.Equal("failed", (await PostAsync(http, schema, "synthea", "application/fhir+json",
            "{\"resourceType\":\"Bundle\""))["state"]!.GetValue<string>());
        Assert.Equal("/problems/invalid-value",
            (await PostAsync(http, schema, "other", "application/fhir+json", "{}"))["type"]!.GetValue<string>());
        Assert.Equal("/problems/unsupported-media-type",
            (await PostAsync(http, schema, "synthea", "text/csv", "a\n1\n"))["type"]!.GetValue<string>());
        Assert.Equal("/problems/unsupported-media-type",
            (await PostAsync(http, schema, null, "application/fhir+json", "{}"))["type"]!.GetValue<string>());
        Assert.Equal(26, (await market.JsonAsync("site", "status", "--schema", "synthea")).GetProperty("records").GetInt32());

        // In parts, as a form has them: bundles packed and plain; jq says how many patients they have.
        string[] parts = [.. bundles[26..].Select(bundle => bundle.ToJsonString())];
        int patients = await JqPatientsAsync(market.Place("parts.ndjson"), parts);
        JsonNode together = await PostAsync(http, schema, "synthea", parts.Select((part, i) =>
            (i % 2 == 0 ? "a.json" : "b.json.gz", i % 2 == 0 ? Encoding.UTF8.GetBytes(part) : TestFolder.Gzip(part))));
        Assert.Equal((4, 4), (patients, together["result"]!["records"]!.GetValue<int>()));
        await LoadTablesAsync(market, http, schema);
        await market.StopAsync();
    }

    /// <summary>The tables of OMOP, several files in a form, each called as its table: packed, with tabs, by any folder's name.</summary>
    private static async Task LoadTablesAsync(ServedMarket market, HttpClient http, string schema)
    {
        using OmopFolderWriter tables = OmopFolderWriter.Random(31, 40).WriteOtherwise(5);
        (string Name, byte[] Bytes)[] files = [.. Directory.GetFiles(tables.Path).Order(StringComparer.Ordinal)
            .Select(file => ("C:\\export\\" + Path.GetFileName(file), File.ReadAllBytes(file)))];
        int persons = await DatabasePersonsAsync(tables);
        int before = (await market.JsonAsync("site", "status", "--schema", "synthea")).GetProperty("records").GetInt32();
        JsonNode loaded = await PostAsync(http, schema, "omop", files);
        Assert.Equal((40, 40), (persons, loaded["result"]!["records"]!.GetValue<int>()));
        Assert.Equal(before + persons, (await market.JsonAsync("site", "status", "--schema", "synthea")).GetProperty("records").GetInt32());

        // A row that is wrong is told with the file and line of its table; a table that is missing is named.
        using OmopFolderWriter wrong = OmopFolderWriter.Random(32, 10);
        wrong.Add("death", "x", "2020-01-01");
        JsonNode told = await PostAsync(http, schema, "omop",
            wrong.Tables.Keys.Select(table => (table + ".csv", Encoding.UTF8.GetBytes(wrong.Csv(table)))));
        Assert.Equal(10, told["result"]!["records"]!.GetValue<int>());
        JsonNode issue = told["result"]!["outcome"]!["issue"]!.AsArray()
            .Single(each => each!["severity"]!.GetValue<string>() == "error")!;
        Assert.Equal(($"death.csv:{wrong.Tables["death"].Count}, death", "death.person_id"),
            (issue["diagnostics"]!.GetValue<string>(), issue["expression"]![0]!.GetValue<string>()));
        (string Name, byte[] Bytes)[] others = [.. files.Where(file => !file.Name.Contains("PERSON", StringComparison.Ordinal))];
        JsonNode missing = await PostAsync(http, schema, "omop", others);
        Assert.Equal("missing-table", missing["problem"]!["errors"]![0]!["code"]!.GetValue<string>());
        JsonNode damaged = await PostAsync(http, schema, "omop", others.Append(("person.csv", "person_id\n"u8.ToArray())));
        Assert.Equal("person.csv", damaged["problem"]!["errors"]![0]!["file"]!.GetValue<string>());

        // Names that are no tables', or twice one, get no further; neither does a body that is no form.
        foreach (string name in (string[])
            ["../../person.csv.exe", "/etc/passwd", "..", "person.xlsx", "pers\u00f6n.csv", ".csv", "../MEASUREMENT.TSV"])
        {
            Assert.Equal("/problems/invalid-value",
                (await PostAsync(http, schema, "omop", files.Append((name, "x"u8.ToArray()))))["type"]!.GetValue<string>());
        }

        Assert.Equal("/problems/invalid-value", (await PostAsync(http, schema, "omop",
            Enumerable.Range(0, 65).Select(i => ($"t{new string('a', i)}.csv", "x"u8.ToArray()))))["type"]!.GetValue<string>());
        Assert.Equal("/problems/unsupported-media-type",
            (await PostAsync(http, schema, "omop", "text/csv", "person_id\n1\n"))["type"]!.GetValue<string>());
        Assert.Empty(Directory.EnumerateFiles(market.Folder, "person.csv", SearchOption.AllDirectories));
    }

    private static async Task<int> DatabasePersonsAsync(OmopFolderWriter tables)
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateEmptyAsync();
        await using NpgsqlConnection connection = await database.OpenConnectionAsync();
        await using (NpgsqlCommand create = new(
            $"CREATE TABLE person ({string.Join(", ", tables.Tables["person"][0].Select(name => name + " text"))})", connection))
        {
            await create.ExecuteNonQueryAsync();
        }

        await using (TextWriter copy = await connection.BeginTextImportAsync("COPY person FROM STDIN (FORMAT csv, HEADER)"))
        {
            await copy.WriteAsync(tables.Csv("person"));
        }

        await using NpgsqlCommand count = new("SELECT count(DISTINCT person_id)::int FROM person", connection);
        return (int)(await count.ExecuteScalarAsync())!;
    }

    private static async Task<int> JqPatientsAsync(string file, string[] bundles)
    {
        await File.WriteAllLinesAsync(file, bundles);
        using Process process = Process.Start(new ProcessStartInfo(Tools.Require(Tool.Jq),
            ["-n", "[inputs.entry[].resource | select(.resourceType == \"Patient\").id] | unique | length", file])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        })!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return int.Parse(output, CultureInfo.InvariantCulture);
    }

    private static Task<JsonNode> PostAsync(HttpClient http, string schema, string? mapping, string type, string text) =>
        PostAsync(http, schema, mapping, new StringContent(text, Encoding.UTF8, type));

    private static Task<JsonNode> PostAsync(
        HttpClient http, string schema, string mapping, IEnumerable<(string Name, byte[] Bytes)> files)
    {
        MultipartFormDataContent form = [];
        foreach ((string name, byte[] bytes) in files)
        {
            form.Add(new ByteArrayContent(bytes), "file", name);
        }

        return PostAsync(http, schema, mapping, form);
    }

    private static async Task<JsonNode> PostAsync(HttpClient http, string schema, string? mapping, HttpContent body)
    {
        using HttpContent sent = body;
        string path = $"/api/v1/sites/hospital/loads?schema={schema}{(mapping is null ? "" : "&mapping=" + mapping)}";
        using HttpResponseMessage begun = await http.PostAsync(path, sent);
        JsonNode answer = JsonNode.Parse(await begun.Content.ReadAsStringAsync())!;
        while (answer["state"]?.GetValue<string>() == "running")
        {
            answer = JsonNode.Parse(await http.GetStringAsync("/api/v1/operations/" + answer["id"]!.GetValue<string>()))!;
        }

        return answer;
    }
}
