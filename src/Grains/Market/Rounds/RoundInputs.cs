using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;

namespace EmrMarket.Grains.Market.Rounds;

/// <summary>What the ledger fixed for the round of a book: the final epochs at the end of its closing block, and its requests by
/// index.</summary>
/// <param name="Supply">The epochs by site.</param>
/// <param name="Demand">The requests by index.</param>
public sealed record RoundInputs(IReadOnlyList<RoundSupply> Supply, IReadOnlyList<RoundDemand> Demand)
{
    /// <summary>Reads them; null while a leaf file or a request is missing here.</summary>
    public static async Task<RoundInputs?> ReadAsync(MarketContext market, BookRow book)
    {
        ArgumentNullException.ThrowIfNull(market);
        ArgumentNullException.ThrowIfNull(book);
        RequestRow[] requests = [
            .. market.View.Requests(book.SchemaId).Where(request => request.Book == book.Ordinal).OrderBy(request => request.Index)];
        if (requests.Length != book.RequestCount)
        {
            return null;
        }

        List<RoundSupply> supply = [];
        foreach (SiteRow site in market.View.Sites().OrderBy(site => site.Site))
        {
            if (market.View.FinalEpoch(site.Site, book.SchemaId, book.ClosedBlock) is not { } epoch)
            {
                continue;
            }

            OpenedEpoch? opened = await market.EpochAsync(epoch.Header.DataHash);
            if (opened is null)
            {
                return null;
            }

            supply.Add(new RoundSupply(new EpochReference(site.Site, epoch.Header.Epoch, epoch.Header.DataHash), opened.File.Classes));
        }

        return new RoundInputs(
            supply,
            [.. requests.Select(request => new RoundDemand(request.RequestId, request.Terms, request.Capacity, request.Cancelled))]);
    }

    /// <summary>The least bits of sites and classes that the contract takes for a round of a schema now; they only rise.</summary>
    public static (byte Sites, byte Classes) BitsNow(MarketContext market, Bytes32 schemaId)
    {
        ArgumentNullException.ThrowIfNull(market);
        int mostClasses = market.View.Epochs(schemaId).Max(epoch => (int?)epoch.Header.ClassCount) ?? 1;
        return ((byte)SumTree.DepthFor(market.View.Sites().Count), (byte)SumTree.DepthFor(mostClasses));
    }

    /// <summary>The problem of a book, set up anew from the ledger; null while a file is missing here.</summary>
    public static async Task<RoundDecision?> DecisionAsync(MarketContext market, BookRow book)
    {
        ArgumentNullException.ThrowIfNull(market);
        ArgumentNullException.ThrowIfNull(book);
        return await ReadAsync(market, book) is { } inputs
            ? RoundDecision.Of(market.Schemas[MarketContext.Name(book.SchemaId)].Table, inputs.Supply, inputs.Demand) : null;
    }
}
