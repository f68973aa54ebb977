using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Tests.Records;
using static EmrMarket.Silos.Tests.Mapping.MappedTexts;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>References to Medications are followed wherever the Medication is, and those that lead nowhere are told.</summary>
public sealed class MedicationTests : IDisposable
{
    private const string Mapping =
        """
        { "format": 1, "kind": "fhir", "name": "t", "version": "1", "title": "t", "rows": { "per": "person", "record": "id" },
          "sources": [
            { "name": "p", "reads": "Patient", "defines": "person", "person": "id" },
            { "name": "m", "reads": "MedicationRequest", "person": "subject" }
          ],
          "columns": [
            { "name": "requests", "source": "m", "summary": "count" },
            { "name": "coded", "source": "m", "value": "(medication.ofType(CodeableConcept) | medication.resolve().ofType(Medication).code).coding.code", "summary": "count" },
            { "name": "x", "source": "m", "value": "(medication.ofType(CodeableConcept) | medication.resolve().ofType(Medication).code).coding.code", "codes": ["x"], "summary": "exists" },
            { "name": "active", "source": "m", "where": "medication.resolve().ofType(Medication).status = 'active'", "summary": "count" }
          ] }
        """;

    private readonly MappedTexts _texts = new();

    public void Dispose() => _texts.Dispose();

