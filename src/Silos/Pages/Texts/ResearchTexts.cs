using System.Globalization;

namespace EmrMarket.Silos.Pages.Texts;

/// <summary>A researcher's requests.</summary>
internal static class ResearchTexts
{
    public const string Title = "My requests";
    public const string Lead = "Each request ends in exactly one state, with the reason.";
    public const string New = "Write a request";
    public const string Endow = "Get demonstration money";
    public const string EndowWhat = "This is a demonstration chain: it gives you tokens and ether that are worth nothing.";
    public const string None = "You have no requests yet. Plan one first: the planner says what your budget buys.";
    public const string RequestTitle = "Request";
    public const string State = "State";
    public const string Sold = "Sold";
    public const string Delivered = "Delivered";
    public const string Effective = "Effective records";
    public const string Paid = "Paid";
    public const string Refunded = "Returned";
    public const string Reason = "Because";
    public const string Account = "Your account";

    public const string NewLead = "Say what you ask and why: patients read the reason. You see the terms and their price before anything is signed.";
    public const string Statistics = "Statistics, one per line";
    public const string Asked = "Statistics";
    public const string StatisticsHint = "frequency:A, mean:A, bins:A:CELLS, quantile:A:P[,P], table:A,B[,C], topCodes:A, linear:Y~A[,B], logistic:Y=LABEL~A[,B]";
    public const string TitleField = "Title";
    public const string Why = "Why you ask, for patients";
    public const string Grade = "Grade";
    public const string GradeHint = "The same for all attributes, or the default of each tier.";
    public const string GradeDefault = "default of each tier";
    public const string Target = "Records wanted";
    public const string Minimum = "Fewest records that are of use";
    public const string MinimumHint = "With fewer the request is dropped from its round. 0 takes what there is.";
    public const string Purpose = "Purpose";
    public const string Cell = "Only records of";
    public const string Bid = "Bid, as a multiple of what is asked";
    public const string BidHint = "A higher bid finds more sellers; you never pay more than it.";
    public const string Write = "Write the terms";
    public const string Buys = "What this buys";
    public const string BuysLead = "Computed from what is on offer for this purpose, before anything is stored or signed. A limit to one group leaves fewer records than is counted here.";
    public const string BudgetWhat = "token units; what is not delivered comes back";
    public const string TermsTitle = "The terms";
    public const string TermsLead = "This is what you would sign. The escrow holds the budget; what is not delivered comes back.";
    public const string Budget = "Budget, held in escrow";
    public const string BidIs = "Bid per effective record";
    public const string Ask = "Asked per record, at the median";
    public const string Key = "Key: the hash of the terms";
    public const string TermsJson = "The terms document, word by word";
    public const string Fund = "Sign and fund";
    public const string Tokens = "Your tokens";
    public const string TooFewTokens = "Your account holds fewer tokens than the budget.";
    public const string NoEther = "Your account has no ether to pay for its transactions.";
    public const string Deadline = "Deadline";
    public const string Confidence = "Confidence";

    public const string Timeline = "What happened";
    public const string Cancel = "Cancel the request";
    public const string CancelWhat = "A request can be cancelled until its book is closed.";
    public const string NotFunded = "It is not funded yet: sign its two transactions to open it.";
    public const string Results = "Results";
    public const string NoResults = "Results appear when the last delivery is final.";
    public const string Downloads = "Downloads";
    public const string Csv = "CSV";
    public const string Json = "JSON";
    public const string Print = "Print or save as PDF";
    public const string Citation = "How to cite";
    public const string Warnings = "Before you use this";
    public const string Findings = "Findings about sites";
    public const string Value = "Value";
    public const string Estimate = "Estimate";
    public const string Interval = "Interval";
    public const string Error = "Standard error";
    public const string Expected = "Expected ±";
    public const string Guarantee = "Guaranteed ±";
    public const string N = "Records";
    public const string Estimator = "Estimator";
    public const string Post = "Post-processed";
    public const string Tests = "Tests";
    public const string FigureReading = "Dots are estimates, strokes their intervals; the second stroke is the error that was guaranteed before any data were seen.";
    public const string FigureReadingBare = "Dots are estimates, strokes their intervals. Nothing is guaranteed beyond them.";
    public const string EstimateAndInterval = "Estimate with interval";
    public const string GuaranteedRange = "Guaranteed error";
    public const string OutOfRange = "Unbiased estimates and their intervals may leave 0 to 100 %: that is the noise showing. Clipping them would bias every sum that is made of them.";
    public const string Share = "share of records";
    public const string EffectiveWhat = "as many unperturbed records would tell as much";
    public const string NotAnswered = "Not answered";
    public const string UnknownRequest = "You have no such request.";

    public static string Provenance(string sites, string files) => $"Delivered by {sites}. Files: {files}.";

    public static string CitationOf(string title, ulong request, string key, ulong chain, long seconds) => string.Create(
        CultureInfo.InvariantCulture,
        $"EmrMarket, request {request}: “{title}”. Estimates under local differential privacy, terms {key}, chain {chain}, {DateTimeOffset.FromUnixTimeSeconds(seconds):d MMMM yyyy}.");

    public static string Facts(long n, double effective, string epsilon, double confidence) => string.Create(
        CultureInfo.InvariantCulture, $"{n:#,0} records, worth {effective:#,0} effective; loss {epsilon} per record; intervals at {confidence * 100:0.##} %.");
}
