using System.Globalization;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Storage;
using LedgerDelivery = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using LedgerRound = EmrMarket.Grains.Ledger.View.RoundRow;
using StoredRequest = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Grains.Market.Requests;

/// <summary>
/// One request's way from its terms to its end. Every step reads the ledger and the stored row, writes the row at most once, and sends
/// commands whose ids follow from the request, so a crash between any two of them changes nothing but the time.
/// </summary>
public sealed partial class RequestGrain(MarketContext market) : Grain, IRequestGrain
{
    // MAXIMUM_LEAD of MatchingDecision.
    private const long MostSecondsToDeadline = 366 * 86_400;

    // Each statistic is computed over all that is delivered, by the market, for nothing.
    private const int MostStatistics = 64;
    private const int LongestTerms = 32_768;

    private string Key => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public async Task<RequestStatus> DraftAsync(string researcher, string termsJson)
    {
        if (await market.Store.FindRequestAsync(Key, CancellationToken.None) is { } known)
        {
            return string.Equals(known.Researcher, researcher, StringComparison.Ordinal) ? Status(known)
                : throw new RequestRefusedException("not-yours", $"request {Key} is of another researcher than {researcher}");
        }

        if (termsJson.Length > LongestTerms)
        {
            throw new RequestRefusedException(
                "terms", $"the terms have {termsJson.Length} characters, and the market takes at most {LongestTerms}: shorten them");
        }

        TermsDocument terms = Read(termsJson);
        MarketSchema schema = market.Schemas.TryGetValue(terms.SchemaId, out MarketSchema? dealt) ? dealt
            : throw new RequestRefusedException("unknown-schema",
                $"this market does not deal in schema {terms.SchemaId}; it deals in {string.Join(", ", market.Schemas.Keys)}");
        if (MarketContext.Name(terms.Hash()) != Key || !string.Equals(terms.Researcher, researcher, StringComparison.Ordinal))
        {
            throw new RequestRefusedException("terms",
                $"the terms have hash {MarketContext.Name(terms.Hash())} and researcher {terms.Researcher}, expected {Key} and "
                    + $"{researcher}");
        }

        EmrMarket.Contracts.Bindings.RequestTerms onLedger;
        try
        {
            onLedger = terms.ToLedger(schema.Schema);
        }
        catch (ExchangeFileException e)
        {
            throw new RequestRefusedException(e.Code, e.Message);
        }

        await market.View.SyncAsync();
        string? obstacle = terms.Statistics.Count > MostStatistics
            ? $"{terms.Statistics.Count} statistics are asked for, and at most {MostStatistics} are computed for one request: open another"
            : Obstacle(schema, onLedger);
        if (obstacle is not null)
        {
            throw new RequestRefusedException("terms", $"the terms cannot be served: {obstacle}");
        }

        StoredRequest row = new()
        {
            Key = Key,
            Researcher = researcher,
            SchemaId = terms.SchemaId,
            TermsJson = termsJson,
            Steps =
            [
                new RequestStep { State = RequestState.Draft, Seconds = market.View.NowSeconds, Reason = "the terms were handed in" },
                new RequestStep
                {
                    State = RequestState.Planned, Seconds = market.View.NowSeconds,
                    Reason = "the terms fit the schema and the ledger's rules; waiting for the money",
                },
            ],
        };
        await market.Store.SaveRequestAsync(row, CancellationToken.None);
        return Status(row);
    }

    /// <inheritdoc/>
    public async Task<RequestStatus?> StatusAsync() => await market.Store.FindRequestAsync(Key, CancellationToken.None) is { } row
        ? Status(row) : null;

    /// <inheritdoc/>
    public async Task<bool> WithdrawAsync()
    {
        StoredRequest? row = await market.Store.FindRequestAsync(Key, CancellationToken.None);
        if (row is null)
        {
            return false;
        }

        await market.View.SyncAsync();
        if (row.RequestId > 0 || row.State is not (RequestState.Draft or RequestState.Planned or RequestState.Cancelled)
            || market.OnLedger(row) is not null)
        {
            return false;
        }

        if (row.State != RequestState.Cancelled)
        {
            await SaveAsync(row, RequestState.Cancelled, "the researcher withdrew it before it was funded");
        }

        return true;
    }

