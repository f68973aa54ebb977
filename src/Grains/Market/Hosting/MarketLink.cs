using System.Collections.Concurrent;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Grains.Market.Storage;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using LedgerRound = EmrMarket.Grains.Ledger.View.RoundRow;
using StoredDelivery = EmrMarket.Grains.Market.Storage.DeliveryRow;

namespace EmrMarket.Grains.Market.Hosting;

/// <summary>The market's end of the link to the sites. Nothing that a site says is believed: it is held against the ledger, or its hash
/// will be.</summary>
public sealed class MarketLink(MarketContext market) : ISiteMarketLink
{
    private const int MostOrders = 100;

    private const long SecondsBetweenQuestions = 3_600;

    // Files of epochs by hash: the hour of the ledger's time in which one was missed, or the last of all when it is there.
    private readonly ConcurrentDictionary<Bytes32, long> _looked = new();

    // A round of thousands of classes has a file of megabytes, and each of its orders carries it: what is left over is asked for next.
    private const long MostOrderBytes = 16 << 20;

    /// <inheritdoc/>
    public Task<MarketDescription> DescribeAsync(CancellationToken cancellationToken) => Task.FromResult(new MarketDescription
    {
        ChainId = market.ChainId,
        AccessControl = market.Access.ToArray(),
        Schemas = market.Schemas.ToDictionary(pair => pair.Key, pair => pair.Value.Schema.ToJson(), StringComparer.Ordinal),
    });

