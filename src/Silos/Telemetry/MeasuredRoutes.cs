using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Traffic;
using Microsoft.AspNetCore.Authorization;

namespace EmrMarket.Silos.Telemetry;

/// <summary>
/// Which endpoints are measured and traced. It is a list of those that are, so that a new one is not until somebody has thought of it: when
/// a patient withdraws or changes a setting is told to nobody before the ledger tells it with the day's others, and a counter that is read
/// every few seconds would tell.
/// </summary>
internal static class MeasuredRoutes
{
    private static readonly HashSet<string> Whole = new(
        [Policies.Researcher, Policies.Auditor, Policies.Operator, Policies.AnyStaff, Policies.SiteStaff], StringComparer.Ordinal);

    // What machines ask.
    private static readonly string[] Health = ["/health", "/ready"];

    // What anybody may read at a market, patients on their way included: so not where there are sites. Signing in and relaying are not
    // here.
    private static readonly string[] Open =
    [
        "/api/v1/market", "/api/v1/schemas", "/api/v1/catalogue", "/api/v1/plans", "/api/v1/problems", "/catalogue",
        "/plan",
    ];

    // At the desk of a site staff act for a patient; the pages of a site have that among their forms.
    private static readonly string[] AtTheDesk = ["/withdrawals", "/wallets", "/consents"];
    private const string PagesOfSites = "/sites/";

    /// <summary>Whether an endpoint is measured.</summary>
    /// <param name="endpoint">The endpoint; null for none.</param>
    /// <param name="hasSites">Whether the process has sites, whose patients use it.</param>
    public static bool Covers(Endpoint? endpoint, bool hasSites)
    {
        if (endpoint is not RouteEndpoint { RoutePattern.RawText: { } raw }
            || (endpoint.Metadata.GetMetadata<PolicyName>()?.Policy ?? endpoint.Metadata.GetMetadata<IAuthorizeData>()?.Policy)
                is not { } policy)
        {
            return false;
        }

        string route = "/" + raw.TrimStart('/');
        return Whole.Contains(policy)
            ? !AtTheDesk.Any(end => route.EndsWith(end, StringComparison.Ordinal))
            && !route.StartsWith(PagesOfSites, StringComparison.Ordinal)
            : policy == Policies.Anyone && (Health.Contains(route)
                || (!hasSites && Open.Any(open => route == open || route.StartsWith(open + "/", StringComparison.Ordinal))));
    }
}
