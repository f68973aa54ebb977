using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>What is dealt in, where, and what is on offer.</summary>
internal static class MarketRoutes
{
    /// <summary>Adds them.</summary>
    public static void MapMarket(this IEndpointRouteBuilder api)
    {
        IEndpointRouteBuilder market = api.MapGroup("").WithTags("Market");
        market.MapGet("/market", (CatalogueService catalogue) => catalogue.Describe())
            .Named("ReadMarket", "The market: chain, contracts, rules, schemas, sites and clock.", Policies.Anyone)
            .Cached(CacheFor.Everybody);
        market.MapGet("/schemas", (CatalogueService catalogue) => catalogue.Describe().Schemas)
            .Named("ListSchemas", "The schemas that the market deals in.", Policies.Anyone).Cached(CacheFor.Everybody);
        market.MapGet("/schemas/{schemaId}",
            (string schemaId, CatalogueService catalogue) => catalogue.Schema(ApiValues.Hash(schemaId, "schemaId")))
            .Named("ReadSchema", "A schema: attributes, tiers, grades and profiles.", Policies.Anyone).Cached(CacheFor.Everybody);
        market.MapGet("/catalogue/{schemaId}",
            (string schemaId, CatalogueService catalogue) => catalogue.ReadAsync(ApiValues.Hash(schemaId, "schemaId")))
            .Named("ReadCatalogue", "What is on offer of a schema; small counts are suppressed.", Policies.Anyone)
            .Cached(CacheFor.Everybody);
    }
}