    /// <inheritdoc/>
    public async Task PublishEpochAsync(EpochPublication publication, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(publication);
        EpochFile file = Read(() => EpochFile.Read(publication.LeafFile));
        if (file.Site != publication.Site)
        {
            throw new LinkRefusedException("wrong-site", $"site {publication.Site} hands in an epoch of site {file.Site}");
        }

        if (!market.Schemas.ContainsKey(MarketContext.Name(file.SchemaId)))
        {
            throw new LinkRefusedException("unknown-schema", $"this market does not deal in schema {file.SchemaId}");
        }

        await market.Store.KeepFileAsync(
            MarketContext.Name(EpochFile.HashOf(publication.LeafFile)), publication.LeafFile, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<DeliveryOrder[]> GetOrdersAsync(uint site, long afterSequence, CancellationToken cancellationToken)
    {
        MarketTelemetry.Asked(site);
        await CheckEpochsAsync(site, cancellationToken);
        List<DeliveryOrder> orders = [];
        (string Hash, byte[] Bytes) file = ("", []);
        long bytes = 0;
        foreach (OrderRow row in await market.Store.FindOrdersAsync(site, afterSequence, MostOrders, cancellationToken))
        {
            if (row.RoundFileHash != file.Hash)
            {
                file = (row.RoundFileHash, await market.Store.FindFileAsync(row.RoundFileHash, cancellationToken)
                    ?? throw new InvalidOperationException($"the market's store lost file {row.RoundFileHash} of a round with orders"));
            }

            bytes += file.Bytes.Length;
            if (orders.Count > 0 && bytes > MostOrderBytes)
            {
                break;
            }

            orders.Add(new DeliveryOrder
            {
                Sequence = row.Sequence,
                RequestId = row.RequestId,
                TermsJson = (await market.Store.FindRequestAsync(row.RequestKey, cancellationToken))?.TermsJson ?? "",
                RoundFile = file.Bytes,
                Attempt = row.Attempt,
            });
        }

        return [.. orders];
    }

    /// <summary>A market that was put back from a backup lacks epochs that were handed in since, and asks their site for them: once an
    /// hour, since a site that has lost them too serves its other orders all the same.</summary>
    private async Task CheckEpochsAsync(uint site, CancellationToken cancellationToken)
    {
        long hour = market.View.NowSeconds / SecondsBetweenQuestions;
        Bytes32? missing = null;
        foreach (Bytes32 hash in market.View.EpochsOf(site, 0).Where(epoch => epoch.Status != BatchStatus.Void)
            .Select(epoch => epoch.Header.DataHash).Where(hash => _looked.GetValueOrDefault(hash, long.MinValue) < hour))
        {
            bool isThere = await market.Store.FindFileAsync(MarketContext.Name(hash), cancellationToken) is not null;
            _looked[hash] = isThere ? long.MaxValue : hour;
            missing ??= isThere ? null : hash;
        }

        if (missing is { } lost)
        {
            throw new LinkRefusedException(LinkRefusedException.EpochMissing,
                $"the market does not have file {MarketContext.Name(lost)} of an epoch of site {site}: hand it in again");
        }
    }

    /// <inheritdoc/>
    public async Task<DeliveryReceipt> DeliverAsync(DeliveryMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        try
        {
            DeliveryReceipt receipt = await TakeAsync(message, cancellationToken);
            MarketTelemetry.Delivered("accepted");
            return receipt;
        }
        catch (LinkRefusedException e)
        {
            MarketTelemetry.Delivered(e.Code);
            throw;
        }
    }

    private async Task<DeliveryReceipt> TakeAsync(DeliveryMessage message, CancellationToken cancellationToken)
    {
        await market.View.SyncAsync(cancellationToken);
        OrderRow order = (await market.Store.FindOrdersAsync(message.Site, message.Sequence - 1, 1, cancellationToken))
            .FirstOrDefault(row => row.Sequence == message.Sequence)
            ?? throw new LinkRefusedException("unknown-order", $"site {message.Site} has no order {message.Sequence}");
        LedgerRequest request = market.View.Request(order.RequestId)
            ?? throw new LinkRefusedException(
                LinkRefusedException.NotReady, $"the ledger, as far as it was read here, has no request {order.RequestId}");
        MarketSchema schema = market.Schemas[MarketContext.Name(request.Terms.SchemaId)];
        DeliveryFile file = Read(() => DeliveryFile.Read(message.DeliveryFile, schema.Schema));
        if (file.Site != message.Site || file.RequestId != order.RequestId || file.Attempt != order.Attempt)
        {
            throw new LinkRefusedException(
                "wrong-order",
                $"the file is attempt {file.Attempt} of site {file.Site} for request {file.RequestId}; order {order.Sequence} is attempt "
                    + $"{order.Attempt} of site {order.Site} for request {order.RequestId}");
        }

        DeliveryFrame frame = await FrameAsync(schema, request, message.Site, order);
        if (DeliveryCheck.FindFault(file, frame) is { } fault)
        {
            throw new LinkRefusedException("wrong-delivery", $"the delivery of site {file.Site} to request {file.RequestId}: {fault}");
        }

        Bytes32 hash = EpochFile.HashOf(message.DeliveryFile);
        var batch = file.Build(market.ChainId, market.Evaluation.Address, hash);
        string name = MarketContext.Name(hash);
        await market.Store.KeepFileAsync(name, message.DeliveryFile, cancellationToken);
        StoredDelivery kept = await market.Store.KeepDeliveryAsync(
            new StoredDelivery
            {
                RequestId = file.RequestId,
                Site = file.Site,
                Attempt = file.Attempt,
                FileHash = name,
                Receipt = Convert.ToHexStringLower(market.Sign(batch.Id, batch.Header)),
            },
            cancellationToken);
        return new DeliveryReceipt { Signature = Convert.FromHexString(kept.Receipt) };
    }

    /// <inheritdoc/>
    public async Task<byte[]?> FindFileAsync(uint site, string sha256, CancellationToken cancellationToken)
    {
        await market.View.SyncAsync(cancellationToken);
        bool isTheirs = market.View.EpochsOf(site, 0).Any(epoch => MarketContext.Name(epoch.Header.DataHash) == sha256)
            || market.View.DeliveriesOf(site, 0).Any(delivery => MarketContext.Name(delivery.Header.DataHash) == sha256);
        return isTheirs ? await market.Store.FindFileAsync(sha256, cancellationToken)
            : throw new LinkRefusedException("unknown-file", $"site {site} has posted no batch with the file {sha256}");
    }

    private async Task<DeliveryFrame> FrameAsync(MarketSchema schema, LedgerRequest request, uint site, OrderRow order)
    {
        LedgerRound? ledgerRound = market.View.Rounds(request.Terms.SchemaId)
            .FirstOrDefault(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final);
        OpenedRound? round = ledgerRound is null ? null : await market.RoundAsync(ledgerRound.Header.DataHash);
        EpochReference? reference = round?.File.Epochs.Cast<EpochReference?>().FirstOrDefault(epoch => epoch!.Value.Site == site);
        OpenedEpoch? epoch = reference is null ? null : await market.EpochAsync(reference.Value.DataHash);
        return ledgerRound?.Seed is { } seed && round is not null && epoch is not null
            ? new DeliveryFrame(schema, request.Terms, request.Index, round, seed, epoch)
            : throw new LinkRefusedException(
                LinkRefusedException.NotReady, $"order {order.Sequence} belongs to a round that is not final, or whose files are not here");
    }

    private static T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ExchangeFileException e)
        {
            throw new LinkRefusedException(e.Code, e.Message);
        }
    }
}
