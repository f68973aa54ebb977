using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>A small site with one attribute of each kind; persons have one to three records.</summary>
internal static class Ward
{
    public const long Now = 1_800_000_000;
    public const int Persons = 400;

    public static Schema Schema { get; } = Schema.Parse(
        """
        {
          "format": 1, "name": "small", "version": "1", "title": "A small schema", "publishable": true,
          "attributes": [
            { "name": "region", "tier": "public", "filterable": true, "constantPerPerson": true, "labels": ["north", "south"] },
            { "name": "sex", "tier": "low", "constantPerPerson": true, "labels": ["f", "m"] },
            { "name": "bmi", "tier": "moderate", "optional": true, "grid": { "min": 10, "max": 60, "step": 0.5, "unit": "kg/m2" } },
            { "name": "dx", "tier": "private", "optional": true, "codeList": { "list": "icd9-categories" } }
          ],
          "layouts": [ { "name": "csv", "record": { "column": "id", "kind": "integer" } } ]
        }
        """,
        "small");

    public static SiteOptions Options { get; } = new(
        [.. Enumerable.Range(0, SiteOptions.KeyBytes).Select(i => (byte)i)],
        Address.Parse("0x00000000000000000000000000000000000000a1"),
        [Rate(10), Rate(40)])
    {
        PayoutDepth = 1,
    };

    public static LoadRecords Records { get; } = Draw(new Random(5));

    public static SetPolicies Policies(Func<int, (byte Profile, byte Rate, byte Purpose, Participation Participation)> of)
    {
        ulong[] persons = [.. Records.PersonKeys.Distinct()];
        var chosen = persons.Select((_, i) => of(i)).ToArray();
        return new SetPolicies
        {
            SchemaId = Schema.Id,
            PersonKeys = persons,
            Profiles = [.. chosen.Select(c => c.Profile)],
            Rates = [.. chosen.Select(c => c.Rate)],
            Quotas = [.. chosen.Select(_ => (ushort)2)],
            Purposes = [.. chosen.Select(c => c.Purpose)],
            ExpirySeconds = [.. chosen.Select(_ => Now + 400L * 86_400)],
            Participation = [.. chosen.Select(c => c.Participation)],
        };
    }

    public static async Task<SiteBook> BookAsync(ISiteStore store, SetPolicies policies)
    {
        await store.KeepRecordsAsync(Records, Schema.Id, CancellationToken.None);
        await store.SavePoliciesAsync(policies, CancellationToken.None);
        return await SiteBook.ReadAsync(store, Schema.Id, Options, CancellationToken.None);
    }

    private static TierRates Rate(uint units) =>
        new(new TokenAmount(0), new TokenAmount(units), new TokenAmount(2 * units), new TokenAmount(3 * units));

    private static LoadRecords Draw(Random random)
    {
        ulong[] persons =
            [.. Enumerable.Range(0, Persons).SelectMany(person => Enumerable.Repeat((ulong)person + 1000, random.Next(1, 4)))];
        ushort[] region = [.. persons.Select(person => (ushort)(person % 2))];
        ushort[] sex = [.. persons.Select(person => (ushort)(person / 2 % 2))];
        ushort[][] codes = [.. Schema.Attributes.Select(attribute => attribute.Name switch
        {
            "region" => region,
            "sex" => sex,
            "bmi" => [.. persons.Select(_ => random.Next(10) == 0 ? RecordColumn.Missing : (ushort)random.Next(attribute.Domain.Size))],
            _ => persons.Select(_ => (ushort)random.Next(attribute.Domain.Size)).ToArray(),
        })];

        // Whether a value is present is an attribute of its own, and says the same as the value.
        int bmi = Schema.IndexOf("bmi"), present = Schema.PresenceOf(bmi);
        codes[present] = Array.ConvertAll(codes[bmi], code => (ushort)(code == RecordColumn.Missing ? 0 : 1));
        return new LoadRecords
        {
            Id = "ward",
            SchemaJson = Schema.ToJson(),
            RecordKeys = [.. Enumerable.Range(1, persons.Length).Select(i => (ulong)i)],
            PersonKeys = persons,
            Codes = codes,
            Fractions = [.. Schema.Attributes.Select(_ => Array.Empty<uint>())],
        };
    }
}
