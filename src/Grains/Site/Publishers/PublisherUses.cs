using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Site.Storage;

namespace EmrMarket.Grains.Site.Publishers;

/// <summary>Finds the uses of one record in what a site delivered, with their places on the ledger.</summary>
internal static class PublisherUses
{
    /// <summary>The uses of a record in one order; none when the order does not name it.</summary>
    /// <param name="book">The schema's book.</param>
    /// <param name="ledger">The ledger.</param>
    /// <param name="site">The site's number.</param>
    /// <param name="order">The order.</param>
    /// <param name="file">Its delivery file.</param>
    /// <param name="epoch">The epoch that was sold, with its row.</param>
    /// <param name="record">The index of the record.</param>
    public static IEnumerable<PublisherUse> Of(
        SiteBook book, ILedgerView ledger, uint site, SiteOrderRow order, DeliveryFile file,
        (EpochFile File, EpochRow Row) epoch, int record)
    {
        Address evaluation = Address.Parse(ledger.Deployment.Evaluation.Address);
        Bytes32 deliveryId = BatchId.Delivery(ledger.Deployment.ChainId, evaluation, order.Delivery.RequestId, site, order.Attempt);
        RequestRow request = ledger.Request(order.Delivery.RequestId)!;
        RoundRow round = ledger.Rounds(book.LedgerId).Last(one => one.Header.Ordinal == request.Book && one.Status == BatchStatus.Final);
        DeliveryRow? posted = ledger.Delivery(deliveryId);
        HashSet<uint> paid = [.. ledger.Claims(deliveryId).Select(claim => claim.Slot)];
        int width = order.Attributes.Length;
        int row = Array.IndexOf(order.RecordKeys, book.Records.RecordKeys[record]);
        for (uint slot = 0; slot < file.Leaves.Length; slot++)
        {
            DeliveryLeaf leaf = file.Leaves[slot];
            if (leaf.PayoutAddress == Address.Zero || epoch.File.Members[leaf.MemberPosition].Pseudonym != book.Pseudonyms[record])
            {
                continue;
            }

            yield return new PublisherUse
            {
                RequestId = order.Delivery.RequestId,
                Purpose = request.Terms.Purpose,
                State = order.State == SiteOrderState.Reserved ? PublisherUseState.Reserved
                    : posted is null ? PublisherUseState.Released
                    : posted.Status == BatchStatus.Void ? PublisherUseState.Void
                    : paid.Contains(slot) ? PublisherUseState.Paid
                    : posted.Status == BatchStatus.Final ? PublisherUseState.Final : PublisherUseState.Posted,
                Attributes = [.. order.Attributes.Select(attribute => book.Schema.Attributes[attribute].Name)],
                Grades = order.Grades.AsSpan(row * width, width).ToArray(),
                Epoch = epoch.File.Epoch,
                EpochId = epoch.Row.Id.ToDigits(),
                MemberPosition = leaf.MemberPosition,
                RoundId = round.Id.ToDigits(),
                Attempt = order.Attempt,
                DeliveryId = deliveryId.ToDigits(),
                Slot = slot,
                ReportHash = leaf.ReportHash.ToDigits(),
                Amount = leaf.Amount,
                Payee = leaf.PayoutAddress.ToArray(),
            };
        }
    }
}