    /// <inheritdoc/>
    public async Task<Advance> AdvanceAsync()
    {
        StoredRequest? row = await market.Store.FindRequestAsync(Key, CancellationToken.None);
        if (row is null || row.HasEnded)
        {
            return new Advance { Progressed = false };
        }

        await market.View.SyncAsync();
        return row.State switch
        {
            RequestState.Draft or RequestState.Planned or RequestState.Cancelled => await FundAsync(row),
            RequestState.Funded => await MatchAsync(row, market.OnLedger(row)!),
            RequestState.Matched => await SaveAsync(row, RequestState.Delivering, "the sites have their orders"),
            RequestState.Delivering => await DeliverAsync(row, market.OnLedger(row)!),
            RequestState.Delivered => await EvaluateAsync(row),
            _ => await SettleAsync(row, market.OnLedger(row)!),
        };
    }

    private static TermsDocument Read(string termsJson)
    {
        try
        {
            return TermsDocument.Read(termsJson);
        }
        catch (ExchangeFileException e)
        {
            throw new RequestRefusedException(e.Code, e.Message);
        }
    }

    /// <summary>What the contract would refuse, said before anybody pays for it.</summary>
    private string? Obstacle(MarketSchema schema, EmrMarket.Contracts.Bindings.RequestTerms terms)
    {
        var rules = market.View.Deployment.Terms;
        long earliest = market.View.NowSeconds + rules.BookIntervalSeconds + rules.RoundWindowSeconds + rules.RevealGraceSeconds
            + rules.DeliveryWindowSeconds;
        Analytics.Pricing.RequestTerms demand = terms.ToDemand();
        long capacity = PriceRules.Capacity(
            terms.TargetRecords, new TokenAmount(terms.Budget), new TokenAmount(terms.Bid),
            PriceRules.MaxScorePpb(schema.Table, demand.Minimum, demand.Top),
            new TokenAmount(rules.RelayFeeUnits));
        return (long)terms.Deadline < earliest
            ? $"the deadline {terms.Deadline} is before {earliest}, when it can be served at the earliest"
            : (long)terms.Deadline > market.View.NowSeconds + MostSecondsToDeadline
            ? $"the deadline {terms.Deadline} is after {market.View.NowSeconds + MostSecondsToDeadline}, the latest that the ledger takes"
            : terms.Budget < rules.MinimumBudgetUnits ? $"the budget {terms.Budget} is below {rules.MinimumBudgetUnits}, the least"
            : capacity < Math.Max(1, terms.MinimumRecords)
            ? $"the budget buys {capacity} records at the bid, and at least {Math.Max(1, terms.MinimumRecords)} are wanted"
            : null;
    }

