using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using LedgerDelivery = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Grains.Market.Requests;

// The end of a request: payments, refunds, and what is said of it.
public sealed partial class RequestGrain
{
    // A claim of 64 payees takes 2.13 million gas, of which 33,000 a payee (docs of the contracts); the limit leaves room for a payee whose
    // balance is new everywhere.
    private const ulong ClaimGas = 400_000;
    private const ulong ClaimGasPerPayee = 60_000;

    // Of this activation alone, with the time of the next look: the ledger grain has these claims for good, and thousands of them are not
    // to be formed again at every step.
    private readonly Dictionary<Bytes32, long> _handedOver = [];

    /// <summary>What can be done without the file of a delivery, which a market lacks that was put back from a backup. It orders the file
    /// again, and its site sends it if everybody in it still allows that. The money does not wait for it; whom only the file names can be
    /// paid no more once the claim period is over, and then there are no statistics either.</summary>
    private async Task<Advance> WithoutFileAsync(StoredRequest row, LedgerRequest request, LedgerDelivery lost)
    {
        long due = ClaimsDue(request);
        if (market.View.SettledSeconds >= due)
        {
            return await SaveAsync(row, RequestState.Evaluated,
                $"there are no statistics: file {lost.Header.DataHash} of site {lost.Header.Site}'s delivery is lost");
        }

        EscrowRow escrow = market.View.Escrow(request.RequestId)!;
        Step step = new();
        step.Add(new Advance { Progressed = false, DueSeconds = due, WaitsFor = $"file {lost.Header.DataHash} of the delivery" });
        foreach (LedgerDelivery delivery in Unclaimed(request, escrow))
        {
            step.Add(await ClaimAsync(delivery, row.SchemaId));
        }

        if (!escrow.IsClosed)
        {
            step.Add(await RefundAsync(row, request));
        }

        return step.ToAdvance();
    }

    private async Task<Advance> SettleAsync(StoredRequest row, LedgerRequest request)
    {
        EscrowRow escrow = market.View.Escrow(request.RequestId)!;
        Step step = new();
        bool claimed = true;
        foreach (LedgerDelivery delivery in Unclaimed(request, escrow))
        {
            claimed = false;
            step.Add(await ClaimAsync(delivery, row.SchemaId));
        }

        if (!escrow.IsClosed)
        {
            step.Add(await RefundAsync(row, request));
            return step.ToAdvance();
        }

        if (!claimed)
        {
            step.Add(await ExpireAsync(request));
            return step.ToAdvance();
        }

        (RequestState end, string reason) = row.Delivered > 0
            ? (RequestState.Settled,
                (row.Delivered == row.Sold
                    ? "all that was sold was delivered and paid"
                    : $"{row.Delivered} of {row.Sold} records were delivered and paid, the rest went back")
                + (escrow.Expired.IsZero ? "" : $"; {escrow.Expired} token units could not be paid in time and went to the patients' fund"))
            : Disputed(request) ? (RequestState.Disputed, "what was delivered was proved wrong, and nothing came in its place")
            : (RequestState.Refunded, row.Sold == 0 ? row.Steps[^1].Reason : "no site delivered before the deadline");
        return await EndAsync(row, end, reason);
    }

    /// <summary>Ends what nobody can be paid: where the token refuses a payee, the money goes to the patients' fund once the claim period
    /// is over.</summary>
    private async Task<Advance> ExpireAsync(LedgerRequest request)
    {
        long due = ClaimsDue(request);
        return market.View.NowSeconds < due ? new Advance { Progressed = false, DueSeconds = due, WaitsFor = "the claims" }
            : Sent(await market.SendAsync(GrainFactory, $"expire/{request.RequestId}", market.Payments.Expire(request.RequestId)),
                "the end of the claim period");
    }

