using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>A transaction that its sender signed.</summary>
internal sealed record RawTransaction
{
    /// <summary>0x and the bytes as hexadecimal digits.</summary>
    public required string Raw { get; init; }
}

/// <summary>A transaction that the chain took.</summary>
/// <param name="Hash">64 hexadecimal digits.</param>
internal sealed record RelayedTransaction(string Hash);

/// <summary>Who is to get money of an embedded chain.</summary>
internal sealed record EndowmentWish
{
    /// <summary>The account.</summary>
    public required string Address { get; init; }
}

/// <summary>A step of an embedded chain's clock.</summary>
internal sealed record ClockStep
{
    /// <summary>At most ten years.</summary>
    public required long Seconds { get; init; }
}

/// <summary>The ledger, for anybody.</summary>
internal static class LedgerRoutes
{
    private const long LongestStep = 315_360_000;

    /// <summary>Adds them.</summary>
    public static void MapLedger(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder ledger = api.MapGroup("/ledger").WithTags("Ledger");
        List(ledger, "/sites", "ListSites", "The sites, by number.", service => service.Sites(), site => $"{site.Site}");
        List(ledger, "/schemas", "ListPublishedSchemas", "The published schemas.", service => service.Schemas(), schema => schema.SchemaId);
        List(ledger, "/epochs", "ListEpochs", "All epochs in the order of their posting.", service => service.Epochs(), epoch => epoch.Id);
        List(ledger, "/rounds", "ListRounds", "All rounds, schema by schema.", service => service.Rounds(), round => round.Id);
        List(ledger, "/requests", "ListLedgerRequests", "All funded requests by number.", service => service.Requests(),
            request => $"{request.RequestId}");
        List(ledger, "/deliveries", "ListDeliveries", "All deliveries, request by request.", service => service.Deliveries(),
            delivery => delivery.Id);
        List(ledger, "/demands", "ListDemands", "The leaves that were demanded, and what became of it.", service => service.Demands(),
            demand => $"{demand.BatchId}-{demand.Kind}-{demand.Position}");
        List(ledger, "/auditors", "ListAuditors", "The registered auditors.", service => service.Auditors(), address => address);
        ledger.MapGet("/batches/{id}", (string id, LedgerService service) => service.Batch(ApiValues.Hash(id, "id"))
                ?? throw new ApiException(ProblemType.UnknownBatch, $"the ledger has no batch {id}"))
            .Named("ReadBatch", "An epoch, round or delivery: where it stands, until when it can be asked and challenged.", Policies.Anyone)
            .Cached(CacheFor.Everybody);
        ledger.MapGet("/terms", (LedgerService service) => service.Terms())
            .Named("ReadLedgerTerms", "The rules of the contracts: windows, bonds and deposits.", Policies.Anyone)
            .Cached(CacheFor.Everybody);
        ledger.MapPost("/demands", (DemandWish wish, HttpContext context, AuditorCallService service) =>
            service.DemandAsync(wish, context.RequestAborted))
            .Named("DemandLeaf", "The calls that demand a leaf of a posted batch, to be signed by the account.", Policies.Anyone)
            .Costs(RateClass.Write);
        ledger.MapPost("/demands/end", (DemandWish wish, HttpContext context, AuditorCallService service) =>
            service.EndDemandAsync(wish, context.RequestAborted))
            .Named("EndDemand", "The call that ends a demand without answer: the batch becomes void, or the deposit goes back.",
                Policies.Anyone).Costs(RateClass.Write);
        ledger.MapPost("/sites/{site}/findings", (string site, FindingWish wish, HttpContext context, AuditorCallService service) =>
            service.FindingAsync((uint)ApiValues.Number(site, "site", uint.MaxValue), wish, context.RequestAborted))
            .Named("RecordFinding", "The call that records a finding about a site, to be signed by a registered auditor.", Policies.Anyone)
            .Costs(RateClass.Write);
        ledger.MapPost("/accounts/{address}/withdrawal", (string address, HttpContext context, AuditorCallService service) =>
            service.WithdrawAsync(ApiValues.Address(address).ToString(), context.RequestAborted))
            .Named("Withdraw", "The call that takes out what is free of the account's balance with the ledger.", Policies.Anyone)
            .Costs(RateClass.Write);
        ledger.MapGet("/deliveries/{id}/claims", (string id, string? cursor, string? limit, LedgerService service) =>
            Paging.After(service.Claims(ApiValues.Hash(id, "id")), claim => $"{claim.Slot}", cursor, limit))
            .Named("ListClaims", "What was paid out of a delivery.", Policies.Anyone).Cached(CacheFor.Everybody);
        ledger.MapGet("/sites/{site}/revocations", (string site, string? cursor, string? limit, LedgerService service) =>
            Paging.After(service.Revocations((uint)ApiValues.Number(site, "site", uint.MaxValue)), row => row.Pseudonym, cursor, limit))
            .Named("ListRevocations", "The pseudonyms that a site's patients revoked.", Policies.Anyone).Cached(CacheFor.Everybody);
        ledger.MapGet("/sites/{site}/findings", (string site, string? cursor, string? limit, LedgerService service) =>
            Paging.After(service.Findings((uint)ApiValues.Number(site, "site", uint.MaxValue)), finding => $"{finding.Index}",
                cursor, limit))
            .Named("ListFindings", "What auditors found about a site.", Policies.Anyone).Cached(CacheFor.Everybody);
        ledger.MapGet("/epochs/{id}/members/{position}", (string id, string position, LedgerService service) =>
            service.MemberAsync(ApiValues.Hash(id, "id"), (uint)ApiValues.Number(position, "position", uint.MaxValue)))
            .Named("OpenMember", "A member's leaf with the path to the root that the ledger holds.", Policies.Anyone)
            .Cached(CacheFor.Everybody);
        ledger.MapGet("/deliveries/{id}/slots/{slot}", (string id, string slot, LedgerService service) =>
            service.SlotAsync(ApiValues.Hash(id, "id"), (uint)ApiValues.Number(slot, "slot", uint.MaxValue)))
            .Named("OpenSlot", "A delivery's leaf with the path to the root that the ledger holds.", Policies.Anyone)
            .Cached(CacheFor.Everybody);
        ledger.MapGet("/accounts/{address}", (string address, HttpContext context, LedgerService service) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                return service.AccountAsync(ApiValues.Address(address).ToString(), context.RequestAborted);
            })
            .Named("ReadAccount", "What an account needs to know to sign: nonce, balances, allowance and fee.", Policies.Anyone);
        ledger.MapPost("/transactions", async (RawTransaction transaction, HttpContext context, LedgerService service) =>
            {
                string hash = await service.RelayAsync(transaction.Raw, context.RequestAborted);
                return TypedResults.Accepted($"{ApiPaths.Root}/ledger/transactions/{hash}", new RelayedTransaction(hash));
            })
            .Named("RelayTransaction", "Hands a signed transaction to the chain.", Policies.Anyone).Costs(RateClass.Write).Remembered();
        ledger.MapGet("/transactions/{hash}", async (string hash, HttpContext context, LedgerService service) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                return await service.ReceiptAsync(ApiValues.Hash(hash, "hash"), context.RequestAborted)
                    ?? throw new ApiException(ProblemType.UnknownTransaction, "the transaction is in no block, or not yet");
            })
            .Named("ReadTransaction", "What became of a transaction.", Policies.Anyone);
        ledger.MapPost("/embedded/endowments", async (EndowmentWish wish, HttpContext context, LedgerService service) =>
            {
                string address = Show.Address(ApiValues.Address(wish.Address));
                Session session = Session.Require(context);
                if (session.Role != Role.Operator && !string.Equals(session.Address, address, StringComparison.Ordinal))
                {
                    throw new ApiException(ProblemType.Forbidden, "who signed in by a key can ask for its own address only");
                }

                await service.EndowAsync(address, context.RequestAborted);
                return TypedResults.NoContent();
            })
            .Named("Endow", "Gives an account ether and tokens of an embedded chain: the own one, or for the operator any.",
                Policies.SignedIn).Costs(RateClass.Heavy);
        ledger.MapPost("/embedded/clock", async (ClockStep step, HttpContext context, LedgerService service) =>
            {
                await service.AdvanceTimeAsync(step.Seconds is > 0 and <= LongestStep
                    ? step.Seconds : throw new ApiException(ProblemType.InvalidValue, $"seconds is a whole number from 1 to {LongestStep}"),
                    context.RequestAborted);
                return TypedResults.NoContent();
            })
            .Named("AdvanceClock", "Moves the clock of an embedded chain.", Policies.Operator).Costs(RateClass.Heavy);
    }

    private static void List<T>(
        IEndpointRouteBuilder ledger, string path, string name, string summary, Func<LedgerService, T[]> all, Func<T, string> id) =>
        ledger.MapGet(path, (string? cursor, string? limit, LedgerService service) => Paging.After(all(service), id, cursor, limit))
            .Named(name, summary, Policies.Anyone).Cached(CacheFor.Everybody);
}
