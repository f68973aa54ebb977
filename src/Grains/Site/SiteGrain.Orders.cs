using System.Security.Cryptography;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site;

// Orders of the market: drawn, handed over, posted.
public sealed partial class SiteGrain
{
    private async Task AdvanceOrdersAsync(uint site, Progress progress)
    {
        SiteOrderRow[] known = await store.ReadOrdersAsync(CancellationToken.None);
        ForgetBooksBehind(known);

        // What the market has signed for needs the market no more.
        await RecordAllAsync(site, known, progress);
        foreach (SiteOrderRow row in known.Where(row => row.State is SiteOrderState.Reserved or SiteOrderState.Sending))
        {
            await HandOverAsync(site, row, progress);
        }

        DeliveryOrder[] orders = await NewOrdersAsync(site, known);
        foreach (DeliveryOrder order in orders)
        {
            SiteOrderRow? row = await TakeAsync(site, order);
            if (row is null)
            {
                progress.Wait(null, $"the ledger to show the round of order {order.Sequence}");
                break;
            }

            progress.Done();
            if (row.State == SiteOrderState.Reserved)
            {
                await HandOverAsync(site, row, progress, isJustDrawn: true);
            }
        }

        if (progress.HasDone)
        {
            await RecordAllAsync(site, await store.ReadOrdersAsync(CancellationToken.None), progress);
        }
    }

    private async Task RecordAllAsync(uint site, SiteOrderRow[] orders, Progress progress)
    {
        foreach (SiteOrderRow row in orders.Where(row => row.State == SiteOrderState.Released))
        {
            await RecordAsync(site, row, progress);
        }
    }

    /// <summary>Another process may have worked on this store: a book that does not know what became of an order knows too few losses, and
    /// is read again.</summary>
    private void ForgetBooksBehind(SiteOrderRow[] known)
    {
        foreach (SiteOrderRow row in known)
        {
            if (_books.TryGetValue(row.SchemaId, out SiteBook? book) && book.Versions.GetValueOrDefault(row.Sequence) != row.Version)
            {
                _books.Remove(row.SchemaId);
            }
        }
    }

    /// <summary>Checks an order against the ledger and draws its delivery; null while the ledger does not show the round yet. One that
    /// contradicts the ledger is refused and done with: it must not keep those behind it waiting.</summary>
    private async Task<SiteOrderRow?> TakeAsync(uint site, DeliveryOrder order)
    {
        try
        {
            return await DrawAsync(site, order);
        }
        catch (Exception e) when (e is ExchangeFileException or LinkRefusedException or SiteRefusedException)
        {
            // What was reserved before the fault was met stands in no row.
            _books.Clear();
            SiteOrderRow row = new()
            {
                Sequence = order.Sequence,
                SchemaId = "",
                Attempt = order.Attempt,
                State = SiteOrderState.Empty,
                FileHash = "",
                RecordKeys = [],
                Attributes = [],
                Grades = [],
                Delivery = new SiteDelivery
                {
                    Sequence = order.Sequence, RequestId = order.RequestId, Sold = 0, Delivered = 0, OverCap = 0, NotAllowed = 0,
                    Refusal = e.Message,
                },
            };
            await store.SaveOrderAsync(row, CancellationToken.None);
            return row with { Version = 1 };
        }
    }

    /// <summary>Draws an order's delivery and keeps both with the losses reserved; null while the ledger does not show the round
    /// yet.</summary>
    private async Task<SiteOrderRow?> DrawAsync(uint site, DeliveryOrder order)
    {
        RequestRow? request = ledger.Request(order.RequestId);
        string hash = Convert.ToHexStringLower(SHA256.HashData(order.RoundFile));
        if (_round?.Hash != hash)
        {
            RoundFile file = RoundFile.Read(order.RoundFile);
            _round = (hash, file, file.Build(ledger.Deployment.ChainId, Address.Parse(ledger.Deployment.Matching.Address)));
        }

        (_, RoundFile round, RoundBatch batch) = _round.Value;
        if (request is null || ledger.Round(batch.Id) is not { Status: BatchStatus.Final, Seed: not null } posted)
        {
            return null;
        }

        TermsDocument terms = TermsDocument.Read(order.TermsJson);
        if (terms.Hash() != request.Terms.TermsHash || terms.SchemaId != request.Terms.SchemaId.ToDigits()
            || posted.Header != batch.Header || request.Book != batch.Header.Ordinal
            || request.Index >= round.RequestIds.Count || round.RequestIds[(int)request.Index] != order.RequestId || request.Cancelled)
        {
            throw new LinkRefusedException("order-contradicts-ledger",
                $"order {order.Sequence} names terms, a round or a request that the ledger does not: nothing is drawn for it");
        }

        SiteBook book = await BookAsync(terms.SchemaId);
        await store.KeepFileAsync(hash, order.RoundFile, CancellationToken.None);
        DeliveryBuilder builder = await BuilderAsync(site, book, request, batch);
        if (await FindReleasedAsync(order) is { } released)
        {
            return await ReleaseAgainAsync(book, builder, request, order, released, MayBeForgotten(posted));
        }

        SiteOrderRow? forgotten = MayBeForgotten(posted) ? Forgotten(book, builder, request, order.Sequence, order.Attempt) : null;
        return await KeepAsync(
            book, 0, order.Sequence, order.Attempt,
            builder.Draw(request.RequestId, request.Index, request.Terms.ToDemand(), order.Attempt, ledger.NowSeconds), forgotten);
    }

