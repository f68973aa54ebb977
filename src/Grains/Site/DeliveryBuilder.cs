using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Exchange;
using Demand = EmrMarket.Analytics.Pricing.RequestTerms;

namespace EmrMarket.Grains.Site;

/// <summary>Draws what a round sold of a site to a request: who, at which grade, for how much; and what has to stay empty because somebody
/// no longer allows it or could lose too much.</summary>
internal sealed class DeliveryBuilder(
    SiteBook book, SiteOptions options, EpochFile epoch, RoundBatch round, Bytes32 seed, Func<Bytes32, bool> isRevoked)
{
    /// <summary>A drawn delivery with the losses that it reserved.</summary>
    internal sealed record Drawn(
        DeliveryFile File, int[] Records, int[] Attributes, byte[] Grades, Reservation[] Reserved, int Sold, int OverCap, int NotAllowed);

    /// <summary>One sold record.</summary>
    private readonly record struct Slot(
        int Index, int Record, uint LocalClass, uint Member, uint PayoutIndex, UInt128 Amount, UInt128 Effective, byte[] Grades);

    /// <summary>Draws the delivery of one request.</summary>
    /// <param name="request">The request's id on the ledger.</param>
    /// <param name="column">Its index in the book.</param>
    /// <param name="demand">Its terms.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="now">The ledger's time.</param>
    /// <exception cref="ExchangeFileException">The round sells what the class does not allow: nothing is drawn.</exception>
    public Drawn Draw(ulong request, uint column, Demand demand, uint attempt, long now)
    {
        int[] wanted = [.. Enumerable.Range(0, book.Schema.Attributes.Count).Where(a => demand.Top[a] > 0)];
        int[] randomised = [.. wanted.Where(a => book.Schema.Attributes[a].Tier != Tier.Public)];
        int sold = checked((int)round.OpenSiteRow(column, epoch.Site).Sum);
        List<Slot> slots = [];
        List<Reservation> reserved = [];
        int overCap = 0, notAllowed = 0;
        foreach (Slot slot in SlotsOf(column, demand, randomised))
        {
            if (!IsStillAllowed(slot, demand, randomised, now))
            {
                notAllowed++;
            }
            else if (book.Budgets.TryReserve(slot.Record, randomised, slot.Grades) is { } losses)
            {
                slots.Add(slot);
                reserved.Add(losses);
            }
            else
            {
                overCap++;
            }
        }

        DeliveryFile file = ToFile(request, attempt, sold, slots, wanted, randomised);
        return new Drawn(
            file, [.. slots.Select(slot => slot.Record)], randomised, [.. slots.SelectMany(slot => slot.Grades)], [.. reserved], sold,
            overCap, notAllowed);
    }

    /// <summary>All that a round sold of this site to a request, whatever is allowed: the most that any delivery of it can have
    /// held.</summary>
    /// <returns>Records, randomised attributes, and per record and attribute the grade.</returns>
    public (int[] Records, int[] Attributes, byte[] Grades) Sold(uint column, Demand demand)
    {
        int[] randomised = RandomisedOf(book, demand);
        Slot[] slots = [.. SlotsOf(column, demand, randomised)];
        return ([.. slots.Select(slot => slot.Record)], randomised, [.. slots.SelectMany(slot => slot.Grades)]);
    }

    /// <summary>All that a request could buy of an epoch: the most that a delivery of which only the ledger knows can have held.</summary>
    /// <inheritdoc cref="Sold" path="/returns"/>
    public static (int[] Records, int[] Attributes, byte[] Grades) Everybody(SiteBook book, EpochFile epoch, Demand demand)
    {
        int[] randomised = RandomisedOf(book, demand);
        OfferTerms[] offers = [.. epoch.Classes.Select(leaf => leaf.ToOffer(epoch.Site))];
        return (
            [.. epoch.Members.Select(member => book.RecordOf(member.Pseudonym))], randomised,
            [.. epoch.Members.SelectMany(member => randomised.Select(
                a => (byte)Math.Min(offers[member.LocalClass].Ceilings[a], demand.Top[a])))]);
    }

    /// <summary>What a delivered file holds.</summary>
    /// <inheritdoc cref="Sold" path="/returns"/>
    public static (int[] Records, int[] Attributes, byte[] Grades) Delivered(
        SiteBook book, DeliveryFile file, EpochFile epoch, Demand demand)
    {
        int[] randomised = RandomisedOf(book, demand);
        byte[] grades = new byte[file.Leaves.Length * randomised.Length];
        foreach (DeliveryColumn column in file.Columns.Where(column => randomised.Contains(column.Attribute)))
        {
            foreach (int slot in column.Slots)
            {
                grades[(slot * randomised.Length) + Array.IndexOf(randomised, column.Attribute)] = (byte)column.Grade;
            }
        }

        int[] full = [.. Enumerable.Range(0, file.Leaves.Length).Where(slot => file.Leaves[slot].PayoutAddress != Address.Zero)];
        return (
            [.. full.Select(slot => book.RecordOf(epoch.Members[file.Leaves[slot].MemberPosition].Pseudonym))], randomised,
            [.. full.SelectMany(slot => grades[(slot * randomised.Length)..((slot + 1) * randomised.Length)])]);
    }

    private static int[] RandomisedOf(SiteBook book, Demand demand) =>
        [.. Enumerable.Range(0, book.Schema.Attributes.Count)
            .Where(a => demand.Top[a] > 0 && book.Schema.Attributes[a].Tier != Tier.Public)];

    private IEnumerable<Slot> SlotsOf(uint column, Demand demand, int[] randomised)
    {
        uint start = 0;
        for (uint k = 0; k < epoch.Classes.Length; start += epoch.Classes[k].Size, k++)
        {
            ClassLeaf leaf = epoch.Classes[k];
            uint position = ((epoch.Site - 1) << round.Header.ClassBits) | k;
            uint quantity = round.Quantity(position, column);
            if (quantity == 0)
            {
                continue;
            }

            OfferTerms offer = leaf.ToOffer(epoch.Site);
            PairPrice price = PriceRules.Price(book.Quality, offer, demand);
            if (price.Obstacle != Obstacle.None || quantity > leaf.Size)
            {
                throw new ExchangeFileException(
                    "round-inadmissible", $"the round sells {quantity} records of class {k}, which it may not: {price.Obstacle}");
            }

            UInt128 amount = price.Ask.Units + round.OpenPrice(position).Leaf.Premium;
            byte[] grades = [.. randomised.Select(a => (byte)Math.Min(offer.Ceilings[a], demand.Top[a]))];
            Bytes32 key = Drawing.ClassKey(seed, epoch.Site, k);
            ulong before = round.SoldBefore(position, column);
            uint first = round.FirstSlot(position, column);
            for (uint i = 0; i < quantity; i++)
            {
                (uint offset, uint lap) = Drawing.Draw(key, leaf.Size, before, i);
                uint member = start + offset;
                int record = book.RecordOf(epoch.Members[member].Pseudonym);
                yield return new Slot(
                    (int)(first + i), record, k, member, Drawing.PayoutIndex(round.Header.Ordinal, leaf.Quota, lap, epoch.PayoutDepth),
                    amount, (UInt128)price.ScorePpb,
                    grades);
            }
        }
    }

    /// <summary>The payout addresses of slots, derived many at a time: most of their cost is shared.</summary>
    private Address[] PayeesOf(List<Slot> slots)
    {
        const int AtOnce = 512;
        byte[] siteKey = options.Key.ToArray();
        Address[] payees = new Address[slots.Count];
        Parallel.For(0, (slots.Count + AtOnce - 1) / AtOnce, chunk =>
        {
            PatientAddresses.Of(book, siteKey,
            [
                .. slots.Skip(chunk * AtOnce).Take(AtOnce).Select(slot => new AddressPlace(
                    slot.Record, book.AccountBehind(slot.Record, epoch.Members[slot.Member].Controller), epoch.Epoch, slot.PayoutIndex)),
            ]).CopyTo(payees, chunk * AtOnce);
        });
        return payees;
    }

    /// <summary>Whether all who are in a drawn delivery still allow it.</summary>
    public static bool IsAllowed(SiteBook book, DeliveryFile file, EpochFile epoch, Demand demand, long now, Func<Bytes32, bool> isRevoked)
    {
        ArgumentNullException.ThrowIfNull(file);
        byte[] highest = new byte[file.Leaves.Length * book.Schema.Attributes.Count];
        foreach (DeliveryColumn column in file.Columns)
        {
            foreach (int slot in column.Slots)
            {
                highest[(slot * book.Schema.Attributes.Count) + column.Attribute] = (byte)column.Grade;
            }
        }

        int[] randomised = RandomisedOf(book, demand);
        return Enumerable.Range(0, file.Leaves.Length).All(slot => file.Leaves[slot].PayoutAddress == Address.Zero
            || (epoch.Members[file.Leaves[slot].MemberPosition].Pseudonym is var pseudonym && !isRevoked(pseudonym)
                && IsAllowed(book, book.RecordOf(pseudonym), a => highest[(slot * book.Schema.Attributes.Count) + a], demand,
                    randomised, now)));
    }

    /// <summary>Whether today's policy still allows what the published class allowed: whoever became stricter since is left out, not
    /// overruled.</summary>
    private bool IsStillAllowed(Slot slot, Demand demand, int[] randomised, long now) => !isRevoked(epoch.Members[slot.Member].Pseudonym)
        && IsAllowed(book, slot.Record, a => slot.Grades[Array.IndexOf(randomised, a)], demand, randomised, now);

    private static bool IsAllowed(SiteBook book, int record, Func<int, byte> grade, Demand demand, int[] randomised, long now)
    {
        SiteBook.PersonPolicy policy = book.Policies[book.Records.PersonIndex[record]];
        AttributeGrades ceilings = book.CeilingsOf(policy.Profile);
        return policy.IsOffered(now) && ceilings != AttributeGrades.None && Array.TrueForAll(randomised, a => grade(a) <= ceilings[a])
            && PurposeTree.Default.Closure([policy.Purpose]).Contains(demand.Purpose);
    }

    private DeliveryFile ToFile(ulong request, uint attempt, int sold, List<Slot> slots, int[] wanted, int[] randomised)
    {
        slots.Sort((a, b) => a.Index.CompareTo(b.Index));
        int[] persons = new int[sold];
        Array.Fill(persons, -1);
        Dictionary<int, int> numbers = [];
        foreach (Slot slot in slots)
        {
            int person = book.Records.PersonIndex[slot.Record];
            if (!numbers.TryGetValue(person, out int number))
            {
                numbers.Add(person, number = numbers.Count);
            }

            persons[slot.Index] = number;
        }

        DeliveryColumn[] columns = [.. wanted.SelectMany(a => ColumnsOf(a, Array.IndexOf(randomised, a), slots))];
        DeliveryLeaf[] leaves = new DeliveryLeaf[sold];
        Array.Fill(leaves, DeliveryBatch.Undelivered);
        DeliveryFile file = Of(leaves);
        Address[] payees = PayeesOf(slots);
        for (int i = 0; i < slots.Count; i++)
        {
            leaves[slots[i].Index] = new DeliveryLeaf(
                slots[i].LocalClass, slots[i].Member, payees[i], Bytes32.Zero, slots[i].Amount, slots[i].Effective);
        }

        // The hashes are of the reports, which are there already; only then are the leaves whole.
        Bytes32[] hashes = file.ReportHashes(book.Schema, slot => epoch.Members[leaves[slot].MemberPosition].Pseudonym);
        for (int slot = 0; slot < sold; slot++)
        {
            leaves[slot] = leaves[slot] with { ReportHash = hashes[slot] };
        }

        return file;

        DeliveryFile Of(DeliveryLeaf[] all) => new()
        {
            RequestId = request, Site = epoch.Site, Attempt = attempt, Leaves = all, Persons = persons, Columns = columns,
        };
    }

    /// <summary>The reports of one attribute, one column per grade that somebody delivers at.</summary>
    private IEnumerable<DeliveryColumn> ColumnsOf(int attribute, int place, List<Slot> slots)
    {
        AttributeDefinition definition = book.Schema.Attributes[attribute];
        RecordColumn column = book.Records.Columns[attribute];
        foreach (IGrouping<int, Slot> group in slots.GroupBy(slot => place < 0 ? 0 : slot.Grades[place]).OrderBy(group => group.Key))
        {
            int[] indices = [.. group.Select(slot => slot.Index)];
            int[] records = [.. group.Select(slot => slot.Record)];
            RecordColumn part = new()
            {
                Attribute = definition,
                Codes = Array.ConvertAll(records, record => column.Codes[record]),
                Fractions = column.Fractions is { } fractions ? Array.ConvertAll(records, record => fractions[record]) : null,
            };
            if (definition.Mechanism is null)
            {
                yield return new DeliveryColumn(attribute, 0, indices, new CodeReports(part.Codes));
                continue;
            }

            ulong[] facts = Array.ConvertAll(
                records, record => definition.ConstantPerPerson ? book.Records.PersonKeys[record] : book.Records.RecordKeys[record]);
            IReportLadder ladder = MechanismCatalogue.Get(definition.Mechanism).CreateLadder(definition.Domain, book.Schema.Grades);
            yield return new DeliveryColumn(
                attribute, group.Key, indices, ladder.Draw(ColumnKey.Derive(options.Key, definition.Source), part, facts, [group.Key])[0]);
        }
    }
}
