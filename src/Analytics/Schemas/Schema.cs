using System.Text.Json;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Schemas;

/// <summary>A checked schema: what a record's attributes are, how private each is, and which files hold such records. Immutable.</summary>
public sealed class Schema
{
    /// <summary>The most profiles of a menu: what is published of a person's choice is one of these.</summary>
    public const int MaxProfiles = 8;

    /// <summary>The label of a missing value of an optional categorical attribute.</summary>
    public const string MissingLabel = "missing";

    /// <summary>What the name of the yes/no attribute "was this grid value present" ends in.</summary>
    public const string PresenceSuffix = ".present";

    private readonly Dictionary<string, int> _indexByName;

    internal Schema(
        SchemaDocument document,
        string id,
        GradeLadder grades,
        IReadOnlyList<AttributeDefinition> attributes,
        TierCeilings ceilings,
        IReadOnlyList<PolicyProfile> profiles)
    {
        Document = document;
        Id = id;
        Grades = grades;
        Attributes = attributes;
        Ceilings = ceilings;
        Profiles = profiles;
        _indexByName = attributes.Select((a, i) => (a.Name, i)).ToDictionary(p => p.Name, p => p.i, StringComparer.Ordinal);
    }

    /// <summary>The document that this schema was compiled from.</summary>
    public SchemaDocument Document { get; }

    /// <summary>The schema's name.</summary>
    public string Name => Document.Name;

    /// <summary>SHA-256 of the document's canonical JSON, 64 lower-case hexadecimal digits.</summary>
    public string Id { get; }

    /// <summary>False for an inferred schema that nobody has confirmed.</summary>
    public bool Publishable => Document.Publishable;

    /// <summary>The ladder of losses.</summary>
    public GradeLadder Grades { get; }

    /// <summary>
    /// The attributes in the order of a table's columns; the presence attribute of an optional grid attribute follows it.
    /// </summary>
    public IReadOnlyList<AttributeDefinition> Attributes { get; }

    /// <summary>The default ceilings.</summary>
    public TierCeilings Ceilings { get; }

    /// <summary>The menu of profiles, 1 to 8.</summary>
    public IReadOnlyList<PolicyProfile> Profiles { get; }

    /// <summary>The default ceiling grade of an attribute: its tier's; 0 for Public attributes, which have none.</summary>
    public int DefaultGrade(AttributeDefinition attribute)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        return attribute.Tier == Tier.Public ? 0 : Ceilings[attribute.Tier];
    }

    /// <summary>The index of an attribute by its name, or -1.</summary>
    public int IndexOf(string attribute) => _indexByName.GetValueOrDefault(attribute, -1);

    /// <summary>The index of the presence attribute of an optional grid attribute, or -1.</summary>
    public int PresenceOf(int attribute) => IndexOf(Attributes[attribute].Name + PresenceSuffix);

    /// <summary>The schema as indented JSON.</summary>
    public string ToJson() => SchemaJson.Write(Document);

    /// <summary>Reads and checks a schema.</summary>
    /// <param name="json">The JSON text.</param>
    /// <param name="file">The file as the user named it, for messages.</param>
    /// <exception cref="InputException">The text is not a schema; every fault found is listed.</exception>
    public static Schema Parse(string json, string file)
    {
        SchemaDocument document;
        try
        {
            document = JsonSerializer.Deserialize<SchemaDocument>(json, SchemaJson.Options)
                ?? throw new JsonException("The document is null.");
        }
        catch (JsonException e)
        {
            throw new InputException(new InputProblem(
                "schema-json", file, (e.LineNumber ?? -1) + 1, e.Path ?? "", e.Message,
                "Correct the JSON; docs/SCHEMAS.md lists every member."));
        }

        return Compile(document, file);
    }

    /// <summary>Checks a document.</summary>
    /// <exception cref="InputException">The document is not a valid schema; every fault found is listed.</exception>
    public static Schema Compile(SchemaDocument document, string file) => new SchemaCompiler(document, file).Compile();
}
