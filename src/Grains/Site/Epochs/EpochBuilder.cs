using System.Runtime.InteropServices;
using System.Security.Cryptography;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Grains.Exchange;

namespace EmrMarket.Grains.Site.Epochs;

/// <summary>Decides an epoch: who is on offer in which class, under which fresh addresses. Order, salts and addresses say nothing about
/// anybody.</summary>
internal static class EpochBuilder
{
    private const int MembersAtOnce = 512;
    private const long SecondsOfQuarter = 7_889_400;

    /// <summary>Decides an epoch; null when nobody can be published.</summary>
    /// <param name="book">The schema's book.</param>
    /// <param name="options">The site's options.</param>
    /// <param name="site">The site's number.</param>
    /// <param name="epoch">The number of the epoch.</param>
    /// <param name="past">Where the records stood in the final epochs before, whose grades may not fall.</param>
    /// <param name="now">The ledger's time.</param>
    public static (EpochFile? File, int Withheld) Build(
        SiteBook book, SiteOptions options, uint site, uint epoch, EpochPast past, long now)
    {
        List<Offer> offers = [];
        List<int> records = [];
        int withheld = 0;
        Dictionary<(SiteBook.PersonPolicy, string, AttributeGrades), OfferTerms> shared = [];
        for (int record = 0; record < book.Records.Count; record++)
        {
            int person = book.Records.PersonIndex[record];
            SiteBook.PersonPolicy policy = book.Policies[person];
            AttributeGrades ceilings = book.CeilingsOf(policy.Profile);
            if (!policy.IsOffered(now) || ceilings == AttributeGrades.None)
            {
                withheld++;
                continue;
            }

            AttributeGrades highWater = HighWater(book, record, past.Find(book.Pseudonyms[record])?.HighWater ?? AttributeGrades.None);
            (SiteBook.PersonPolicy, string, AttributeGrades) key = (policy, CellOf(book, record), highWater);
            if (!shared.TryGetValue(key, out OfferTerms? terms))
            {
                terms = new OfferTerms(
                    (int)site, key.Item2, ceilings, highWater, options.Rates[policy.Rate], policy.Quota,
                    PurposeTree.Default.Closure([policy.Purpose]),
                    policy.ExpirySeconds / SecondsOfQuarter * SecondsOfQuarter);
                shared.Add(key, terms);
            }

            offers.Add(new Offer(person, terms));
            records.Add(record);
        }

        OfferClasses classes = OfferClasses.Build(offers);
        withheld += classes.Withheld.Count;
        if (classes.Classes.Count == 0)
        {
            return (null, withheld);
        }

        int[][] members = [.. classes.Classes.Select(one => Shuffled([.. one.Offers.Select(offer => records[offer])], options.Coins))];
        return (new EpochFile
        {
            Site = site,
            SchemaId = book.LedgerId,
            Epoch = epoch,
            PayoutDepth = options.PayoutDepth,
            Classes = [.. classes.Classes.Select(one => one.Terms.ToLeaf(one.Offers.Count))],
            Cells = [.. classes.Classes.Select(one => one.Terms.PublicCell)],
            Members = Members(
                book, options, epoch, members,
                record => past.Find(book.Pseudonyms[record]) is { } place ? (place.Epoch, place.Position) : (0u, 0u)),
        }, withheld);
    }

    private static MemberLeaf[] Members(
        SiteBook book, SiteOptions options, uint epoch, int[][] classes, Func<int, (uint Epoch, uint Position)> previous)
    {
        (int Record, uint Class)[] places = [.. classes.SelectMany((records, k) => records.Select(record => (record, (uint)k)))];
        MemberLeaf[] leaves = new MemberLeaf[places.Length];
        byte[] salts = new byte[places.Length * Bytes32.Length];
        options.Coins.GetBytes(salts);
        byte[] siteKey = options.Key.ToArray();
        int payouts = 1 << options.PayoutDepth;
        Parallel.For(0, (places.Length + MembersAtOnce - 1) / MembersAtOnce, chunk =>
        {
            int first = chunk * MembersAtOnce, count = Math.Min(MembersAtOnce, places.Length - first);
            Address[] addresses = PatientAddresses.Of(book, siteKey,
            [
                .. places.Skip(first).Take(count).SelectMany(place =>
                {
                    PayoutAccount? account = book.AccountOf(place.Record);
                    return Enumerable.Range(0, payouts).Select(p => new AddressPlace(place.Record, account, epoch, (uint)p))
                        .Prepend(new AddressPlace(place.Record, account, null, 0));
                }),
            ]);
            for (int i = 0; i < count; i++)
            {
                (int record, uint k) = places[first + i];
                Bytes32 pseudonym = book.Pseudonyms[record];
                TreeNode[] nodes = [
                    .. Enumerable.Range(0, payouts).Select(p => Leaves.Payout(pseudonym, (uint)p, addresses[(i * (1 + payouts)) + 1 + p]))];
                (uint previousEpoch, uint previousPosition) = previous(record);
                leaves[first + i] = new MemberLeaf(
                    pseudonym, addresses[i * (1 + payouts)], k, SumTree.Build(options.PayoutDepth, nodes).Root.Hash, previousEpoch,
                    previousPosition,
                    new Bytes32(salts.AsSpan((first + i) * Bytes32.Length, Bytes32.Length)));
            }
        });
        return leaves;
    }

    /// <summary>The highest grades released, and never less than what was published: a class may have been joined whose grades were
    /// higher.</summary>
    private static AttributeGrades HighWater(SiteBook book, int record, AttributeGrades published)
    {
        AttributeGrades grades = published;
        for (int a = 0; a < book.Schema.Attributes.Count; a++)
        {
            int released = book.Schema.Attributes[a].Tier == Tier.Public ? 0 : book.Budgets.HighestGrade(record, a);
            if (released > grades[a])
            {
                grades = grades.With(a, released);
            }
        }

        return grades;
    }

    private static string CellOf(SiteBook book, int record)
    {
        string cell = "";
        for (int a = 0; a < book.Schema.Attributes.Count; a++)
        {
            AttributeDefinition attribute = book.Schema.Attributes[a];
            if (attribute is { Filterable: true, Tier: Tier.Public })
            {
                cell += (cell.Length == 0 ? "" : "&") + attribute.Name + "="
                    + attribute.Domain.Label(book.Records.Columns[a].Codes[record]);
            }
        }

        return cell;
    }

    /// <summary>A uniformly random order (Durstenfeld 1964, doi:10.1145/364520.364540), from 64 bits a place: their remainder is off
    /// uniform by less than 2^-32.</summary>
    private static int[] Shuffled(int[] records, RandomNumberGenerator coins)
    {
        byte[] bytes = new byte[records.Length * sizeof(ulong)];
        coins.GetBytes(bytes);
        ReadOnlySpan<ulong> draws = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = records.Length - 1; i > 0; i--)
        {
            int j = (int)(draws[i] % (ulong)(i + 1));
            (records[i], records[j]) = (records[j], records[i]);
        }

        return records;
    }
}
