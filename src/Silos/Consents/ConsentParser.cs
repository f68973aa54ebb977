using System.Globalization;
using System.Text.Json;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Silos.Reporting.Fhir;

namespace EmrMarket.Silos.Consents;

/// <summary>What a Consent says, before it is asked which policy that is.</summary>
internal sealed record ConsentDocument
{
    public required Participation Participation { get; init; }

    public ConsentProvision? Root { get; init; }

    public byte? Rate { get; init; }

    public ushort? Quota { get; init; }

    public string? Profile { get; init; }
}

/// <summary>
/// Reads the elements of a Consent, each against what R4 (4.0.1, https://hl7.org/fhir/R4/consent.html) and a policy can say. Whatever
/// could change the meaning and is not understood is refused; what R4 says never does (texts, identifiers, plain extensions) is passed
/// over.
/// </summary>
/// <param name="menu">What a policy may say.</param>
/// <param name="issues">Takes what is wrong.</param>
internal sealed class ConsentParser(ConsentMenu menu, ConsentIssues issues)
{
    private const int MostProvisions = 128;
    private const int MostDepth = 8;

    private static readonly HashSet<string> PassedOver = new(
        [
            "resourceType", "id", "meta", "language", "_language", "text", "contained", "identifier", "dateTime", "_dateTime", "patient",
            "performer", "organization", "sourceAttachment", "sourceReference",
        ],
        StringComparer.Ordinal);

    private static readonly HashSet<string> ReadHere = new(
        ["extension", "modifierExtension", "status", "scope", "category", "policy", "policyRule", "verification", "provision"],
        StringComparer.Ordinal);

    private static readonly HashSet<string> ReadInProvisions = new(
        ["id", "extension", "modifierExtension", "type", "period", "action", "purpose", "class", "code", "provision"],
        StringComparer.Ordinal);

    private static readonly Dictionary<string, string> NoPolicySays = new(StringComparer.Ordinal)
    {
        ["actor"] = "a policy does not choose who asks: every researcher whom the market admits may, for the purpose",
        ["securityLabel"] = "records carry no security labels",
        ["dataPeriod"] = "a policy holds for all records of a person, whenever they were made",
        ["data"] = "a policy holds for all records of a person, not for single resources",
    };

    private static readonly string[] Ours =
        [ConsentCodes.Ceiling, ConsentCodes.Rate, ConsentCodes.Quota];

    private readonly int _everyPurpose = Mask(PurposeTree.Default.Purposes.Select(purpose => purpose.Code));
    private readonly ulong _everyAttribute = menu.Schema.Attributes.Count == AttributeGrades.MaxAttributes
        ? ulong.MaxValue : (1UL << menu.Schema.Attributes.Count) - 1;

    private int _provisions;

    /// <summary>The Consent; what is wrong is among the issues, and the document then worth nothing.</summary>
    public ConsentDocument Read(JsonElement json)
    {
        ConsentElement consent = new(json, "Consent");
        if (Object(consent) is null || Text(consent.Member("resourceType") ?? consent) != "Consent")
        {
            issues.Malformed("structure", "Consent", "this is no resource of type Consent", "Hand in one Consent of FHIR R4 as JSON.");
            return new ConsentDocument { Participation = Participation.Withdrawn };
        }

        foreach (JsonProperty member in json.EnumerateObject().Where(
            member => !PassedOver.Contains(member.Name) && !ReadHere.Contains(member.Name)))
        {
            Unknown("Consent", member.Name);
        }

        CheckScope(consent);
        CheckPolicies(consent);
        bool? optIn = Base(consent);
        Participation participation = Status(consent);
        foreach (ConsentElement verification in Items(consent.Member("verification")))
        {
            if (verification.Member("verified")?.Json.ValueKind != JsonValueKind.True)
            {
                issues.Unsayable("business-rule", verification.Path, "the Consent says that it was not verified",
                    "Hand it in when it was.");
            }
        }

        PlainExtensions(consent, out string? profile);
        (byte? rate, ushort? quota) = Asked(consent);
        ConsentProvision? root = Root(consent, optIn);
        return new ConsentDocument { Participation = participation, Root = root, Rate = rate, Quota = quota, Profile = profile };
    }

