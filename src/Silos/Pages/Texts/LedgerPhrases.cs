using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What explorer and audit say with something filled in.</summary>
internal static class LedgerPhrases
{
    /// <summary>Fields of headers and leaves, for people.</summary>
    public static string Field(string name) => Named("Field_" + name, name);

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

    /// <summary>What a challenge says, for people.</summary>
    public static string Challenge(string kind) => Named("Challenge_" + kind, kind);

    /// <summary>Why a batch is void.</summary>
    public static string Fault(string fault) => Named("Fault_" + fault, fault);

    public static string DemandState(string state) => Named("DemandState_" + state, state);

    public static string LeafKind(byte kind) => Named("LeafKind_" + kind.ToString(CultureInfo.InvariantCulture), "");

    public static string LeafKindLine(byte kind, ulong leaves) => Phrase.Of(LedgerTexts.LeafKindLine, LeafKind(kind), leaves - 1);

    public static string AnsweredBy(string responder, long seconds) =>
        Phrase.Of(LedgerTexts.AnsweredBy, responder[..12] + "…", CommonPhrases.Time(seconds));

    public static string DepositIs(string units) => Phrase.Of(LedgerTexts.DepositIs, CommonPhrases.Amount(units));

    public static string RewardIs(string reward, string bond) =>
        Phrase.Of(LedgerTexts.RewardIs, CommonPhrases.Amount(reward), CommonPhrases.Amount(bond));

    public static string DemandWhat(string deposit, long seconds) =>
        Phrase.Of(LedgerTexts.DemandWhat, CommonPhrases.Amount(deposit), CommonPhrases.Lasting(seconds));

    public static string DemandOver(long until) => Phrase.Of(LedgerTexts.DemandOver, CommonPhrases.Time(until));

    public static string ChallengeUntil(long until) => Phrase.Of(LedgerTexts.ChallengeUntilIs, CommonPhrases.Time(until));

    public static string VoidBecause(string fault, long ended) =>
        Phrase.Of(LedgerTexts.VoidBecause, CommonPhrases.Time(ended), Fault(fault));

    public static string VoidBy(string challenger, string reward) =>
        Phrase.Of(LedgerTexts.VoidBy, challenger, CommonPhrases.Amount(reward));

    private static string Named(string name, string otherwise) =>
        LedgerTexts.ResourceManager.GetString(name, CultureInfo.CurrentUICulture) ?? otherwise;

    public static string Checked(ulong block) => Phrase.Of(LedgerTexts.Checked, block);

    public static string TraceOf(string pseudonym) => Phrase.Of(LedgerTexts.TraceOf, pseudonym[..12]);
}
