using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>The patient's pages.</summary>
internal static class PatientTexts
{
    public const string Title = "My record";
    public const string Lead = "Decide what may be told of it, and see all that was.";
    public const string State = "Taking part";
    public const string Active = "yes";
    public const string Paused = "paused";
    public const string Withdrawn = "withdrawn for ever";
    public const string Never = "no settings yet";
    public const string Budget = "Privacy spent";
    public const string Asked = "Who asked, and why";
    public const string Earned = "Earned";
    public const string Due = "due, not paid yet";
    public const string Uses = "Uses";
    public const string SettingsTitle = "My settings";
    public const string HowMuch = "How much may be told";
    public const string ByTier = "For each tier: how often may an observer of one answer be right between two values, where a coin is right 50 % of the time? Less means more noise.";
    public const string OneByOne = "Decide answer by answer";
    public const string AsTier = "as its tier";
    public const string Price = "Price per unit of loss";
    public const string PriceHint = "Token units for low, moderate and private answers.";
    public const string Quota = "Sales per round, at most";
    public const string Purpose = "For which research";
    public const string PurposeHint = "With all that lies below it.";
    public const string Expiry = "Until";
    public const string ExpiryHint = "Published as the end of that quarter, so that the day singles nobody out.";
    public const string Save = "Sign and save";
    public const string Pause = "Pause";
    public const string Resume = "Take part again";
    public const string Withdraw = "Withdraw for ever";
    public const string WithdrawSure = "Withdraw this record for ever? What was already told cannot be taken back, and you cannot take part with it again.";
    public const string Means = "What this means";
    public const string Always = "What no setting changes";
    public const string Delay = "Changes take effect with the site's next epoch; pausing and withdrawing stop deliveries at once.";
    public const string ProfilesTitle = "The menu of published profiles";
    public const string Profile = "Profile";
    public const string ProfileLoss = "Loss in all";
    public const string ProfileGuess = "Best single guess";
    public const string ProfileWorth = "Worth";
    public const string ProfileReleased = "Answers released";
    public const string HistoryTitle = "Every use of my record";
    public const string HistoryLead = "Each line can be proved: a member's leaf says that the record stood in that epoch, a delivery's leaf what was reported and who was paid. Your browser computes both paths.";
    public const string HistoryNone = "Nobody has used this record yet.";
    public const string Request = "Request";
    public const string Why = "Purpose";
    public const string Told = "What was told";
    public const string Amount = "Paid";
    public const string Proof = "Proof";
    public const string Check = "Check the proof";
    public const string Places = "Where it stands on the ledger";
    public const string Epoch = "Epoch";
    public const string Member = "Member";
    public const string Round = "Round";
    public const string Delivery = "Delivery";
    public const string Slot = "Slot";
    public const string Payee = "Paid to";
    public const string ReportHash = "Hash of the report";
    public const string Pseudonym = "Pseudonym";

    public static readonly string[] NoSettingChanges =
    [
        "That you take part, what you chose and when you changed it are not protected by noise: only as many others with the same profile hide them.",
        "What was told once at a grade is told for ever; selling the same report again costs no more privacy, and lowering a setting takes nothing back.",
        "The site holds a copy of your wallet's seed today: what you sign, it could sign too.",
    ];

    public static string Spent(string epsilon) => $"ε {epsilon}";

    public static string OfCap(string epsilon) => $"of {epsilon} that may ever be spent";

    public static string ToldAt(string title, int grade, string epsilon) => grade == 0 ? $"{title}, as it is" : $"{title}, randomised at grade {grade} (ε {epsilon})";

    public static string AskedBy(string title, string why, string researcher) => $"“{title}”: {why} Asked by the account {researcher}.";

    public static string Participation(string state, int quota) => quota == 0 && state == "active" ? Never : state switch { "active" => Active, "paused" => Paused, _ => Withdrawn };

    public static string Grade(int grade, long micro) => grade == 0 ? "withheld"
        : string.Create(CultureInfo.InvariantCulture, $"guessed right {100 / (1 + Math.Exp(-micro / 1e6)):0.#} % of the time at most (ε {micro / 1e6:0.##})");

    public static string TierName(string tier) => $"{CommonTexts.Tier(tier)} answers";

    public static string Stages(string state) => state switch
    {
        "reserved" => "reports are drawn",
        "released" => "the market has them",
        "posted" => "on the ledger, may be challenged",
        "final" => "final, payment is due",
        "paid" => "paid",
        _ => "void: told, and not paid",
    };
}
