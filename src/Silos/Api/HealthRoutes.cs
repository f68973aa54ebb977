using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Roles;

namespace EmrMarket.Silos.Api;

/// <summary>Whether the process lives, and whether it does its work.</summary>
internal static class HealthRoutes
{
    private const int RetryAfterSeconds = 2;

    /// <summary><c>GET /health</c> answers as long as the process does; <c>GET /ready</c> when the ledger can be read and everybody goes
    /// on, and 503 with the reason otherwise.</summary>
    public static void MapHealth(this IEndpointRouteBuilder routes, IReadOnlyList<RoleLoop> loops, ILedgerView ledger)
    {
        routes.MapGet("/health", () => Results.Text("alive\n")).Named("Health", "Whether the process lives.", Policies.Anyone);
        routes.MapGet("/ready", async (HttpContext context) =>
        {
            string? problem = loops.Select(loop => loop.Problem).FirstOrDefault(problem => problem is not null);
            try
            {
                await ledger.SyncAsync(context.RequestAborted);
            }
            catch (EthereumException e)
            {
                problem = e.Message;
            }

            if (problem is null)
            {
                return Results.Text($"ready at block {ledger.Head}\n");
            }

            await ProblemWriter.WriteAsync(
                context, Problem.Of(ProblemType.Unavailable, problem) with { RetryAfterSeconds = RetryAfterSeconds });
            return Results.Empty;
        }).Named("Ready", "Whether everybody does their work.", Policies.Anyone);
    }
}
