namespace EmrMarket.Silos.Pages.Texts;

/// <summary>Lists of the first page.</summary>
internal static class HomePhrases
{
    public static IReadOnlyList<string> Steps =>
        [HomeTexts.Step1, HomeTexts.Step2, HomeTexts.Step3, HomeTexts.Step4, HomeTexts.Step5, HomeTexts.Step6, HomeTexts.Step7,
            HomeTexts.Step8];
}
