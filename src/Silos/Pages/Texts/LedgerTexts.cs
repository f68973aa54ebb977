using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>The explorer and what auditors do.</summary>
internal static class LedgerTexts
{
    public const string Title = "Ledger";
    public const string Lead = "What the four contracts hold, as this market reads it: commitments, matches and money. No identity and no value of a record is here.";
    public const string Contracts = "Contracts";
    public const string Contract = "Contract";
    public const string Address = "Address";
    public const string Epochs = "Epochs";
    public const string EpochsWhat = "Each epoch commits a site to its offers by two roots: members and classes.";
    public const string Rounds = "Rounds";
    public const string RoundsWhat = "Each round commits the market to who sells what at which price, by four roots.";
    public const string Deliveries = "Deliveries";
    public const string DeliveriesWhat = "Each delivery commits a site to what it released, to whom it is due, and to how much it is worth.";
    public const string Requests = "Requests";
    public const string RequestsWhat = "Escrow of each request: what came in, what was paid to patients, what went back.";
    public const string Sites = "Sites";
    public const string SitesWhat = "Who was admitted, and what was found about them.";
    public const string Demands = "Demanded leaves";
    public const string DemandsWhat = "Anybody may demand any leaf of a batch with a deposit; a batch whose leaf is not opened in time is void.";
    public const string Batch = "Batch";
    public const string Status = "Status";
    public const string Posted = "Posted";
    public const string Committer = "Committed by";
    public const string Header = "Header";
    public const string Root = "Root";
    public const string Budget = "Budget";
    public const string Claimed = "Paid out";
    public const string Refunded = "Returned";
    public const string Findings = "Findings";
    public const string Revocations = "Withdrawn for ever";
    public const string Account = "Account";
    public const string Number = "No.";
    public const string State = "State";
    public const string Open = "Open a leaf";
    public const string OpenWhat = "A leaf is shown with the path that leads from it to the root on the ledger. Your browser computes that path itself.";
    public const string Position = "Position";
    public const string Slot = "Slot";
    public const string Show = "Show and check";
    public const string Leaf = "Leaf";
    public const string Path = "Path, from the leaf up";
    public const string Sum = "Sum";
    public const string CheckInBrowser = "Check it in this browser";
    public const string Claims = "Paid out of this delivery";
    public const string Payee = "Paid to";
    public const string Amount = "Amount";
    public const string DataHash = "SHA-256 of its file";
    public const string Block = "Block";

    public const string AuditTitle = "Audit";
    public const string AuditLead = "Follow a pseudonym from policy to payout, or compute a request again from chain and files. Tables of the market are believed nowhere.";
    public const string Trace = "Follow a pseudonym";
    public const string TraceHint = "64 hexadecimal digits. A member's leaf, or a patient, tells it.";
    public const string TraceGo = "Follow";
    public const string Replay = "Replay a request";
    public const string ReplayHint = "Its number on the ledger.";
    public const string ReplayGo = "Compute it again";
    public const string ReplayGood = "Everything is as it must be: match, drawing, every leaf and report, and the statistics.";
    public const string ReplayBad = "A fault was found:";
    public const string NoResultsYet = "There are no results yet to compare with.";
    public const string Pseudonym = "Pseudonym";
    public const string Request = "Request";
    public const string RequestMalformed = "A request's number is a whole number from 1.";
    public const string FindingsLead = "What was found odd about the sites, each with its author. Statistics, never proof.";

    public const string CheckBatch = "Check a batch";
    public const string CheckBatchLead = "Holds an epoch, a round or a delivery against its file and what it follows from. While its window is open, every challenge that its leaves allow is tried against the contract.";
    public const string CheckBatchGo = "Check it";
    public const string Challenge = "Challenge";
    public const string ChallengeLead = "The contract would accept this challenge now. Sign it with a wallet of your own that has ether for the fee: the batch becomes void, and half of its committer's bond is yours.";
    public const string ChallengeGo = "Sign and file the challenge";
    public const string FindingKind = "What";

    /// <summary>Fields of headers and leaves, for people.</summary>
    public static string Field(string name) => name switch
    {
        "site" => "Site",
        "schemaId" => "Data set",
        "epoch" => "Epoch",
        "members" => "Members",
        "classes" => "Groups",
        "membersRoot" => "Root of the members",
        "classesRoot" => "Root of the groups",
        "ordinal" => "Round",
        "attempt" => "Attempt",
        "sales" => "Records sold",
        "pricesRoot" => "Root of the premiums",
        "requestsRoot" => "Root of the requests",
        "salesByClassRoot" => "Root of the sales by group",
        "salesByRequestRoot" => "Root of the sales by request",
        "seed" => "Seed of the drawing",
        "requestId" => "Request",
        "records" => "Records",
        "amount" => "Token units",
        "root" => "Root of the slots",
        "claimed" => "Payments made",
        "pseudonym" => "Pseudonym",
        "controller" => "Commanded by",
        "localClass" => "Group",
        "payoutRoot" => "Root of the payout addresses",
        "previousEpoch" => "Epoch before",
        "previousPosition" => "Position in it",
        "salt" => "Salt",
        "memberPosition" => "Member",
        "payoutAddress" => "Paid to",
        "reportHash" => "Hash of the report",
        "effective" => "Effective records, billionths",
        _ => name,
    };

    public static string Finding(byte kind) => kind switch { 1 => "reports that the channel cannot produce", 2 => "estimates apart from those of the other sites", _ => "something else" };

    public static string RequestLine(uint records, string budget) => string.Create(CultureInfo.InvariantCulture, $"{records:#,0} records, {CommonTexts.Amount(budget)} token units");

    public static string BatchLine(string kind, string id, string status, long posted) => $"{Kind(kind)} {id[..12]}…, {status}, {CommonTexts.Time(posted)}";

    public static string BatchGood(string kind, ulong block) => string.Create(CultureInfo.InvariantCulture, $"{Kind(kind)}: its file, its roots and what it follows from agree, as of block {block:#,0}.");

    public static string BatchBad(string kind, string fault) => $"{Kind(kind)}: {fault}";

    public static string Tried(string status, int tried, long until) => status switch
    {
        "posted" => string.Create(CultureInfo.InvariantCulture, $"{tried:#,0} challenges were tried against the contract. Its window ends {CommonTexts.Time(until)}."),
        "void" => "It is void: nothing follows from it any more.",
        _ => "It is final: the window for challenges is over, and a fault is now a finding about its committer.",
    };

    public static string ClaimCount(int count, string amount) => string.Create(CultureInfo.InvariantCulture, $"{count:#,0} payments, {CommonTexts.Amount(amount)} token units in all");

    public static string FirstOf(int shown, int all) => string.Create(CultureInfo.InvariantCulture, $"The first {shown:#,0} of {all:#,0}.");

    public static string Kind(string kind) => kind switch { "epoch" => "Epoch", "round" => "Round", _ => "Delivery" };

    public static string Checked(ulong block) => string.Create(CultureInfo.InvariantCulture, $"Verified against block {block:#,0}.");

    public static string TraceOf(string pseudonym) => $"Pseudonym {pseudonym[..12]}…, step by step";
}