    /// <summary>Relays the claims of a final delivery, 64 payees at a time. The read model tells which slots were paid, by
    /// whomever.</summary>
    private async Task<Advance> ClaimAsync(LedgerDelivery row, string schemaId)
    {
        if (_handedOver.GetValueOrDefault(row.Id) is var next && next > market.View.NowSeconds)
        {
            return new Advance { Progressed = false, DueSeconds = next == long.MaxValue ? null : next, WaitsFor = "the claims" };
        }

        OpenedDelivery? opened = await market.DeliveryAsync(row.Header.DataHash, market.Schemas[schemaId].Schema);
        if (opened is null)
        {
            return new Advance { Progressed = false, WaitsFor = $"file {row.Header.DataHash} of the delivery" };
        }

        HashSet<uint> paid = [.. market.View.Claims(row.Id).Select(claim => claim.Slot)];
        AnonymousTransaction payments = market.Payments;
        Delivery delivery = new(row.Header, row.Posting);
        List<(string, ContractCall, ulong)> commands = [];
        uint first = 0;
        for (uint subtree = 0; subtree < opened.Batch.SubtreeCount; subtree++)
        {
            (DeliveryLeaf[] leaves, Sibling[] path) = opened.Batch.OpenSubtree(subtree);
            uint start = first;
            if (leaves.Where((leaf, i) => leaf.PayoutAddress != Address.Zero && !paid.Contains(start + (uint)i)).Any())
            {
                commands.Add((
                    $"claim/{row.Header.RequestId}/{row.Header.Site}/{row.Header.Attempt}/{subtree}",
                    payments.ClaimMany(delivery, subtree, leaves, path),
                    ClaimGas + (ClaimGasPerPayee * (ulong)leaves.Length)));
            }

            first += (uint)leaves.Length;
        }

        LedgerOutcome[] outcomes = await market.SendAllAsync(GrainFactory, commands);
        Step step = new();
        foreach ((LedgerOutcome outcome, (string id, ContractCall call, _)) in outcomes.Zip(commands)
            .Where(pair => pair.First.State == LedgerState.Refused))
        {
            // Its gas was not enough, or others had claimed a part meanwhile: the node says what the rest takes.
            step.Add(Sent(await market.SendAsync(GrainFactory, id, call), "the claims"));
        }

        // Whom the token refused at the first time is not tried again by the same claims.
        bool areOver = Array.TrueForAll(outcomes, outcome => outcome.State == LedgerState.Succeeded);
        next = areOver ? long.MaxValue : MarketContext.NextTry(market.View.NowSeconds);
        _handedOver[row.Id] = next;
        step.Add(new Advance { Progressed = false, DueSeconds = areOver ? null : next, WaitsFor = "the claims" });
        return step.ToAdvance();
    }

    private async Task<Advance> RefundAsync(StoredRequest row, LedgerRequest request)
    {
        AnonymousTransaction payments = market.Payments;
        if (row.Delivered == row.Sold && FinalRound(request) is { } final
            && await market.RoundAsync(final.Header.DataHash) is { } round)
        {
            return Sent(
                await market.SendAsync(
                    GrainFactory, $"refund-settled/{request.RequestId}",
                    payments.RefundSettled(request.RequestId, new Round(final.Header, final.Posting),
                        round.Batch.OpenRequestRow(request.Index))),
                "the refund");
        }

        return PastRefund(request)
            ? Sent(await market.SendAsync(GrainFactory, $"refund/{request.RequestId}", payments.Refund(request.RequestId)), "the refund")
            : new Advance
            {
                Progressed = false, DueSeconds = RefundDue(request),
                WaitsFor = "the deadline, after which what was not delivered goes back",
            };
    }

    private async Task<Advance> RefundLateAsync(StoredRequest row, LedgerRequest request, RequestState end, string reason) =>
        market.View.Escrow(request.RequestId)!.IsClosed
        ? await EndAsync(row, end, reason)
        : Sent(await market.SendAsync(GrainFactory, $"refund/{request.RequestId}", market.Payments.Refund(request.RequestId)),
            "the refund");

    /// <summary>When nobody can be paid any more.</summary>
    private long ClaimsDue(LedgerRequest request) =>
        Final(request).Max(delivery => (long)delivery.EndedSeconds) + market.View.Deployment.Terms.ClaimPeriodSeconds + 1;

    private LedgerDelivery[] Unclaimed(LedgerRequest request, EscrowRow escrow) =>
        [.. Final(request).Where(delivery => escrow.Expired.IsZero && delivery.Claimed < delivery.Header.Count)];

    private Task<Advance> EndAsync(StoredRequest row, RequestState end, string reason)
    {
        BigInteger refunded = market.View.Escrow(row.RequestId)?.Refunded ?? 0;
        string? unusable = end == RequestState.Settled ? Mismatch(row) : null;
        return SaveAsync(row with { Refunded = (UInt128)refunded }, unusable is null ? end : RequestState.Failed, unusable ?? reason);
    }

    /// <summary>Terms on the ledger that do not follow from the document under whose hash they stand: what was delivered was paid, but it
    /// answers nothing that was asked.</summary>
    private string? Mismatch(StoredRequest row)
    {
        TermsDocument document = TermsDocument.Read(row.TermsJson);
        return market.OnLedger(row)!.Terms == document.ToLedger(market.Schemas[row.SchemaId].Schema)
            ? null : "the terms that were funded do not follow from the terms document";
    }
}
