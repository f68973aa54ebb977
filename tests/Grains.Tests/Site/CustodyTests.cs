using System.Security.Cryptography;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Epochs;
using EmrMarket.Grains.Site.Storage;
using Demand = EmrMarket.Analytics.Pricing.RequestTerms;
using Sale = EmrMarket.Contracts.Batches.Sale;
using SumTree = EmrMarket.Contracts.Merkle.SumTree;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>Epochs and deliveries of patients of whom some have their own seed: theirs is paid to keys that the site cannot have.</summary>
public sealed class CustodyTests
{
    private const int Persons = 24;
    private const ulong Own = 1001;
    private const long Now = 1_800_000_000;
    private static readonly Address Contract = Address.Parse("0x00000000000000000000000000000000000000c1");
    private static readonly Bytes32 Random = Bytes32.Parse("0x" + new string('7', 64));

    private readonly byte[] _siteKey = RandomNumberGenerator.GetBytes(SiteOptions.KeyBytes);
    private readonly byte[] _seed = RandomNumberGenerator.GetBytes(PatientKeys.Length);

    [Fact]
    public async Task Epoch_after_the_handing_in_commits_to_the_patient_s_addresses_and_the_others_stay_the_site_s()
    {
        (SiteBook book, SiteOptions options) = await BookAsync();
        EpochFile before = EpochBuilder.Build(book, options, 1, 1, new EpochPast(), Now).File!;
        book.Apply(Row(_seed));
        EpochFile after = EpochBuilder.Build(book, options, 1, 2, EpochPast.Of(before), Now).File!;

        Assert.Equal(Persons, after.Members.Length);
        foreach ((EpochFile epoch, bool isOwn) in new[] { (before, false), (after, true) })
        {
            foreach (MemberLeaf member in epoch.Members)
            {
                ulong person = book.Records.PersonKeys[book.RecordOf(member.Pseudonym)];
                byte[] seed = isOwn && person == Own ? _seed : PatientKeys.SeedAtSite(_siteKey, person);
                Assert.Equal(new EthereumAccount(PatientKeys.Controller(seed, member.Pseudonym)).Address, member.Controller);
                TreeNode[] payouts = [.. Enumerable.Range(0, 2).Select(index => Leaves.Payout(
                    member.Pseudonym, (uint)index,
                    new EthereumAccount(PatientKeys.Payout(seed, member.Pseudonym, epoch.Epoch, (uint)index)).Address))];
                Assert.Equal(SumTree.Build(1, payouts).Root.Hash, member.PayoutRoot);
            }
        }
    }

    [Fact]
    public async Task Delivery_pays_under_the_account_of_its_epoch_whatever_was_handed_in_since()
    {
        (SiteBook book, SiteOptions options) = await BookAsync();
        EpochFile first = EpochBuilder.Build(book, options, 1, 1, new EpochPast(), Now).File!;
        book.Apply(Row(_seed));
        EpochFile second = EpochBuilder.Build(book, options, 1, 2, EpochPast.Of(first), Now).File!;
        byte[] next = RandomNumberGenerator.GetBytes(PatientKeys.Length);
        book.Apply(Row(next));
        EpochFile third = EpochBuilder.Build(book, options, 1, 3, EpochPast.Of(second), Now).File!;

        foreach ((EpochFile epoch, byte[] seed) in new[] { (first, PatientKeys.SeedAtSite(_siteKey, Own)), (second, _seed), (third, next) })
        {
            DeliveryFile delivery = Deliver(book, options, epoch);
            MemberLeaf member = epoch.Members.Single(one => book.Records.PersonKeys[book.RecordOf(one.Pseudonym)] == Own);
            DeliveryLeaf leaf = delivery.Leaves.Single(one => epoch.Members[one.MemberPosition].Pseudonym == member.Pseudonym);
            Address[] payouts = [.. Enumerable.Range(0, 2)
                .Select(index => new EthereumAccount(PatientKeys.Payout(seed, member.Pseudonym, epoch.Epoch, (uint)index)).Address)];
            Assert.Contains(leaf.PayoutAddress, payouts);
            Assert.Equal(
                SumTree.Build(1, [.. payouts.Select((payee, i) => Leaves.Payout(member.Pseudonym, (uint)i, payee))]).Root.Hash,
                member.PayoutRoot);
        }
    }

