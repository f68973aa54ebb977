using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

/// <summary>The four real files load to the last record, and their counts are those computed by other programs (truth/*.json).</summary>
public sealed class RealDataTests
{
    private static string Folder => Tools.Require(Tool.RealData);

    [RequiresFact(Tool.RealData)]
    public void DiabeticData_loads_with_the_exact_counts()
    {
        (Schema schema, RecordTable table) = Load("diabetic_data", "diabetic_data.csv.gz");
        JsonElement truth = Truth("diabetic_data.json");
        Assert.Equal(101_766, table.Count);
        Assert.Equal(truth.GetProperty("distinct_patient_nbr").GetInt32(), table.PersonCount);
        Assert.Equal(0, table.Columns.Sum(c => c.Clipped));
        Assert.Equal(37, EveryCount(schema, table, truth.GetProperty("counts"), (_, text) => text == "?" ? "missing" : text));
        EveryCountOf(schema, table, truth.GetProperty("numeric_counts"), 8);
        JsonElement diagnoses = Truth("diabetic_data_diagnosis_counts.json");
        foreach (string column in new[] { "diag_1", "diag_2", "diag_3" })
        {
            CompareCounts(schema, table, column, diagnoses.GetProperty(column), text =>
                text == "?" ? "missing" : char.IsAsciiDigit(text[0]) ? string.Concat(text.Split('.')[0]
                    .PadLeft(3, '0'), text.AsSpan(text.Split('.')[0].Length)) : text);
        }

        int[] records = new int[table.PersonCount];
        Array.ForEach(table.PersonIndex, p => records[p]++);
        foreach (JsonProperty times in truth.GetProperty("encounters_per_patient").EnumerateObject())
        {
            Assert.Equal(times.Value.GetInt32(), records.Count(r => r == int.Parse(times.Name, CultureInfo.InvariantCulture)));
        }
    }

    [RequiresFact(Tool.RealData)]
    public void Brfss2015_loads_with_the_exact_counts()
    {
        (Schema schema, RecordTable table) = Load("brfss2015", "diabetes_binary_health_indicators_BRFSS2015.csv.gz");
        JsonElement truth = Truth("brfss2015_diabetes_binary.json");
        Assert.Equal(253_680, table.Count);
        Assert.Equal(table.Count, table.PersonCount);
        Assert.Equal(0, table.Columns.Sum(c => c.Clipped));
        Assert.Equal(21, EveryCount(schema, table, truth.GetProperty("counts"), (_, text) => text));
        CompareCounts(schema, table, "BMI", truth.GetProperty("BMI_counts"), text => text);
    }

    [RequiresFact(Tool.RealData)]
    public void Nhds2010_loads_with_the_exact_counts()
    {
        (Schema schema, RecordTable table) = Load("nhds2010", "nhds2010.csv.gz");
        JsonElement truth = Truth("nhds2010.json");
        Assert.Equal(151_551, table.Count);
        Assert.Equal(14, EveryCount(schema, table, truth.GetProperty("counts"), (column, text) => column == "payer2" && text.Length == 0
            ? "none"
            : text));
        CompareCounts(schema, table, "age_decade", truth.GetProperty("age_decade_counts"), text =>
        {
            int decade = int.Parse(text, CultureInfo.InvariantCulture);
            return $"[{decade}-{decade + 10})";
        });

        // Ages in months and days are year 0, so that they change neither the sum nor the sum of squares.
        JsonElement age = truth.GetProperty("numeric").GetProperty("age_in_years (age_unit=1 only)");
        ushort[] ages = table.Columns[schema.IndexOf("age")].Codes;
        Assert.Equal(age.GetProperty("sum").GetInt64(), ages.Sum(a => (long)a));
        Assert.Equal(age.GetProperty("sum_of_squares").GetInt64(), ages.Sum(a => (long)a * a));

        var categories = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty code in Truth("nhds2010_dx1_counts.json").GetProperty("dx1").EnumerateObject())
        {
            string category = code.Name[..(code.Name[0] == 'E' ? 4 : 3)];
            categories[category] = categories.GetValueOrDefault(category) + code.Value.GetInt32();
        }

        Dictionary<string, int> found = Counts(schema, table, "dx1");
        Assert.Equal(truth.GetProperty("diagnosis").GetProperty("dx1_3digit").GetProperty("distinct").GetInt32(), found.Count);
        Assert.Equal(categories.OrderBy(c => c.Key, StringComparer.Ordinal), found.OrderBy(c => c.Key, StringComparer.Ordinal));

