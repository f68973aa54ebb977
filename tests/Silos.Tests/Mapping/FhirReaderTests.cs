using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Fhir;
using EmrMarket.Silos.Tests.Api;
using EmrMarket.Silos.Tests.Records;
using static EmrMarket.Silos.Tests.Mapping.MappedTexts;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Resources in every form of file, reference and order give the rows that their contents say.</summary>
public sealed class FhirReaderTests : IDisposable
{
    private readonly MappedTexts _texts = new();

    private static string[] Three =>
    [
        Patient("a", "\"gender\":\"female\",\"birthDate\":\"2000-06-16\""), Observation("Patient/a", "2020-01-02", "3.5"),
        Observation("Patient/a", "2020-01-01", "1.25"), Observation("Patient/a", "2020-01-03", "20"),
        """{"resourceType":"Condition","subject":{"reference":"Patient/a"},"code":{"coding":[{"code":"z"},{"code":"y"}]}}""",
    ];

    private const string ThreeMapped = "female,19,3,20,1.25,1.25,20,8.3,yes";

    public void Dispose() => _texts.Dispose();

    [Fact]
    public void Every_form_of_file_gives_the_same_rows()
    {
        string lines = string.Join('\n', Three), bundle = Bundle(Three.Select(resource => $$"""{"resource":{{resource}}}"""));
        string pretty = System.Text.Json.Nodes.JsonNode.Parse(bundle)!.ToJsonString(
            new System.Text.Json.JsonSerializerOptions { WriteIndented = true });
        string late = bundle.Replace("""{"resourceType":"Bundle","type":"collection",""", "{", StringComparison.Ordinal)[..^1]
            + ""","type":"searchset","resourceType":"Bundle"}""";
        string folder = Path.GetDirectoryName(_texts.File(Three[0], "in-folder"))!;
        string[][] forms =
        [
            [_texts.File(lines)], [_texts.File(lines + "\n", "named.ndjson")],
                [_texts.File("\uFEFF" + lines.Replace("\n", "\r\n\r\n", StringComparison.Ordinal))],
            [_texts.File(TestFolder.Gzip(lines))], [_texts.File(bundle)], [_texts.File(pretty)], [_texts.File(TestFolder.Gzip(pretty))],
                [_texts.File(late)],
            [_texts.File(bundle + "\n" + Patient("b"))], [.. Three.Select(resource => _texts.File(resource))],
            [.. Three.Reverse().Select(resource => _texts.File(resource))],
        ];
        Directory.CreateDirectory(Path.Combine(folder, "export"));
        _texts.File(string.Join('\n', Three[1..]), "export/Observation.ndjson");
        _texts.File(TestFolder.Gzip(Three[0]), "export/Patient.json.gz");
        _texts.File("not of FHIR", "export/log.txt");
        foreach (string[] files in forms.Append([Path.Combine(folder, "export")]))
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Persons, files);
            Assert.Equal(ThreeMapped, rows["a"]);
            Assert.Equal(0, report.TotalIssues);
        }
    }

    [Theory]
    [InlineData("Patient/a")]
    [InlineData("Patient/a/_history/7")]
    [InlineData("https://hospital.example/fhir/Patient/a")]
    [InlineData("https://hospital.example/fhir/Patient/a/_history/1")]
    [InlineData("urn:uuid:0A56854C-d96f-e6b8-40fb-d55b3e438d27")]
    public void References_of_every_form_find_their_patient_before_and_behind_it(string reference)
    {
        string patient = Entry("urn:uuid:0a56854c-d96f-e6b8-40fb-d55b3e438d27", Patient("a"));
        string one = Entry("urn:uuid:1", Observation(reference, "2020-01-01", "1")),
            two = Entry("urn:uuid:2", Observation("Patient/a", "2020-01-02", "2"));
        foreach (string[] order in new[] { new[] { patient, one, two }, [one, two, patient], [one, patient, two], [two, one, patient] })
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Persons, [_texts.File(Bundle(order))]);
            Assert.Equal("female,,2,2,1,1,2,1.5,no", rows["a"]);
            Assert.Equal(0, report.TotalIssues);
        }
    }

    [Fact]
    public void Patient_without_id_goes_by_the_name_that_its_bundle_gives_it()
    {
        string bundle = Bundle(Entry("urn:uuid:x-1", """{"resourceType":"Patient","gender":"male"}"""), Entry("urn:uuid:o", Observation("urn:uuid:x-1", "2020", "1")));
        Assert.Equal("male,,1,1,1,1,1,1,no", _texts.Map(Persons, [_texts.File(bundle)]).Rows["x-1"]);
    }

    [Fact]
    public void Visits_take_what_is_theirs_and_what_is_their_persons()
    {
        string[] resources =
        [
            """{"resourceType":"Observation","subject":{"reference":"Patient/a"},"encounter":{"reference":"Encounter/v1"}}""",
            """{"resourceType":"Observation","subject":{"reference":"Patient/a"},"encounter":{"reference":"Encounter/v1"}}""",
            """{"resourceType":"Observation","subject":{"reference":"Patient/a"}}""",
            """{"resourceType":"Encounter","id":"v1","subject":{"reference":"Patient/a"},"class":{"code":"IMP"},"period":{"start":"2020-06-15T00:30:00+14:00"}}""",
            """{"resourceType":"Encounter","id":"v2","subject":{"reference":"Patient/a"},"class":{"code":"AMB"},"period":{"start":"2020-06-14"}}""",
            """{"resourceType":"Encounter","id":"v3","subject":{"reference":"Patient/gone"},"class":{"code":"AMB"}}""",
            Patient("a", "\"gender\":\"male\",\"birthDate\":\"2000-06-15\""),
        ];
        foreach (IEnumerable<string> order in new[] { resources, resources.Reverse() })
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Visits, [_texts.File(string.Join('\n', order))]);
            Assert.Equal(["v1", "v2"], rows.Keys);
            Assert.Equal("a,male,20,IMP,2,3", rows["v1"]);
            Assert.Equal("a,male,19,AMB,0,3", rows["v2"]);
            Assert.Equal([IssueCode.NotFound], report.Issues.Select(issue => issue.Code));
            Assert.Equal(1, report.RowsLeftOut);
        }
    }

    [Fact]
    public async Task One_bad_resource_is_reported_with_its_place_and_the_others_load()
    {
        string[] bad =
        [
            "{\"resourceType\":\"Observation\",",
            """{"resourceType":"Observation","subject":{"reference":"Patient/a"},"subject":{}}""",
            """{"resourceType":"Observation","valueQuantity":{"value":1e400}}""",
            "{\"resourceType\":\"Observation\",\"status\":\"\\ud800\"}",
            """["Observation"]""",
            """{"resourceType":"Obs"}""",
            """{"resourceType":"Observation"}""",
            """{"resourceType":"Observation","subject":{"display":"Ann"}}""",
            """{"resourceType":"Observation","subject":{"reference":"Patient?identifier=1"}}""",
            """{"resourceType":"Observation","subject":{"reference":"a b/c"}}""",
            Observation("Patient/a", "soon", "1"),
            Observation("Patient/a", "2020-01-01", "\"high\""),
            """{"resourceType":"Observation","subject":{"reference":"Patient/a"},"effectiveDateTime":["2020","2021"]}""",
            Patient("a"),
            Observation("Patient/nobody", "2020-01-01", "1"),
            "{\"resourceType\":\"Observation\",\"component\":" + new string('[', 80) + new string(']', 80) + "}",
        ];
        IssueCode[] codes =
        [
            IssueCode.Structure, IssueCode.Structure, IssueCode.Value, IssueCode.Structure, IssueCode.Structure, IssueCode.Structure,
                IssueCode.Required,
            IssueCode.NotSupported, IssueCode.NotSupported, IssueCode.Value, IssueCode.Value, IssueCode.Value, IssueCode.MultipleMatches,
            IssueCode.Duplicate, IssueCode.NotFound, IssueCode.TooLong,
        ];
        for (int i = 0; i < bad.Length; i++)
        {
            (SortedDictionary<string, string> rows, MappingReport report) =
                _texts.Map(Persons, [_texts.File(string.Join('\n', Three[..2]) + "\n" + bad[i] + "\n" + string.Join('\n', Three[2..]),
                    "lines.ndjson")]);
            Assert.Equal(ThreeMapped, rows["a"]);
            MappingIssue issue = Assert.Single(report.Issues);
            Assert.Equal((codes[i], 3L, 3L), (issue.Code, issue.Place!.Value.Line, issue.Place!.Value.Index));
            Assert.Contains("lines.ndjson:3, byte ", OutcomeFile.Where(report, issue), StringComparison.Ordinal);
            if (i > 0 && i != 4)
            {
                // In a bundle as well: the entries around it are read.
                string bundle = Bundle([.. Three[..2].Append(bad[i]).Concat(Three[2..]).Select(resource => $$"""{"resource":{{resource}}}""")]);
                (rows, report) = _texts.Map(Persons, [_texts.File(bundle)]);
                Assert.Equal(ThreeMapped, rows["a"]);
                Assert.Equal(codes[i], Assert.Single(report.Issues).Code);
            }
        }

        (_, MappingReport all) = _texts.Map(Persons, [_texts.File(string.Join('\n', Three.Concat(bad)), "all.ndjson")]);
        Assert.Equal(bad.Length, all.TotalIssues);
        Assert.DoesNotContain("Ann", OutcomeFile.Text(all), StringComparison.Ordinal);
        await Task.CompletedTask;
    }

    [RequiresFact(Tool.Node)]
    public async Task Outcome_is_R4_as_the_specification_has_it()
    {
        (_, MappingReport report) = _texts.Map(Persons, [_texts.File(
            string.Join('\n', [.. Three, .. Enumerable.Repeat("""{"resourceType":"Observation"}""", 130), "{", Observation("Patient/no", "2020", "1")]), "o.ndjson")]);
        string outcome = OutcomeFile.Text(report);
        Assert.Equal(132, report.TotalIssues);
        Assert.Equal(100, report.Issues.Count);
        Assert.Contains("32 more issues are not listed", outcome, StringComparison.Ordinal);
        string[] faults = await FhirOracle.FaultsAsync(outcome, outcome.Replace("\"required\"", "\"needed\"", StringComparison.Ordinal));
        Assert.True(faults[0].Length == 0, faults[0]);
        Assert.NotEqual("", faults[1]);
    }

    [Fact]
    public void Resources_about_nobody_or_of_no_use_are_counted_and_no_issue()
    {
        (_, MappingReport report) = _texts.Map(Persons, [_texts.File(string.Join('\n', [.. Three, """{"resourceType":"Claim","id":"1"}""",
            """{"resourceType":"Observation","subject":{"reference":"Group/1"}}"""]))]);
        Assert.Equal(0, report.TotalIssues);
        Assert.Equal(
            ["Claim 1 0", "Condition 1 1", "Observation 4 3", "Patient 1 1"],
            report.Types.Select(type => $"{type.Name} {type.Read} {type.Used}").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("", "empty-file")]
    [InlineData("   ", "not-fhir")]
    [InlineData("id,sex\n1,f\n", "not-fhir")]
    [InlineData("<Patient xmlns=\"http://hl7.org/fhir\"/>", "not-fhir")]
    [InlineData("[]", "not-fhir")]
    [InlineData("{}", "not-fhir")]
    [InlineData("{\"resourceType\":\"Patient\",\"id\":\"a\"", "not-json")]
    [InlineData("{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\"}}", "not-json")]
    [InlineData("{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\"}},}]}", "not-json")]
    [InlineData("{\"resourceType\":\"Bundle\",\"entry\":{}}", "not-fhir")]
    [InlineData("{\"resourceType\":\"Bundle\",\"entry\":[]}", "no-resources")]
    [InlineData("{\"resourceType\":\"Patient\",\"id\":\"a\"} x", "not-json")]
    public void File_that_is_none_of_FHIR_is_refused_as_a_whole(string text, string code)
    {
        InputException refused = Assert.Throws<InputException>(() => _texts.Map(Persons, [_texts.File(Three[0]), _texts.File(text)]));
        Assert.Equal(code, Assert.Single(refused.Problems).Code);
    }

    [Fact]
    public void Other_encodings_are_refused()
    {
        foreach (System.Text.Encoding encoding in new[] { System.Text.Encoding.Unicode, System.Text.Encoding.BigEndianUnicode,
            System.Text.Encoding.UTF32 })
        {
            foreach (byte[] bytes in new[] { encoding.GetBytes(Three[0]), [.. encoding.GetPreamble(), .. encoding.GetBytes(Three[0])] })
            {
                Assert.Equal("encoding", Assert.Throws<InputException>(() => _texts.Map(Persons, [_texts.File(bytes)])).Problems[0].Code);
            }
        }

        byte[] latin = System.Text.Encoding.Latin1.GetBytes(Patient("b", "\"gender\":\"m\u00E4nnlich\""));
        (_, MappingReport report) = _texts.Map(Persons, [_texts.File([.. System.Text.Encoding.UTF8.GetBytes(Three[0] + "\n"), .. latin])]);
        Assert.Equal("gender", Assert.Single(report.Issues).Expression);
    }
}
