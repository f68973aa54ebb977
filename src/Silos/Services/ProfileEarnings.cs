using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Services;

/// <summary>What records earn by the profile under which they are published, from the ledger and its files: what comparable settings
/// earned, for patients to see.</summary>
internal static class ProfileEarnings
{
    /// <summary>A profile's records and money.</summary>
    /// <param name="Offered">Records in the sites' newest final epochs.</param>
    /// <param name="Sold">Records delivered, in final deliveries.</param>
    /// <param name="Paid">What is paid for them, token units.</param>
    internal readonly record struct Row(long Offered, long Sold, UInt128 Paid);

    /// <summary>Per profile of the schema's menu.</summary>
    public static async Task<Row[]> OfAsync(MarketRole market, Schema schema)
    {
        Row[] rows = new Row[schema.Profiles.Count];
        Bytes32 id = schema.LedgerId();
        foreach (EpochRow row in market.View.Sites().Select(site => market.View.FinalEpoch(site.Site, id)).OfType<EpochRow>())
        {
            if (await market.Context.EpochAsync(row.Header.DataHash) is { } epoch)
            {
                foreach (ClassLeaf leaf in epoch.File.Classes)
                {
                    Add(rows, ProfileOf(schema, leaf), new Row(leaf.Size, 0, 0));
                }
            }
        }

        foreach (RequestRow request in market.View.Requests(id))
        {
            RoundRow? roundRow = market.View.Rounds(id)
                .FirstOrDefault(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final);
            OpenedRound? round = roundRow is null ? null : await market.Context.RoundAsync(roundRow.Header.DataHash);
            if (round is not null)
            {
                await AddSalesAsync(rows, market, schema, request, round);
            }
        }

        return rows;
    }

    private static async Task AddSalesAsync(Row[] rows, MarketRole market, Schema schema, RequestRow request, OpenedRound round)
    {
        foreach (DeliveryRow row in market.View.Deliveries(request.RequestId).Where(row => row.Status == BatchStatus.Final))
        {
            EpochReference? reference = round.File.Epochs.Cast<EpochReference?>()
                .FirstOrDefault(epoch => epoch!.Value.Site == row.Header.Site);
            if (reference is { } used && await market.Context.EpochAsync(used.DataHash) is { } epoch
                && await market.Context.DeliveryAsync(row.Header.DataHash, schema) is { } delivery)
            {
                int[] profiles = Array.ConvertAll(epoch.File.Classes, leaf => ProfileOf(schema, leaf));
                foreach (DeliveryLeaf leaf in delivery.File.Leaves.Where(leaf => leaf.PayoutAddress != Address.Zero))
                {
                    Add(rows, profiles[leaf.LocalClass], new Row(0, 1, leaf.Amount));
                }
            }
        }
    }

    /// <summary>The profile that a class was published under; -1 when it is on the menu no more.</summary>
    private static int ProfileOf(Schema schema, ClassLeaf leaf)
    {
        AttributeGrades ceilings = leaf.Ceilings.ToGrades();
        return Enumerable.Range(0, schema.Profiles.Count).FirstOrDefault(
            p => Enumerable.Range(0, schema.Attributes.Count)
                .All(a => schema.Attributes[a].Tier == Tier.Public || schema.Profiles[p][a] == ceilings[a]), -1);
    }

    private static void Add(Row[] rows, int profile, Row more)
    {
        if (profile >= 0)
        {
            rows[profile] = new Row(rows[profile].Offered + more.Offered, rows[profile].Sold + more.Sold, rows[profile].Paid + more.Paid);
        }
    }
}
