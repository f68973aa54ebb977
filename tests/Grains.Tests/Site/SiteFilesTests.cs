using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Epochs;
using EmrMarket.Grains.Site.Storage;
using Demand = EmrMarket.Analytics.Pricing.RequestTerms;
using Sale = EmrMarket.Contracts.Batches.Sale;
using SumTree = EmrMarket.Contracts.Merkle.SumTree;

namespace EmrMarket.Grains.Tests.Site;

/// <summary>What a site publishes and delivers, held against its policies, the rules of drawing and the formats of the files.</summary>
public sealed class SiteFilesTests
{
    private const ulong ChainId = 31337;
    private static readonly Address Contract = Address.Parse("0x00000000000000000000000000000000000000c1");
    private static readonly Bytes32 Seed = Bytes32.Parse("0x" + new string('7', 64));

    [Fact]
    public async Task Epoch_holds_everybody_who_offers_and_nobody_on_looser_terms_than_chosen()
    {
        (SiteBook book, EpochFile epoch, int withheld) = await EpochAsync(
            i => ((byte)(i % 5), (byte)(i / 5 % 2), (byte)(i % 7 == 0 ? 2 : 0), i % 11 == 0 ? Participation.Paused : default));

        Assert.Equal(book.Records.Count, epoch.Members.Length + withheld);
        HashSet<int> seen = [];
        foreach (MemberLeaf member in epoch.Members)
        {
            int record = book.RecordOf(member.Pseudonym);
            Assert.True(seen.Add(record));
            SiteBook.PersonPolicy policy = book.Policies[book.Records.PersonIndex[record]];
            OfferTerms terms = epoch.Classes[member.LocalClass].ToOffer(1);
            Assert.True(policy.IsOffered(Ward.Now) && policy.Participation == Participation.Active);
            Assert.True(terms.Ceilings.IsAtMost(book.CeilingsOf(policy.Profile)));
            Assert.True(terms.Rates.IsAtLeast(Ward.Options.Rates[policy.Rate]));
            Assert.True(terms.Purposes.IsSubsetOf(PurposeTree.Default.Closure([policy.Purpose])));
            Assert.InRange(terms.ExpiresAtSeconds, Ward.Now, policy.ExpirySeconds);
            Assert.Equal("region=" + (book.Records.Columns[0].Codes[record] == 0 ? "north" : "south"), epoch.Cells[member.LocalClass]);
        }

        for (uint k = 0; k < epoch.Classes.Length; k++)
        {
            Assert.InRange(epoch.Members.Where(m => m.LocalClass == k).Select(m => book.Records.PersonIndex[book.RecordOf(m.Pseudonym)])
                .Distinct().Count(), OfferClasses.MinPersons, int.MaxValue);
        }
    }

    [Fact]
    public async Task Payout_addresses_and_controllers_are_those_of_the_patient_s_seed_and_all_different()
    {
        (SiteBook book, EpochFile epoch, _) = await EpochAsync(_ => (3, 0, 0, default));
        HashSet<Address> addresses = [];
        foreach (MemberLeaf member in epoch.Members)
        {
            byte[] seed = PatientKeys.SeedAtSite(Ward.Options.Key, book.Records.PersonKeys[book.RecordOf(member.Pseudonym)]);
            Address[] payouts = [
                .. Enumerable.Range(0, 2).Select(p => new EthereumAccount(PatientKeys.Payout(seed, member.Pseudonym, 1, (uint)p)).Address)];
            Assert.Equal(new EthereumAccount(PatientKeys.Controller(seed, member.Pseudonym)).Address, member.Controller);
            Assert.Equal(SumTree.Build(1, [.. payouts.Select((address, i) => Leaves.Payout(member.Pseudonym, (uint)i, address))]).Root.Hash,
                member.PayoutRoot);
            Assert.True(payouts.Append(member.Controller).All(addresses.Add));
        }
    }

