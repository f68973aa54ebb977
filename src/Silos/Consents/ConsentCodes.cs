using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Reporting.Fhir;

namespace EmrMarket.Silos.Consents;

/// <summary>The names that Consents are read and written with (docs/CONSENT.md, "What becomes what").</summary>
internal static class ConsentCodes
{
    private const string Ours = "urn:emrmarket:fhir:";
    private const string Terminology = "http://terminology.hl7.org/CodeSystem/";

    /// <summary>Tiers: public, low, moderate, private.</summary>
    public const string Tiers = Ours + "CodeSystem:tier";

    /// <summary>The highest grade that a permit covers: <c>grade</c>, <c>epsilon</c> or both.</summary>
    public const string Ceiling = Ours + "StructureDefinition:consent-ceiling";

    /// <summary>The asking price: <c>menu</c>, the number on the site's menu, and what that rate asks per epsilon by tier.</summary>
    public const string Rate = Ours + "StructureDefinition:consent-rate";

    /// <summary>Sales per record and round, at most.</summary>
    public const string Quota = Ours + "StructureDefinition:consent-quota";

    /// <summary>The profile's name; it tells profiles of equal ceilings apart and changes no meaning.</summary>
    public const string Profile = Ours + "StructureDefinition:consent-profile";

    public const string Scopes = Terminology + "consentscope";

    public const string Actions = Terminology + "consentaction";

    /// <summary>HL7 v3 ActCode: the base rules OPTIN, OPTINR, OPTOUT and OPTOUTE.</summary>
    public const string ActCodes = Terminology + "v3-ActCode";

    /// <summary>HL7 v3 ActReason, whose PurposeOfUse R4 binds to <c>provision.purpose</c>.</summary>
    public const string ActReasons = Terminology + "v3-ActReason";

    public static readonly FhirCoding
        Research = new(Scopes, "research", "Research"),
        Deidentified = new(Terminology + "consentcategorycodes", "rsdid", "De-identified Information Access"),
        OptOutWithExceptions = new(ActCodes, "OPTOUTE", "opt-out with exceptions");

    /// <summary>The system of a schema's attributes, by their names.</summary>
    public static string Attributes(Schema schema) => $"{FhirCodes.Schema}:{schema.Id}";

    /// <summary>What a policy of the schema is named by.</summary>
    public static string PolicyOf(Schema schema) => Attributes(schema);

    public static string NameOf(Tier tier) => tier.ToString().ToLowerInvariant();

    public static IEnumerable<Tier> AllTiers { get; } = [Tier.Public, Tier.Low, Tier.Moderate, Tier.Private];

    /// <summary>
    /// Purposes of HL7 v3 in the market's own. <c>Within</c> are those that the code covers beyond doubt, <c>Touched</c> those that it may
    /// overlap: a permit is read as the first, a denial as the second, so that nobody allows more than was said.
    /// </summary>
    public static IReadOnlyDictionary<string, (byte[] Within, byte[] Touched)> Purposes { get; } = V3();

    // Codes without kinds: of a request for "any purpose" nothing is known, so that it may be research, care or commerce.
    private static Dictionary<string, (byte[] Within, byte[] Touched)> V3()
    {
        byte[] all = [.. PurposeTree.Default.Purposes.Select(purpose => purpose.Code)];
        byte[] research = [0, 1, 2, 3, 4, 5, 7, 8, 9];
        Dictionary<string, (byte[] Within, byte[] Touched)> known = new(StringComparer.Ordinal)
        {
            ["PurposeOfUse"] = (all, all),
            ["HRESCH"] = ([2, 9], research),
            ["PUBHLTH"] = ([3], [0, 1, 2, 3, 9]),
            ["HQUALIMP"] = ([6], [0, 6]),
            ["HMARKT"] = ([], [0, 7]),
        };
        foreach (string kind in (string[])["BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH"])
        {
            known.Add(kind, ([], research));
        }

        return known;
    }
}
