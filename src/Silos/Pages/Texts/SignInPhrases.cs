namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What the sign-in says with something filled in.</summary>
internal static class SignInPhrases
{
    public static string PatientOf(string site) => Phrase.Of(SignInTexts.PatientOf, site);
}