    [Fact]
    public async Task Site_has_no_key_of_what_is_paid_to_an_own_account()
    {
        (SiteBook book, SiteOptions options) = await BookAsync();
        book.Apply(Row(_seed));
        EpochFile epoch = EpochBuilder.Build(book, options, 1, 1, new EpochPast(), Now).File!;
        MemberLeaf member = epoch.Members.Single(one => book.Records.PersonKeys[book.RecordOf(one.Pseudonym)] == Own);

        // All that the site can derive for anybody, of any seed and with the account's own chain code.
        PayoutAccount account = PayoutAccount.Of(_seed);
        List<byte[]> keys = [];
        foreach (ulong person in book.Records.PersonKeys)
        {
            byte[] seed = PatientKeys.SeedAtSite(_siteKey, person);
            keys.AddRange([seed, PatientKeys.Account(seed), PatientKeys.ChainCode(seed), PatientKeys.Controller(seed, member.Pseudonym)]);
            for (uint index = 0; index < 2; index++)
            {
                keys.Add(PatientKeys.Payout(seed, member.Pseudonym, 1, index));
                keys.Add(ChildKeys.Private(
                    PatientKeys.Account(seed), PatientKeys.PayoutTweak(account.ChainCode, member.Pseudonym, 1, index)));
            }
        }

        keys.Add(PatientKeys.PayoutTweak(account.ChainCode, member.Pseudonym, 1, 0));
        HashSet<Address> spendable = [.. EthereumAccount.AddressesOf(keys)];
        Assert.DoesNotContain(member.Controller, spendable);
        Assert.DoesNotContain(account.Payout(member.Pseudonym, 1, 0), spendable);
        Assert.DoesNotContain(account.Payout(member.Pseudonym, 1, 1), spendable);
    }

    // p = n - t, so that P + t G is no point: a patient may choose it, and must not stop the others' epoch.
    [Fact]
    public async Task Account_that_a_tweak_cancels_is_published_with_its_own_address()
    {
        (SiteBook book, SiteOptions options) = await BookAsync();
        byte[] chainCode = RandomNumberGenerator.GetBytes(PatientKeys.Length);
        int record = Array.IndexOf([.. book.Records.PersonKeys], Own);
        System.Numerics.BigInteger order = System.Numerics.BigInteger.Parse(
            "0FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", System.Globalization.NumberStyles.HexNumber,
            System.Globalization.CultureInfo.InvariantCulture);
        byte[] tweak = PatientKeys.ControllerTweak(chainCode, book.Pseudonyms[record]);
        byte[] digits = (order - new System.Numerics.BigInteger(tweak, isUnsigned: true, isBigEndian: true))
            .ToByteArray(isUnsigned: true, isBigEndian: true);
        byte[] key = [.. new byte[32 - digits.Length], .. digits];
        book.Apply(new SiteAccountRow { PersonKey = Own, PublicKey = PublicKey.Of(key).ToArray(), ChainCode = chainCode });
        EpochFile epoch = EpochBuilder.Build(book, options, 1, 1, new EpochPast(), Now).File!;
        Assert.Equal(PublicKey.Of(key).Address, epoch.Members.Single(one => one.Pseudonym == book.Pseudonyms[record]).Controller);
        Assert.Equal(key, ChildKeys.Private(key, tweak));
    }

    private static SiteAccountRow Row(byte[] seed)
    {
        PayoutAccount account = PayoutAccount.Of(seed);
        return new SiteAccountRow { PersonKey = Own, PublicKey = account.Key.ToArray(), ChainCode = account.ChainCode.ToArray() };
    }

    private async Task<(SiteBook Book, SiteOptions Options)> BookAsync()
    {
        SiteOptions options = new(_siteKey, Address.Zero, Clinic.Options(_siteKey).Rates) { PayoutDepth = 1 };
        ushort[] codes = new ushort[Persons];
        return (await SiteBook.ReadAsync(
            await Clinic.StoreAsync(Clinic.Records(codes, codes)), Clinic.Schema.Id, options, CancellationToken.None), options);
    }

    /// <summary>Sells everybody of the one class to one request.</summary>
    private static DeliveryFile Deliver(SiteBook book, SiteOptions options, EpochFile epoch)
    {
        RoundHeader shape = new(book.LedgerId, 0, 0, 1, 6, 1, 0, Random, Random, default, default, default, default);
        RoundBatch round = RoundBatch.Build(
            31337, Contract, shape, new Dictionary<uint, PriceLeaf> { [0] = new(25, 0, 0, 0) }, [new RequestLeaf(0, false)],
            [new Sale(0, 0, Persons)]);
        AttributeGrades grades = AttributeGrades.None;
        for (int a = 0; a < Clinic.Schema.Attributes.Count; a++)
        {
            grades = grades.With(a, 2);
        }

        return new DeliveryBuilder(book, options, epoch, round, Random, _ => false)
            .Draw(1, 0, new Demand(grades, grades, new TokenAmount(1_000_000), "", 2, Now + 86_400), 0, Now).File;
    }
}