    [Fact]
    public async Task Next_epoch_points_to_the_last_and_its_grades_never_fall()
    {
        (SiteBook book, EpochFile first, _) = await EpochAsync(i => ((byte)(2 + i % 3), 0, 0, default));
        book.Budgets.Commit(book.Budgets.TryReserve(0, [1], [2])!.Value, [1], [2]);
        EpochFile second = EpochBuilder.Build(book, Ward.Options, 1, 2, EpochPast.Of(first), Ward.Now).File!;
        EpochFile third = EpochBuilder.Build(book, Ward.Options, 1, 3, EpochPast.Of(second), Ward.Now).File!;
        foreach ((EpochFile earlier, EpochFile later) in new[] { (first, second), (second, third) })
        {
            foreach (MemberLeaf member in later.Members)
            {
                MemberLeaf before = earlier.Members[member.PreviousPosition];
                Assert.Equal((earlier.Epoch, member.Pseudonym), (member.PreviousEpoch, before.Pseudonym));
                Assert.True(earlier.Classes[before.LocalClass].HighWater.ToGrades()
                    .IsAtMost(later.Classes[member.LocalClass].HighWater.ToGrades()));
            }
        }

        Assert.DoesNotContain(second.Members.Zip(first.Members), pair => pair.First.Salt == pair.Second.Salt);
    }

    [Fact]
    public async Task Record_that_was_left_out_of_an_epoch_points_to_the_one_before_and_its_grades_do_not_fall()
    {
        (SiteBook book, EpochFile first, _) = await EpochAsync(_ => (3, 0, 0, default));
        SetPolicies paused = Ward.Policies(i => (3, 0, 0, i < 30 ? Participation.Paused : Participation.Active));
        book.Apply(paused);
        EpochFile second = EpochBuilder.Build(book, Ward.Options, 1, 2, EpochPast.Of(first), Ward.Now).File!;
        book.Apply(Ward.Policies(_ => (3, 0, 0, default)));
        EpochPast past = EpochPast.Of(second);
        past.AddEarlier(first);
        EpochFile third = EpochBuilder.Build(book, Ward.Options, 1, 3, past, Ward.Now).File!;

        Assert.True(second.Members.Length < third.Members.Length);
        Dictionary<Bytes32, (uint, uint)>[] places = [.. ((EpochFile[])[first, second]).Select(epoch => epoch.Members
            .Select((member, position) => (member.Pseudonym, (epoch.Epoch, (uint)position))).ToDictionary())];
        Assert.All(third.Members, member => Assert.Equal(
            places[1].TryGetValue(member.Pseudonym, out (uint, uint) newest) ? newest : places[0][member.Pseudonym],
            (member.PreviousEpoch, member.PreviousPosition)));
    }

    [Fact]
    public async Task Delivery_holds_who_the_seed_draws_at_the_grade_of_the_request_for_ask_and_premium()
    {
        (SiteBook book, EpochFile epoch, _) = await EpochAsync(i => ((byte)(3 + i % 2), 0, 0, default));
        (RoundBatch round, Demand demand) = Round(book, epoch);
        DeliveryBuilder.Drawn drawn = new DeliveryBuilder(book, Ward.Options, epoch, round, Seed, _ => false)
            .Draw(9, 0, demand, 0, Ward.Now);

        Assert.Equal(((int)round.Header.TotalSales, drawn.Sold, 0, 0), (drawn.Sold, drawn.Records.Length, drawn.OverCap, drawn.NotAllowed));
        uint start = 0;
        for (uint k = 0; k < epoch.Classes.Length; start += epoch.Classes[k++].Size)
        {
            PairPrice price = PriceRules.Price(book.Quality, epoch.Classes[k].ToOffer(1), demand);
            for (uint i = 0; i < round.Quantity(k, 0); i++)
            {
                DeliveryLeaf leaf = drawn.File.Leaves[round.FirstSlot(k, 0) + i];
                (uint offset, uint lap) = Drawing.Draw(Drawing.ClassKey(Seed, 1, k), epoch.Classes[k].Size, round.SoldBefore(k, 0), i);
                Assert.Equal((k, start + offset), (leaf.LocalClass, leaf.MemberPosition));
                Assert.Equal((price.Ask.Units + 25, (UInt128)price.ScorePpb), (leaf.Amount, leaf.Effective));
                MemberLeaf member = epoch.Members[leaf.MemberPosition];
                byte[] patient = PatientKeys.SeedAtSite(Ward.Options.Key, book.Records.PersonKeys[book.RecordOf(member.Pseudonym)]);
                Assert.Equal(new EthereumAccount(
                    PatientKeys.Payout(patient, member.Pseudonym, 1, Drawing.PayoutIndex(0, 2, lap, 1))).Address, leaf.PayoutAddress);
            }
        }

        Assert.Equal(drawn.File.Leaves.Select(leaf => leaf.ReportHash),
            drawn.File.ReportHashes(Ward.Schema, slot => epoch.Members[drawn.File.Leaves[slot].MemberPosition].Pseudonym));
        Assert.Equal(drawn.Sold, drawn.File.ToReportBatches(Ward.Schema).Sum(batch => batch.Count));
        Assert.All(drawn.Grades, grade => Assert.Equal(2, grade));
    }

