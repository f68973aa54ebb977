using System.Text.Json;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Hosting;
using LedgerDelivery = EmrMarket.Grains.Ledger.View.DeliveryRow;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Grains.Market.Requests;

/// <summary>Computes a request's statistics from its final deliveries, once; what is kept is what everybody gets.</summary>
public sealed class AggregatorGrain(MarketContext market) : Grain, IAggregatorGrain
{
    private string Key => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public async Task<string> EvaluateAsync()
    {
        if (await market.Store.FindResultsAsync(Key, CancellationToken.None) is { } known)
        {
            return known;
        }

        StoredRequest row = await market.Store.FindRequestAsync(Key, CancellationToken.None)
            ?? throw new RequestRefusedException("unknown-request", $"there is no request {Key}");
        LedgerDelivery[] final = [
            .. market.View.Deliveries(row.RequestId).Where(delivery => delivery.Status == BatchStatus.Final && delivery.Header.Count > 0)];
        if (final.Length == 0)
        {
            throw new RequestRefusedException("not-delivered", $"request {row.RequestId} has no final delivery yet");
        }

        MarketSchema schema = market.Schemas[row.SchemaId];
        List<(DeliveryFile, string)> files = [];
        foreach (LedgerDelivery delivery in final)
        {
            OpenedDelivery opened = await market.DeliveryAsync(delivery.Header.DataHash, schema.Schema)
                ?? throw new InvalidOperationException($"The store lost file {delivery.Header.DataHash}.");
            files.Add((opened.File, MarketContext.Name(delivery.Header.DataHash)));
        }

        RequestResults results = RequestResults.Of(schema.Schema, TermsDocument.Read(row.TermsJson), row.RequestId, files);
        return await market.Store.KeepResultsAsync(Key, JsonSerializer.Serialize(results, RequestResults.Json), CancellationToken.None);
    }
}
