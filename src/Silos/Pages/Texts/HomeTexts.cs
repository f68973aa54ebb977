namespace EmrMarket.Silos.Pages.Texts;

/// <summary>The first page.</summary>
internal static class HomeTexts
{
    public const string Title = "Statistics from medical records that never leave their site in the clear";
    public const string Lead =
        "Patients and hospitals offer records for research without handing them over. Every sensitive answer is randomised where the record is; "
        + "researchers buy statistics with a stated error; four contracts on a ledger hold policies, matches and money, and anybody can check them.";
    public const string Trying = "This market runs on a small chain of its own, to be tried out. Started with --demo, its terminal prints a link for each kind of user: open them one after the other, and look at the same sale from four sides.";
    public const string Patients = "Patients";
    public const string PatientsWhat = "Decide how much of your record may be told, for which research, until when and at what price. See what each setting means in plain words, every use, and what it earned.";
    public const string PatientsGo = "Open my record";
    public const string Researchers = "Researchers";
    public const string ResearchersWhat = "See what is on offer, and before you pay which error your budget buys. Get estimates with intervals, and your money back for what was not delivered.";
    public const string ResearchersGo = "Plan a request";
    public const string Sites = "Hospitals";
    public const string SitesWhat = "Load records, set what holds for patients who leave the choice to you, publish offers, and see each delivery. Raw values stay in your own process.";
    public const string SitesGo = "Open my site";
    public const string Auditors = "Auditors";
    public const string AuditorsWhat = "Follow any sale from policy to payout on the ledger, check every proof, and compute any request again from chain and files.";
    public const string AuditorsGo = "Explore the ledger";
    public const string How = "How a sale goes";
    public const string Now = "The market now";
    public const string Records = "Records on offer";
    public const string Requests = "Requests so far";
    public const string Rounds = "Rounds decided";
    public const string Paid = "Paid to patients";
    public const string Promise = "What the promise is, and what it is not";
    public const string PromiseIs =
        "A loss of ε means that whatever is published, the odds of any guess about you change by a factor of at most e to the power ε. It holds against everybody, for ever, whatever else they know.";
    public const string PromiseIsNot =
        "It is a bound on each attribute and, added up, on the record. It does not hide that you take part, which settings you chose, or when you changed them; and to somebody who already knows a whole record, "
        + "its reports together can be a fingerprint: each patient's page says how often that was measured.";

    public static readonly string[] Steps =
    [
        "A site loads records. Patients, or the site by default, say what may be told.",
        "Each answer is randomised at the site once and for ever, so that selling it twice tells no more than selling it once.",
        "A researcher plans: which statistic, which error, which budget. Nothing is paid yet.",
        "The request is funded, and all open requests are matched against all offers.",
        "Sites deliver randomised reports at the agreed grades, and commit to them on the ledger.",
        "Estimates are computed with intervals, and can be computed again by an auditor.",
        "Patients are paid at fresh addresses, and what was not delivered is refunded.",
        "Patient, researcher and auditor see the same sale, each with proofs.",
    ];
}