    [Fact]
    public async Task Same_order_is_drawn_alike_again_and_who_paused_or_reached_the_cap_is_left_out()
    {
        (SiteBook book, EpochFile epoch, _) = await EpochAsync(_ => (4, 0, 0, default));
        (RoundBatch round, Demand demand) = Round(book, epoch);
        DeliveryBuilder builder = new(book, Ward.Options, epoch, round, Seed, _ => false);
        DeliveryBuilder.Drawn first = builder.Draw(9, 0, demand, 0, Ward.Now);
        foreach (Analytics.Budgets.Reservation reserved in first.Reserved)
        {
            book.Budgets.Release(reserved);
        }

        Assert.Equal(first.File.Write(Ward.Schema), builder.Draw(9, 0, demand, 0, Ward.Now).File.Write(Ward.Schema));

        int paused = book.Records.PersonIndex[first.Records[0]];
        book.Policies[paused] = book.Policies[paused] with { Participation = Participation.Paused };
        int full = book.Records.PersonIndex[first.Records.First(record => book.Records.PersonIndex[record] != paused)];
        foreach (int record in Enumerable.Range(0, book.Records.Count).Where(record => book.Records.PersonIndex[record] == full))
        {
            while (book.Budgets.TryReserve(record, [3], [1]) is not null)
            {
            }
        }

        DeliveryBuilder.Drawn second = builder.Draw(9, 0, demand, 1, Ward.Now);
        Assert.Equal(first.Records.Count(record => book.Records.PersonIndex[record] == paused), second.NotAllowed);
        Assert.Equal(first.Records.Count(record => book.Records.PersonIndex[record] == full), second.OverCap);
        Assert.Equal(first.Sold, second.Records.Length + second.NotAllowed + second.OverCap);
        Assert.Equal(second.Records.Length, second.File.Leaves.Count(leaf => leaf.PayoutAddress != Address.Zero));
        Assert.DoesNotContain(second.Records,
            record => book.Records.PersonIndex[record] == paused || book.Records.PersonIndex[record] == full);
    }

    [Fact]
    public async Task Round_that_sells_what_a_class_does_not_allow_is_not_served()
    {
        (SiteBook book, EpochFile epoch, _) = await EpochAsync(_ => (3, 0, 2, default));
        (RoundBatch round, Demand demand) = Round(book, epoch);
        DeliveryBuilder builder = new(book, Ward.Options, epoch, round, Seed, _ => false);
        Assert.Throws<ExchangeFileException>(() => builder.Draw(9, 0, demand with { Purpose = 7 }, 0, Ward.Now));
        Assert.Throws<ExchangeFileException>(() => builder.Draw(9, 0, demand with { DeadlineSeconds = long.MaxValue }, 0, Ward.Now));
        Assert.Equal(0, book.Budgets.Highest.Micro);
    }

