namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What catalogue and planner say with something filled in.</summary>
internal static class CataloguePhrases
{
    /// <summary>What a plan starts from: the name in the address, and the words.</summary>
    public static (string Name, string Label)[] Wishes =>
        [("error", CatalogueTexts.WishOfError), ("records", CatalogueTexts.WishOfRecords), ("budget", CatalogueTexts.WishOfBudget)];

    public static string Best(string wish, long records, string expected, string guaranteed, string cost) =>
        Phrase.Of(wish == "error" ? CatalogueTexts.BestForError : CatalogueTexts.BestForMoney, records, expected, guaranteed, cost);

    public static string Option(long records, int grade, string expected, string guaranteed, string cost) =>
        Phrase.Of(CatalogueTexts.OptionIs, records, grade, expected, guaranteed, cost);

    public static string OfRecords(long records) => Phrase.Of(CatalogueTexts.OfRecords, records);

    public static string Suppressed(int smallest) => Phrase.Of(CatalogueTexts.Suppressed, smallest);

    public static string Values(int count, string unit) =>
        unit.Length > 0 ? Phrase.Of(CatalogueTexts.Steps, count, unit) : Phrase.Of("{0}", count);
}