    private Participation Status(ConsentElement consent)
    {
        string? status = Text(Required(consent, "status"));
        switch (status)
        {
            case "active":
                return Participation.Active;
            case "inactive":
                return Participation.Paused;
            case "rejected":
                return Participation.Withdrawn;
            case "draft" or "proposed" or "entered-in-error":
                // Not among the issues of meaning, which do not keep anybody from pausing: nothing was decided here at all.
                issues.Malformed("business-rule", "Consent.status", "a Consent of this status decides nothing",
                    "Hand in one that is active, inactive (pauses) or rejected (withdraws).");
                return Participation.Paused;
            case null:
                return Participation.Paused;
            default:
                issues.Malformed("code-invalid", "Consent.status", "R4 has no such status",
                    "Write active, inactive or rejected.");
                return Participation.Paused;
        }
    }

    private void CheckScope(ConsentElement consent)
    {
        if (Required(consent, "scope") is { } scope
            && !Codings(scope).Any(coding => coding is (ConsentCodes.Scopes, "research")))
        {
            issues.Malformed("business-rule", scope.Path, "the Consent is about something else than research",
                "A policy of this market is about research: its scope is 'research' of consentscope.");
        }

        if (Items(Required(consent, "category")).Count == 0 && consent.Member("category") is not null)
        {
            issues.Malformed("required", "Consent.category", "a Consent has at least one category", "Name one.");
        }
    }

    private void CheckPolicies(ConsentElement consent)
    {
        if (consent.Member("policy") is null && consent.Member("policyRule") is null)
        {
            issues.Malformed("invariant", "Consent", "a Consent has a policy or a policyRule (ppc-1)",
                "Say by policyRule whether all is permitted (OPTIN) or denied (OPTOUT) but for the provisions.");
        }

        foreach (ConsentElement policy in Items(consent.Member("policy")))
        {
            if (Object(policy) is null)
            {
                continue;
            }

            foreach (JsonProperty member in policy.Json.EnumerateObject())
            {
                if (member.Name != "uri" || Text(policy.Member("uri")) != ConsentCodes.PolicyOf(menu.Schema))
                {
                    issues.Unsayable("not-supported", $"{policy.Path}.{Shown(member.Name)}",
                        "the Consent stands under a policy whose content it does not say, or is about records of another schema",
                        "Write what it says as provisions, and leave the reference out; a schema is named by the URI of its id.");
                }
            }
        }
    }

    /// <summary>Whether everything is permitted but for exceptions; null where the rule does not say.</summary>
    private bool? Base(ConsentElement consent)
    {
        if (consent.Member("policyRule") is not { } rule)
        {
            return null;
        }

        bool?[] said = [.. Codings(rule).Where(coding => coding.System == ConsentCodes.ActCodes).Select(coding => coding.Code switch
        {
            "OPTIN" or "OPTINR" => true,
            "OPTOUT" or "OPTOUTE" => false,
            _ => (bool?)null,
        }).Distinct()];
        if (said is [{ } one])
        {
            return one;
        }

        issues.Unsayable("not-supported", rule.Path, "the base rule is none that this market knows",
            "Write OPTIN, OPTINR, OPTOUT or OPTOUTE of HL7 v3 ActCode.");
        return null;
    }

    private void PlainExtensions(ConsentElement consent, out string? profile)
    {
        profile = null;
        foreach (ConsentElement extension in Items(consent.Member("extension")))
        {
            string? url = Text(extension.Member("url"));
            if (url == ConsentCodes.Profile)
            {
                string? named = Text(Required(extension, "valueString"));
                if (profile is not null && named != profile)
                {
                    issues.Unsayable("conflict", extension.Path, "the Consent names two profiles", "Name one.");
                }

                profile = named;
            }
            else
            {
                RefuseOurs(url, extension);
            }
        }
    }

    // What limits a permission may not stand where readers pass it over (R4, "modifierExtension").
    private void RefuseOurs(string? url, ConsentElement extension)
    {
        if (url is not null && Ours.Contains(url, StringComparer.Ordinal))
        {
            issues.Malformed("extension", extension.Path, "this extension limits what is permitted and stands among those that do not",
                "Write it as a modifierExtension.");
        }
    }

