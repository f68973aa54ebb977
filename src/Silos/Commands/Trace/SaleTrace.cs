using System.Globalization;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using LedgerDelivery = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using LedgerRound = EmrMarket.Grains.Ledger.View.RoundRow;

namespace EmrMarket.Silos.Commands.Trace;

/// <summary>
/// Follows a pseudonym from its policy to its payouts. Files only say where to look: every sentence is told after its proof led to a
/// commitment that the contract itself confirms.
/// </summary>
internal sealed class SaleTrace
{
    private readonly MarketContext _market;
    private readonly Bytes32 _pseudonym;
    private readonly CancellationToken _cancellation;
    private readonly List<string> _told = [];

    private SaleTrace(MarketContext market, Bytes32 pseudonym, CancellationToken cancellation) =>
        (_market, _pseudonym, _cancellation) = (market, pseudonym, cancellation);

    /// <summary>The trace of a pseudonym, sentence by sentence; empty when no epoch that the market knows holds it.</summary>
    /// <exception cref="CommandException">A proof does not lead to what the ledger holds.</exception>
    public static async Task<IReadOnlyList<string>> FollowAsync(MarketContext market, Bytes32 pseudonym, CancellationToken cancellation)
    {
        await market.View.SyncAsync(cancellation);
        SaleTrace trace = new(market, pseudonym, cancellation);
        foreach (EpochRow row in market.View.Epochs())
        {
            if (await market.EpochAsync(row.Header.DataHash) is { } epoch
                && Array.FindIndex(epoch.File.Members, member => member.Pseudonym == pseudonym) is var position and >= 0)
            {
                await trace.EpochAsync(row, epoch, (uint)position);
            }
        }

        return trace._told;
    }

    private async Task EpochAsync(EpochRow row, OpenedEpoch epoch, uint position)
    {
        MemberOpening member = epoch.Batch.OpenMember(position);
        ClassOpening class_ = epoch.Batch.OpenClass(member.Leaf.LocalClass);
        EpochHeader header = row.Header;
        DynamicAccessControl access = new(_market.Matching.Client, _market.Access);
        Require(await access.CommitmentOfAsync(row.Id, cancellationToken: _cancellation) == Commitment.Of(new Epoch(header, row.Posting)),
            "the epoch is not the chain's");
        Require(
            SumPath.Proves(new TreeNode(header.MembersRoot, new SumWord(header.MemberCount)), position,
                Leaves.Member(row.Id, position, member.Leaf), member.Path.Nodes())
            && SumPath.Proves(new TreeNode(header.ClassesRoot, new SumWord(header.MemberCount)), class_.Index,
                Leaves.Class(row.Id, class_.Index, class_.Leaf), class_.Path.Nodes()),
            "the policy's openings do not prove");
        Tell($"policy: position {position} of site {header.Site}'s epoch {header.Epoch}, in class {class_.Index} of {class_.Leaf.Size} "
            + $"records that nobody can tell apart; at most {class_.Leaf.Quota} sales a round. The epoch is {row.Status}.");
        foreach (LedgerRequest request in _market.View.Requests(header.SchemaId))
        {
            foreach (LedgerDelivery delivery in _market.View.Deliveries(request.RequestId)
                .Where(delivery => delivery.Header.Site == header.Site && delivery.Status == BatchStatus.Final))
            {
                await DeliveryAsync(row, position, class_, request, delivery);
            }
        }
    }

    private async Task DeliveryAsync(EpochRow epochRow, uint position, ClassOpening class_, LedgerRequest request, LedgerDelivery row)
    {
        LedgerRound ledgerRound = _market.View.Rounds(request.Terms.SchemaId)
            .First(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final);
        OpenedRound? round = await _market.RoundAsync(ledgerRound.Header.DataHash);
        OpenedDelivery? delivery = await _market.DeliveryAsync(
            row.Header.DataHash, _market.Schemas[MarketContext.Name(request.Terms.SchemaId)].Schema);
        if (round is null || delivery is null
            || !round.File.Epochs.Contains(new EpochReference(epochRow.Header.Site, epochRow.Header.Epoch, epochRow.Header.DataHash)))
        {
            return;
        }

        int slot = Array.FindIndex(delivery.File.Leaves, leaf => leaf.PayoutAddress != Address.Zero && leaf.MemberPosition == position);
        if (slot < 0)
        {
            return;
        }

        uint at = round.File.Position(epochRow.Header.Site, class_.Index);
        SalesOpening sale = round.Batch.OpenByClass(at, request.Index);
        ulong place = ((ulong)at << round.File.RequestBits) | request.Index;
        Require(await _market.Matching.CommitmentOfAsync(ledgerRound.Id, cancellationToken: _cancellation) == Commitment.Of(
            new Round(ledgerRound.Header, ledgerRound.Posting)), "the round is not the chain's");
        Require(
            SumPath.Proves(
                new TreeNode(ledgerRound.Header.SalesByClassRoot, new SumWord(ledgerRound.Header.TotalSales)), place,
                Leaves.Sales(LeafKind.SalesByClass, ledgerRound.Id, place, sale.Quantity), sale.Path.Nodes()),
            "the sale's opening does not prove");
        Bytes32 seed = await _market.Matching.SeedOfAsync(ledgerRound.Id, cancellationToken: _cancellation);
        ulong before = (ulong)SumPath.Prefix(place, sale.Path.Nodes(), round.File.RequestBits).Value;
        (uint offset, _) = Drawing.Draw(Drawing.ClassKey(seed, epochRow.Header.Site, class_.Index), class_.Leaf.Size, before,
            (uint)slot - round.Batch.FirstSlot(at, request.Index));
        Require((uint)SumPath.Prefix(class_.Index, class_.Path.Nodes()).Value + offset == position, "the seed draws another member");
        Tell($"match: the class sells {sale.Quantity} records to request {request.RequestId}; the round's public seed draws this one.");

        DeliveryLeaf leaf = delivery.File.Leaves[slot];
        Require(await _market.Evaluation.CommitmentOfAsync(row.Id, cancellationToken: _cancellation) == Commitment.Of(
            new Delivery(row.Header, row.Posting)), "the delivery is not the chain's");
        Require(
            SumPath.Proves(
                new TreeNode(row.Header.Root, new SumWord(row.Header.Amount, row.Header.Count, row.Header.Effective)), (uint)slot,
                Leaves.Delivery(row.Id, (uint)slot, leaf), delivery.Batch.Open((uint)slot).Path.Nodes()),
            "the delivery's opening does not prove");
        Tell(string.Create(CultureInfo.InvariantCulture,
            $"delivery: slot {slot}, {(double)leaf.Effective / 1e9:0.000} effective records for {leaf.Amount} token units."));
        ClaimRow[] claims = [.. _market.View.Claims(row.Id).Where(claim => claim.Slot == slot)];
        Require(claims.All(claim => claim.Payee == leaf.PayoutAddress && claim.Amount == leaf.Amount), "another payout was logged");
        Tell(claims.Length == 0
            ? "payout: not claimed yet."
            : $"payout: {claims[0].Amount} token units at the one-time address {claims[0].Payee}, as the chain's log says.");
    }

    private void Tell(string sentence) => _told.Add(sentence);

    private void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new CommandException(ExitCode.Failure, $"the trace of pseudonym {_pseudonym} fails: {otherwise}");
        }
    }
}
