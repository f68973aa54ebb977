using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What the patient's pages say with something filled in.</summary>
internal static class PatientPhrases
{
    public static IReadOnlyList<string> NoSettingChanges(bool ownSeed) =>
        [PatientTexts.NoSettingChanges1, PatientTexts.NoSettingChanges2, .. ownSeed ? [] : (string[])[PatientTexts.NoSettingChanges3]];

    public static string Spent(string epsilon) => Phrase.Of(PatientTexts.Spent, epsilon);

    public static string OfCap(string epsilon) => Phrase.Of(PatientTexts.OfCap, epsilon);

    public static string ToldAt(string title, int grade, string epsilon) =>
        grade == 0 ? Phrase.Of(PatientTexts.ToldAsItIs, title) : Phrase.Of(PatientTexts.ToldAt, title, grade, epsilon);

    public static string AskedBy(string title, string why, string researcher) => Phrase.Of(PatientTexts.AskedBy, title, why, researcher);

    public static string Participation(string state, int quota) => quota == 0 && state == "active" ? PatientTexts.Never
        : state switch { "active" => PatientTexts.Active, "paused" => PatientTexts.Paused, _ => PatientTexts.Withdrawn };

    public static string Grade(int grade, long micro) =>
        grade == 0 ? CommonTexts.Withheld : Phrase.Of(PatientTexts.GuessAtMost, 100 / (1 + Math.Exp(-micro / 1e6)), micro / 1e6);

    public static string TierName(string tier) => Phrase.Of(PatientTexts.TierAnswers, CommonPhrases.Tier(tier));

    public static string Stages(string state) => PatientTexts.ResourceManager.GetString("Stage_" + state, CultureInfo.CurrentUICulture)
        ?? PatientTexts.Stage_void;
}
