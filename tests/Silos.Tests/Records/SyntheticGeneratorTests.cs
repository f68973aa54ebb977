using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Records.Synthetic;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

public sealed class SyntheticGeneratorTests
{
    private static readonly byte[] Seed = new byte[32];

    [Fact]
    public void Generate_gives_as_many_records_as_asked_for()
    {
        RecordTable table = DataFolder.LoadSynthetic(Seed).Generate(10_000);
        Assert.Equal(10_000, table.Count);
        Assert.All(table.Columns, c => Assert.Equal(10_000, c.Codes.Length));
        Assert.Equal(table.PersonKeys.Distinct().Count(), table.PersonCount);
        Assert.InRange(table.PersonCount, 6_000, 8_000);
    }
}