    private (byte? Rate, ushort? Quota) Asked(ConsentElement consent)
    {
        byte? rate = null;
        ushort? quota = null;
        foreach (ConsentElement extension in Items(consent.Member("modifierExtension")))
        {
            string? url = Text(extension.Member("url"));
            if (url == ConsentCodes.Rate && rate is null)
            {
                rate = RateOf(extension);
            }
            else if (url == ConsentCodes.Quota && quota is null)
            {
                if (Number(extension, 1, ushort.MaxValue) is { } sales)
                {
                    quota = (ushort)sales;
                }
            }
            else
            {
                issues.Unsayable("extension", extension.Path, "a modifier extension is given twice, or is none that this market knows",
                    "Leave it out, or write in elements of R4 what it means.");
            }
        }

        return (rate, quota);
    }

    private byte? RateOf(ConsentElement extension)
    {
        byte? number = null;
        Dictionary<string, string?> amounts = new(StringComparer.Ordinal);
        foreach (ConsentElement part in Items(extension.Member("extension")))
        {
            string? url = Text(part.Member("url"));
            if (url == "menu" && number is null)
            {
                number = Number(part, 0, menu.Rates.Count - 1) is { } index ? (byte)index : null;
            }
            else if (url is null || !ConsentCodes.AllTiers.Any(tier => ConsentCodes.NameOf(tier) == url)
                || !amounts.TryAdd(url, Text(Required(part, "valueString"))))
            {
                issues.Malformed("extension", part.Path, "a rate has the parts menu, public, low, moderate and private, each once",
                    "Write the parts that docs/CONSENT.md lists.");
            }
        }

        if (number is { } known)
        {
            foreach ((string tier, string? amount) in amounts)
            {
                int i = (int)ConsentCodes.AllTiers.First(each => ConsentCodes.NameOf(each) == tier);
                if (amount != menu.Rates[known].PerEpsilon[i])
                {
                    issues.Unsayable("business-rule", extension.Path,
                        string.Create(CultureInfo.InvariantCulture, $"rate {known} of this site asks another amount than the Consent says"),
                        "Choose a rate of this site's menu.");
                    break;
                }
            }
        }
        else if (!issues.Any)
        {
            issues.Malformed("required", extension.Path, "a rate has its number on the site's menu", "Add the part menu.");
        }

        return number;
    }

    private ConsentProvision? Root(ConsentElement consent, bool? optIn)
    {
        if (consent.Member("provision") is not { } provision)
        {
            if (optIn is { } whole)
            {
                return new ConsentProvision
                {
                    Path = "Consent.provision", Permits = whole, Attributes = _everyAttribute, Purposes = _everyPurpose,
                    Ceiling = menu.Schema.Grades.Count,
                };
            }

            issues.Unsayable("required", "Consent.policyRule", "nothing says whether all is permitted or denied",
                "Add a policyRule, or a provision with its type.");
            return null;
        }

        bool? own = Type(provision);
        if ((own ?? optIn) is not { } permits)
        {
            issues.Unsayable("required", "Consent.policyRule", "nothing says whether all is permitted or denied but for the exceptions",
                "Add a policyRule (R4 gives the root rule no type; one is read all the same).");
            return null;
        }

        if (own is { } typed && optIn is { } ruled && typed != ruled)
        {
            issues.Unsayable("conflict", provision.Path + ".type", "the root rule says the opposite of policyRule",
                "Leave the type out, as R4 says, and write the exception as a nested provision.");
        }

        return Provision(provision, permits, isRoot: true, 1);
    }

    private bool? Type(ConsentElement provision)
    {
        switch (provision.Member("type") is { } type ? Text(type) : null)
        {
            case "permit":
                return true;
            case "deny":
                return false;
            case null:
                return null;
            default:
                issues.Malformed("code-invalid", provision.Path + ".type", "a provision permits or denies", "Write permit or deny.");
                return null;
        }
    }

