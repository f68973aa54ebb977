using System.Text.Json;
using EmrMarket.Analytics.Matching;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Rounds;
using LedgerDelivery = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using LedgerRound = EmrMarket.Grains.Ledger.View.RoundRow;

namespace EmrMarket.Grains.Market.Requests;

/// <summary>
/// An auditor's full replay of a request: from the chain's tables and the files that its hashes name, the match is verified, the drawing
/// repeated, every leaf and report held against it, and the statistics computed again. What the market's own tables say is compared at the
/// end and believed nowhere.
/// </summary>
public static class RequestReplay
{
    /// <summary>The first fault; null when all is as it must be.</summary>
    /// <param name="market">Where files are found by their hashes, and the chain as it was read.</param>
    /// <param name="requestId">The request's id on the ledger.</param>
    /// <param name="termsJson">The terms document.</param>
    /// <param name="claimed">The results that are claimed; null when none are.</param>
    public static async Task<string?> FindFaultAsync(MarketContext market, ulong requestId, string termsJson, string? claimed)
    {
        ArgumentNullException.ThrowIfNull(market);
        LedgerRequest? request = market.View.Request(requestId);
        if (request is null)
        {
            return $"the ledger has no request {requestId}";
        }

        MarketSchema schema = market.Schemas[MarketContext.Name(request.Terms.SchemaId)];
        TermsDocument terms = TermsDocument.Read(termsJson);
        if (terms.ToLedger(schema.Schema) != request.Terms)
        {
            return $"the terms on the ledger do not follow from the terms document of request {requestId}";
        }

        LedgerRound? row = market.View.Rounds(request.Terms.SchemaId)
            .FirstOrDefault(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final);
        OpenedRound? round = row is null ? null : await market.RoundAsync(row.Header.DataHash);
        if (round is null || round.Batch.Header != row!.Header)
        {
            return row is null ? $"the book of request {requestId} has no final round"
                : $"the file of round {row.Header.Ordinal} is missing, or gives another header than the ledger's";
        }

        RoundDecision? decision = await RoundInputs.DecisionAsync(
            market, market.View.Books(request.Terms.SchemaId).First(book => book.Ordinal == request.Book));
        if (decision is null || !decision.Supply.Select(supply => supply.Epoch).SequenceEqual(round.File.Epochs))
        {
            return $"round {row.Header.Ordinal} uses other epochs than those that were final when its book closed";
        }

        IReadOnlyList<MatchFault> faults = MatchVerifier.FindFaults(decision.Problem, decision.ToOutcome(round.File), limit: 1);
        return faults.Count > 0 ? $"the match of round {row.Header.Ordinal}: {faults[0]}"
            : await DeliveriesAsync(market, schema, terms, request, row, round, claimed);
    }

    private static async Task<string?> DeliveriesAsync(
        MarketContext market, MarketSchema schema, TermsDocument terms, LedgerRequest request, LedgerRound row, OpenedRound round,
        string? claimed)
    {
        List<(DeliveryFile, string)> files = [];
        foreach (LedgerDelivery delivery in market.View.Deliveries(request.RequestId)
            .Where(delivery => delivery.Status == BatchStatus.Final && delivery.Header.Count > 0))
        {
            OpenedDelivery? opened = await market.DeliveryAsync(delivery.Header.DataHash, schema.Schema);
            EpochReference reference = round.File.Epochs.FirstOrDefault(epoch => epoch.Site == delivery.Header.Site);
            OpenedEpoch? epoch = await market.EpochAsync(reference.DataHash);
            if (opened is null || epoch is null || opened.Batch.Header != delivery.Header)
            {
                return $"a file of site {delivery.Header.Site}'s delivery is missing, or gives another header than the ledger's";
            }

            if (DeliveryCheck.FindFault(
                opened.File, new DeliveryFrame(schema, request.Terms, request.Index, round, row.Seed!.Value, epoch)) is { } fault)
            {
                return $"the delivery of site {delivery.Header.Site}: {fault}";
            }

            foreach (ClaimRow claim in market.View.Claims(delivery.Id))
            {
                if (opened.File.Leaves[claim.Slot].PayoutAddress != claim.Payee || opened.File.Leaves[claim.Slot].Amount != claim.Amount)
                {
                    return $"slot {claim.Slot} of site {delivery.Header.Site}'s delivery was paid otherwise than delivered";
                }
            }

            files.Add((opened.File, MarketContext.Name(delivery.Header.DataHash)));
        }

        string? computed = files.Count == 0
            ? null : JsonSerializer.Serialize(RequestResults.Of(schema.Schema, terms, request.RequestId, files), RequestResults.Json);
        return claimed is null || claimed == computed
            ? null : $"the results of request {request.RequestId} are not those that its deliveries give";
    }
}
