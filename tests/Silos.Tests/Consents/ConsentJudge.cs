using System.Globalization;
using System.Text.Json.Nodes;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Tests.Consents;

/// <summary>
/// What a Consent permits, use by use, as plainly as R4 can be read: a rule says what it says of every use that it is about, and each
/// nested rule is an exception to it. Written against the specification alone, and slow.
/// </summary>
/// <param name="schema">What the attributes are.</param>
/// <param name="worlds">What each code of HL7's purposes covers, of all that it might.</param>
internal sealed class ConsentJudge(Schema schema, IReadOnlyDictionary<string, HashSet<int>> worlds)
{
    // The tree of docs/WIRE.md, written once more.
    private static readonly int[] Parents = [0, 0, 1, 1, 1, 1, 0, 0, 7, 2];

    public const int Purposes = 10;

    /// <summary>Whether the kind of use is the purpose, or a kind of it.</summary>
    public static bool IsKindOf(int use, int purpose)
    {
        for (int at = use; at != purpose; at = Parents[at])
        {
            if (at == Parents[at])
            {
                return false;
            }
        }

        return true;
    }

    public bool Permits(JsonNode consent, string attribute, int grade, int purpose, long time)
    {
        string? rule = (string?)consent["policyRule"]?["coding"]?[0]?["code"];
        bool all = rule is null ? (string?)consent["provision"]!["type"] == "permit" : rule.StartsWith("OPTIN", StringComparison.Ordinal);
        return consent["provision"] is { } root ? Matches(root, all) && Decides(root, all) : all;

        bool Decides(JsonNode provision, bool permits)
        {
            JsonNode[] about = [.. Items(provision["provision"]).Where(nested => Matches(nested, (string?)nested["type"] == "permit"))];
            return about.Length == 0 ? permits : Array.TrueForAll(about, nested => Decides(nested, (string?)nested["type"] == "permit"));
        }

        bool Matches(JsonNode provision, bool permits) =>
            (provision["class"] is not { } classes || Items(classes).Any(one => (string?)one["code"] == TierOf(attribute)))
            && (provision["code"] is not { } codes || Items(codes).Any(one => (string?)one["coding"]![0]!["code"] == attribute))
            && (provision["purpose"] is not { } purposes || Items(purposes).All(Covers))
            && Begins((string?)provision["period"]?["start"]) <= time && time < Ends((string?)provision["period"]?["end"])
            && (!permits || grade <= Ceiling(provision));

        bool Covers(JsonNode coding)
        {
            string code = (string)coding["code"]!;
            return int.TryParse(code, CultureInfo.InvariantCulture, out int own) ? IsKindOf(purpose, own) : worlds[code].Contains(purpose);
        }
    }

    private int Ceiling(JsonNode provision)
    {
        foreach (JsonNode extension in Items(provision["modifierExtension"]))
        {
            foreach (JsonNode part in Items(extension["extension"]))
            {
                if ((string?)part["url"] == "grade")
                {
                    return (int)part["valueInteger"]!;
                }

                long micro = (long)((decimal)part["valueDecimal"]! * 1_000_000);
                return Enumerable.Range(1, schema.Grades.Count).Count(grade => schema.Grades[grade].Micro <= micro);
            }
        }

        return int.MaxValue;
    }

    private string TierOf(string attribute) => schema.Attributes[schema.IndexOf(attribute)].Tier.ToString().ToLowerInvariant();

    // The tests write days, and seconds of UTC.
    private static long Begins(string? time) => time is null ? long.MinValue : Seconds(time);

    private static long Ends(string? time) => time is null ? long.MaxValue : Seconds(time) + (time.Length == 10 ? 86_400 : 1);

    private static long Seconds(string time) => new DateTimeOffset(
        DateTime.Parse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal))
        .ToUnixTimeSeconds();

    private static IEnumerable<JsonNode> Items(JsonNode? list) => list is null ? [] : list.AsArray().Select(item => item!);
}
