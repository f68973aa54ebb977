using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Tests.Records;
using static EmrMarket.Silos.Tests.Mapping.MappedTexts;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>Files that are made to hurt: an answer with a place, never a crash, never more memory or time than the limits allow.</summary>
public sealed class HostileFhirTests : IDisposable
{
    private static readonly MappingLimits Small =
        new() { ResourceBytes = 1 << 16, FreeUnpackedBytes = 1 << 20, Units = 1000, Depth = 64, TextLength = 256, UnpackRatio = 50 };

    private readonly MappedTexts _texts = new();

    public void Dispose() => _texts.Dispose();

    [Fact]
    public void Resource_that_is_too_large_is_left_out_wherever_it_stands()
    {
        foreach (int size in new[] { (1 << 16) + 1, 1 << 18, 3 << 20 })
        {
            string text = new('x', size), many = string.Join(',', Enumerable.Repeat("[{\"a\":1}]", size / 10));
            foreach (string large in new[] { $$"""{"resourceType":"Basic","a":[{{many}}]}""", $$"""{"resourceType":"Basic","a":["{{text[..(1 << 15)]}}","{{text[..40_000]}}"]}""" })
            {
                string[] resources = [Patient("a"), large, Observation("Patient/a", "2020", "1"), Patient("b")];
                Check(_texts.File(string.Join('\n', resources), "l.ndjson"));
                Check(_texts.File(Bundle(resources.Select(resource => $$"""{"resource":{{resource}}}"""))));
            }

            Check(_texts.File(string.Join('\n', Patient("a"), text, Observation("Patient/a", "2020", "1"), Patient("b")), "l.ndjson"));

            // One text alone that fills the window cannot be passed over in a document, which has no line to go on with.
            string one = Bundle($$"""{"resource":{{Patient("a")}}}""", $$$"""{"resource":{"resourceType":"Basic","a":"{{{text}}}"}}""");
            if (size > 1 << 17)
            {
                Assert.Equal("too-large", Assert.Throws<InputException>(() =>
                    _texts.Map(Persons, [_texts.File(one)], Small)).Problems[0].Code);
            }
        }

        void Check(string file)
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Persons, [file], Small);
            Assert.Equal(["a", "b"], rows.Keys);
            Assert.StartsWith("female,,1,1,", rows["a"], StringComparison.Ordinal);
            MappingIssue issue = Assert.Single(report.Issues);
            Assert.Equal((IssueCode.TooLong, 2L), (issue.Code, issue.Place!.Value.Index));
        }
    }

    [Fact]
    public void Deep_nesting_is_left_out_or_refused()
    {
        string deep = "{\"resourceType\":\"Basic\",\"a\":" + new string('[', 20_000) + new string(']', 20_000) + "}";
        foreach (string file in new[]
        {
            _texts.File(string.Join('\n', Patient("a"), deep, Patient("b"))),
            _texts.File(Bundle(new[] { Patient("a"), deep, Patient("b") }.Select(resource => $$"""{"resource":{{resource}}}"""))),
        })
        {
            (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Persons, [file], Small);
            Assert.Equal(["a", "b"], rows.Keys);
            Assert.Equal(IssueCode.TooLong, Assert.Single(report.Issues).Code);
        }

        Assert.Throws<InputException>(() => _texts.Map(Persons, [_texts.File(new string('[', 100_000))], Small));
        Assert.Throws<InputException>(() => _texts.Map(Persons, [_texts.File("{\"a\":" + new string('[', 1_000_000))], Small));
        Assert.Throws<InputException>(() =>
            _texts.Map(Persons, [_texts.File("{\"resourceType\":\"Bundle\",\"entry\":[" + new string('[', 1_000_000))], Small));
    }

    [Fact]
    public void Packed_file_that_unpacks_to_too_much_is_refused()
    {
        string lines = string.Concat(Enumerable.Repeat(Observation("Patient/a", "2020-01-01", "1") + "\n", 40_000));
        byte[] bomb = TestFolder.Gzip(Patient("a") + "\n" + lines);
        Assert.True(bomb.Length < lines.Length / 100);
        Assert.Equal("unpacks-too-large",
            Assert.Throws<InputException>(() => _texts.Map(Persons, [_texts.File(bomb)], Small)).Problems[0].Code);
        byte[] blank = TestFolder.Gzip("{" + new string(' ', 30 << 20));
        InputException refused = Assert.Throws<InputException>(() => _texts.Map(Persons, [_texts.File(blank)], Small));
        Assert.Contains(refused.Problems[0].Code, (string[])["unpacks-too-large", "too-large", "not-fhir"]);

        // The same bytes unpacked are read: 40,000 observations of one patient.
        Assert.StartsWith("female,,40000,", _texts.Map(Persons, [_texts.File(Patient("a") + "\n" + lines)], Small).Rows["a"],
            StringComparison.Ordinal);
        Assert.Equal("damaged-gzip", Assert.Throws<InputException>(() =>
            _texts.Map(Persons, [_texts.File(bomb[..^200])])).Problems[0].Code);
    }

    [Fact]
    public void Members_that_are_given_twice_are_found_among_many()
    {
        string members = string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"m{i}\":1"));
        foreach ((string extra, int issues) in new[] { ("", 0), (",\"m7\":2", 1), (",\"\\u006d99999\":2", 1) })
        {
            (_, MappingReport report) = _texts.Map(
                Persons, [_texts.File(Patient("a") + "\n" + $$"""{"resourceType":"Basic",{{members}}{{extra}}}""")]);
            Assert.Equal(issues, report.TotalIssues);
        }
    }

    [Theory]
    [InlineData("1e29", false)]
    [InlineData("-1e999999999999", false)]
    [InlineData("79228162514264337593543950335", false)]
    [InlineData("79228162514264337593543950336", false)]
    [InlineData("1000000000000000", false)]
    [InlineData("999999999999999.5", true)]
    [InlineData("1e-400", true)]
    [InlineData("1.5E+2", true)]
    [InlineData("-0.0", true)]
    public void Numbers_are_read_or_refused_with_their_place(string number, bool isRead)
    {
        (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(
            Persons, [_texts.File(Patient("a") + "\n" + Observation("Patient/a", "2020", number))]);
        Assert.Equal(isRead ? 0 : 1, report.TotalIssues);
        Assert.StartsWith(isRead ? "female,,1," : "female,,0,", rows["a"], StringComparison.Ordinal);
        Assert.All(report.Issues, issue => Assert.Equal((IssueCode.Value, 2L), (issue.Code, issue.Place!.Value.Line)));
    }

    [Fact]
    public void Number_of_megabytes_and_units_beyond_the_limit_are_refused()
    {
        (_, MappingReport report) = _texts.Map(
            Persons, [_texts.File(Patient("a") + "\n" + Observation("Patient/a", "2020", new string('9', 10_000_000)))]);
        Assert.Equal(IssueCode.Value, Assert.Single(report.Issues).Code);
        string many = string.Join('\n',
            Enumerable.Range(0, 2000).Select(i => Observation("Patient/x" + i, "2020", "1")).Append(Patient("a")));
        Assert.Equal("too-many-units",
            Assert.Throws<InputException>(() => _texts.Map(Persons, [_texts.File(many)], Small)).Problems[0].Code);
        (_, report) = _texts.Map(Persons, [_texts.File(many)]);
        Assert.Equal((2000L, 100), (report.TotalIssues, report.Issues.Count));
    }

    [Theory]
    [InlineData("=cmd|' /C calc'!A0")]
    [InlineData("a,b")]
    [InlineData("say \\\"no\\\"")]
    [InlineData("a\\nb")]
    [InlineData("a\\u0000b")]
    [InlineData("\\u2028")]
    public void Values_stay_in_their_field(string value)
    {
        (SortedDictionary<string, string> rows, MappingReport report) = _texts.Map(Persons, [_texts.File(
            Patient("b") + "\n" + Patient("a", $"\"gender\":\"{value}\""))]);
        bool control = value.Contains('\\', StringComparison.Ordinal) && !value.Contains('"', StringComparison.Ordinal);
        Assert.Equal(control ? 1 : 2, rows.Count);
        Assert.Equal(control ? 1 : 0, report.TotalIssues);
    }
}
