using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

public sealed class RecordLoaderTests : IDisposable
{
    internal const string SchemaJson =
        """
        {
          "format": 1, "name": "visits", "version": "1", "title": "Visits", "publishable": true,
          "attributes": [
            { "name": "sex", "tier": "low", "constantPerPerson": true, "labels": ["f", "m"] },
            { "name": "bmi", "tier": "moderate", "optional": true, "grid": { "min": 10, "max": 60, "step": 1, "unit": "kg/m2" } }
          ],
          "layouts": [
            { "name": "visits", "salt": 2, "record": { "column": "visit", "kind": "integer" }, "person": { "column": "patient", "kind": "text" },
              "directIdentifiers": ["name"], "ignored": ["note"], "readings": { "bmi": { "missing": [""] } } },
            { "name": "old", "salt": 1, "record": { "column": "number", "kind": "integer" }, "readings": { "bmi": { "column": "index" } } }
          ]
        }
        """;

    private const string Header = "visit,patient,name,sex,bmi,note\n";
    private readonly TestFolder _folder = new();

    private static Schema Visits { get; } = Schema.Parse(SchemaJson, "visits.json");

    public void Dispose() => _folder.Dispose();

    private RecordTable Load(params string[] texts) =>
        new RecordLoader(Visits).Load([.. texts.Select((t, i) => _folder.Write($"f{i}.csv", t))]);

    private InputProblem Refused(string text) =>
        Assert.Single(Assert.Throws<InputException>(() => Load(text)).Problems);

    [Fact]
    public void Records_become_columns_with_exact_fractions_clips_and_persons()
    {
        RecordTable table = Load(Header + "7,p1,Ann,f,22.5,x\n9,p2,Bob,m,,y\n8,p1,Ann,f,99,\"z, z\"\n");
        Assert.Equal([7UL, 9, 8], table.RecordKeys.Select(k => k - (2UL << 56)));
        Assert.Equal([0, 1, 0], table.PersonIndex);
        Assert.Equal(2, table.PersonCount);
        Assert.Equal([0, 1, 0], table.Columns[0].Codes.Select(c => (int)c));
        Assert.Equal([12, RecordColumn.Missing, 50], table.Columns[1].Codes.Select(c => (int)c));
        Assert.Equal([0x80000000u, 0u, 0u], table.Columns[1].Fractions!);
        Assert.Equal(1, table.Columns[1].Clipped);
        Assert.Equal([1, 0, 1], table.Columns[2].Codes.Select(c => (int)c));
    }

    [Fact]
    public void Columns_may_stand_in_any_order_and_layouts_are_told_apart()
    {
        RecordTable table = Load("note,bmi,sex,name,patient,visit\n,30,m,,p,1\n", "number,index,sex\n1,31,f\n");
        Assert.Equal([1UL | (2UL << 56), 1UL | (1UL << 56)], table.RecordKeys);
        Assert.Equal([20, 21], table.Columns[1].Codes.Select(c => (int)c));
        Assert.Equal(2, table.PersonCount);
    }

    [Theory]
    [InlineData("", "empty-file", 0, "")]
    [InlineData("visit,patient,name,sex,bmi,note\n", "no-records", 1, "")]
    [InlineData("visit,patient,name,sex,bmi\n1,p,n,f,20\n", "header-mismatch", 1, "")]
    [InlineData("visit,patient,name,sex,bmi,note,more\n1,p,n,f,20,,\n", "header-mismatch", 1, "")]
    [InlineData("visit,patient,name,sex,bmi,sex\n1,p,n,f,20,f\n", "duplicate-header", 1, "sex")]
    [InlineData(Header + "1,p,n,f,20\n", "column-count", 2, "")]
    [InlineData(Header + "1,p,n,f,20,,\n", "column-count", 2, "")]
    [InlineData(Header + "1,p,n,f,20,\n\n", "column-count", 3, "")]
    [InlineData(Header + "1,p,n,f,20,\n1,q,n,f,20,\n", "duplicate-id", 3, "visit")]
    [InlineData(Header + ",p,n,f,20,\n", "missing-id", 2, "visit")]
    [InlineData(Header + "1,,n,f,20,\n", "missing-id", 2, "patient")]
    [InlineData(Header + "01,p,n,f,20,\n", "malformed-id", 2, "visit")]
    [InlineData(Header + "-1,p,n,f,20,\n", "malformed-id", 2, "visit")]
    [InlineData(Header + "+1,p,n,f,20,\n", "malformed-id", 2, "visit")]
    [InlineData(Header + "99999999999999999999,p,n,f,20,\n", "malformed-id", 2, "visit")]
    [InlineData("number,index,sex\n72057594037927936,31,f\n", "malformed-id", 2, "number")]
    [InlineData(Header + "1,p,n,x,20,\n", "unknown-label", 2, "sex")]
    [InlineData(Header + "1,p,n,f,2o,\n", "malformed-number", 2, "bmi")]
    [InlineData(Header + "1,p,n,f,20,\n2,p,n,m,20,\n", "not-constant", 3, "sex")]
    [InlineData(Header + "1,p,n,f,20,\n2,\"p,n,m,20,\n", "malformed-csv", 3, "")]
    public void Bad_input_is_refused_with_code_line_and_column(string text, string code, long line, string column)
    {
        InputProblem problem = Refused(text);
        Assert.Equal((code, line, column), (problem.Code, problem.Line, problem.Column));
        Assert.EndsWith("f0.csv", problem.File);
        Assert.NotEmpty(problem.Fix);
    }

