namespace EmrMarket.Silos.Pages.Texts;

/// <summary>Catalogue and planner.</summary>
internal static class CatalogueTexts
{
    public const string Title = "Catalogue";
    public const string Lead = "What is on offer, counted over the published offers. Small counts are not shown.";
    public const string Schema = "Data set";
    public const string Records = "Records on offer";
    public const string Classes = "Groups of equal offers";
    public const string Attributes = "Attributes";
    public const string Attribute = "Attribute";
    public const string Tier = "Tier";
    public const string Domain = "Values";
    public const string AttributeCaption = "Records that may be asked at each grade or a lower one; a higher grade is more exact and costs more.";
    public const string Purposes = "Purposes that offers admit";
    public const string Purpose = "Purpose";
    public const string Cells = "Groups that a request may be limited to";
    public const string Cell = "Group";
    public const string Sites = "By site";
    public const string Site = "Site";
    public const string Prices = "Asking prices";
    public const string PricesWhat = "Token units per unit of loss (ε) and record: the median of what is asked for attributes of each tier.";
    public const string Figure = "How many records allow which grade";
    public const string FigureReading = "Each line is a tier: the median over its attributes of the records that allow the grade. Further right is more exact.";
    public const string PlanWith = "Plan a request on this data set";
    public const string Empty = "No records are on offer yet: a site has to load records and publish an epoch.";
    public const string Everyone = "every record";

    public const string PlanTitle = "Plan a request";
    public const string PlanLead = "Say what you want to know, and the error you need, how many records you want, or what you can spend. Nothing is stored, paid or spent.";
    public const string Statistic = "Statistic";
    public const string StatisticHint = "The share of each value, a mean, or any statistic in its text form.";
    public const string Wish = "What is given";
    public const string WishAmount = "How much";
    public const string HalfWidthHint = "An error is half the width of the interval; for shares 0.01 is one percentage point.";
    public const string WishError = "An error is a number above 0, for example 0.02.";
    public const string WishWhole = "A whole number from 1 is needed here.";
    public const string Confidence = "Confidence";
    public const string Guaranteed = "Guaranteed, not only expected";
    public const string Compute = "Compute the plan";
    public const string Options = "Options";
    public const string OptionsCaption = "One row per grade. The marked row is the cheapest that meets your wish.";
    public const string Grade = "Grade";
    public const string Needed = "Records";
    public const string Effective = "Worth";
    public const string Expected = "Expected error ±";
    public const string Guarantee = "Guaranteed error ±";
    public const string Ask = "Asked per record";
    public const string Cost = "Cost";
    public const string Limit = "Limited by";
    public const string ErrorFigure = "Error against price";
    public const string ErrorReading = "Each line is a grade, as far as records allow it. Lower is more exact, further left is cheaper; the dashed lines cross at the recommendation.";
    public const string Recommended = "recommended";
    public const string NoneMeets = "No grade meets this wish: read what limits each, and ask for less.";
    public const string Continue = "Write a request from this";
    public const string Notes = "Good to know";

    /// <summary>What a plan starts from: the name in the address, and the words.</summary>
    public static readonly (string Name, string Label)[] Wishes = [("error", "the largest error"), ("records", "the number of records"), ("budget", "what I can spend, in token units")];

    public static string Best(string wish, long records, string expected, string guaranteed, string cost) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{(wish == "error" ? "The cheapest that will do" : "The most exact that can be had")}: {records:#,0} records, expected error ± {expected}, guaranteed ± {guaranteed}, for about {cost} token units.");

    public static string OfRecords(long records) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{records:#,0} records");

    public static string Suppressed(int smallest) => $"Counts below {smallest} stand as 0.";

    public static string Values(int count, string unit) => unit.Length > 0 ? $"{count} steps, {unit}" : $"{count}";
}
