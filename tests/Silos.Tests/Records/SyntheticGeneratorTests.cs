using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Records.Synthetic;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

public sealed class SyntheticGeneratorTests : IDisposable
{
    private const int Records = 60_000;
    private static readonly Schema Schema = DataFolder.LoadSchema("synthetic");
    private static readonly RecordTable Table = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed()).Generate(Records);
    private static readonly JsonElement Parameters =
        JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "data", "synthetic", "parameters.json"))).RootElement;

    private static readonly double Clustering = Table.PersonIndex.CountBy(p => p).Sum(p => (double)p.Value * p.Value) / Records;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static RecordColumn Column(string attribute) => Table.Columns[Schema.IndexOf(attribute)];

    /// <summary>
    /// Seven standard deviations of a share over records in clusters of at most 12 of one person, mean size 1.42: the variance of a share
    /// is at most p (1 - p) / n times
    /// E[size^2] / E[size], computed from the drawn sizes. Beyond it with probability 2.6e-12 (normal) per comparison; there are about
    /// 1,000.
    /// </summary>
    private static double Tolerance(double share) => (7 * Math.Sqrt(Math.Max(share * (1 - share), 1e-4) * Clustering / Records)) + 1e-9;

    [Fact]
    public void Categorical_marginals_are_those_of_the_parameters()
    {
        int compared = 0;
        foreach (JsonProperty law in Parameters.GetProperty("attributes").EnumerateObject())
        {
            if (!law.Value.TryGetProperty("weights", out JsonElement weights))
            {
                continue;
            }

            double total = weights.EnumerateObject().Sum(w => w.Value.GetDouble());
            RecordColumn column = Column(law.Name);
            foreach (JsonProperty weight in weights.EnumerateObject())
            {
                double share = weight.Value.GetDouble() / total;
                int code = Enumerable.Range(0, column.Attribute.Domain.Size).Single(c => column.Attribute.Domain.Label(c) == weight.Name);
                Assert.InRange(column.Codes.Count(c => c == code) / (double)Records, share - Tolerance(share), share + Tolerance(share));
                compared++;
            }
        }

        Assert.Equal(887, compared);
    }

    [Fact]
    public void Numeric_distributions_pass_through_the_points_of_the_parameters()
    {
        foreach (JsonProperty law in Parameters.GetProperty("attributes").EnumerateObject())
        {
            if (!law.Value.TryGetProperty("distribution", out JsonElement points))
            {
                continue;
            }

            RecordColumn column = Column(law.Name);
            var grid = (GridDomain)column.Attribute.Domain;
            double missing = law.Value.TryGetProperty("missing", out JsonElement m) ? m.GetProperty("share").GetDouble() : 0;
            Assert.InRange(column.Codes.Count(c => c == RecordColumn.Missing) / (double)Records, missing - Tolerance(missing), missing
                + Tolerance(missing));
            double[] values = [.. Enumerable.Range(0, Records).Where(i => column.Codes[i] != RecordColumn.Missing)
                .Select(i => grid.ValueOf(column.Codes[i] + ((column.Fractions?[i] ?? 0) / 4294967296.0)))];

            // Missingness depends on other factors only through the copula: the shares of those present are compared for attributes without
            // it.
            if (missing > 0)
            {
                continue;
            }

            foreach (JsonElement point in points.EnumerateArray())
            {
                double share = point[1].GetDouble(), at = point[0].GetDouble();
                Assert.InRange(
                    values.Count(v => v < at - 1e-9) / (double)values.Length, share - Tolerance(share), share + Tolerance(share));
            }
        }
    }

    [Fact]
    public void First_diagnoses_are_those_that_hospitals_give()
    {
        RecordColumn column = Column("diagnosis");
        string[] drawn = [.. column.Codes.CountBy(c => c).Select(p => column.Attribute.Domain.Label(p.Key))];

        // An external cause is never a first diagnosis; rare categories do occur.
        Assert.DoesNotContain(drawn, label => label.StartsWith('E'));
        Assert.InRange(drawn.Length, 600, 843);
    }

    [Fact]
    public void Attributes_are_correlated_as_the_loadings_say()
    {
        double[] age = [.. Column("age").Codes.Select(c => (double)c)];
        double[] diabetes = [.. Column("diabetes").Codes.Select(c => (double)c)];
        double[] stay = [.. Column("length_of_stay").Codes.Select(c => (double)c)];
        double[] medications = [.. Column("medications").Codes.Select(c => (double)c)];
        double[] sex = [.. Column("sex").Codes.Select(c => (double)c)];

        // Latent correlations 0.27, 0.35 and 0; coarsening halves them at most. The standard deviation of a correlation of independent
        // values is 1/sqrt(n) = 0.004, times at most sqrt(1.9) for clusters: limits lie beyond 10 of them.
        Assert.InRange(MathNet.Numerics.Statistics.Correlation.Pearson(age, diabetes), 0.1, 0.4);
        Assert.InRange(MathNet.Numerics.Statistics.Correlation.Pearson(stay, medications), 0.15, 0.45);
        Assert.InRange(MathNet.Numerics.Statistics.Correlation.Pearson(age, sex), -0.06, 0.06);
    }

    [Fact]
    public void Persons_have_several_records_and_constant_values()
    {
        double[] weights = [.. Parameters.GetProperty("recordsPerPerson").EnumerateArray().Select(w => w.GetDouble())];
        double once = weights[0] / weights.Sum();
        Assert.InRange(Table.PersonIndex.CountBy(p => p).Count(p => p.Value == 1) / (double)Table.PersonCount, once - 0.015, once + 0.015);
        foreach (RecordColumn column in Table.Columns.Where(c => c.Attribute.ConstantPerPerson))
        {
            Assert.Equal(Table.PersonCount, Table.PersonIndex.Zip(column.Codes).Distinct().Count());
        }
    }

    [Fact]
    public void Equal_seeds_give_equal_records_whatever_the_batch_size()
    {
        SyntheticGenerator generator = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed(5));
        RecordTable whole = generator.Generate(10_000);
        RecordTable parts = RecordTable.Concat(Schema, [.. generator.GenerateTables(10_000, 333)]);
        RecordTable other = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed(6)).Generate(10_000);
        Assert.Equal(whole.PersonIndex, parts.PersonIndex);
        Assert.All(whole.Columns.Zip(parts.Columns), p => Assert.Equal(p.First.Codes, p.Second.Codes));
        Assert.All(whole.Columns.Zip(other.Columns), p => Assert.NotEqual(p.First.Codes, p.Second.Codes));
        Assert.Equal(whole.Columns[0].Codes[..100], generator.Generate(100).Columns[0].Codes);
    }

    [Theory]
    [InlineData("set.csv")]
    [InlineData("set.csv.gz")]
    public void Written_file_loads_as_the_table_that_was_drawn(string name)
    {
        SyntheticGenerator generator = DataFolder.LoadSynthetic(DataFolder.SyntheticSeed(5));
        SyntheticFile.Write(generator, 70_000, _folder.Place(name), CancellationToken.None);
        RecordTable loaded = new RecordLoader(Schema).Load([_folder.Place(name)]);
        RecordTable drawn = generator.Generate(70_000);
        Assert.Equal(drawn.RecordKeys, loaded.RecordKeys);
        Assert.Equal(drawn.PersonKeys, loaded.PersonKeys);
        Assert.Equal(drawn.PersonIndex, loaded.PersonIndex);
        Assert.All(drawn.Columns.Zip(loaded.Columns), p => Assert.Equal(p.First.Codes, p.Second.Codes));
        Assert.All(drawn.Columns.Zip(loaded.Columns), p => Assert.Equal(p.First.Fractions, p.Second.Fractions));
        Assert.All(drawn.Columns.Zip(loaded.Columns), p => Assert.Equal(p.First.Clipped, p.Second.Clipped));
        Assert.Contains(loaded.Columns, c => c.Fractions is not null);
        Assert.Equal([_folder.Place(name)], Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public void Normals_are_standard_normal_and_depend_on_seed_name_and_index_only()
    {
        var stream = new NormalStream(DataFolder.SyntheticSeed(), "a");
        double[] all = new double[100_000], part = new double[777];
        stream.Fill(0, all);
        stream.Fill(4_321, part);
        Assert.Equal(all[4_321..5_098], part);
        var other = new NormalStream(DataFolder.SyntheticSeed(), "b");
        double[] others = new double[100_000];
        other.Fill(0, others);

        // Seven standard errors of mean (1/sqrt n), variance (sqrt(2/n)), fourth moment (sqrt(96/n)) and correlation (1/sqrt n): 2.6e-12
        // each.
        double root = Math.Sqrt(all.Length);
        Assert.InRange(all.Average(), -7 / root, 7 / root);
        Assert.InRange(all.Average(x => x * x), 1 - (7 * Math.Sqrt(2) / root), 1 + (7 * Math.Sqrt(2) / root));
        Assert.InRange(all.Average(x => x * x * x * x), 3 - (7 * Math.Sqrt(96) / root), 3 + (7 * Math.Sqrt(96) / root));
        Assert.InRange(all.Zip(others, (x, y) => x * y).Average(), -7 / root, 7 / root);
        Assert.InRange(all.Skip(1).Zip(all, (x, y) => x * y).Average(), -7 / root, 7 / root);
        Assert.InRange(all.Count(x => x < -1.6448536269514722) / (double)all.Length, 0.05 - (7 * Math.Sqrt(0.05 * 0.95) / root), 0.05
            + (7 * Math.Sqrt(0.05 * 0.95) / root));
    }

    [Theory]
    [InlineData("\"ageing\": 0.9", "\"ageing\": 1.1", "squares")]
    [InlineData("\"ageing\": 0.9", "\"youth\": 0.9", "not declared")]
    [InlineData("\"sex\": {", "\"gender\": {", "no law")]
    [InlineData("\"female\"", "\"woman\"", "refuses")]
    public void Parameters_that_do_not_fit_are_refused(string from, string to, string message)
    {
        string json = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "data", "synthetic", "parameters.json"));
        Assert.Contains(from, json, StringComparison.Ordinal);
        InputException refused = Assert.Throws<InputException>(() =>
            new SyntheticGenerator(Schema, SyntheticParameters.Parse(json.Replace(from, to), "p.json"), new byte[32]).Generate(1));
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }
}
