using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;

namespace EmrMarket.Grains.Market.Catalogue;

/// <summary>What is on offer of a schema, from the classes of the sites' newest final epochs. It holds no state: the classes are public,
/// and few.</summary>
public sealed class CatalogueGrain(MarketContext market) : Grain, ICatalogueGrain
{
    /// <inheritdoc/>
    public Task<Abstractions.Market.Catalogue> ReadAsync() => ReadCellAsync("");

    /// <inheritdoc/>
    public async Task<Abstractions.Market.Catalogue> ReadCellAsync(string cell)
    {
        string key = this.GetPrimaryKeyString();
        MarketSchema schema = market.Schemas.TryGetValue(key, out MarketSchema? dealt) ? dealt
            : throw new RequestRefusedException(
                "unknown-schema", $"this market does not deal in schema {key}; it deals in {string.Join(", ", market.Schemas.Keys)}");
        await market.View.SyncAsync();
        List<(uint Site, string Cell, ClassLeaf Leaf)> classes = [];
        foreach (SiteRow site in market.View.Sites())
        {
            if (market.View.FinalEpoch(site.Site, schema.Schema.LedgerId()) is { } epoch
                && await market.EpochAsync(epoch.Header.DataHash) is { } opened)
            {
                classes.AddRange(opened.File.Classes.Select((leaf, k) => (site.Site, opened.File.Cells[k], leaf)));
            }
        }

        return Sum(schema.Schema, cell.Length == 0 ? classes : [.. classes.Where(c => c.Cell == cell)]);
    }

    private static Abstractions.Market.Catalogue Sum(Schema schema, List<(uint Site, string Cell, ClassLeaf Leaf)> classes) => new()
    {
        SchemaId = schema.Id,
        SchemaJson = schema.ToJson(),
        Records = Shown(classes.Sum(c => (long)c.Leaf.Size)),
        Classes = classes.Count,
        RecordsByGrade =
        [
            .. Enumerable.Range(0, schema.Attributes.Count).Select(a => Enumerable.Range(1, schema.Grades.Count)
                .Select(grade => Shown(classes.Where(c => Ceiling(schema, c.Leaf, a) >= grade).Sum(c => (long)c.Leaf.Size))).ToArray()),
        ],
        RecordsByPurpose = PurposeTree.Default.Purposes.ToDictionary(
            purpose => purpose.Code,
            purpose => Shown(classes.Where(c => c.Leaf.Purposes.ToPurposes().Contains(purpose.Code)).Sum(c => (long)c.Leaf.Size))),
        RecordsByCell = Count(classes, c => c.Cell),
        RecordsBySite = Count(classes, c => c.Site),
        MedianRates = [.. Enumerable.Range(0, 4).Select(tier => Median(classes.Select(c => (c.Leaf.Rates[tier], (long)c.Leaf.Size))))],
        RecordsByPrivateRate = Count(classes, c => c.Leaf.Rates[(int)Tier.Private]),
    };

    private static int Ceiling(Schema schema, ClassLeaf leaf, int attribute) =>
        leaf.Ceilings.ToGrades()[attribute] is var ceiling && schema.Attributes[attribute].Tier == Tier.Public && ceiling > 0
            ? schema.Grades.Count : ceiling;

    private static Dictionary<TKey, long> Count<TKey>(
        List<(uint Site, string Cell, ClassLeaf Leaf)> classes, Func<(uint Site, string Cell, ClassLeaf Leaf), TKey> key)
        where TKey : notnull =>
            classes.GroupBy(key).Select(group => (group.Key, Records: Shown(group.Sum(c => (long)c.Leaf.Size))))
                .Where(pair => pair.Records > 0)
        .ToDictionary(pair => pair.Key, pair => pair.Records);

    private static long Shown(long records) => records < Abstractions.Market.Catalogue.SmallestCount ? 0 : records;

    private static UInt128 Median(IEnumerable<(UInt128 Rate, long Records)> rates)
    {
        (UInt128 Rate, long Records)[] sorted = [.. rates.OrderBy(pair => pair.Rate)];
        long half = sorted.Sum(pair => pair.Records) / 2;
        foreach ((UInt128 rate, long records) in sorted)
        {
            if ((half -= records) < 0)
            {
                return rate;
            }
        }

        return 0;
    }
}
