using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>What every page says.</summary>
internal static class CommonTexts
{
    public const string Product = "EmrMarket";
    public const string Skip = "Skip to the content";
    public const string MainNavigation = "Main";
    public const string Home = "Home";
    public const string Catalogue = "Catalogue";
    public const string Plan = "Plan";
    public const string Ledger = "Ledger";
    public const string MyRecord = "My record";
    public const string MyRequests = "My requests";
    public const string MySite = "My site";
    public const string Audit = "Audit";
    public const string SignIn = "Sign in";
    public const string SignOut = "Sign out";
    public const string NotFound = "There is no such page";
    public const string NotFoundWhy = "The address is mistyped, or what it named is gone.";
    public const string WentWrong = "This did not work";
    public const string BackHome = "Go to the first page";
    public const string Api = "API";
    public const string NoThirdParty = "This site asks no other host for anything, and sets two cookies: for signing in, and against forged forms.";
    public const string EmbeddedChain = "Demonstration chain: whoever has this machine can forge it.";
    public const string Loading = "Working …";
    public const string ShowNumbers = "The numbers";
    public const string NothingYet = "Nothing yet.";
    public const string NeedsScript = "This needs JavaScript: keys are used in your browser and are never sent.";
    public const string CheckFields = "Please look at what is marked.";
    public const string Loss = "loss";
    public const string Units = "token units";

    public static string Title(string page) => $"{page} · {Product}";

    public static string SignedInAs(string role) => $"Signed in as {role}";

    public static string AtBlock(ulong block) => string.Create(CultureInfo.InvariantCulture, $"Ledger at block {block:#,0}");

    /// <summary>A level of confidence.</summary>
    public static string Confidence(double level) => string.Create(CultureInfo.InvariantCulture, $"{level * 100:0.##} %");

    /// <summary>Loss in epsilon.</summary>
    public static string Epsilon(long micro) => string.Create(CultureInfo.InvariantCulture, $"{micro / 1e6:0.######}");

    /// <summary>Token units with thousands separators.</summary>
    public static string Amount(string units) => UInt128.TryParse(units, NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 amount)
        ? string.Join(',', Groups(amount.ToString(CultureInfo.InvariantCulture))) : units;

    /// <summary>A time of the ledger.</summary>
    public static string Time(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("d MMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture);

    public static string Machine(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>The tiers, for people.</summary>
    public static string Tier(string tier) => tier switch { "public" => "Public", "low" => "Low", "moderate" => "Moderate", "private" => "Private", _ => tier };

    public static string Grade(int grade, long micro) => grade == 0 ? "withheld" : string.Create(CultureInfo.InvariantCulture, $"grade {grade} (loss {micro / 1e6:0.##})");

    private static IEnumerable<string> Groups(string digits)
    {
        int first = digits.Length % 3;
        if (first > 0)
        {
            yield return digits[..first];
        }

        for (int at = first; at < digits.Length; at += 3)
        {
            yield return digits.Substring(at, 3);
        }
    }
}
