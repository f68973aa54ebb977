using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>The pages of a site's staff.</summary>
internal static class SiteTexts
{
    public const string Lead = "Raw values stay in this site's process. What you see here is counts and commitments.";
    public const string Schema = "Data set";
    public const string Records = "Records";
    public const string Persons = "Persons";
    public const string HighestLoss = "Highest loss of a person";
    public const string Number = "Number on the ledger";
    public const string NotAdmitted = "not admitted yet";
    public const string LoadTitle = "Load records";
    public const string LoadLead = "A CSV file with the columns of the data set. All of it is taken, or, when one line is wrong, none.";
    public const string File = "File";
    public const string LoadGo = "Check and load";
    public const string Loading = "The file is read and checked …";
    public const string Problems = "The file is refused. Nothing was taken.";
    public const string Line = "Line";
    public const string Column = "Column";
    public const string Code = "Code";
    public const string Problem = "What is wrong";
    public const string NoFile = "Choose a file.";
    public const string TooLarge = "The file is too large for a page: use the command line, ./emr site load.";
    public const string SchemaReview = "Review the data set";
    public const string SchemaLead = "Tier and domain of each column. They come from public code books, never from the records; direct identifiers cannot stand here.";
    public const string Attribute = "Column";
    public const string Tier = "Tier";
    public const string Domain = "Values";
    public const string Labels = "Which";
    public const string PoliciesTitle = "Settings by default";
    public const string PoliciesLead = "For patients who leave the choice to you. Who has set something keeps it.";
    public const string Profile = "Profile";
    public const string Rate = "Price, token units per unit of loss (low / moderate / private)";
    public const string Purpose = "For which research";
    public const string PoliciesGo = "Set for everybody who has none";
    public const string WalletTitle = "Hand a patient their wallet";
    public const string WalletLead = "The file commands the pseudonyms of one person. Who holds it and its passphrase decides about the records: hand it to nobody else, and keep no copy. The site made the seed and knows it.";
    public const string WalletRecord = "Record";
    public const string WalletPassphrase = "Passphrase for the way";
    public const string WalletPassphraseHint = "At least 12 characters; tell it to the patient apart from the file.";
    public const string WalletGo = "Make the wallet file";
    public const string EpochsTitle = "Epochs";
    public const string EpochsLead = "An epoch publishes today's offers by two roots. Groups of fewer than 20 persons join a stricter one, or are withheld.";
    public const string EpochGo = "Decide the next epoch";
    public const string Epoch = "Epoch";
    public const string Members = "Members";
    public const string Classes = "Groups";
    public const string Withheld = "Withheld";
    public const string Status = "Status";
    public const string FileHash = "File";
    public const string DeliveriesTitle = "Deliveries";
    public const string DeliveriesLead = "What was ordered, what was delivered, and why the rest was not.";
    public const string Request = "Request";
    public const string Ordered = "Ordered";
    public const string Delivered = "Delivered";
    public const string OverCap = "Over the lifetime cap";
    public const string NotAllowed = "Not allowed any more";
    public const string Refusal = "Refused by the market";

    public static string WalletRecordHint(int records) => string.Create(CultureInfo.InvariantCulture, $"Its place in the order of loading, 1 to {records:#,0}.");

    public static string Title(string site) => $"Site {site}";

    public static string Loaded(long records, int persons, long clipped) => string.Create(
        CultureInfo.InvariantCulture, $"{records:#,0} records of {persons:#,0} persons were taken; {clipped:#,0} values were moved to the bounds of their grid.");

    public static string PoliciesSet(int persons) => string.Create(CultureInfo.InvariantCulture, $"{persons:#,0} persons who had no settings have them now.");

    public static string Decided(uint epoch) => string.Create(CultureInfo.InvariantCulture, $"Epoch {epoch} is decided; the site posts it by itself.");

    public static string More(long shown, long total) => string.Create(CultureInfo.InvariantCulture, $"{shown:#,0} of {total:#,0} problems are shown.");
}