    private ConsentProvision? Provision(ConsentElement provision, bool permits, bool isRoot, int depth)
    {
        if (Object(provision) is null)
        {
            return null;
        }

        if (depth > MostDepth || ++_provisions > MostProvisions)
        {
            issues.Malformed("too-costly", provision.Path,
                $"a Consent has at most {MostProvisions} provisions, nested at most {MostDepth} deep", "Write it more plainly.");
            return null;
        }

        foreach (JsonProperty member in provision.Json.EnumerateObject().Where(member => !ReadInProvisions.Contains(member.Name)))
        {
            if (NoPolicySays.TryGetValue(member.Name, out string? reason))
            {
                issues.Unsayable("not-supported", $"{provision.Path}.{member.Name}", reason,
                    "Leave it out, or do not take part: a policy would allow more than this Consent.");
            }
            else
            {
                Unknown(provision.Path, member.Name);
            }
        }

        foreach (ConsentElement extension in Items(provision.Member("extension")))
        {
            RefuseOurs(Text(extension.Member("url")), extension);
        }

        CheckActions(provision);
        (long from, long until) = Period(provision);
        List<ConsentProvision> exceptions = [];
        foreach (ConsentElement nested in Items(provision.Member("provision")))
        {
            bool? type = Type(nested);
            if (type is null)
            {
                issues.Malformed("required", nested.Path + ".type", "a nested provision permits or denies", "Write its type.");
            }
            else if (type == permits)
            {
                issues.Unsayable("business-rule", nested.Path + ".type",
                    "a nested provision is an exception, and this one says the same as what it is nested in",
                    "To permit less, begin with OPTOUT and permit; or deny the rest.");
            }

            if (Provision(nested, !permits, isRoot: false, depth + 1) is { } read)
            {
                exceptions.Add(read);
            }
        }

        // The root says what the Consent is about, whatever its rule: of what lies outside nothing was said.
        return new ConsentProvision
        {
            Path = provision.Path,
            Permits = permits,
            Attributes = AttributesOf(provision),
            Purposes = PurposesOf(provision, permits || isRoot),
            From = from,
            Until = until,
            Ceiling = CeilingOf(provision, permits),
            Exceptions = exceptions,
        };
    }

    private void CheckActions(ConsentElement provision)
    {
        if (provision.Member("action") is not { } actions)
        {
            return;
        }

        HashSet<string> codes = [];
        foreach (ConsentElement action in Items(actions))
        {
            foreach ((string system, string code) in Codings(action))
            {
                codes.Add(system == ConsentCodes.Actions ? code : "");
            }
        }

        if (!codes.Contains("use") || !codes.Contains("disclose"))
        {
            issues.Unsayable("not-supported", provision.Path + ".action",
                "a policy releases answers to be used: it cannot tell one of these actions from the other",
                "Leave the actions out, or name both 'use' and 'disclose' of consentaction.");
        }
    }

    private (long From, long Until) Period(ConsentElement provision)
    {
        (long from, long until) = (long.MinValue, long.MaxValue);
        if (provision.Member("period") is not { } period || Object(period) is null)
        {
            return (from, until);
        }

        foreach (JsonProperty member in period.Json.EnumerateObject())
        {
            ConsentElement at = new(member.Value, $"{period.Path}.{Shown(member.Name)}");
            if (member.Name is not ("start" or "end"))
            {
                Unknown(period.Path, member.Name);
            }
            else if (ConsentTime.Read(Text(at) ?? "") is not { } time)
            {
                issues.Malformed("value", at.Path, "this is no dateTime of R4",
                    "Write a day such as 2027-12-31, or a second with its offset.");
            }
            else if (member.Name == "start")
            {
                from = time.From;
            }
            else
            {
                until = time.Until;
            }
        }

        if (from >= until)
        {
            issues.Malformed("invariant", period.Path, "the period ends before it begins (per-1)", "Correct one of the two.");
        }

        return (from, until);
    }

    private ulong AttributesOf(ConsentElement provision)
    {
        Schema schema = menu.Schema;
        ulong about = _everyAttribute;
        if (provision.Member("class") is { } classes)
        {
            ulong any = 0;
            foreach (ConsentElement item in Items(classes))
            {
                if (Coding(item) is not { } coding)
                {
                    continue;
                }

                Tier? tier = coding.System != ConsentCodes.Tiers ? null
                    : ConsentCodes.AllTiers.Where(each => ConsentCodes.NameOf(each) == coding.Code).Cast<Tier?>().FirstOrDefault();
                if (tier is null)
                {
                    issues.Unsayable("not-supported", item.Path,
                        "a policy speaks of attributes of the schema and of their tiers, not of this class",
                        "Name a tier as class (public, low, moderate, private) or attributes as code.");
                }

                any |= Mask(schema.Attributes.Select(attribute => attribute.Tier == tier));
            }

            about &= any;
        }

        if (provision.Member("code") is { } codes)
        {
            ulong any = 0;
            foreach (ConsentElement item in Items(codes))
            {
                string[] own = [.. Codings(item).Where(coding => coding.System == ConsentCodes.Attributes(schema))
                    .Select(coding => coding.Code).Distinct(StringComparer.Ordinal)];
                if (own is not [{ } name] || schema.IndexOf(name) is not (>= 0 and int index))
                {
                    issues.Unsayable("not-supported", item.Path, "a policy speaks of whole attributes of the schema, not of this code",
                        "Name one attribute by its name, in the system of this schema's id.");
                    continue;
                }

                any |= 1UL << index;
            }

            about &= any;
        }

        if (about == 0)
        {
            issues.Unsayable("business-rule", provision.Path, "the provision is about no attribute of this schema",
                "Class and code hold together: the attributes named must be of the tiers named.");
        }

        return about;
    }