    private async Task<Advance> FundAsync(StoredRequest row)
    {
        if (market.OnLedger(row) is { } funded)
        {
            return await SaveAsync(row with { RequestId = funded.RequestId }, RequestState.Funded,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the ledger holds {funded.Terms.Budget:#,0} token units for request {funded.RequestId}"));
        }

        long deadline = Read(row.TermsJson).Deadline;
        return market.View.SettledSeconds <= deadline ? new Advance
        {
            Progressed = false, DueSeconds = deadline + 1, WaitsFor = "the money",
        }
            : row.State == RequestState.Cancelled
            ? await SaveAsync(row, RequestState.Cancelled, "it was withdrawn, and the ledger never had it")
            : await SaveAsync(row, RequestState.Expired, "it was not funded before its deadline");
    }

    private async Task<Advance> MatchAsync(StoredRequest row, LedgerRequest request)
    {
        if (request.Cancelled)
        {
            return await EndAsync(row, RequestState.Cancelled, "the researcher cancelled it before its book was closed");
        }

        LedgerRound? round = FinalRound(request);
        if (round is null)
        {
            return PastRefund(request)
                ? await RefundLateAsync(row, request, Disputed(request) ? RequestState.Disputed : RequestState.Refunded,
                    "no round became final before its deadline")
                : new Advance { Progressed = false, DueSeconds = RefundDue(request), WaitsFor = "a final round" };
        }

        OpenedRound? opened = await market.RoundAsync(round.Header.DataHash);
        if (opened is null)
        {
            return new Advance { Progressed = false, WaitsFor = $"file {round.Header.DataHash} of the round" };
        }

        long sold = (long)opened.Batch.OpenRequestRow(request.Index).Sum;
        return await SaveAsync(
            row with { Sold = sold }, sold > 0 ? RequestState.Matched : RequestState.Evaluated,
            sold > 0 ? $"the round sells it {sold} records" : opened.File.Requests[(int)request.Index].Dropped
                ? "the round could not reach its least number of records" : "nothing on offer was worth its price to it");
    }

    private async Task<Advance> DeliverAsync(StoredRequest row, LedgerRequest request)
    {
        LedgerRound ledgerRound = FinalRound(request)!;
        OpenedRound? round = await market.RoundAsync(ledgerRound.Header.DataHash);
        if (round is null && !PastRefund(request))
        {
            // A market that was put back from a backup decides it again.
            return new Advance
            {
                Progressed = false, DueSeconds = RefundDue(request),
                WaitsFor = $"file {ledgerRound.Header.DataHash} of the round",
            };
        }

        long deadline = (long)request.Terms.Deadline, last = deadline + market.View.Deployment.Terms.RepostGraceSeconds;
        Step step = new();
        bool waiting = false;
        foreach (uint site in SitesOf(round, request))
        {
            LedgerDelivery? newest = market.View.Deliveries(request.RequestId).Where(delivery => delivery.Header.Site == site)
                .MaxBy(delivery => delivery.Header.Attempt);
            switch (newest?.Status)
            {
                case BatchStatus.Final:
                    continue;
                case BatchStatus.Posted:
                    waiting = true;
                    step.Add(await FinaliseAsync(newest));
                    break;
                case BatchStatus.Void when market.View.SettledSeconds <= last:
                    waiting = true;
                    step.Add(
                        new Advance { Progressed = false, DueSeconds = last + 1, WaitsFor = $"another delivery of site {site}" });
                    await market.Store.PlaceOrdersAsync(
                        [new OrderRow { Site = site, RequestId = row.RequestId, RequestKey = Key,
                            RoundFileHash = MarketContext.Name(ledgerRound.Header.DataHash), Attempt = newest.Header.Attempt + 1 }],
                        CancellationToken.None);
                    break;
                case null when market.View.SettledSeconds <= deadline:
                    waiting = true;
                    step.Add(
                        new Advance { Progressed = false, DueSeconds = deadline + 1, WaitsFor = $"the delivery of site {site}" });
                    break;
                default:
                    break;
            }
        }

        if (waiting)
        {
            return step.ToAdvance();
        }

        LedgerDelivery[] final = Final(request);
        long delivered = final.Sum(delivery => (long)delivery.Header.Count);
        UInt128 paid = final.Aggregate(
            UInt128.Zero, (sum, delivery) =>
                sum + delivery.Header.Amount + ((UInt128)delivery.Header.Count * market.View.Deployment.Terms.RelayFeeUnits));
        return await SaveAsync(
            row with
            {
                Delivered = delivered, Paid = paid,
                EffectivePpb = final.Aggregate(UInt128.Zero, (sum, delivery) => sum + delivery.Header.Effective),
            },
            RequestState.Delivered, $"{delivered} of {row.Sold} records were delivered");
    }

    /// <summary>The sites that sell to a request; of a round whose file is lost those that delivered by the end, as the ledger has
    /// them.</summary>
    private IEnumerable<uint> SitesOf(OpenedRound? round, LedgerRequest request) => round is null
        ? market.View.Deliveries(request.RequestId).Select(delivery => delivery.Header.Site).Distinct()
        : round.File.Epochs.Select(epoch => epoch.Site).Where(site => round.Batch.OpenSiteRow(request.Index, site).Sum > 0);

    private async Task<Advance> FinaliseAsync(LedgerDelivery delivery)
    {
        long due = (long)delivery.Posting.Timestamp + market.View.Deployment.Terms.DeliveryWindowSeconds;
        return market.View.NowSeconds < due || market.View.OpenDemands().Any(demand => demand.BatchId == delivery.Id)
            ? new Advance { Progressed = false, DueSeconds = due, WaitsFor = "the delivery's window for challenges" }
            : Sent(
                await market.SendAsync(
                    GrainFactory, $"finalise-delivery/{delivery.Header.RequestId}/{delivery.Header.Site}/{delivery.Header.Attempt}",
                    market.Evaluation.FinaliseDelivery(new Delivery(delivery.Header, delivery.Posting))),
                "the delivery to become final");
    }

    private async Task<Advance> EvaluateAsync(StoredRequest row)
    {
        if (row.Delivered == 0)
        {
            return await SaveAsync(row, RequestState.Evaluated, "there is nothing to compute");
        }

        LedgerRequest request = market.OnLedger(row)!;
        foreach (LedgerDelivery delivery in Final(request).Where(delivery => delivery.Header.Count > 0))
        {
            if (await market.DeliveryAsync(delivery.Header.DataHash, market.Schemas[row.SchemaId].Schema) is null)
            {
                return await WithoutFileAsync(row, request, delivery);
            }
        }

        await GrainFactory.GetGrain<IAggregatorGrain>(Key).EvaluateAsync();
        return await SaveAsync(row, RequestState.Evaluated, "its statistics are computed");
    }

    private long RefundDue(LedgerRequest request) => (long)request.Terms.Deadline + market.View.Deployment.Terms.RepostGraceSeconds + 1;

    private bool PastRefund(LedgerRequest request) => market.View.SettledSeconds >= RefundDue(request);

    private LedgerDelivery[] Final(LedgerRequest request) =>
        [.. market.View.Deliveries(request.RequestId).Where(delivery => delivery.Status == BatchStatus.Final)];

    private LedgerRound? FinalRound(LedgerRequest request) => market.View.Rounds(request.Terms.SchemaId)
        .FirstOrDefault(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Final);

    private bool Disputed(LedgerRequest request) =>
        market.View.Deliveries(request.RequestId).Any(delivery => delivery.Status == BatchStatus.Void)
        || market.View.Rounds(request.Terms.SchemaId)
        .Any(round => round.Header.Ordinal == request.Book && round.Status == BatchStatus.Void);

    private async Task<Advance> SaveAsync(StoredRequest row, RequestState state, string reason)
    {
        // A reorganisation may set the ledger's time back; a step is never older than the one before it.
        long now = Math.Max(market.View.NowSeconds, row.Steps[^1].Seconds);
        await market.Store.SaveRequestAsync(
            row with { Steps = [.. row.Steps, new RequestStep { State = state, Seconds = now, Reason = reason }] }, CancellationToken.None);
        return new Advance { Progressed = true };
    }

    private Advance Sent(LedgerOutcome outcome, string what) => Step.Of(outcome, what, market.View.NowSeconds);

    private static RequestStatus Status(StoredRequest row) => new()
    {
        Key = row.Key,
        RequestId = row.RequestId,
        Researcher = row.Researcher,
        TermsJson = row.TermsJson,
        Steps = row.Steps,
        Sold = row.Sold,
        Delivered = row.Delivered,
        Paid = row.Paid,
        Refunded = row.Refunded,
        EffectivePpb = row.EffectivePpb,
    };
}