    [Theory]
    [InlineData("Medication/m1")]
    [InlineData("Medication/m1/_history/3")]
    [InlineData("https://hospital.example/fhir/Medication/m1")]
    [InlineData("urn:uuid:0A56854C-d96f-e6b8-40fb-d55b3e438d27")]
    public void Medication_is_found_before_and_behind_its_request_in_any_file(string reference)
    {
        string medication = Entry("urn:uuid:0a56854c-d96f-e6b8-40fb-d55b3e438d27", Medication("m1", "x")),
            patient = Entry("urn:uuid:1", Patient("a")), request = Entry("urn:uuid:2", Request(reference)),
            other = Entry("urn:uuid:3", Request("Medication/m2")), unlike = Entry("urn:uuid:4", Medication("m2", "y", "inactive"));
        foreach (string[] files in (string[][])
        [
            [_texts.File(Bundle(medication, patient, request, other, unlike))],
            [_texts.File(Bundle(unlike, other, request, patient, medication))],
            [_texts.File(TestFolder.Gzip(Bundle(patient, other, request))), _texts.File(Bundle(unlike, medication))],
            [_texts.File(Bundle(medication)), _texts.File(Bundle(unlike) + "\n" + Bundle(patient, other, request), "lines.ndjson")],
        ])
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Mapping, files);
            Assert.Equal(("2,2,yes,1", 0L), (rows["a"], report.TotalIssues));
            Assert.Equal([("Medication", 2L, 2L)],
                report.Types.Where(type => type.Name == "Medication").Select(type => (type.Name, type.Read, type.Used)));
        }
    }

    [Fact]
    public void Contained_medication_is_that_of_its_own_resource()
    {
        string Contained(string code, string reference) => $$$"""
            {"resourceType":"MedicationRequest","subject":{"reference":"Patient/a"},"contained":[{"resourceType":"Organization","id":"o"},{"resourceType":"Medication","id":"m","status":"active","code":{"coding":[{"code":"{{{code}}}"}]}}],"medicationReference":{"reference":"{{{reference}}}"}}
            """;
        string[] lines = [Patient("a"), Contained("y", "#m"), Contained("x", "#m"), Contained("x", "#nowhere"), Contained("x", "#o")];
        (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Mapping, [_texts.File(string.Join('\n', lines))]);

        // The one that refers to an organization has no drug.
        Assert.Equal("3,2,yes,2", rows["a"]);
        MappingIssue issue = Assert.Single(report.Issues);
        Assert.Equal((IssueCode.NotFound, 4L, 4L), (issue.Code, issue.Place!.Value.Line, issue.Place.Value.Index));
        Assert.StartsWith("MedicationRequest: (medication", issue.Expression, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_followed_leaves_the_request_out_with_its_place()
    {
        string[] lines =
        [
            Patient("a"), Request("Medication/gone"), Request("urn:uuid:gone"), Request("Medication?code=x"),
            """{"resourceType":"MedicationRequest","subject":{"reference":"Patient/a"},"medicationReference":{"display":"a drug"}}""",
            Request("m1"), Request("Medication/twice"), Medication("twice", "x"), Medication("twice", "y"),
            Request("Medication/same"), Medication("same", "x"), Medication("same", "x").Replace("{", "{ ", StringComparison.Ordinal),
            Request("Substance/s"), "{\"resourceType\":\"Medication\",\"id\":\"broken\",", Request("Medication/broken"),
        ];
        foreach (IEnumerable<string> order in (IEnumerable<string>[])[lines, lines.Reverse()])
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Mapping, [_texts.File(string.Join('\n', order))]);
            Assert.Equal("2,1,yes,1", rows["a"]);
            Assert.Equal(
                [IssueCode.Structure, IssueCode.Value, IssueCode.NotFound, IssueCode.NotFound, IssueCode.NotFound,
                    IssueCode.MultipleMatches, IssueCode.NotSupported, IssueCode.NotSupported],
                report.Issues.Select(issue => issue.Code).Order());
        }
    }

    [Fact]
    public void Medications_beyond_the_bound_refuse_the_load_with_the_place()
    {
        string file = _texts.File(string.Join('\n', Enumerable.Range(1, 10).Select(i => Medication($"m{i}", "x")).Prepend(Patient("a"))));
        foreach ((MappingLimits limits, long line) in new[]
        {
            (new MappingLimits { Medications = 4 }, 6L), (new MappingLimits { MedicationBytes = 50 }, 2L),
        })
        {
            InputProblem refused = Assert.Throws<InputException>(() => _texts.Map(Mapping, [file], limits)).Problems[0];
            Assert.Equal(("too-many-medications", file, line), (refused.Code, refused.File, refused.Line));
        }

        // Whoever does not follow them has no such bound, and reads files once.
        Assert.Equal("female,,0,,,,,,no", _texts.Map(Persons, [file], new MappingLimits { Medications = 4 }).Rows["a"]);
    }

    [Fact]
    public void Request_of_many_large_medications_is_left_out_and_the_others_load()
    {
        string mapping = Mapping.Replace("medication.resolve()", "(medication | basedOn).resolve()", StringComparison.Ordinal);
        string text = new('x', 1_200_000);
        string[] medications = [.. Enumerable.Range(0, 15).Select(i => Medication($"m{i}", $"{i}{text}"))];
        string references = string.Join(',', Enumerable.Range(0, 15).Select(i => $$"""{"reference":"Medication/m{{i}}"}"""));
        string many = Request("Medication/m0")[..^1] + $",\"basedOn\":[{references}]}}";
        (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(
            mapping, [_texts.File(string.Join('\n', [Patient("a"), many, Request("Medication/m1"), .. medications]))]);
        Assert.Equal("1,1,no,1", rows["a"]);
        MappingIssue issue = Assert.Single(report.Issues);
        Assert.Equal((IssueCode.TooLong, 2L), (issue.Code, issue.Place!.Value.Line));
    }

    [Fact]
    public void Many_names_of_few_medications_take_little_memory()
    {
        const int Names = 1 << 20;
        string[] names = [.. Enumerable.Range(0, Names).Select(i => $"{i:x8}-d96f-e6b8-40fb-d55b3e438d27")];
        long before = GC.GetAllocatedBytesForCurrentThread();
        MedicationTable table = new(MappingLimits.Default);
        for (int i = 0; i < Names; i++)
        {
            table.Add(names[i], i % 2 == 0 ? "even"u8 : "odd"u8, "file", 1);
        }

        // The bytes of each name for a moment, and what the table took while it grew, by doubling: half of it is kept.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, (64L + 100) * Names);
        Assert.Equal("odd"u8, table.Find(names[7])!.Value.Json);
        Assert.Null(table.Find("7-d96f-e6b8-40fb-d55b3e438d27"));
    }

    /// <summary>The specification's own requests: as they stand, with contained Medications; with those taken out into a file, as Bulk Data
    /// has them; and as entries of a bundle.</summary>
    [RequiresFact(Tool.Jq)]
    public async Task Requests_of_the_specification_have_the_codes_that_jq_finds()
    {
        JsonObject[] examples = [.. PathTests.Examples().Select(example => JsonNode.Parse(example)!.AsObject())
            .Where(example => example["resourceType"]!.GetValue<string>() == "MedicationRequest"
                && (example["medicationReference"] is not { } to || to["reference"]!.GetValue<string>().StartsWith('#')))];
        Assert.True(examples.Count(example => example["medicationReference"] is not null) > 20);
        string[] patients = [.. examples.Select(example => example["subject"]!["reference"]!.GetValue<string>()).Distinct(StringComparer.Ordinal)
            .Select(reference => Patient(reference[(reference.IndexOf('/', StringComparison.Ordinal) + 1)..]))];
        string plain = _texts.File(string.Join('\n', examples.Select(example => example.ToJsonString())));
        SortedDictionary<string, string> expected = await JqAsync(plain);
        Assert.True(expected.Values.Sum(row => int.Parse(row.Split(',')[1], CultureInfo.InvariantCulture)) > 20);

        List<string> requests = [], medications = [], entries = [];
        for (int e = 0; e < examples.Length; e++)
        {
            JsonObject request = examples[e].DeepClone().AsObject(), entry = examples[e].DeepClone().AsObject();
            if (request["medicationReference"] is { } reference)
            {
                string id = reference["reference"]!.GetValue<string>()[1..];
                JsonObject medication = request["contained"]!.AsArray()
                    .Single(each => each!["id"]!.GetValue<string>() == id)!.DeepClone().AsObject();
                medication["id"] = $"med-{e}";
                medications.Add(medication.ToJsonString());
                request.Remove("contained");
                reference["reference"] = $"Medication/med-{e}";
                entry.Remove("contained");
                entry["medicationReference"]!["reference"] = $"urn:uuid:00000000-0000-4000-8000-{e:x12}";
                entries.Add(Entry($"urn:uuid:00000000-0000-4000-8000-{e:X12}", medication.ToJsonString()));
            }

            requests.Add(request.ToJsonString());
            entries.Insert(e % 2 == 0 ? 0 : entries.Count, Entry($"urn:uuid:r{e}", entry.ToJsonString()));
        }

        string people = _texts.File(string.Join('\n', patients), "Patient.ndjson");
        foreach (string[] files in (string[][])
        [
            [people, plain], [_texts.File(string.Join('\n', requests), "MedicationRequest.ndjson"), people,
                _texts.File(string.Join('\n', medications), "Medication.ndjson")],
            [_texts.File(Bundle(entries)), people],
        ])
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Mapping, files);
            Assert.Equal(expected, rows);
            Assert.Equal(0, report.TotalIssues);
        }
    }

    private static string Medication(string id, string code, string status = "active") =>
        $$$"""{"resourceType":"Medication","id":"{{{id}}}","status":"{{{status}}}","code":{"coding":[{"system":"s","code":"{{{code}}}"}]}}""";

    private static string Request(string reference) =>
        $$$"""{"resourceType":"MedicationRequest","subject":{"reference":"Patient/a"},"medicationReference":{"reference":"{{{reference}}}"}}""";

    private static async Task<SortedDictionary<string, string>> JqAsync(string file)
    {
        const string Program = """
            [inputs] | group_by(.subject.reference)[] | .[0].subject.reference as $p
            | [.[] | . as $r | (.medicationCodeableConcept // ([.contained[]? | select("#" + .id == $r.medicationReference.reference)][0] | .code)) as $c
                | {coded: ([$c.coding[]?.code | select(. != null)] | length > 0), x: any($c.coding[]?; .code == "x"),
                   active: ([.contained[]? | select("#" + .id == $r.medicationReference.reference)][0].status == "active")}]
            | ($p | split("/")[1]) + "," + ([(length | tostring), ([.[] | select(.coded)] | length | tostring),
                (if any(.[]; .x) then "yes" else "no" end), ([.[] | select(.active)] | length | tostring)] | join(","))
            """;
        using Process process = Process.Start(new ProcessStartInfo(Tools.Require(Tool.Jq), ["-r", "-n", Program, file])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await error);
        SortedDictionary<string, string> rows = new(StringComparer.Ordinal);
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            rows.Add(line[..line.IndexOf(',', StringComparison.Ordinal)], line[(line.IndexOf(',', StringComparison.Ordinal) + 1)..]);
        }

        return rows;
    }
}
