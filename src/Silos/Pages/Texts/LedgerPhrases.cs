using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What explorer and audit say with something filled in.</summary>
internal static class LedgerPhrases
{
    /// <summary>Fields of headers and leaves, for people.</summary>
    public static string Field(string name) => LedgerTexts.ResourceManager.GetString("Field_" + name, CultureInfo.CurrentUICulture) ?? name;

    public static string Finding(byte kind) =>
        kind switch { 1 => LedgerTexts.Finding_1, 2 => LedgerTexts.Finding_2, _ => LedgerTexts.Finding_3 };

    public static string RequestLine(uint records, string budget) =>
        Phrase.Of(LedgerTexts.RequestLine, records, CommonPhrases.Amount(budget));

    public static string BatchLine(string kind, string id, string status, long posted) =>
        Phrase.Of(LedgerTexts.BatchLine, Kind(kind), id[..12], status, CommonPhrases.Time(posted));

    public static string BatchGood(string kind, ulong block) => Phrase.Of(LedgerTexts.BatchGood, Kind(kind), block);

    public static string BatchBad(string kind, string fault) => Phrase.Of(LedgerTexts.BatchBad, Kind(kind), fault);

    public static string Tried(string status, int tried, long until) => status switch
    {
        "posted" => Phrase.Of(LedgerTexts.TriedPosted, tried, CommonPhrases.Time(until)),
        "void" => LedgerTexts.TriedVoid,
        _ => LedgerTexts.TriedFinal,
    };

    public static string ClaimCount(int count, string amount) => Phrase.Of(LedgerTexts.ClaimCount, count, CommonPhrases.Amount(amount));

    public static string FirstOf(int shown, int all) => Phrase.Of(LedgerTexts.FirstOf, shown, all);

    public static string Kind(string kind) =>
        kind switch { "epoch" => LedgerTexts.Kind_epoch, "round" => LedgerTexts.Kind_round, _ => LedgerTexts.Kind_delivery };

    public static string Checked(ulong block) => Phrase.Of(LedgerTexts.Checked, block);

    public static string TraceOf(string pseudonym) => Phrase.Of(LedgerTexts.TraceOf, pseudonym[..12]);
}