    private int PurposesOf(ConsentElement provision, bool within)
    {
        if (provision.Member("purpose") is not { } purposes)
        {
            return _everyPurpose;
        }

        IReadOnlyList<ConsentElement> items = Items(purposes);
        if (items.Count > 1)
        {
            issues.Unsayable("business-rule", purposes.Path,
                "several purposes in one provision: R4 reads them as 'all of these at once', many systems as 'any of these'",
                "Write a provision for each purpose, or name the one that all are kinds of.");
        }

        int about = 0;
        foreach (ConsentElement item in items)
        {
            if (Coding(item) is not { } coding)
            {
                continue;
            }

            int? known = coding.System == FhirCodes.Purpose
                ? byte.TryParse(coding.Code, NumberStyles.None, CultureInfo.InvariantCulture, out byte code)
                    && PurposeTree.Default.Purposes.Any(purpose => purpose.Code == code)
                    && coding.Code == code.ToString(CultureInfo.InvariantCulture) ? KindsOf(code) : null
                : coding.System == ConsentCodes.ActReasons && ConsentCodes.Purposes.TryGetValue(coding.Code, out (byte[] Within,
                    byte[] Touched) v3)
                    ? Mask(within ? v3.Within : v3.Touched) : null;
            if (known is null)
            {
                issues.Unsayable("not-supported", item.Path, "this purpose is none of the market's, and none of HL7's that it maps",
                    "docs/CONSENT.md lists both.");
            }
            else if (known == 0)
            {
                issues.Unsayable("not-supported", item.Path, "this purpose is narrower than every purpose of the market",
                    "Permit one that the market has: docs/CONSENT.md lists them.");
            }

            about |= known ?? 0;
        }

        return about;
    }

    /// <summary>A purpose with all kinds of it.</summary>
    internal static int KindsOf(byte purpose)
    {
        PurposeSet kinds = PurposeTree.Default.Closure([purpose]);
        return Mask(PurposeTree.Default.Purposes.Select(each => each.Code).Where(kinds.Contains));
    }

    private int CeilingOf(ConsentElement provision, bool permits)
    {
        int? ceiling = null;
        foreach (ConsentElement extension in Items(provision.Member("modifierExtension")))
        {
            if (Text(extension.Member("url")) != ConsentCodes.Ceiling || ceiling is not null)
            {
                issues.Unsayable("extension", extension.Path, "a modifier extension is given twice, or is none that this market knows here",
                    "Leave it out, or write in elements of R4 what it means.");
            }
            else if (!permits)
            {
                issues.Malformed("extension", extension.Path, "a ceiling limits what is permitted, and this provision denies",
                    "Put it on what is permitted.");
            }
            else
            {
                ceiling = GradeOf(extension);
            }
        }

        return ceiling ?? menu.Schema.Grades.Count;
    }

    private int? GradeOf(ConsentElement extension)
    {
        int? grade = null;
        decimal? epsilon = null;
        foreach (ConsentElement part in Items(extension.Member("extension")))
        {
            switch (Text(part.Member("url")))
            {
                case "grade" when grade is null:
                    grade = (int?)Number(part, 1, menu.Schema.Grades.Count);
                    break;
                case "epsilon" when epsilon is null && Required(part, "valueDecimal") is { } value:
                    if (value.Json.ValueKind != JsonValueKind.Number || !value.Json.TryGetDecimal(out decimal loss)
                        || loss is <= 0 or > 1_000_000)
                    {
                        issues.Malformed("value", value.Path, "an epsilon is a number above 0", "Write one of the schema's ladder.");
                        break;
                    }

                    epsilon = loss;
                    break;
                default:
                    issues.Malformed("extension", part.Path, "a ceiling has the parts grade and epsilon, each at most once",
                        "Write the parts that docs/CONSENT.md lists.");
                    break;
            }
        }

        int? of = epsilon is { } allowed
            ? Enumerable.Range(0, menu.Schema.Grades.Count + 1).Last(each => menu.Schema.Grades[each].Micro <= allowed * 1_000_000m) : null;
        if (grade is { } said && epsilon is { } also && menu.Schema.Grades[said].Micro != also * 1_000_000m)
        {
            issues.Unsayable("conflict", extension.Path, "this schema's grade has another epsilon than the Consent says",
                "Write the epsilon alone, and the highest grade below it is meant.");
        }
        else if (of == 0)
        {
            issues.Unsayable("business-rule", extension.Path, "the epsilon is below the lowest grade of this schema",
                "Permit the lowest grade, or do not permit these attributes.");
        }
        else if (grade is null && epsilon is null)
        {
            issues.Malformed("required", extension.Path, "a ceiling has a grade or an epsilon", "Add one.");
        }

        return grade ?? of;
    }

