using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

/// <summary>docs/SCHEMAS.md is a reference: its examples run, and it names every member and every refusal.</summary>
public sealed partial class SchemaDocumentationTests : IDisposable
{
    private static readonly string Text = File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "docs", "SCHEMAS.md"));
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string[] Blocks(string language) =>
        [.. BlockPattern().Matches(Text).Where(m => m.Groups["language"].Value == language).Select(m => m.Groups["text"].Value)];

    [Fact]
    public void Examples_are_valid_and_work_together()
    {
        Schema schema = Schema.Parse(Blocks("json")[0], "docs/SCHEMAS.md");
        string data = _folder.Write("visits.csv",
            "visit,patient,name,phone,remark,region,sex,age,unit,bmi,diagnosis\n1,P001,Ann,1,x,N,f,30,months,NA,25083\n"
                + "2,P002,Bob,2,y,S,m,40,years,20.5,?\n");
        RecordTable table = new RecordLoader(schema).Load([data]);
        Assert.Equal(["2", "child", "250.83"], new[] { "age", "age_band", "diagnosis" }.Select(
            a => table.Columns[schema.IndexOf(a)].Attribute.Domain.Label(table.Columns[schema.IndexOf(a)].Codes[0])));

        byte[] key = new byte[32];
        foreach (string policies in Blocks("csv"))
        {
            Assert.Equal([1, -1], PoliciesFile.Assign(_folder.Write("p.csv", policies), schema, table, key).Select(p => p == -1 ? -1 : 1));
        }

        int[] shares = PoliciesFile.Assign(_folder.Write("p.json", Blocks("json")[1]), schema, table, key);
        Assert.Equal("careful", schema.Profiles[shares[0]].Name);
    }

    [Fact]
    public void Every_member_is_named()
    {
        foreach (Type type in typeof(SchemaDocument).Assembly.GetTypes()
            .Where(t => t.Namespace == typeof(SchemaDocument).Namespace && t.Name.EndsWith("Document", StringComparison.Ordinal)))
        {
            foreach (PropertyInfo member in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            {
                string name = JsonNamingPolicy.CamelCase.ConvertName(member.Name);
                Assert.True(Text.Contains($"`{name}`", StringComparison.Ordinal)
                    || Text.Contains($"\"{name}\"", StringComparison.Ordinal), $"{type.Name}.{member.Name}");
            }
        }
    }

    [Fact]
    public void Every_refusal_of_files_and_schemas_is_named()
    {
        string[] sources = ["src/Analytics/Schemas/SchemaCompiler.cs", "src/Analytics/Records/AttributeReading.cs",
            "src/Silos/Records/RecordLoader.cs", "src/Silos/Records/Columns.cs",
            "src/Silos/Records/CsvRowReader.cs", "src/Silos/Records/RecordFile.cs", "src/Silos/Records/CheckedGzipStream.cs"];
        string[] codes = [.. sources.SelectMany(s => CodePattern().Matches(File.ReadAllText(Path.Combine(Tools.RepositoryRoot, s))))
            .Select(m => m.Groups["code"].Value).Distinct()];
        Assert.True(codes.Length > 25);
        Assert.All(codes, code => Assert.Contains($"`{code}`", Text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("brfss2015")]
    [InlineData("diabetic_data")]
    [InlineData("inpatient")]
    [InlineData("nhds2010")]
    [InlineData("synthetic")]
    public void Built_in_schema_is_publishable_and_survives_rewriting(string name)
    {
        Schema schema = DataFolder.LoadSchema(name);
        Assert.Equal(name, schema.Name);
        Assert.True(schema.Publishable);
        Assert.Equal(schema.Id, Schema.Parse(schema.ToJson(), name).Id);
        Assert.All(schema.Attributes, a => Assert.NotEmpty(a.Title));
        Assert.Equal(schema.Attributes.Count, schema.Attributes.Select(a => a.Source).Distinct().Count());
    }

    [GeneratedRegex("```(?<language>json|csv)\n(?<text>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex BlockPattern();

    [GeneratedRegex("""(InputProblem|Wrong|Report)\(\s*"(?<code>[a-z0-9]+(-[a-z0-9]+)+)"|"(?<code>schema-[a-z-]+)",""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CodePattern();
}