    [Fact]
    public async Task Files_read_back_and_damaged_ones_are_refused()
    {
        (SiteBook book, EpochFile epoch, _) = await EpochAsync(i => ((byte)(3 + i % 2), 0, 0, default));
        (RoundBatch round, Demand demand) = Round(book, epoch);
        DeliveryFile delivery = new DeliveryBuilder(book, Ward.Options, epoch, round, Seed, _ => false)
            .Draw(9, 0, demand, 3, Ward.Now).File;
        byte[] epochBytes = epoch.Write(), deliveryBytes = delivery.Write(Ward.Schema);
        EpochFile epochAgain = EpochFile.Read(epochBytes);
        DeliveryFile deliveryAgain = DeliveryFile.Read(deliveryBytes, Ward.Schema);
        Assert.Equal(epochBytes, epochAgain.Write());
        Assert.Equal(deliveryBytes, deliveryAgain.Write(Ward.Schema));
        Assert.Equal(epoch.Build(ChainId, Contract, Seed).Header, epochAgain.Build(ChainId, Contract, Seed).Header);
        Assert.Equal(delivery.Build(ChainId, Contract, Seed).Header, deliveryAgain.Build(ChainId, Contract, Seed).Header);

        Random random = new(11);
        for (int i = 0; i < 1_000; i++)
        {
            // The checksum is mended half of the time, so that what lies behind it is met as well.
            Refused(epochBytes, random, i % 2 == 0, "EMREPOCH", file => EpochFile.Read(file));
            Refused(deliveryBytes, random, i % 2 == 0, "EMRDELIV", file => DeliveryFile.Read(file, Ward.Schema));
        }
    }

    /// <summary>A damaged file is refused with a typed exception, or, where its checksum was mended, read as what it says.</summary>
    private static void Refused(byte[] good, Random random, bool isMended, string magic, Action<byte[]> read)
    {
        byte[] bad = random.Next(3) == 0 ? good[..random.Next(good.Length)] : [.. good];
        if (bad.Length > 12)
        {
            bad[random.Next(12, bad.Length)] ^= (byte)(1 << random.Next(8));
        }

        if (isMended && bad.Length > 44)
        {
            bad = ExchangeFile.Frame(magic, 1, bad.AsSpan(12, bad.Length - 44));
        }

        Exception? thrown = Record.Exception(() => read(bad));
        Assert.True(thrown is ExchangeFileException || (thrown is null && isMended), $"{thrown}");
    }

    private static async Task<(SiteBook Book, EpochFile Epoch, int Withheld)> EpochAsync(
        Func<int, (byte, byte, byte, Participation)> policy)
    {
        SiteBook book = await Ward.BookAsync(new MemorySiteStore(), Ward.Policies(policy));
        (EpochFile? file, int withheld) = EpochBuilder.Build(book, Ward.Options, 1, 1, new EpochPast(), Ward.Now);
        return (book, file!, withheld);
    }

    /// <summary>Sells half of every class, and one record, to one request at grade 2, with a premium of 25 on every class.</summary>
    private static (RoundBatch Round, Demand Demand) Round(SiteBook book, EpochFile epoch)
    {
        AttributeGrades grades = AttributeGrades.None;
        for (int a = 0; a < Ward.Schema.Attributes.Count; a++)
        {
            grades = grades.With(a, Ward.Schema.Attributes[a].Tier == Tier.Public ? 1 : 2);
        }

        RoundHeader shape = new(book.LedgerId, 0, 0, 1, 6, 1, 0, Seed, Seed, default, default, default, default);
        RoundBatch round = RoundBatch.Build(
            ChainId, Contract, shape, Enumerable.Range(0, epoch.Classes.Length).ToDictionary(k => (uint)k, _ => new PriceLeaf(25, 0, 0, 0)),
            [new RequestLeaf(0, false)],
            [.. epoch.Classes.Select((leaf, k) => new Sale((uint)k, 0, (leaf.Size / 2) + 1))]);
        return (round, new Demand(grades, grades, new TokenAmount(1_000_000), "", 2, Ward.Now + 86_400));
    }
}
