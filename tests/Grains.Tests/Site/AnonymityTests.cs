using System.Globalization;
using System.Security.Cryptography;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Epochs;
using EmrMarket.Grains.Site.Storage;
using Demand = EmrMarket.Analytics.Pricing.RequestTerms;
using Sale = EmrMarket.Contracts.Batches.Sale;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>
/// Two patients of one class with equal records are exchangeable in all that leaves their site. Were they not, some published field would
/// more often be smaller for the one who was loaded first than for the other: over independent sites the count of "smaller" among unequal
/// pairs is binomial(n, 1/2) if they are, and P(|2k - n| >= t) &lt;= 2 exp(-t^2 / 2n) (Hoeffding 1963, doi:10.1080/01621459.1963.10500830).
/// False alarm over all fields of both cases: at most 1e-7. What no single field's order shows, and what the market's database, the ledger
/// and the wire show, is looked for in tests/Simulation/Anonymity.
/// </summary>
public sealed class AnonymityTests
{
    private const int Sites = 250;
    private const int Persons = 24;
    private const double FalseAlarm = 1e-7 / 2;
    private const long Now = 1_800_000_000;
    private static readonly Address Contract = Address.Parse("0x00000000000000000000000000000000000000c1");

    /// <summary>With the seeds of both at the site, and with the first patient's in the own wallet and the second's at the site: who has
    /// the seed is not told either.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Patients_with_equal_records_are_exchangeable_in_everything_that_leaves_the_site_and_planted_leaks_are_found(
        bool own)
    {
        List<(Dictionary<string, string> First, Dictionary<string, string> Second)> pairs = [];
        for (int i = 0; i < Sites; i++)
        {
            pairs.Add(await ViewAsync(own));
        }

        string[] fields = [.. pairs[0].First.Keys];
        Assert.Equal(13, fields.Length);
        Assert.DoesNotContain(fields, field => Tells(pairs, field, fields.Length, (value, _) => value));

        // An index in the order of loading, and an amount of one's own.
        Assert.True(Tells(pairs, "position", fields.Length, (_, patient) => Number(patient)));
        Assert.True(Tells(pairs, "amount", fields.Length, (value, patient) => value + Number(patient)));
    }

    private static bool Tells(
        List<(Dictionary<string, string> First, Dictionary<string, string> Second)> pairs, string field, int fields,
        Func<string, uint, string> planted)
    {
        int[] orders =
            [.. pairs.Select(pair => Math.Sign(string.CompareOrdinal(planted(pair.First[field], 0), planted(pair.Second[field], 1))))
                .Where(order => order != 0)];
        return orders.Length > 0 && Math.Abs(orders.Sum()) >= Math.Sqrt(2.0 * orders.Length * Math.Log(2.0 * fields / FalseAlarm));
    }

    /// <summary>What a new site publishes and delivers of its first two patients: a second epoch, and a delivery of everybody to one
    /// request.</summary>
    private static async Task<(Dictionary<string, string> First, Dictionary<string, string> Second)> ViewAsync(bool own)
    {
        SiteOptions options = Clinic.Options(RandomNumberGenerator.GetBytes(SiteOptions.KeyBytes));
        ushort[] sex = [.. Enumerable.Range(0, Persons).Select(i => (ushort)(i / 2 % 2))];
        ushort[] ill = [.. Enumerable.Range(0, Persons).Select(i => (ushort)(i / 2 % 3))];
        SiteBook book = await SiteBook.ReadAsync(
            await Clinic.StoreAsync(Clinic.Records(sex, ill)), Clinic.Schema.Id, options, CancellationToken.None);
        EpochFile first = EpochBuilder.Build(book, options, 1, 1, new EpochPast(), Now).File!;
        PayoutAccount account = PayoutAccount.Of(RandomNumberGenerator.GetBytes(PatientKeys.Length));
        if (own)
        {
            book.Apply(new SiteAccountRow
            {
                PersonKey = book.Records.PersonKeys[0], PublicKey = account.Key.ToArray(), ChainCode = account.ChainCode.ToArray(),
            });
        }

        EpochFile epoch = EpochBuilder.Build(book, options, 1, 2, EpochPast.Of(first), Now).File!;
        Assert.Single(epoch.Classes);
        Assert.Equal(own, epoch.Members.Any(member => member.Controller == account.Controller(book.Pseudonyms[0])));

        Bytes32 seed = new(RandomNumberGenerator.GetBytes(Bytes32.Length));
        RoundHeader shape = new(book.LedgerId, 0, 0, 1, 6, 1, 0, seed, seed, default, default, default, default);
        RoundBatch round = RoundBatch.Build(
            31337, Contract, shape, new Dictionary<uint, PriceLeaf>
            {
                [0] = new(25, 0, 0, 0),
            }, [new RequestLeaf(0, false)], [new Sale(0, 0, Persons)]);
        AttributeGrades grades = AttributeGrades.None;
        for (int a = 0; a < Clinic.Schema.Attributes.Count; a++)
        {
            grades = grades.With(a, 2);
        }

        DeliveryFile delivery = new DeliveryBuilder(book, options, epoch, round, seed, _ => false)
            .Draw(1, 0, new Demand(grades, grades, new TokenAmount(1_000_000), "", 2, Now + 86_400), 0, Now).File;
        return (Of(0), Of(1));

        Dictionary<string, string> Of(int record)
        {
            int position = Array.FindIndex(epoch.Members, member => member.Pseudonym == book.Pseudonyms[record]);
            int slot = Array.FindIndex(delivery.Leaves, leaf => leaf.PayoutAddress != Address.Zero && leaf.MemberPosition == position);
            MemberLeaf member = epoch.Members[position];
            DeliveryLeaf leaf = delivery.Leaves[slot];
            return new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["position"] = Number((uint)position),
                ["pseudonym"] = member.Pseudonym.ToString(),
                ["controller"] = Hex.Encode(member.Controller.ToArray()),
                ["payout root"] = member.PayoutRoot.ToString(),
                ["previous epoch"] = Number(member.PreviousEpoch),
                ["previous position"] = Number(member.PreviousPosition),
                ["salt"] = member.Salt.ToString(),
                ["slot"] = Number((uint)slot),
                ["payee"] = Hex.Encode(leaf.PayoutAddress.ToArray()),
                ["reports"] = leaf.ReportHash.ToString(),
                ["amount"] = Number((uint)leaf.Amount),
                ["effective"] = leaf.Effective.ToString("x32", CultureInfo.InvariantCulture),
                ["person"] = Number((uint)delivery.Persons[slot]),
            };
        }
    }

    private static string Number(uint value) => value.ToString("x8", CultureInfo.InvariantCulture);
}
