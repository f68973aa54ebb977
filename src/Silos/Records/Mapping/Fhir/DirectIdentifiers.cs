using EmrMarket.Silos.Records.Mapping.Fhir.Paths;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>
/// What no column of a mapped file may be made of: names, places below a state, contacts, identifiers, pictures, free text and dates of
/// birth (45 CFR 164.514(b)(2)(i), the safe harbour's list, as far as FHIR's elements hold it). A mapping that asks for one is refused when
/// it is read. The domains of the schema are closed as well; this is the second lock.
/// </summary>
internal static class DirectIdentifiers
{
    private static readonly Dictionary<string, string> Members = new(StringComparer.Ordinal)
    {
        ["name"] = "a name", ["family"] = "a name", ["given"] = "a name", ["alias"] = "a name",
            ["telecom"] = "a telephone number or address of mail",
        ["identifier"] = "an identifier, such as a record number", ["photo"] = "a picture", ["contact"] = "another person",
            ["line"] = "a line of an address",
        ["city"] = "a place below a state", ["district"] = "a place below a state", ["postalCode"] = "a place below a state",
        ["note"] = "free text", ["div"] = "free text", ["comment"] = "free text", ["patientInstruction"] = "free text",
            ["attachment"] = "a document",
        ["reference"] = "the id of a resource", ["id"] = "the id of a resource", ["fullUrl"] = "the id of a resource",
            ["contained"] = "another resource",
        ["link"] = "another person", ["data"] = "a document", ["position"] = "a place below a state",
    };

    private static readonly HashSet<string> Types = new(
        ["HumanName", "ContactPoint", "ContactDetail", "Identifier", "Reference", "Annotation", "Attachment", "Signature", "Contributor"],
            StringComparer.Ordinal);

    private static readonly string[] Extensions = ["mothersMaidenName", "birthPlace", "birthTime", "geolocation", "own-name", "own-prefix"];

    // In these a display is the name of a code; anywhere else it is the name of whoever a reference points at.
    private static readonly HashSet<string> Codings = new(["coding", "class", "valueCoding", "security", "tag"], StringComparer.Ordinal);

    /// <summary>Why a path must not be a column's; null when it may.</summary>
    /// <param name="path">A column's value or condition.</param>
    /// <param name="onlyAge">Whether the column keeps nothing but an age.</param>
    public static string? Reason(PathNode path, bool onlyAge)
    {
        string? reason = null;
        Walk(path, "", (member, before) => reason ??= ReasonOf(member, before, onlyAge), type => reason ??= Types.Contains(type)
            ? $"a {type}" : null,
            url => reason ??= Extensions.Any(each => url.Contains(each, StringComparison.OrdinalIgnoreCase))
                ? "an extension that identifies" : null);
        return reason;
    }

    private static string? ReasonOf(string member, string before, bool onlyAge)
    {
        if (Members.TryGetValue(member, out string? what))
        {
            return what;
        }

        return member switch
        {
            "birthDate" or "birthTime" when !onlyAge => "a date of birth (take its age: \"as\": \"age\")",
            "text" when before is "" or "address" or "valueAddress" or "name" or "note" or "author" or "section" => "free text",
            "display" when !Codings.Contains(before) && before != "value" => "the name of whoever a reference points at",
            _ when Types.Any(type => member.EndsWith(type, StringComparison.Ordinal)) => "an element of such a type",
            _ => null,
        };
    }

    /// <summary>Goes through the members of a path, each with the member before it; returns the last one.</summary>
    private static string Walk(PathNode node, string before, Action<string, string> onMember, Action<string> onType,
        Action<string> onExtension)
    {
        switch (node)
        {
            case MemberNode member:
                onMember(member.Name, before);
                return member.Name;
            case ThenNode then:
                return Walk(then.Then, Walk(then.First, before, onMember, onType, onExtension), onMember, onType, onExtension);
            case IndexNode index:
                return Walk(index.Of, before, onMember, onType, onExtension);
            case OperatorNode pair:
                string left = Walk(pair.Left, before, onMember, onType, onExtension);
                string right = Walk(pair.Right, before, onMember, onType, onExtension);
                return left == right ? left : "";
            case FunctionNode function:
                if (function.Type is { } type)
                {
                    onType(type);
                }

                if (function.Function == PathFunction.Extension)
                {
                    onExtension(((LiteralNode)function.Argument!).Value!.Value.Text!);
                    return "extension";
                }

                if (function.Argument is { } argument)
                {
                    Walk(argument, before, onMember, onType, onExtension);
                }

                return before;
            case LiteralNode { Value: { Kind: ItemKind.Text, Text: { } text } }:
                // extension.where(url = '...') says the same as extension('...').
                onExtension(text);
                return before;
            default:
                return before;
        }
    }
}