    private long? Number(ConsentElement extension, long least, long most)
    {
        if (Required(extension, "valueInteger") is not { } value)
        {
            return null;
        }

        if (value.Json.ValueKind == JsonValueKind.Number && value.Json.TryGetInt64(out long number) && number >= least && number <= most)
        {
            return number;
        }

        issues.Malformed("value", value.Path,
            string.Create(CultureInfo.InvariantCulture, $"expected a whole number from {least} to {most}"), "Write one of these.");
        return null;
    }

    private ConsentElement? Required(ConsentElement parent, string name)
    {
        if (parent.Member(name) is { } member)
        {
            return member;
        }

        issues.Malformed("required", $"{parent.Path}.{name}", "the element is missing", "Add it.");
        return null;
    }

    private JsonElement? Object(ConsentElement element)
    {
        if (element.Json.ValueKind == JsonValueKind.Object && element.Json.EnumerateObject().Any())
        {
            return element.Json;
        }

        issues.Malformed("structure", element.Path, "expected an object with members", "See R4's JSON format.");
        return null;
    }

    private string? Text(ConsentElement? element)
    {
        if (element is not { } known)
        {
            return null;
        }

        if (known.Json.ValueKind == JsonValueKind.String && known.Json.GetString() is { Length: > 0 } text)
        {
            return text;
        }

        issues.Malformed("structure", known.Path, "expected a text that is not empty", "See R4's JSON format.");
        return null;
    }

    private IReadOnlyList<ConsentElement> Items(ConsentElement? list)
    {
        if (list is not { } known)
        {
            return [];
        }

        if (known.Json.ValueKind == JsonValueKind.Array && known.Json.GetArrayLength() > 0)
        {
            return [.. known.Json.EnumerateArray().Select((item, i) =>
                new ConsentElement(item, string.Create(CultureInfo.InvariantCulture, $"{known.Path}[{i}]")))];
        }

        issues.Malformed("structure", known.Path, "expected a list that is not empty", "See R4's JSON format.");
        return [];
    }

    private (string System, string Code)? Coding(ConsentElement element) =>
        Object(element) is not null && Text(Required(element, "system")) is { } system && Text(Required(element, "code")) is { } code
            ? (system, code) : null;

    private List<(string System, string Code)> Codings(ConsentElement concept)
    {
        List<(string, string)> codings = [];
        if (Object(concept) is not null)
        {
            foreach (ConsentElement item in Items(concept.Member("coding")))
            {
                if (Coding(item) is { } coding)
                {
                    codings.Add(coding);
                }
            }
        }

        return codings;
    }

    // An underscore brings extensions of a simple value: where the value is read, they might say that it is not what it seems.
    private void Unknown(string path, string name) => issues.Malformed(
        name == "implicitRules" || name.StartsWith('_') ? "not-supported" : "structure", $"{path}.{Shown(name)}",
        "R4 has no such element here, or it changes the meaning of others in a way that is not known", "Leave it out.");

    // Names are the sender's: what does not look like one is not repeated.
    private static string Shown(string name) => name.Length <= 40 && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') ? name : "?";

    private static int Mask(IEnumerable<byte> purposes) => purposes.Aggregate(0, (mask, code) => mask | (1 << code));

    private static ulong Mask(IEnumerable<bool> attributes)
    {
        ulong mask = 0;
        foreach ((int i, bool isIn) in attributes.Index())
        {
            mask |= isIn ? 1UL << i : 0;
        }

        return mask;
    }
}
