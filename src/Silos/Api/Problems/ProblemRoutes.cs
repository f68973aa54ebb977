using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Traffic;

namespace EmrMarket.Silos.Api.Problems;

/// <summary>The problem types, for whoever met one.</summary>
internal static class ProblemRoutes
{
    /// <summary>Adds them.</summary>
    public static void MapProblems(this IEndpointRouteBuilder api)
    {
        RouteGroupBuilder problems = api.MapGroup("/problems").WithTags("Problems");
        problems.MapGet("", () => ProblemTypes.All.ToArray()).Named("ListProblems", "Every problem type.", Policies.Anyone)
            .Cached(CacheFor.Everybody);
        problems.MapGet("/{code}", (string code) => ProblemTypes.Find(code)?.InfoOf() ?? throw new ApiException(ProblemType.UnknownProblem))
            .Named("ReadProblem", "One problem type.", Policies.Anyone).Cached(CacheFor.Everybody);
    }
}
