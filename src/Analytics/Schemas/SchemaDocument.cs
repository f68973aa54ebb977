using System.Text.Json;
using System.Text.Json.Serialization;

namespace EmrMarket.Analytics.Schemas;

/// <summary>A schema as it is written in JSON (docs/SCHEMAS.md). <see cref="Schema"/> is its checked, compiled form.</summary>
public sealed record SchemaDocument
{
    /// <summary>The version of the format: 1.</summary>
    public required int Format { get; init; }

    /// <summary>The schema's name: lower-case letters, digits, '_' and '-'.</summary>
    public required string Name { get; init; }

    /// <summary>The version of this schema's content.</summary>
    public required string Version { get; init; }

    /// <summary>What the records are, for people.</summary>
    public required string Title { get; init; }

    /// <summary>Whose data it is and how to cite it.</summary>
    public string? Citation { get; init; }

    /// <summary>
    /// False until a person has confirmed an inferred schema; records of an unpublishable schema may be evaluated at home but not offered.
    /// </summary>
    public required bool Publishable { get; init; }

    /// <summary>Who held an inferred schema against a code book and confirmed it; null for a schema that was written by hand.</summary>
    public string? ConfirmedBy { get; init; }

    /// <summary>The ladder of losses in epsilon, strictest first; null for the default ladder.</summary>
    public IReadOnlyList<decimal>? Grades { get; init; }

    /// <summary>
    /// The default ceilings; null for the highest grade whose loss is at most 2, 1 and 0.5 epsilon (Low, Moderate, Private).
    /// </summary>
    public TierCeilings? Ceilings { get; init; }

    /// <summary>The menu of at most 8 profiles that may be published; null for the built-in menu.</summary>
    public IReadOnlyList<ProfileDocument>? Profiles { get; init; }

    /// <summary>The attributes, in the order of a table's columns.</summary>
    public required IReadOnlyList<AttributeDocument> Attributes { get; init; }

    /// <summary>The files that hold such records; each is recognised by its columns.</summary>
    public required IReadOnlyList<LayoutDocument> Layouts { get; init; }
}

/// <summary>A ceiling grade per randomised tier; 0 withholds.</summary>
/// <param name="Low">For Low attributes.</param>
/// <param name="Moderate">For Moderate attributes.</param>
/// <param name="Private">For Private attributes.</param>
public sealed record TierCeilings(int Low, int Moderate, int Private)
{
    /// <summary>The ceiling of a randomised tier.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tier is Public, which has no ceiling.</exception>
    public int this[Tier tier] => tier switch
    {
        Tier.Low => Low,
        Tier.Moderate => Moderate,
        Tier.Private => Private,
        _ => throw new ArgumentOutOfRangeException(nameof(tier), tier, "A Public attribute is not randomised and has no ceiling."),
    };
}

/// <summary>A named choice of ceilings.</summary>
public sealed record ProfileDocument
{
    /// <summary>The profile's name, unique in the menu.</summary>
    public required string Name { get; init; }

    /// <summary>The ceilings by tier.</summary>
    public required TierCeilings Ceilings { get; init; }

    /// <summary>Ceilings of single attributes, which override the tier's.</summary>
    public IReadOnlyDictionary<string, int>? Attributes { get; init; }
}

/// <summary>One attribute of a schema, public and fixed by a code book.</summary>
public sealed record AttributeDocument
{
    /// <summary>The attribute's name, unique in the schema.</summary>
    public required string Name { get; init; }

    /// <summary>What it is, for people.</summary>
    public string? Title { get; init; }

    /// <summary>Its sensitivity.</summary>
    public required Tier Tier { get; init; }

    /// <summary>True when all records of a person hold the same value; the loader refuses records that do not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ConstantPerPerson { get; init; }

    /// <summary>Whether a request may restrict whom it wants by this attribute. Public attributes only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Filterable { get; init; }

    /// <summary>The id of the mechanism; null for the one of lowest variance at the tier's default ceiling.</summary>
    public string? Mechanism { get; init; }

    /// <summary>The labels of a categorical attribute in code order.</summary>
    public IReadOnlyList<LabelDocument>? Labels { get; init; }

    /// <summary>The labels of a categorical attribute by rule, in place of <see cref="Labels"/>.</summary>
    public CodeListDocument? CodeList { get; init; }

    /// <summary>Whether the order of the labels has a meaning.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Ordered { get; init; }

    /// <summary>The grid of a numeric attribute.</summary>
    public GridDocument? Grid { get; init; }

    /// <summary>
    /// True when a value may be missing: one more label ("missing") for a categorical attribute, a yes/no attribute "name.present" beside a
    /// grid.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Optional { get; init; }
}

/// <summary>A label and the text that people read. In JSON a plain string when both are the same.</summary>
/// <param name="Label">The label, unique in its attribute.</param>
/// <param name="Text">What people read; null for the label itself.</param>
[JsonConverter(typeof(LabelConverter))]
public sealed record LabelDocument(string Label, string? Text = null);

/// <summary>A public code list that is generated by rule.</summary>
public sealed record CodeListDocument
{
    /// <summary>
    /// The rule: <c>icd9-categories</c> (001-999, V01-V91, E000-E999), <c>icd9-chapters</c>, or <c>numbers</c> (<see cref="From"/> to <see
    /// cref="To"/>).
    /// </summary>
    public required string List { get; init; }

    /// <summary>Categories of ICD-9 that are kept to four and five digits, for example 250; null for none.</summary>
    public IReadOnlyList<string>? Detailed { get; init; }

    /// <summary>Single codes besides those of the rule; null for none.</summary>
    public IReadOnlyList<string>? Additional { get; init; }

    /// <summary>For <c>numbers</c>: the first.</summary>
    public int? From { get; init; }