    /// <summary>What draws deliveries of a final round to a request.</summary>
    private async Task<DeliveryBuilder> BuilderAsync(uint site, SiteBook book, RequestRow request, RoundBatch batch) => new(
        book, options, await SoldEpochAsync(site, request), batch, ledger.Round(batch.Id)!.Seed!.Value,
        pseudonym => ledger.RevokedAt(site, pseudonym) is not null);

    /// <summary>The final round of a request, from the store, where the order was kept with it.</summary>
    private async Task<RoundBatch> FinalRoundAsync(RequestRow request)
    {
        RoundRow round = ledger.Rounds(request.Terms.SchemaId)
            .First(one => one.Header.Ordinal == request.Book && one.Status == BatchStatus.Final);
        return RoundFile.Read(await FileAsync(round.Header.DataHash.ToDigits()))
            .Build(ledger.Deployment.ChainId, Address.Parse(ledger.Deployment.Matching.Address));
    }

    /// <summary>The site's epoch of which the round of a request sells: the one that was final when its book was closed.</summary>
    private Task<EpochFile> SoldEpochAsync(uint site, RequestRow request) => EpochFileAsync(SoldEpoch(site, request).Header.DataHash);

    private EpochRow SoldEpoch(uint site, RequestRow request)
    {
        BookRow closed = ledger.Books(request.Terms.SchemaId).First(one => one.Ordinal == request.Book);
        return ledger.FinalEpoch(site, request.Terms.SchemaId, closed.ClosedBlock)
            ?? throw new LinkRefusedException("order-contradicts-ledger",
                $"request {request.RequestId} is to be served from an epoch, and the ledger has none that was final");
    }

    /// <summary>Keeps a drawn delivery with its order in place of an earlier version. Losses of what may have left before stay with the
    /// order, beside those of what is drawn now: somebody may be in it who was in no file before.</summary>
    private async Task<SiteOrderRow> KeepAsync(
        SiteBook book, long version, long sequence, uint attempt, DeliveryBuilder.Drawn drawn, SiteOrderRow? sent = null)
    {
        byte[] bytes = drawn.File.Write(book.Schema);
        ulong[] keys = Array.ConvertAll(drawn.Records, record => book.Records.RecordKeys[record]);
        SiteOrderRow row = new()
        {
            Version = version,
            Sequence = sequence,
            SchemaId = book.Schema.Id,
            Attempt = attempt,
            State = sent is not null ? SiteOrderState.Sending : keys.Length > 0 ? SiteOrderState.Reserved : SiteOrderState.Empty,
            FileHash = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            RecordKeys = keys,
            Attributes = drawn.Attributes,
            Grades = drawn.Grades,
            Delivery = new SiteDelivery
            {
                Sequence = sequence, RequestId = drawn.File.RequestId, Sold = drawn.Sold, Delivered = keys.Length, OverCap = drawn.OverCap,
                NotAllowed = drawn.NotAllowed,
            },
        };
        if (sent is null)
        {
            book.Pending[sequence] = drawn.Reserved;
            await SaveAsync(row, bytes);
            return row with { Version = version + 1 };
        }

        SiteOrderRow joined = OrderLosses.Joined(row, sent);
        await SaveAsync(joined, bytes);

        // The book has reserved what is drawn now, and the row says what is spent.
        _books.Remove(book.Schema.Id);
        return joined with { Version = version + 1 };
    }

    private async Task SaveAsync(SiteOrderRow row, byte[]? file = null)
    {
        try
        {
            if (file is not null)
            {
                await store.KeepFileAsync(row.FileHash, file, CancellationToken.None);
            }

            await store.SaveOrderAsync(row, CancellationToken.None);
            if (_books.TryGetValue(row.SchemaId, out SiteBook? book))
            {
                book.Versions[row.Sequence] = row.Version + 1;
            }
        }
        catch
        {
            // Whether it was stored is not known: the book is read again from what was.
            _books.Remove(row.SchemaId);
            throw;
        }
    }

