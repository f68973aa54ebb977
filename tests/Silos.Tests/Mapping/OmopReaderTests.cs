using System.Globalization;
using System.IO.Compression;
using System.Text;
using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Mapping;
using EmrMarket.Silos.Records.Mapping.Omop;

namespace EmrMarket.Silos.Tests.Mapping;

/// <summary>What is refused as a whole, what is left out with its place, and that nothing else ever happens.</summary>
public sealed class OmopReaderTests : IDisposable
{
    private const string Persons = "person_id,gender_concept_id,year_of_birth\n1,8507,1970\n2,8532,1980\n";
    private const string Visits =
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date\n10,1,9201,2020-01-02\n20,2,9202,2020-03-04\n";
    private const string Conditions =
        "person_id,condition_concept_id,condition_start_date,visit_occurrence_id\n1,201826,2020-01-02,10\n2,0,2020-03-04,\n";

    internal const string Small = """
        {
          "format": 1, "kind": "omop", "name": "small", "version": "1", "title": "small",
          "rows": {"per": "visit", "record": "visit", "person": "patient"},
          "sources": [
            {"name": "persons", "reads": "person", "defines": "person", "person": "person_id"},
            {"name": "visits", "reads": "visit_occurrence", "defines": "visit", "person": "person_id", "visit": "visit_occurrence_id", "date": "visit_start_date"},
            {"name": "conditions", "reads": "condition_occurrence", "person": "person_id", "visit": "visit_occurrence_id", "date": "condition_start_date"}
          ],
          "columns": [
            {"name": "sex", "source": "persons", "value": "gender_concept_id", "concepts": [{"id": 8507, "name": "MALE"}, {"id": 8532, "name": "FEMALE", "as": "f"}], "summary": "only"},
            {"name": "age", "source": "persons", "value": "year_of_birth", "summary": "only", "as": "age", "at": "visit"},
            {"name": "diabetes", "source": "conditions", "value": "condition_concept_id", "concepts": [{"id": 201826, "name": "Type 2 diabetes mellitus"}], "summary": "exists"}
          ]
        }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-omop-").FullName;

    public OmopReaderTests()
    {
        Write("person.csv", Persons);
        Write("visit_occurrence.csv", Visits);
        Write("condition_occurrence.csv", Conditions);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Small_folder_is_the_rows_that_it_says()
    {
        Write("drug_exposure.csv", "drug_exposure_id\n");
        Write("README.md", "no table");
        MappingReport report = Report(out string[] rows);
        Assert.Equal(["visit,patient,sex,age,diabetes", "10,1,8507,49,yes", "20,2,f,39,no"], rows);
        Assert.Equal(["not read, since the mapping does not name them: drug_exposure",
            "the folder has no CONCEPT.csv: the mapping's names of concepts were not checked"],
            report.Notes);
        Assert.Equal([("person", 2, 2, 0), ("visit_occurrence", 2, 2, 0), ("condition_occurrence", 2, 2, 0)],
            report.Types.Select(type => (type.Name, type.Read, type.Used, type.LeftOut)));
    }

    [Theory]
    [InlineData("person.csv", null, "missing-table", "person")]
    [InlineData("person.csv", "", "empty-file", "")]
    [InlineData("person.csv", "person_id,gender_concept_id\n1,8507\n", "header-mismatch", "year_of_birth")]
    [InlineData("person.csv", "person_id,gender_concept_id,year_of_birth,PERSON_ID\n", "header-mismatch", "person_id")]
    [InlineData("person.csv", "person_id;gender_concept_id;year_of_birth\n1;8507;1970\n", "header-mismatch", "person_id")]
    [InlineData("person.csv", "person_id,gender_concept_id,year_of_birth\n\"1,8507,1970\n2,8532,1980\n", "malformed-csv", "")]
    [InlineData("person.csv", "person_id,gender_concept_id,year_of_birth\n1\",8507,1970\n", "malformed-csv", "")]
    [InlineData("person.csv", "person_id,gender_concept_id,year_of_birth\n\"1\"x,8507,1970\n", "malformed-csv", "")]
    [InlineData("person.csv", "person_id\0,gender_concept_id,year_of_birth\n", "encoding", "")]
    [InlineData("person.csv", "person_id,gender_concept_id,year_of_birth\n", "no-records", "")]
    [InlineData("PERSON.TSV", Persons, "duplicate-table", "")]
    [InlineData("concept.csv", "concept_id,concept_name\n", "header-mismatch", "invalid_reason")]
    [InlineData("concept.csv", "concept_id\tconcept_name\tinvalid_reason\nx\ty\t\n", "malformed-csv", "concept_id")]
    [InlineData("concept.csv", "concept_id\tconcept_name\tinvalid_reason\n1\ty\n", "malformed-csv", "")]
    public void Table_that_cannot_be_read_refuses_the_folder(string file, string? text, string code, string column)
    {
        if (text is null)
        {
            File.Delete(Path.Combine(_folder, file));
        }
        else
        {
            Write(file, text);
        }

        InputException refused = Assert.Throws<InputException>(() => Report(out _));
        Assert.Equal((code, column), (refused.Problems[0].Code, refused.Problems[0].Column));
    }

    [Theory]
    [InlineData("UTF-16", "encoding")]
    [InlineData("UTF-16BE", "encoding")]
    [InlineData("UTF-32", "encoding")]
    public void Table_in_another_encoding_is_refused(string encoding, string code)
    {
        File.WriteAllText(Path.Combine(_folder, "person.csv"), Persons, Encoding.GetEncoding(encoding));
        Assert.Equal(code, Assert.Throws<InputException>(() => Report(out _)).Problems[0].Code);
    }

    [Fact]
    public void Packed_table_that_grows_beyond_what_tables_pack_to_is_refused()
    {
        File.Delete(Path.Combine(_folder, "condition_occurrence.csv"));
        using (FileStream file = File.Create(Path.Combine(_folder, "condition_occurrence.csv.gz")))
        using (GZipStream packed = new(file, CompressionLevel.SmallestSize))
        {
            packed.Write(Encoding.ASCII.GetBytes(Conditions));
            byte[] more = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("1,0,2020-01-02,10\n", 10_000)));
            for (int i = 0; i < 20; i++)
            {
                packed.Write(more);
            }
        }

        MappingLimits limits = new() { FreeUnpackedBytes = 1 << 20, UnpackRatio = 20 };
        Assert.Equal("unpacks-too-large", Assert.Throws<InputException>(() => Report(out _, limits)).Problems[0].Code);
        Assert.Equal(3_600_000 / 18 + 2, Report(out _).Types[2].Read);
        byte[] cut = File.ReadAllBytes(Path.Combine(_folder, "condition_occurrence.csv.gz"));
        File.WriteAllBytes(Path.Combine(_folder, "condition_occurrence.csv.gz"), cut[..^100]);
        Assert.Equal("damaged-gzip", Assert.Throws<InputException>(() => Report(out _)).Problems[0].Code);
    }

    // A row that is added to a table, what is told of it, and that all others count.
    [Theory]
    [InlineData("person.csv", "1,8507,1970", nameof(IssueCode.Duplicate), "", 4)]
    [InlineData("person.csv", "99999999999999999999,8507,1970", nameof(IssueCode.Value), "person.person_id", 4)]
    [InlineData("person.csv", "3.0,8507,1970", nameof(IssueCode.Value), "person.person_id", 4)]
    [InlineData("person.csv", " 3,8507,1970", nameof(IssueCode.Value), "person.person_id", 4)]
    [InlineData("person.csv", "0x3,8507,1970", nameof(IssueCode.Value), "person.person_id", 4)]
    [InlineData("person.csv", ",8507,1970", nameof(IssueCode.Required), "person_id", 4)]
    [InlineData("person.csv", "3,male,1970", nameof(IssueCode.Value), "person.gender_concept_id", 4)]
    [InlineData("person.csv", "3,8507,197", nameof(IssueCode.Value), "year_of_birth", 4)]
    [InlineData("person.csv", "3,8507,99999", nameof(IssueCode.Value), "year_of_birth", 4)]
    [InlineData("person.csv", "3,8507", nameof(IssueCode.Structure), "", 4)]
    [InlineData("person.csv", "3,8507,1970,x", nameof(IssueCode.Structure), "", 4)]
    [InlineData("visit_occurrence.csv", "20,1,9201,2020-01-02", nameof(IssueCode.Duplicate), "", 4)]
    [InlineData("visit_occurrence.csv", ",1,9201,2020-01-02", nameof(IssueCode.Required), "visit_occurrence_id", 4)]
    [InlineData("visit_occurrence.csv", "30,1,9201,01/02/2020", nameof(IssueCode.Value), "visit_occurrence.visit_start_date", 4)]
    [InlineData("visit_occurrence.csv", "30,1,9201,2020-02-30", nameof(IssueCode.Value), "visit_occurrence.visit_start_date", 4)]
    [InlineData("visit_occurrence.csv", "30,1,9201,2020", nameof(IssueCode.Value), "visit_occurrence.visit_start_date", 4)]
    [InlineData("condition_occurrence.csv", "3,201826,2020-01-02,", nameof(IssueCode.NotFound), "", 4)]
    [InlineData("condition_occurrence.csv", "2,201826,2020-01-02,30", nameof(IssueCode.NotFound), "", 4)]
    [InlineData("condition_occurrence.csv", "2,201826,2020-01-02,10", nameof(IssueCode.BusinessRule),
        "condition_occurrence.visit_occurrence_id", 4)]
    [InlineData("condition_occurrence.csv", "2,1e5,2020-01-02,20", nameof(IssueCode.Value), "condition_occurrence.condition_concept_id", 4)]
    public void Row_with_anything_wrong_is_told_with_its_place_and_the_others_count(string file, string row, string code,
        string expression, long line)
    {
        Report(out string[] before);
        File.AppendAllText(Path.Combine(_folder, file), row + "\n");
        MappingReport report = Report(out string[] rows);
        MappingIssue issue = Assert.Single(report.Issues);
        Assert.Equal((code, expression, line), (issue.Code.ToString(), issue.Expression, issue.Place!.Value.Line));
        Assert.EndsWith(file, report.Files[issue.Place.Value.File], StringComparison.Ordinal);
        Assert.Equal(before, rows);
        Assert.DoesNotContain("99999999999999999999", issue.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Visit_of_nobody_has_no_row()
    {
        File.AppendAllText(Path.Combine(_folder, "visit_occurrence.csv"), "30,3,9201,2020-01-02\n");
        MappingReport report = Report(out string[] rows);
        Assert.Equal((3, 1), (rows.Length, report.RowsLeftOut));
        Assert.Equal(IssueCode.NotFound, Assert.Single(report.Issues).Code);
    }

    [Fact]
    public void Persons_and_visits_that_the_mapping_leaves_out_are_no_fault()
    {
        MappingReport report = Report(out string[] rows, mapping: Small
            .Replace("\"person\": \"person_id\"},", "\"person\": \"person_id\", \"where\": \"year_of_birth >= 1975\"},",
                StringComparison.Ordinal)
            .Replace("\"date\": \"visit_start_date\"}", "\"date\": \"visit_start_date\", \"where\": \"visit_start_date < '2021-01-01'\"}",
                StringComparison.Ordinal));
        Assert.Equal((2, 0L, 0L), (rows.Length, report.TotalIssues, report.RowsLeftOut));
        Assert.StartsWith("20,2,", rows[1], StringComparison.Ordinal);
        report = Report(out rows, mapping: Small.Replace(
            "\"date\": \"visit_start_date\"}", "\"date\": \"visit_start_date\", \"where\": \"visit_start_date > '2020-02-01'\"}",
                StringComparison.Ordinal));
        Assert.Equal((2, 0L), (rows.Length, report.TotalIssues));
    }

    [Fact]
    public void Two_sources_that_define_persons_leave_nobody_out_that_one_of_them_takes()
    {
        const string One = "{\"name\": \"persons\", \"reads\": \"person\", \"defines\": \"person\", \"person\": \"person_id\"},";
        Assert.Contains(One, Small, StringComparison.Ordinal);
        string where = One[..^2] + ", \"where\": \"person_id = 1\"},";
        string others = where.Replace("\"persons\"", "\"others\"", StringComparison.Ordinal)
            .Replace("= 1", "<> 1", StringComparison.Ordinal);
        Report(out string[] rows);
        MappingReport report = Report(out string[] both, mapping: Small.Replace(One, where + others, StringComparison.Ordinal));
        Assert.Equal((0L, 3), (report.TotalIssues, both.Length));
        Assert.Equal(rows.Select(row => row.Split(',')[^1]), both.Select(row => row.Split(',')[^1]));
    }

    [Fact]
    public void Names_of_concepts_are_compared_with_the_vocabulary()
    {
        Write("CONCEPT.csv",
            "concept_id\tconcept_name\tdomain_id\tinvalid_reason\n8507\tMale\tGender\t\n8532\tWoman \"f\"\tGender\tD\n1\tother\tx\t\n");
        Assert.Equal(
        [
            "concept 8532 is 'Woman \"f\"' in CONCEPT.csv; the mapping calls it 'FEMALE'",
                "concept 8532 'Woman \"f\"' is no longer valid in CONCEPT.csv",
            "CONCEPT.csv has no concept 201826, which the mapping calls 'Type 2 diabetes mellitus'",
        ], Report(out _).Notes);
    }

    [Fact]
    public void What_lies_below_a_concept_counts_where_the_mapping_says_so()
    {
        string mapping = Small.Replace("\"summary\": \"exists\"}", "\"summary\": \"exists\", \"descendants\": true}",
            StringComparison.Ordinal);
        Write("condition_occurrence.csv", Conditions + "2,443731,2020-03-04,20\n");
        InputException refused = Assert.Throws<InputException>(() => Report(out _, mapping: mapping));
        Assert.Equal(("missing-table", "concept_ancestor"), (refused.Problems[0].Code, refused.Problems[0].Column));
        Write("CONCEPT_ANCESTOR.csv", "ancestor_concept_id\tdescendant_concept_id\n201826\t443731\n5\t0\n");
        Report(out string[] rows, mapping: mapping);
        Assert.Equal(["10,1,8507,49,yes", "20,2,f,39,yes"], rows[1..]);
        Report(out rows);
        Assert.Equal("20,2,f,39,no", rows[2]);
    }

    [Fact]
    public void Units_reach_the_schema_that_divides_by_them()
    {
        Write("measurement.csv", """
            person_id,measurement_concept_id,measurement_date,value_as_number,unit_concept_id
            1,3025315,2020-01-01,81,9529
            2,3025315,2020-01-01,81000,8504

