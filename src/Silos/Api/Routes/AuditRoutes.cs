using EmrMarket.Silos.Api.Access;
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
        audit.MapGet("/traces/{pseudonym}", (string pseudonym, HttpContext context, AuditService service) => service.TraceAsync(ApiValues.Hash(pseudonym, "pseudonym"), context.RequestAborted))
            .Named("Trace", "Follows a pseudonym from policy to payout, with every proof checked.", Policies.AuditorOrPatient).Costs(RateClass.Heavy).Cached(CacheFor.Session);
        audit.MapPost("/requests/{id}/replay", (string id, HttpContext context, AuditService service, Operations operations) =>
            {
                ulong request = ApiValues.Number(id, "id", ulong.MaxValue);
                return operations.Begin(context, "replay", async (_, stopping) => await service.ReplayAsync(request, stopping));
            })
            .Named("Replay", "Computes a request again from chain and files; follow the operation for the outcome.", Policies.Auditor).Costs(RateClass.Heavy).Remembered()
            .Produces<OperationInfo>(StatusCodes.Status202Accepted);
        api.MapGet("/operations/{id}", (string id, HttpContext context, Operations operations) => operations.Read(context, id))
            .WithTags("Operations").Named("ReadOperation", "Where long work stands: 202 while it goes on, 200 when it has ended.", Policies.SignedIn)
            .Produces<OperationInfo>(StatusCodes.Status200OK).Produces<OperationInfo>(StatusCodes.Status202Accepted);
    }
}
