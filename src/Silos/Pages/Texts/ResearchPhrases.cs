namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What a researcher's pages say with something filled in.</summary>
internal static class ResearchPhrases
{
    public static string Provenance(string sites, string files) => Phrase.Of(ResearchTexts.Provenance, sites, files);

    public static string CitationOf(string title, ulong request, string key, ulong chain, long seconds) =>
        Phrase.Of(ResearchTexts.CitationOf, request, title, key, chain, DateTimeOffset.FromUnixTimeSeconds(seconds));

    public static string BudgetBuys(uint records) => Phrase.Of(ResearchTexts.BudgetBuys, records);

    /// <summary>The unit behind the name of a variance.</summary>
    public static string Squared(string unit) => Phrase.Of(ResearchTexts.Squared, unit);

    /// <summary>The unit behind a name.</summary>
    public static string In(string unit) => Phrase.Of(ResearchTexts.In, unit);

    public static string Facts(long n, double effective, string epsilon, double confidence) =>
        Phrase.Of(ResearchTexts.Facts, n, effective, epsilon, confidence * 100);
}
