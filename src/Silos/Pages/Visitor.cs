using System.Security.Claims;

namespace EmrMarket.Silos.Pages;

/// <summary>Who looks at a page, out of the claims that every way of signing in writes.</summary>
/// <param name="Role">What they are; null when not signed in.</param>
/// <param name="Address">A researcher's account.</param>
/// <param name="Site">The site of its staff.</param>
/// <param name="Publisher">A patient's record: site, schema and pseudonym, joined by slashes.</param>
internal sealed record Visitor(string? Role, string? Address, string? Site, string? Publisher)
{
    public const string Patient = "patient";
    public const string Researcher = "researcher";
    public const string Staff = "staff";
    public const string Auditor = "auditor";

    /// <summary>Reads the claims.</summary>
    public static Visitor Of(ClaimsPrincipal user) => new(
        user.FindFirstValue("role") ?? user.FindFirstValue(ClaimTypes.Role), user.FindFirstValue("address"), user.FindFirstValue("site"),
        user.FindFirstValue("publisher"));
}
