using EmrMarket.Silos.Records.Mapping.Fhir.Paths;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>Why a reference cannot be followed.</summary>
/// <param name="Code">What kind of issue.</param>
/// <param name="Message">What is wrong.</param>
internal sealed record ReferenceFault(IssueCode Code, string Message);

/// <summary>
/// A reference to a resource by its type and id (http://hl7.org/fhir/R4/references.html): <c>Patient/1</c>, <c>Patient/1/_history/2</c>,
/// <c>https://server/fhir/Patient/1</c>, or <c>urn:uuid:</c> and <c>urn:oid:</c> as bundles use them.
/// </summary>
/// <param name="Type">The type; null where the reference does not say it.</param>
/// <param name="Id">The id; of a <c>urn:uuid:</c> what follows, in lower case; of a <c>urn:oid:</c> all of it.</param>
internal readonly record struct FhirReference(string? Type, string Id)
{
    private const string Uuid = "urn:uuid:", Oid = "urn:oid:";

    private static readonly ReferenceFault Contained =
        new(IssueCode.NotSupported, "it refers to a contained resource, which is nobody's record");

    private static readonly ReferenceFault Search = new(IssueCode.NotSupported, "it is a search, which only a server can answer");
    private static readonly ReferenceFault Unknown = new(IssueCode.Value, "it is no reference of the form Type/id");

    /// <summary>Reads a reference; null when it is none that can be followed without a server, with the reason.</summary>
    public static FhirReference? Parse(string text, out ReferenceFault? fault)
    {
        fault = null;
        if (text.StartsWith(Uuid, StringComparison.OrdinalIgnoreCase) && text.Length > Uuid.Length)
        {
            return new FhirReference(null, text[Uuid.Length..].ToLowerInvariant());
        }

        if (text.StartsWith(Oid, StringComparison.Ordinal) && text.Length > Oid.Length)
        {
            return new FhirReference(null, text);
        }

        if (text.StartsWith('#') || text.Contains('?', StringComparison.Ordinal))
        {
            fault = text[0] == '#' ? Contained : Search;
            return null;
        }

        string[] parts = text.Split('/');
        int end = parts.Length >= 2 && parts[^2] == "_history" ? parts.Length - 2 : parts.Length;
        if (end >= 2 && FhirTypes.Resources.Contains(parts[end - 2]) && IsId(parts[end - 1]))
        {
            return new FhirReference(parts[end - 2], parts[end - 1]);
        }

        fault = Unknown;
        return null;
    }

    /// <summary>Reads a reference.</summary>
    /// <exception cref="PathException">It is none that can be followed without a server.</exception>
    public static FhirReference Follow(string text) => Parse(text, out ReferenceFault? fault)
        ?? throw new PathException(fault!.Code, fault.Message);

    /// <summary>The text of a reference.</summary>
    /// <param name="tree">The resource.</param>
    /// <param name="node">The node of the reference.</param>
    /// <exception cref="PathException">It has none.</exception>
    public static string TextOf(ResourceTree tree, int node) => tree.TextMember(node, "reference"u8) ?? throw new PathException(
        IssueCode.NotSupported, "the reference is by an identifier or a name alone, which only a server can follow");

    /// <summary>The name of the resource that a bundle's entry gives by its <c>fullUrl</c>: the id that references to it come to; null
    /// when it gives none.</summary>
    public static string? OfFullUrl(string? fullUrl) => fullUrl is null ? null : Parse(fullUrl, out _)?.Id;

    /// <summary>Whether a text is an id: 1 to 64 letters, digits, '-' and '.'.</summary>
    public static bool IsId(string text)
    {
        if (text.Length is 0 or > 64)
        {
            return false;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.'))
            {
                return false;
            }
        }

        return true;
    }
}
