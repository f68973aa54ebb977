namespace EmrMarket.Silos.Api.Traffic;

/// <summary>What is declared of each endpoint beside its path.</summary>
internal static class EndpointTerms
{
    /// <summary>Its name, what it does, and the one policy that lets callers in.</summary>
    public static RouteHandlerBuilder Named(this RouteHandlerBuilder endpoint, string name, string summary, string policy) =>
        endpoint.WithName(name).WithSummary(summary).RequireAuthorization(policy).WithMetadata(new PolicyName(policy));

    /// <summary>Its answers may be kept for a moment, and carry an ETag.</summary>
    public static RouteHandlerBuilder Cached(this RouteHandlerBuilder endpoint, CacheFor whom) => endpoint
        .WithMetadata(whom)
        .AddEndpointFilter(
            (call, next) => call.HttpContext.RequestServices.GetRequiredService<AnswerCache>().AnswerAsync(call, next, whom));

    /// <summary>How dear a call is.</summary>
    public static RouteHandlerBuilder Costs(this RouteHandlerBuilder endpoint, RateClass rate) =>
        endpoint.WithMetadata(new RateClassName(rate));

    /// <summary>It takes an Idempotency-Key.</summary>
    public static RouteHandlerBuilder Remembered(this RouteHandlerBuilder endpoint) => endpoint.WithMetadata(new Remembers());
}

/// <summary>The policy that an endpoint names.</summary>
/// <param name="Policy">One of <see cref="Access.Policies"/>.</param>
internal sealed record PolicyName(string Policy);

/// <summary>The endpoint takes an Idempotency-Key.</summary>
internal sealed record Remembers;

/// <summary>The class of calls that an endpoint's calls count in.</summary>
internal sealed record RateClassName(RateClass Rate);
