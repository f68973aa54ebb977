namespace EmrMarket.Silos.Pages.Research;

/// <summary>How a request's state is coloured.</summary>
internal static class States
{
    /// <summary>good, warn, bad or on.</summary>
    public static string Kind(string state) => state switch
    {
        "settled" or "evaluated" or "delivered" => "good",
        "failed" or "disputed" => "bad",
        "refunded" or "expired" or "cancelled" => "warn",
        _ => "on",
    };
}
