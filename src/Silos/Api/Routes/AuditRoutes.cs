using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>What auditors do, and the operations that anybody's long work becomes.</summary>
internal static class AuditRoutes
{
    /// <summary>Adds them.</summary>
    public static void MapAudits(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder audit = api.MapGroup("").WithTags("Audit");
        audit.MapGet("/traces/{pseudonym}",
            (string pseudonym, HttpContext context, AuditService service) =>
                service.TraceAsync(ApiValues.Hash(pseudonym, "pseudonym"), context.RequestAborted))
            .Named("Trace", "Follows a pseudonym from policy to payout, with every proof checked.", Policies.AuditorOrPatient)
            .Costs(RateClass.Heavy).Cached(CacheFor.Session);
        audit.MapPost("/requests/{id}/replay", (string id, HttpContext context, AuditService service, Operations operations) =>
            {
                ulong request = ApiValues.Number(id, "id", ulong.MaxValue);
                return operations.Begin(context, "replay", async (_, stopping) => await service.ReplayAsync(request, stopping));
            })
            .Named("Replay", "Computes a request again from chain and files; follow the operation for the outcome.", Policies.Auditor)
            .Costs(RateClass.Heavy).Remembered()
            .Produces<OperationInfo>(StatusCodes.Status202Accepted);
        audit.MapPost("/ledger/batches/{id}/check",
            (string id, HttpContext context, BatchCheckService service, Operations operations) =>
            {
                string batch = ApiValues.Hash(id, "id");
                return operations.Begin(context, "check", async (_, stopping) => await service.CheckAsync(batch, stopping));
            })
            .Named("CheckBatch",
                "Holds a batch against its file and, while it is posted, tries every challenge; follow the operation for the outcome.",
                Policies.Auditor)
            .Costs(RateClass.Heavy).Remembered()
            .Produces<OperationInfo>(StatusCodes.Status202Accepted);
        audit.MapGet("/files/{sha256}", async (string sha256, HttpContext context, AuditService service) =>
            {
                // A file of a hash never changes.
                context.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
                return TypedResults.Bytes(await service.FileAsync(ApiValues.Hash(sha256, "sha256"), context.RequestAborted)
                    ?? throw new ApiException(ProblemType.UnknownFile), "application/octet-stream");
            })
            .Named("ReadFile", "A file that a header on the ledger names by its SHA-256: epoch, round or delivery (docs/WIRE.md).",
                Policies.Auditor);
        audit.MapGet("/ledger/requests/{id}/terms", async (string id, HttpContext context, AuditService service) =>
            new TaggedText(await service.TermsAsync(ApiValues.Number(id, "id", ulong.MaxValue), context.RequestAborted),
                "application/json; charset=utf-8"))
            .Named("ReadTerms", "The terms of a request, byte by byte: their keccak stands on the ledger.", Policies.Auditor)
            .Produces<Grains.Exchange.TermsDocument>();
        audit.MapGet("/ledger/requests/{id}/results", async (string id, HttpContext context, AuditService service) =>
            new TaggedText(
                await service.ResultsAsync(ApiValues.Number(id, "id", ulong.MaxValue), context.RequestAborted)
                    ?? throw new ApiException(ProblemType.UnknownResults), "application/json; charset=utf-8"))
            .Named("ReadClaimedResults", "The results that the market claims, to be compared with a replay.", Policies.Auditor)
            .Produces<Grains.Market.Requests.RequestResults>();
        api.MapGet("/operations/{id}", (string id, HttpContext context, Operations operations) => operations.Read(context, id))
            .WithTags("Operations")
            .Named("ReadOperation", "Where long work stands: 202 while it goes on, 200 when it has ended.", Policies.SignedIn)
            .Produces<OperationInfo>(StatusCodes.Status200OK).Produces<OperationInfo>(StatusCodes.Status202Accepted);
    }
}
