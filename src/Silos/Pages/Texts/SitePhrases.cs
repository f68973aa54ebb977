namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What the pages of a site's staff say with something filled in.</summary>
internal static class SitePhrases
{
    public static string WalletRecordHint(int records) => Phrase.Of(SiteTexts.WalletRecordHint, records);

    public static string Title(string site) => Phrase.Of(SiteTexts.TitleOf, site);

    public static string Loaded(long records, int persons, long clipped) => Phrase.Of(SiteTexts.Loaded, records, persons, clipped);

    public static string HoldsResources(string title) => Phrase.Of(SiteTexts.HoldsResources, title);

    public static string LeftOut(long issues, long rows) => Phrase.Of(SiteTexts.LeftOut, issues, rows);

    public static string PoliciesSet(int persons) => Phrase.Of(SiteTexts.PoliciesSet, persons);

    public static string Decided(uint epoch) => Phrase.Of(SiteTexts.Decided, epoch);

    public static string ConsentsDone(long read, int set, int paused, int withdrawn, int unchanged) =>
        Phrase.Of(SiteTexts.ConsentsDone, read, set, paused, withdrawn, unchanged);

    public static string More(long shown, long total) => Phrase.Of(SiteTexts.More, shown, total);
}
