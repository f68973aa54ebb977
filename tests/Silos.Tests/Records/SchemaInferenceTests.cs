using System.Globalization;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Records.Inference;

namespace EmrMarket.Silos.Tests.Records;

public sealed class SchemaInferenceTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>200 visits of 80 patients with every kind of column that a hospital's export has.</summary>
    private string Export()
    {
        var random = new Random(11);
        string[] first = ["Ann", "Bob", "Cid", "Dee", "Eve", "Fay", "Gus", "Hal"],
        last = ["Adams", "Brown", "Clark", "Davis", "Evans", "Frank", "Green", "Hills", "Irwin", "Jones"];
        var rows = Enumerable.Range(0, 200).Select(i => string.Join(',', new[]
        {
            (5000 + i).ToString(CultureInfo.InvariantCulture),
            "P" + random.Next(80).ToString("000", CultureInfo.InvariantCulture),
            $"{first[random.Next(8)]} {last[random.Next(10)]}",
            $"{random.Next(100, 999)}-{random.Next(10, 99)}-{random.Next(1000, 9999)}",
            $"user{i}@example.org",
            $"({random.Next(200, 999)}) {random.Next(200, 999)}-{random.Next(1000, 9999)}",
            $"19{random.Next(30, 99)}-{random.Next(1, 12):00}-{random.Next(1, 28):00}",
            $"{random.Next(1, 999)} Main Street",
            random.Next(2) == 0 ? "F" : "M",
            random.Next(20, 95).ToString(CultureInfo.InvariantCulture),
            random.Next(10) == 0 ? "NA" : (18 + (random.Next(200) / 10m)).ToString(CultureInfo.InvariantCulture),
            new[] { "428", "250.01", "V27", "38", "4019-", "E812" }[random.Next(6)] is var code && random.Next(3) == 0
                ? random.Next(100, 999).ToString(CultureInfo.InvariantCulture)
                : code,
            random.Next(5) == 0 ? "" : new[] { "home", "ward" }[random.Next(2)],
            random.Next(1, 6).ToString(CultureInfo.InvariantCulture),
            "same",
            $"seen on the ward because of pain number {i}",
            $"x{random.Next(1_000_000)}y{i}",
        }));
        return _folder.Write(
            "export.csv", "visit_id,patient_no,who,col4,col5,col6,col7,HomeAddress,sex,age,bmi,dx1,place,score,site,remark,token\n"
                + string.Join('\n', rows) + "\n");
    }

    [Fact]
    public void Identifiers_are_excluded_by_name_and_by_content()
    {
        (Schema schema, IReadOnlyList<InferredColumn> columns) = SchemaInference.Infer(Export(), "export");
        Dictionary<string, string> roles = columns.ToDictionary(c => c.Column, c => c.Role);
        Assert.Equal("record id", roles["visit_id"]);
        Assert.Equal("person id", roles["patient_no"]);
        Assert.All(new[] { "who", "col4", "col5", "col6", "col7", "HomeAddress", "remark", "token" }, c => Assert.Equal(
            "direct identifier", roles[c]));
        Assert.Equal("ignored", roles["site"]);
        Assert.All(new[] { "sex", "age", "bmi", "dx1", "place", "score" }, c => Assert.Equal("attribute", roles[c]));
        Assert.False(schema.Publishable);
        Assert.DoesNotContain(schema.Attributes, a => a.Tier == Tier.Public);
        LayoutDocument layout = schema.Document.Layouts[0];
        Assert.Equal(IdentifierKind.Integer, layout.Record!.Kind);
        Assert.Equal(IdentifierKind.Text, layout.Person!.Kind);
    }

    [Fact]
    public void Kinds_bounds_tiers_and_missing_markers_are_proposed_and_the_file_loads()
    {
        string file = Export();
        Schema schema = SchemaInference.Infer(file, "export").Schema;
        AttributeDefinition Attribute(string name) => schema.Attributes[schema.IndexOf(name)];
        var bmi = (GridDomain)Attribute("bmi").Domain;
        Assert.True(Attribute("bmi").Optional && bmi.Min <= 18 && bmi.Max >= 37.9m && bmi.Cells <= 300);
        Assert.Equal(Tier.Private, Attribute("dx1").Tier);
        Assert.Equal(2090, Attribute("dx1").Domain.Size);
        Assert.Equal(Tier.Low, Attribute("sex").Tier);
        Assert.Equal(["home", "ward", "missing"], ((CategoricalDomain)Attribute("place").Domain).Labels);
        Assert.Equal(["1", "2", "3", "4", "5"], ((CategoricalDomain)Attribute("score").Domain).Labels);
        RecordTable table = new RecordLoader(schema).Load([file]);
        Assert.Equal(200, table.Count);
        Assert.Equal(0, table.Columns.Sum(c => c.Clipped));
        Assert.Equal(schema.Id, Schema.Parse(schema.ToJson(), "again").Id);
    }

    [Fact]
    public void Odd_names_become_attribute_names()
    {
        string file = _folder.Write(
            "f.csv", "2nd value (%),2nd value [%]\n" + string.Concat(Enumerable.Range(0, 60).Select(i => $"{i % 3},{i % 2}\n")));
        Schema schema = SchemaInference.Infer(file, "f").Schema;
        Assert.Equal(["x2nd_value____", "x2nd_value_____2"], schema.Attributes.Select(a => a.Name));
        Assert.Equal(60, new RecordLoader(schema).Load([file]).Count);
    }

    [Theory]
    [InlineData("a,b\n1\n", "column-count")]
    [InlineData("a,a\n1,2\n", "header")]
    [InlineData("a,\n1,2\n", "header")]
    [InlineData("a,b\n", "no-records")]
    [InlineData("a,b\n1,1\n1,1\n", "nothing-to-infer")]
    public void Files_that_say_nothing_are_refused(string text, string code) =>
        Assert.Equal(code, Assert.Throws<InputException>(() => SchemaInference.Infer(_folder.Write("f.csv", text), "f")).Problems[0].Code);

    [RequiresFact(Tool.RealData)]
    public void Real_file_is_described_so_that_it_loads()
    {
        string file = Path.Combine(Tools.Require(Tool.RealData), "diabetic_data.csv.gz");
        (Schema schema, IReadOnlyList<InferredColumn> columns) = SchemaInference.Infer(file, "inferred");
        Assert.Equal("encounter_id", schema.Document.Layouts[0].Record!.Column);
        Assert.Equal("patient_nbr", schema.Document.Layouts[0].Person!.Column);
        Assert.Equal(["examide", "citoglipton"], columns.Where(c => c.Role == "ignored").Select(c => c.Column));
        Assert.Equal(101_766, new RecordLoader(schema).Load([file]).Count);
    }
}