    /// <summary>For <c>numbers</c>: the last.</summary>
    public int? To { get; init; }

    /// <summary>For <c>numbers</c>: digits, padded with zeros; null for none.</summary>
    public int? Digits { get; init; }
}

/// <summary>An equally spaced grid.</summary>
public sealed record GridDocument
{
    /// <summary>The first grid point.</summary>
    public required decimal Min { get; init; }

    /// <summary>The last grid point; (Max - Min) / Step is a whole number.</summary>
    public required decimal Max { get; init; }

    /// <summary>The distance of neighbouring grid points, positive.</summary>
    public required decimal Step { get; init; }

    /// <summary>The unit of the values.</summary>
    public required string Unit { get; init; }
}

/// <summary>A kind of file that holds records of a schema, recognised by its columns, and how its text becomes values.</summary>
public sealed record LayoutDocument
{
    /// <summary>The layout's name; part of the keys of text ids.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The top byte of the keys of integer ids, so that the ids of two layouts cannot meet; 0 keeps an id as it is, where there is one
    /// layout only.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Salt { get; init; }

    /// <summary>The column of record ids; null when the number of the row (from 1, over all files of the layout) is the id.</summary>
    public IdentifierDocument? Record { get; init; }

    /// <summary>The column of person ids; null when every record is a person of its own.</summary>
    public IdentifierDocument? Person { get; init; }

    /// <summary>Columns that hold direct identifiers. They are never read.</summary>
    public IReadOnlyList<string>? DirectIdentifiers { get; init; }

    /// <summary>Columns that are not read for other reasons.</summary>
    public IReadOnlyList<string>? Ignored { get; init; }

    /// <summary>How attributes are read; an attribute without an entry is read from the column of its name, as it stands.</summary>
    public IReadOnlyDictionary<string, ReadingDocument>? Readings { get; init; }
}

/// <summary>A column of ids.</summary>
/// <param name="Column">Its name.</param>
/// <param name="Kind">Integers become keys as they are; text is hashed.</param>
public sealed record IdentifierDocument(string Column, IdentifierKind Kind);

/// <summary>How an id becomes a 64-bit key.</summary>
public enum IdentifierKind
{
    /// <summary>A non-negative integer without leading zeros, taken exactly.</summary>
    Integer = 0,

    /// <summary>Any text: the first 64 bits of its SHA-256; two ids with equal bits are refused.</summary>
    Text = 1,
}

/// <summary>
/// How the text of a column becomes a value of an attribute. Applied in this order: missing, divisor, normalise, map, ranges.
/// </summary>
public sealed record ReadingDocument
{
    /// <summary>The column; null for the attribute's name.</summary>
    public string? Column { get; init; }

    /// <summary>The label that every record of the layout has, in place of a column.</summary>
    public string? Constant { get; init; }

    /// <summary>Texts that mean "missing".</summary>
    public IReadOnlyList<string>? Missing { get; init; }

    /// <summary>The column that holds the unit of the value; null when there is one unit.</summary>
    public string? UnitColumn { get; init; }

    /// <summary>By text of <see cref="UnitColumn"/> the whole number by which the value is divided, rounding down.</summary>
    public IReadOnlyDictionary<string, int>? UnitDivisors { get; init; }

    /// <summary>
    /// A normal form: <c>integer</c> (1.0 is 1), <c>icd9</c> (dotted, leading zeros restored), <c>icd9-category</c> (three digits),
    /// <c>icd9-chapter</c>.
    /// </summary>
    public string? Normalise { get; init; }

    /// <summary>The label of a text.</summary>
    public IReadOnlyDictionary<string, string>? Map { get; init; }

    /// <summary>The label of a number by range: the categorised use of a numeric column.</summary>
    public IReadOnlyList<RangeDocument>? Ranges { get; init; }
}

/// <summary>Numbers in [From, Below) have this label.</summary>
/// <param name="From">The least number.</param>
/// <param name="Below">The first number that is too large.</param>
/// <param name="Label">The label.</param>
public sealed record RangeDocument(decimal From, decimal Below, string Label);

/// <summary>Reads and writes schema documents. Unknown, missing and repeated members are refused.</summary>
public static class SchemaJson
{
    /// <summary>The options of every schema file.</summary>
    internal static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        ReadCommentHandling = JsonCommentHandling.Disallow,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
        WriteIndented = true,
        NewLine = "\n",
    };

    /// <summary>The document as indented JSON with a final line feed.</summary>
    public static string Write(SchemaDocument document) => JsonSerializer.Serialize(document, Options) + "\n";
}

/// <summary>Writes a label as a plain string when its text is the label.</summary>
internal sealed class LabelConverter : JsonConverter<LabelDocument>
{
    public override LabelDocument Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return new LabelDocument(reader.GetString()!);
        }

        string? label = null, text = null;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("A label is a string or an object with 'label' and 'text'.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string member = reader.GetString()!;
            if (!reader.Read() || reader.TokenType != JsonTokenType.String || member is not ("label" or "text"))
            {
                throw new JsonException($"A label has the strings 'label' and 'text'; got '{member}'.");
            }

            if (member == "label")
            {
                label = reader.GetString();
            }
            else
            {
                text = reader.GetString();
            }
        }

        return new LabelDocument(label ?? throw new JsonException("A label lacks 'label'."), text);
    }

    public override void Write(Utf8JsonWriter writer, LabelDocument value, JsonSerializerOptions options)
    {
        if (value.Text is null)
        {
            writer.WriteStringValue(value.Label);
            return;
        }

        writer.WriteStartObject();
        writer.WriteString("label", value.Label);
        writer.WriteString("text", value.Text);
        writer.WriteEndObject();
    }
}
