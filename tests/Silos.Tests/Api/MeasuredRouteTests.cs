using EmrMarket.Silos.Telemetry;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>Which endpoints are measured and traced, written here once more by hand: a new one is in neither list, and fails.</summary>
[Collection(ApiTests.Name)]
public sealed class MeasuredRouteTests(ApiFixture api)
{
    // What researchers, auditors, staff and machines do. Nothing of patients, of signing in, or of staff at the desk.
    private static readonly string[] WithSites =
    [
        "DELETE /api/v1/accounts/{name}", "GET /api/v1/accounts", "GET /api/v1/files/{sha256}",
        "GET /api/v1/ledger/requests/{id}/results", "GET /api/v1/ledger/requests/{id}/terms", "GET /api/v1/requests",
        "GET /api/v1/requests/{key}", "GET /api/v1/requests/{key}/results", "GET /api/v1/sites/{site}",
        "GET /api/v1/sites/{site}/deliveries", "GET /api/v1/sites/{site}/epochs",
        "GET /api/v1/sites/{site}/restore", "GET /audit", "GET /health", "GET /ready",
        "GET /requests", "GET /requests/new", "GET /requests/{Key:length(64)}", "POST /api/v1/accounts",
        "POST /api/v1/ledger/batches/{id}/check", "POST /api/v1/ledger/embedded/clock", "POST /api/v1/requests",
        "POST /api/v1/requests/{id}/replay", "POST /api/v1/requests/{key}/cancellation", "POST /api/v1/sites/{site}/epochs",
        "POST /api/v1/sites/{site}/loads", "POST /api/v1/sites/{site}/restore/confirmation", "POST /api/v1/terms",
        "POST /audit", "POST /requests", "POST /requests/new",
        "POST /requests/{Key:length(64)}", "PUT /api/v1/sites/{site}/policies/default",
    ];

    // What anybody reads, where no patient passes on the way.
    private static readonly string[] WithoutSites =
    [
        "GET /api/v1/catalogue/{schemaId}", "GET /api/v1/market", "GET /api/v1/problems", "GET /api/v1/problems/{code}",
        "GET /api/v1/schemas", "GET /api/v1/schemas/{schemaId}", "GET /catalogue", "GET /catalogue/{SchemaId}", "GET /plan",
        "POST /api/v1/plans", "POST /catalogue", "POST /catalogue/{SchemaId}", "POST /plan",
    ];

    [RequiresFact(Tool.Anvil)]
    public async Task What_is_measured_is_what_researchers_auditors_and_staff_do_and_what_all_read()
    {
        (string[] atSites, string[] atMarkets) = (await MeasuredAsync(hasSites: true), await MeasuredAsync(hasSites: false));
        Assert.Equal(WithSites.Order(StringComparer.Ordinal), atSites);
        Assert.Equal(WithSites.Concat(WithoutSites).Order(StringComparer.Ordinal), atMarkets);
    }

    private async Task<string[]> MeasuredAsync(bool hasSites)
    {
        RouteEndpoint[] endpoints = [
            .. (await api.GetAsync()).Web.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()];
        return
        [
            .. endpoints.Where(endpoint => MeasuredRoutes.Covers(endpoint, hasSites))
                .SelectMany(endpoint => (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"])
                    .Where(method => method != "HEAD")
                    .Select(method => $"{method} /{endpoint.RoutePattern.RawText!.Trim('/')}"))
                .Distinct().Order(StringComparer.Ordinal),
        ];
    }
}