    [Fact]
    public void Messages_hold_no_raw_value_and_the_check_list_does()
    {
        string file = _folder.Write("bad.csv", Header + "1,p,n,planted-secret,20,\n");
        var refused = Assert.Throws<InputException>(() => new RecordLoader(Visits).Load([file]));
        Assert.DoesNotContain("planted-secret", refused.ToString(), StringComparison.Ordinal);
        Assert.Equal("planted-secret", Assert.Single(new RecordLoader(Visits).Check([file]).Problems).Value);
    }

    [Fact]
    public void Check_lists_the_first_hundred_problems_and_counts_all()
    {
        string rows = string.Concat(Enumerable.Range(1, 250).Select(i => $"{i},p,n,{(i <= 150 ? "x" : "f")},abc,\n"));
        (long records, _, IReadOnlyList<InputProblem> problems, long total) = new RecordLoader(Visits)
            .Check([_folder.Write("bad.csv", Header + rows)]);
        Assert.Equal((0, 100, 400), (records, problems.Count, total));
    }

    [Fact]
    public void Packed_files_are_told_by_their_bytes_and_cut_ones_refused()
    {
        byte[] packed = TestFolder.Gzip(Header + string.Concat(Enumerable.Range(1, 2000).Select(i => $"{i},p{i},n,f,{i % 40 + 11},\n")));
        string whole = _folder.Write("no-ending", packed);
        Assert.Equal(2000, new RecordLoader(Visits).Load([whole]).Count);
        foreach (int length in new[] { packed.Length - 1, packed.Length - 4, packed.Length - 8, packed.Length / 2, 19, 5 })
        {
            string cut = _folder.Write("cut.csv.gz", packed[..length]);
            Assert.Equal(
                "damaged-gzip", Assert.Single(Assert.Throws<InputException>(() => new RecordLoader(Visits).Load([cut])).Problems).Code);
        }

        byte[] altered = [.. packed];
        altered[packed.Length / 2] ^= 0x10;
        Assert.Throws<InputException>(() => new RecordLoader(Visits).Load([_folder.Write("altered.gz", altered)]));
    }

    [Fact]
    public void Batches_keep_duplicates_and_persons_in_view()
    {
        string file = _folder.Write(
            "f.csv", Header + string.Concat(Enumerable.Range(1, 100).Select(i => $"{(i == 100 ? 1 : i)},p{i % 7},n,f,20,\n")));
        IEnumerable<RecordTable> batches = new RecordLoader(Visits).ReadBatches([file], 10);
        Assert.Equal("duplicate-id", Assert.Throws<InputException>(() => batches.Count()).Problems[0].Code);
        Assert.Equal(10, new RecordLoader(Visits).ReadBatches([file], 10).First().Count);
    }

    [Fact]
    public void Row_numbers_are_ids_where_a_layout_has_none()
    {
        Schema schema = Schema.Parse(SchemaJson.Replace("\"record\": { \"column\": \"number\", \"kind\": \"integer\" }, ", ""), "s");
        string a = _folder.Write("a.csv", "sex,index\nf,20\nm,21\n"), b = _folder.Write("b.csv", "sex,index\nm,22\n");
        Assert.Equal([1UL, 2, 3], new RecordLoader(schema).Load([a, b]).RecordKeys.Select(k => k & 0xFF));
    }

    [Fact]
    public void Missing_file_is_an_input_problem() =>
        Assert.Equal("unreadable-file", Assert.Single(Assert.Throws<InputException>(() => new RecordLoader(Visits)
            .Load([_folder.Place("none.csv")])).Problems).Code);
}
