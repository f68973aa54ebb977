using EmrMarket.Silos.Services;

namespace EmrMarket.Silos.Pages;

/// <summary>What sites are called: the ledger knows them by number, and this process those that it runs by name.</summary>
internal static class SiteNames
{
    /// <summary>The names by number.</summary>
    public static IReadOnlyDictionary<uint, string> Of(CatalogueService catalogue, SiteService sites) =>
        catalogue.Describe().Sites.Select(name => (Number: sites.Number(name), Name: name)).Where(site => site.Number > 0)
            .ToDictionary(site => site.Number, site => site.Name);
}
