namespace EmrMarket.Silos.Pages.Texts;

/// <summary>Signing in.</summary>
internal static class SignInTexts
{
    public const string Title = "Sign in";
    public const string Lead = "Patients and researchers sign in with their wallet, staff and auditors with their account.";
    public const string Denied = "You are signed in, but not as somebody who may see that page. Sign in as somebody else, or go back.";
    public const string Wallet = "With a wallet";
    public const string WalletWhat = "The wallet is opened in this browser. This server sees a signature; the passphrase and your keys never leave the page.";
    public const string As = "I am";
    public const string Researcher = "a researcher";
    public const string WalletFile = "Wallet file";
    public const string Kept = "This browser keeps a locked wallet: leave the file empty to use it.";
    public const string Forget = "Forget the kept wallet";
    public const string Passphrase = "Passphrase";
    public const string Keep = "Keep the locked wallet in this browser";
    public const string KeepWhat = "Not on a machine that others use.";
    public const string WalletGo = "Unlock and sign in";
    public const string Choose = "The wallet commands several records here. Which one?";
    public const string Account = "With an account";
    public const string Name = "Name";
    public const string Password = "Password";
    public const string Code = "Code of your authenticator";
    public const string CodeHint = "Six digits, if your account has one.";
    public const string AccountGo = "Sign in";
    public const string Failed = "Name, password or code are wrong, or the account is locked for a while after too many tries.";
    public const string New = "Make a wallet, or restore one";
    public const string NewWhat = "Researchers make their own. Patients get theirs from their site; with the recovery phrase they restore its seed, and the site tells the pseudonyms again.";
    public const string NewPassphrase = "Passphrase, at least 12 characters";
    public const string NewPassphraseAgain = "The passphrase once more";
    public const string Phrase = "Recovery phrase";
    public const string PhraseHint = "18 words, only to restore. Leave it empty for a new wallet.";
    public const string NewGo = "Make the wallet";

    public static string PatientOf(string site) => $"a patient of {site}";
}