            """);
        RecordMapping mapping = RecordMapping.Parse("""
            {"format": 1, "kind": "omop", "name": "weights", "version": "1", "title": "w", "rows": {"per": "person", "record": "patient"},
             "sources": [{"name": "persons", "reads": "person", "defines": "person", "person": "person_id"},
               {"name": "weights", "reads": "measurement", "person": "person_id", "date": "measurement_date", "where": "measurement_concept_id = 3025315 /* Body weight */"}],
             "columns": [{"name": "weight", "source": "weights", "value": "value_as_number", "summary": "last", "as": "number"},
               {"name": "unit", "source": "weights", "value": "unit_concept_id", "summary": "last",
                "concepts": [{"id": 9529, "name": "kilogram"}, {"id": 8504, "name": "gram"}]}]}
            """, "weights.json");
        var schema = Analytics.Schemas.Schema.Parse("""
            {"format": 1, "name": "weights", "version": "1", "title": "w", "publishable": true,
             "attributes": [{"name": "weight", "tier": "low", "grid": {"min": 0, "max": 200, "step": 1, "unit": "kg"}}],
             "layouts": [{"name": "weights", "record": {"column": "patient", "kind": "text"},
               "readings": {"weight": {"unitColumn": "unit", "unitDivisors": {"9529": 1, "8504": 1000}}}}]}
            """, "weights");
        using MappedRecords records = MappedRecords.Create(
            OmopReader.Read(mapping, _folder, MappingLimits.Default, CancellationToken.None), schema, null, CancellationToken.None);
        RecordTable table = new RecordLoader(schema).Load([records.Path], CancellationToken.None);
        Assert.Equal(0L, records.Report.TotalIssues);
        Assert.Equal([81, 81], table.Columns[0].Codes.Select(code => (int)code));
    }

    [Theory]
    [InlineData("\"kind\": \"omop\"", "\"kind\": \"fhir\"", "concepts", "mapping-column")]
    [InlineData("\"reads\": \"person\"", "\"reads\": \"concept\"", "sources.persons.reads", "mapping-expression")]
    [InlineData("\"date\": \"visit_start_date\"", "\"date\": \"visit_start\"", "sources.visits.date", "mapping-expression")]
    [InlineData("\"date\": \"visit_start_date\"", "\"date\": \"visit_concept_id\"", "sources.visits.date", "mapping-expression")]
    [InlineData("\"value\": \"year_of_birth\"", "\"value\": \"person_source_value\"", "columns.age.value", "mapping-expression")]
    [InlineData("\"value\": \"year_of_birth\"", "\"value\": \"birth_datetime-day_of_birth\"", "columns.age.value", "mapping-expression")]
    [InlineData("{\"id\": 8507, \"name\": \"MALE\"}", "{\"id\": 8532, \"name\": \"MALE\"}", "columns.sex.concepts.8532",
        "mapping-expression")]
    [InlineData("{\"id\": 8507, \"name\": \"MALE\"}", "{\"id\": 8507}", "", "mapping-json")]
    [InlineData("\"summary\": \"only\", \"as\"", "\"descendants\": true, \"summary\": \"only\", \"as\"", "columns.age.descendants",
        "mapping-expression")]
    [InlineData("\"summary\": \"exists\"", "\"codes\": [\"1\"], \"summary\": \"exists\"", "columns.diabetes.codes", "mapping-expression")]
    public void Mapping_that_fits_no_table_is_refused(string part, string other, string at, string code)
    {
        Assert.Contains(part, Small, StringComparison.Ordinal);
        InputException refused = Assert.Throws<InputException>(() => Report(out _, mapping: Small.Replace(part, other,
            StringComparison.Ordinal)));
        Assert.Equal(code, refused.Problems[0].Code);
        Assert.Contains(at, refused.Problems[0].Column, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("person_id")]
    [InlineData("person_id = ")]
    [InlineData("person_id = 'x'")]
    [InlineData("person_id in ()")]
    [InlineData("person_id in (1,)")]
    [InlineData("person_id == 1")]
    [InlineData("person_id = 1 or")]
    [InlineData("(person_id = 1")]
    [InlineData("person_id = 1)")]
    [InlineData("person_id is")]
    [InlineData("person_id is not 1")]
    [InlineData("not person_id = 1")]
    [InlineData("person_id = 1; drop table person")]
    [InlineData("gender_concept_id = 8507")]
    [InlineData("gender_concept_id = 8507 /* MALE")]
    [InlineData("gender_concept_id = 8507 /**/")]
    [InlineData("gender_source_value < 'M'")]
    [InlineData("gender_source_value = 'M")]
    [InlineData("birth_datetime > 'yesterday'")]
    [InlineData("year_of_birth = 99999999999999999999999999999999")]
    [InlineData("nothing = 1")]
    public void Condition_that_is_none_is_refused(string condition)
    {
        string mapping = Small.Replace("\"defines\": \"person\", ", $"\"defines\": \"person\", \"where\": \"{condition}\", ",
            StringComparison.Ordinal);
        InputException refused = Assert.Throws<InputException>(() => Report(out _, mapping: mapping));
        Assert.Equal(("mapping-expression", "sources.persons.where"), (refused.Problems[0].Code, refused.Problems[0].Column));
    }

    [Fact]
    public void Deep_condition_ends_in_a_refusal() =>
        Assert.Throws<FormatException>(() => OmopCondition.Parse(new string('(', 100_000), _ => (0, OmopType.Integer), []));

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);

    private MappingReport Report(out string[] rows, MappingLimits? limits = null, string mapping = Small)
    {
        RowAccumulator read = OmopReader.Read(RecordMapping.Parse(mapping, "small.json"), _folder, limits ?? MappingLimits.Default,
            CancellationToken.None);
        string file = Path.Combine(_folder, "out");
        MappedRecords.Write(read, file, CancellationToken.None);
        rows = File.ReadAllLines(file);
        return read.Report;
    }
}
