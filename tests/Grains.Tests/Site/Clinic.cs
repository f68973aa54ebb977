using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>A clinic of one record per person, for the tests of what a patient may command.</summary>
internal static class Clinic
{
    public static Schema Schema { get; } = Schema.Parse(
        """
        {
          "format": 1, "name": "ward", "version": "1", "title": "A ward", "publishable": true,
          "attributes": [
            { "name": "sex", "tier": "low", "labels": ["female", "male"] },
            { "name": "ill", "tier": "private", "labels": ["no", "yes", "unknown"] }
          ],
          "layouts": [ { "name": "ward" } ]
        }
        """,
        "ward.json");

    public static SiteOptions Options(byte[] key, Address account = default) =>
        new(key, account, [new TierRates(new(1), new(2), new(3), new(4)), new TierRates(new(2), new(4), new(6), new(8))]);

    public static LoadRecords Records(ushort[] sex, ushort[] ill) => new()
    {
        Id = "first",
        SchemaJson = Schema.ToJson(),
        RecordKeys = [.. Enumerable.Range(1, sex.Length).Select(i => (ulong)i)],
        PersonKeys = [.. Enumerable.Range(1, sex.Length).Select(i => (ulong)i + 1000)],
        Codes = [sex, ill],
        Fractions = [[], []],
    };

    public static SetPolicies Policies(int persons, byte profile = 3, ushort quota = 2, long expiry = 4_000_000_000) => new()
    {
        SchemaId = Schema.Id,
        PersonKeys = [.. Enumerable.Range(1, persons).Select(i => (ulong)i + 1000)],
        Profiles = [.. Enumerable.Repeat(profile, persons)],
        Rates = new byte[persons],
        Quotas = [.. Enumerable.Repeat(quota, persons)],
        Purposes = [.. Enumerable.Repeat((byte)1, persons)],
        ExpirySeconds = [.. Enumerable.Repeat(expiry, persons)],
        Participation = new Participation[persons],
    };

    public static async Task<MemorySiteStore> StoreAsync(LoadRecords records)
    {
        MemorySiteStore store = new();
        await store.KeepRecordsAsync(records, Schema.Id, CancellationToken.None);
        await store.SavePoliciesAsync(Policies(records.PersonKeys.Distinct().Count()), CancellationToken.None);
        return store;
    }
}