        // Independent count of the stays that the grid of 64 days clips, from the raw text.
        RecordColumn days = table.Columns[schema.IndexOf("days_of_care")];
        long[] stays = [.. RawColumn("nhds2010.csv.gz", "days_of_care").Select(t => long.Parse(t, CultureInfo.InvariantCulture))];
        Assert.Equal(stays.Count(d => d > 64), days.Clipped);
        Assert.Equal(stays.Sum(d => Math.Min(d, 64)), days.Codes.Sum(c => (long)c + 1));
        Assert.Equal(truth.GetProperty("numeric").GetProperty("days_of_care").GetProperty("sum").GetInt64(), stays.Sum());
    }

    [RequiresFact(Tool.RealData)]
    public void Inpatient_joins_both_sources_without_a_clash_of_keys()
    {
        (Schema schema, RecordTable table) = Load("inpatient", "diabetic_data.csv.gz", "nhds2010.csv.gz");
        Assert.Equal(253_317, table.Count);
        Assert.Equal(table.Count, table.RecordKeys.Distinct().Count());
        Assert.Equal(71_518 + 151_551, table.PersonCount);
        JsonElement uci = Truth("diabetic_data.json").GetProperty("counts"), nhds = Truth("nhds2010.json").GetProperty("counts");
        Dictionary<string, int> sex = Counts(schema, table, "sex");
        Assert.Equal(uci.GetProperty("gender").GetProperty("Female").GetInt32() + nhds.GetProperty("sex").GetProperty("2")
            .GetInt32(), sex["female"]);
        Assert.Equal(
            uci.GetProperty("gender").GetProperty("Male").GetInt32() + nhds.GetProperty("sex").GetProperty("1").GetInt32(), sex["male"]);
        Assert.Equal(3, sex["unknown"]);
        Dictionary<string, int> source = Counts(schema, table, "source");
        Assert.Equal((101_766, 151_551), (source["uci"], source["nhds"]));
        Assert.Equal(6_862 + 3_992, Counts(schema, table, "diagnosis")["428"]);
    }

    [RequiresFact(Tool.RealData)]
    public void Batches_give_the_same_records_as_one_table()
    {
        Schema schema = DataFolder.LoadSchema("diabetic_data");
        string[] files = [Path.Combine(Folder, "diabetic_data.csv.gz")];
        RecordTable whole = new RecordLoader(schema).Load(files);
        RecordTable joined = RecordTable.Concat(schema, [.. new RecordLoader(schema).ReadBatches(files, 1_000)]);
        Assert.Equal(whole.RecordKeys, joined.RecordKeys);
        Assert.Equal(whole.PersonIndex, joined.PersonIndex);
        Assert.All(whole.Columns.Zip(joined.Columns), pair => Assert.Equal(pair.First.Codes, pair.Second.Codes));
    }

    private static (Schema Schema, RecordTable Table) Load(string schemaName, params string[] files)
    {
        Schema schema = DataFolder.LoadSchema(schemaName);
        return (schema, new RecordLoader(schema).Load([.. files.Select(f => Path.Combine(Folder, f))]));
    }

    private static JsonElement Truth(string file) => JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "truth", file))).RootElement;

    private static int EveryCount(Schema schema, RecordTable table, JsonElement counts, Func<string, string, string> label)
    {
        int compared = 0;
        foreach (JsonProperty column in counts.EnumerateObject().Where(c => schema.IndexOf(c.Name) >= 0))
        {
            CompareCounts(schema, table, column.Name, column.Value, text => label(column.Name, text));
            compared++;
        }

        return compared;
    }

    private static void EveryCountOf(Schema schema, RecordTable table, JsonElement counts, int columns) =>
        Assert.Equal(columns, EveryCount(schema, table, counts, (_, text) => text));

    private static void CompareCounts(Schema schema, RecordTable table, string attribute, JsonElement truth, Func<string, string> label) =>
        Assert.Equal(
            truth.EnumerateObject().ToDictionary(p => label(p.Name), p => p.Value.GetInt32()).OrderBy(p => p.Key, StringComparer.Ordinal),
            Counts(schema, table, attribute).OrderBy(p => p.Key, StringComparer.Ordinal));

    private static Dictionary<string, int> Counts(Schema schema, RecordTable table, string attribute)
    {
        RecordColumn column = table.Columns[schema.IndexOf(attribute)];
        return column.Codes.CountBy(c => column.Attribute.Domain.Label(c)).ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);
    }

    private static IEnumerable<string> RawColumn(string file, string column)
    {
        using var reader = new StreamReader(new System.IO.Compression.GZipStream(
            File.OpenRead(Path.Combine(Folder, file)), System.IO.Compression.CompressionMode.Decompress));
        int at = Array.IndexOf(reader.ReadLine()!.Split(','), column);
        while (reader.ReadLine() is { } line)
        {
            yield return line.Split(',')[at];
        }
    }
}
