using System.Text.Json;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Statistical.Estimation;

/// <summary>Estimates from reports of real records against exact truths that other programs computed from the same files.</summary>
public sealed class RealDataTests
{
    private static string Folder => Tools.Require(Tool.RealData);

    [RequiresFact(Tool.RealData)]
    public void Estimates_of_the_diabetes_file_cover_the_published_counts_at_the_stated_rate()
    {
        Schema schema = DataFolder.LoadSchema("diabetic_data");
        RecordTable table = new RecordLoader(schema).Load([Path.Combine(Folder, "diabetic_data.csv.gz")]);
        using JsonDocument truth = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "truth", "diabetic_data.json")));
        JsonElement counts = truth.RootElement.GetProperty("counts");
        double n = truth.RootElement.GetProperty("rows").GetInt32();
        const int Keys = 4;
        long covered = 0;
        int intervals = 0;
        foreach (RecordColumn column in table.Columns)
        {
            AttributeDefinition attribute = column.Attribute;
            if (attribute.Domain is not CategoricalDomain domain || attribute.Mechanism is null
                || !counts.TryGetProperty(attribute.Name, out JsonElement published))
            {
                continue;
            }

            Assert.Equal(table.Count, (int)n);
            for (int key = 0; key < Keys; key++)
            {
                StatisticResult result = StatisticEstimator.Estimate(
                    StatisticRequest.Frequency(attribute.Name), [Batch(table, [column], 2 + (key % 4), key)],
                    EstimationOptions.Default with { Confidence = 0.95 });

                // One value per attribute and key, so that the intervals counted are independent; every value within six errors besides.
                for (int v = 0; v < domain.Size; v++)
                {
                    string label = domain.Label(v) == Schema.MissingLabel ? "?" : domain.Label(v);
                    double share = published.TryGetProperty(label, out JsonElement count) ? count.GetInt64() / n : 0;
                    StatisticCell cell = result.Cells[v];
                    Assert.True(
                        Math.Abs(cell.Estimate - share) <= 7 * cell.StandardError,
                        $"{attribute.Name}={label}: {cell.Estimate} +- {cell.StandardError}, truth {share}");
                    if (v == key % domain.Size)
                    {
                        covered += Coverage.Covers(cell, share) ? 1 : 0;
                        intervals++;
                    }
                }
            }
        }

        Assert.True(intervals > 100, $"only {intervals} intervals were compared");
        Coverage.AssertNominal([covered], intervals, 0.95);
    }

    [RequiresFact(Tool.RealData)]
    public void Means_tables_and_group_means_of_the_diabetes_file_are_near_the_published_ones()
    {
        Schema schema = DataFolder.LoadSchema("diabetic_data");
        RecordTable table = new RecordLoader(schema).Load([Path.Combine(Folder, "diabetic_data.csv.gz")]);
        using JsonDocument truth = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "truth", "diabetic_data.json")));
        var options = EstimationOptions.Default with { Confidence = 1 - 1e-9 };
        RecordColumn Column(string name) => table.Columns[schema.IndexOf(name)];

        foreach (JsonProperty numeric in truth.RootElement.GetProperty("numeric").EnumerateObject().Where(p => schema.IndexOf(p.Name) >= 0))
        {
            StatisticResult mean = StatisticEstimator.Estimate(
                StatisticRequest.Mean(numeric.Name), [Batch(table, [Column(numeric.Name)], 4, 1)], options);
            Assert.InRange(numeric.Value.GetProperty("mean").GetDouble(), mean.Cells[0].Low, mean.Cells[0].High);
            Assert.InRange(numeric.Value.GetProperty("variance_population").GetDouble(), mean.Cells[1].Low, mean.Cells[1].High);
            Assert.True(
                Math.Abs(mean.Cells[0].Estimate - numeric.Value.GetProperty("mean").GetDouble()) <= mean.Cells[0].GuaranteedHalfWidth);
        }

        StatisticResult joint = StatisticEstimator.Estimate(
            StatisticRequest.Table("age", "readmitted"), [Batch(table, [Column("age"), Column("readmitted")], 4, 2)], options);
        JsonElement twoWay = truth.RootElement.GetProperty("two_way").GetProperty("age x readmitted");
        foreach (StatisticCell cell in joint.Cells)
        {
            string[] labels = cell.Value.Split(" | ");
            Assert.InRange(twoWay.GetProperty(labels[0]).GetProperty(labels[1]).GetInt32() / (double)table.Count, cell.Low, cell.High);
        }

        StatisticResult groups = StatisticEstimator.Estimate(
            StatisticRequest.Table("age", "time_in_hospital"), [Batch(table, [Column("age"), Column("time_in_hospital")], 5, 3)], options);
        JsonElement byGroup = truth.RootElement.GetProperty("mean_by_group").GetProperty("time_in_hospital by age");
        foreach (StatisticCell cell in groups.Cells.Where(c => !double.IsNaN(c.Low)))
        {
            Assert.InRange(byGroup.GetProperty(cell.Value).GetProperty("mean").GetDouble(), cell.Low, cell.High);
        }

        Assert.True(groups.Cells.Count(c => !double.IsNaN(c.Low)) >= 5);
    }

    private static ReportBatch Batch(RecordTable table, RecordColumn[] columns, int grade, int key) => new(
    [
        .. columns.Select((column, i) =>
        {
            byte[] siteKey = new byte[32];
            siteKey[0] = (byte)key;
            IReportLadder ladder = MechanismCatalogue.Get(column.Attribute.Mechanism!)
                .CreateLadder(column.Attribute.Domain, Coverage.Ladder);
            return new AttributeReports(
                column.Attribute, grade, ladder[grade],
                ladder.Draw(ColumnKey.Derive(siteKey, column.Attribute.Source), column, table.RecordKeys, [grade])[0]);
        }),
    ], table.PersonIndex);
}