    /// <summary>
    /// Hands a delivery to the market. That it is about to leave is stored before, so that a loss is charged from then on whatever becomes
    /// of it; and who withdrew or became stricter between drawing and handing over, or between two tries, is taken out first. Until it has
    /// left no other process can take the store, and hear of a withdrawal that this one does not know.
    /// </summary>
    private async Task HandOverAsync(uint site, SiteOrderRow row, Progress progress, bool isJustDrawn = false)
    {
        await using IAsyncDisposable hold = await store.HoldAsync(CancellationToken.None);
        SiteBook book = await BookAsync(row.SchemaId);
        if (!isJustDrawn && await RedrawnAsync(site, row) is { } redrawn)
        {
            (book, row) = (await BookAsync(row.SchemaId), redrawn);
            progress.Done();
        }

        if (row.State == SiteOrderState.Reserved)
        {
            SiteOrderRow sending = row with { State = SiteOrderState.Sending };
            await SaveAsync(sending);
            row = sending with { Version = row.Version + 1 };
            book.Spend(row);
        }

        if (row.State != SiteOrderState.Sending)
        {
            return;
        }

        if (row.Delivery.Delivered == 0)
        {
            // All who were to be delivered withdrew after a first try.
            await SaveAsync(
                row with { State = SiteOrderState.Refused, Delivery = row.Delivery with { Refusal = "nobody allows it any more" } });
            progress.Done();
            return;
        }

        try
        {
            DeliveryReceipt receipt = await market.DeliverAsync(
                new DeliveryMessage
                {
                    Site = site, Sequence = row.Sequence, DeliveryFile = await FileAsync(row.FileHash),
                }, CancellationToken.None);
            await SaveAsync(row with { State = SiteOrderState.Released, Receipt = receipt.Signature });
        }
        catch (LinkRefusedException refusal) when (refusal.Code == LinkRefusedException.NotReady)
        {
            progress.Wait(null, "the market to know what it ordered: " + refusal.Message);
            return;
        }
        catch (LinkRefusedException refusal)
        {
            // The reports have left, whatever the market says of them: the losses stay.
            await SaveAsync(row with { State = SiteOrderState.Refused, Delivery = row.Delivery with { Refusal = refusal.Message } });
        }

        progress.Done();
    }

    /// <summary>The order with its delivery drawn again, when somebody in it does not allow it any more; null when all still do.</summary>
    private async Task<SiteOrderRow?> RedrawnAsync(uint site, SiteOrderRow row)
    {
        SiteBook book = await BookAsync(row.SchemaId);
        RequestRow request = ledger.Request(row.Delivery.RequestId)!;
        DeliveryFile file = DeliveryFile.Read(await FileAsync(row.FileHash), book.Schema);
        if (DeliveryBuilder.IsAllowed(book, file, await SoldEpochAsync(site, request), request.Terms.ToDemand(), ledger.NowSeconds,
            pseudonym => ledger.RevokedAt(site, pseudonym) is not null))
        {
            return null;
        }

        if (row.State == SiteOrderState.Reserved)
        {
            book.GiveBack(row.Sequence);
        }

        DeliveryBuilder builder = await BuilderAsync(site, book, request, await FinalRoundAsync(request));
        return await KeepAsync(
            book, row.Version, row.Sequence, row.Attempt,
            builder.Draw(request.RequestId, request.Index, request.Terms.ToDemand(), row.Attempt, ledger.NowSeconds),
            row.State == SiteOrderState.Sending ? row : null);
    }

    /// <summary>Posts a delivery that the market has, and finalises it after its window.</summary>
    private async Task RecordAsync(uint site, SiteOrderRow row, Progress progress)
    {
        Bytes32 id = BatchId.Delivery(ledger.Deployment.ChainId, Evaluation, row.Delivery.RequestId, site, row.Attempt);
        DeliveryRow? posted = ledger.Delivery(id);
        DataEvaluation contract = new(node, Evaluation);
        string command = $"record-delivery/{row.Delivery.RequestId}/{row.Attempt}";
        if (posted is null)
        {
            if (!_submitted.Contains(command))
            {
                SiteBook book = await BookAsync(row.SchemaId);
                DeliveryFile file = DeliveryFile.Read(await FileAsync(row.FileHash), book.Schema);
                DeliveryBatch batch = file.Build(ledger.Deployment.ChainId, Evaluation, Bytes32.ParseDigits(row.FileHash));
                await SubmitAsync(command, contract.RecordDelivery(batch.Header, row.Receipt), progress);
            }

            progress.Wait(null, $"the ledger to take the delivery to request {row.Delivery.RequestId}");
        }
        else if (posted.Status == BatchStatus.Posted)
        {
            long due = (long)posted.Posting.Timestamp + ledger.Deployment.Terms.DeliveryWindowSeconds;
            if (ledger.NowSeconds >= due)
            {
                await SubmitAsync($"finalise-delivery/{row.Delivery.RequestId}/{row.Attempt}",
                    contract.FinaliseDelivery(new Delivery(posted.Header, posted.Posting)), progress);
            }

            progress.Wait(due, $"the window of the delivery to request {row.Delivery.RequestId}");
        }
    }
}
