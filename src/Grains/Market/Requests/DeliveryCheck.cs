using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Hosting;
using Demand = EmrMarket.Analytics.Pricing.RequestTerms;

namespace EmrMarket.Grains.Market.Requests;

/// <summary>What a delivery has to agree with.</summary>
/// <param name="Schema">The schema.</param>
/// <param name="Terms">The request's terms on the ledger.</param>
/// <param name="RequestIndex">Its index in the book.</param>
/// <param name="Round">The final round.</param>
/// <param name="Seed">The round's seed.</param>
/// <param name="Epoch">The site's epoch that the round sold.</param>
public sealed record DeliveryFrame(MarketSchema Schema, EmrMarket.Contracts.Bindings.RequestTerms Terms, uint RequestIndex,
    OpenedRound Round, Bytes32 Seed, OpenedEpoch Epoch);

/// <summary>
/// Holds a delivery against round, epoch and terms, leaf by leaf and report by report: the same conditions by which the contract judges a
/// challenge, and those on reports that it cannot see. A pure function: the market asks it before it signs, an auditor afterwards.
/// </summary>
public static class DeliveryCheck
{
    /// <summary>The first fault; null when the delivery is as the round says. O(slots).</summary>
    public static string? FindFault(DeliveryFile file, DeliveryFrame frame)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(frame);
        (OpenedRound round, OpenedEpoch epoch) = (frame.Round, frame.Epoch);
        ulong sold = round.Batch.OpenSiteRow(frame.RequestIndex, file.Site).Sum;
        if ((ulong)file.Leaves.Length != sold)
        {
            return $"the round sells {sold} records of site {file.Site}, and the delivery has {file.Leaves.Length} slots";
        }

        Demand demand = frame.Terms.ToDemand();
        int[] graded = new int[file.Leaves.Length];
        (int Attribute, int Grade)[][] expected = new (int, int)[epoch.File.Classes.Length][];
        foreach (
            Sale sale in round.File.Sales.Where(sale => sale.Request == frame.RequestIndex && SiteOf(round.File, sale.Class) == file.Site))
        {
            uint k = sale.Class & ((1u << round.File.ClassBits) - 1);
            if (FindFault(file, frame, demand, sale, k, expected) is { } fault)
            {
                return fault;
            }
        }

        Array.Fill(graded, 0);
        foreach (DeliveryColumn column in file.Columns)
        {
            foreach (int slot in column.Slots)
            {
                if (!expected[file.Leaves[slot].LocalClass].Contains((column.Attribute, column.Grade)))
                {
                    return $"slot {slot} reports '{frame.Schema.Schema.Attributes[column.Attribute].Name}' at grade {column.Grade}, "
                        + "which was not sold";
                }

                graded[slot]++;
            }
        }

        Bytes32[] hashes = file.ReportHashes(frame.Schema.Schema, slot => epoch.File.Members[file.Leaves[slot].MemberPosition].Pseudonym);
        for (int slot = 0; slot < hashes.Length; slot++)
        {
            DeliveryLeaf leaf = file.Leaves[slot];
            if (leaf.PayoutAddress != Address.Zero && (graded[slot] != expected[leaf.LocalClass].Length || leaf.ReportHash != hashes[slot]))
            {
                return graded[slot] != expected[leaf.LocalClass].Length
                    ? $"slot {slot} has reports of {graded[slot]} attributes, and {expected[leaf.LocalClass].Length} were sold"
                    : $"slot {slot} has another report than its leaf says";
            }
        }

        return null;
    }

    private static string? FindFault(DeliveryFile file, DeliveryFrame frame, Demand demand, Sale sale, uint k, (int, int)[][] expected)
    {
        (OpenedRound round, OpenedEpoch epoch) = (frame.Round, frame.Epoch);
        ClassLeaf class_ = epoch.File.Classes[(int)k];
        PairPrice price = PriceRules.Price(frame.Schema.Table, class_.ToOffer(file.Site), demand);
        if (price.Obstacle != Obstacle.None)
        {
            return $"class {k} may not serve the request: {price.Obstacle}";
        }

        UInt128 amount = price.Payment(new TokenAmount(round.Batch.OpenPrice(sale.Class).Leaf.Premium)).Units;
        AttributeGrades ceilings = class_.Ceilings.ToGrades();
        expected[k] =
        [
            .. Enumerable.Range(0, frame.Schema.Schema.Attributes.Count).Where(a => demand.Top[a] > 0)
                .Select(a => (a, frame.Schema.Schema.Attributes[a].Mechanism is null ? 0 : Math.Min(ceilings[a], demand.Top[a]))),
        ];
        Bytes32 key = Drawing.ClassKey(frame.Seed, file.Site, k);
        ulong before = round.Batch.SoldBefore(sale.Class, sale.Request);
        uint first = round.Batch.FirstSlot(sale.Class, sale.Request);
        string?[] faults = new string?[sale.Quantity];
        Parallel.For(0, (int)sale.Quantity, i =>
        {
            uint slot = first + (uint)i;
            DeliveryLeaf leaf = file.Leaves[slot];
            if (leaf == DeliveryBatch.Undelivered)
            {
                return;
            }

            (uint offset, uint lap) = Drawing.Draw(key, class_.Size, before, (uint)i);
            uint position = epoch.Batch.Starts[(int)k] + offset;
            faults[i] = leaf.LocalClass != k ? $"slot {slot} is of class {leaf.LocalClass}, and the round puts class {k} there"
                : leaf.MemberPosition != position ? $"slot {slot} is of member {leaf.MemberPosition}, and the seed draws {position}"
                : leaf.Amount != amount ? $"slot {slot} costs {leaf.Amount}, and ask and premium are {amount}"
                : leaf.Effective != (UInt128)price.ScorePpb
                ? $"slot {slot} counts {leaf.Effective} ppb, and the grades give {price.ScorePpb}"
                : epoch.File.PayoutDepth == 0
                && Leaves.Payout(epoch.File.Members[position].Pseudonym, 0, leaf.PayoutAddress).Hash != epoch.File.Members[
                    position].PayoutRoot
                    ? $"slot {slot} pays to {leaf.PayoutAddress}, which is not the member's"
                : null;
        });
        return Array.Find(faults, fault => fault is not null);
    }

    private static uint SiteOf(RoundFile round, uint position) => (position >> round.ClassBits) + 1;
}
