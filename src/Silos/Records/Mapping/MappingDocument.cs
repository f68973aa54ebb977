namespace EmrMarket.Silos.Records.Mapping;

/// <summary>
/// A mapping as it is written in JSON (docs/FHIR.md, "The mapping"): how resources or rows of tables become rows of named text columns,
/// which are those of a layout of a schema. Texts of expressions (<c>where</c>, <c>person</c>, <c>visit</c>, <c>date</c>, <c>value</c>)
/// mean what the kind says. <see cref="RecordMapping"/> is its checked form.
/// </summary>
internal sealed record MappingDocument
{
    /// <summary>The version of the format: 1.</summary>
    public required int Format { get; init; }

    /// <summary>What is mapped, and so which language the expressions are in.</summary>
    public required MappingKind Kind { get; init; }

    /// <summary>The mapping's name: lower-case letters, digits, '_' and '-'.</summary>
    public required string Name { get; init; }

    /// <summary>The version of this mapping's content.</summary>
    public required string Version { get; init; }

    /// <summary>What it maps, for people.</summary>
    public required string Title { get; init; }

    /// <summary>What a row is, and the names of its columns of ids.</summary>
    public required MappedRows Rows { get; init; }

    /// <summary>What is read, in which order does not matter.</summary>
    public required IReadOnlyList<MappingSource> Sources { get; init; }

    /// <summary>The columns besides those of ids, in their order in the file.</summary>
    public required IReadOnlyList<MappingColumn> Columns { get; init; }
}

/// <summary>What a mapping maps.</summary>
internal enum MappingKind
{
    /// <summary>Resources of HL7 FHIR R4; expressions are a subset of FHIRPath.</summary>
    Fhir = 0,

    /// <summary>Tables of the OMOP Common Data Model.</summary>
    Omop = 1,
}

/// <summary>What has a row, or a value of its own.</summary>
internal enum MappedUnit
{
    /// <summary>A person.</summary>
    Person = 0,

    /// <summary>A visit (FHIR: an encounter) of a person.</summary>
    Visit = 1,
}

/// <summary>What a row of the mapped file is.</summary>
internal sealed record MappedRows
{
    /// <summary>A person or a visit.</summary>
    public required MappedUnit Per { get; init; }

    /// <summary>The column of the row's own id: the person's or the visit's.</summary>
    public required string Record { get; init; }

    /// <summary>For rows per visit: the column of the person's id. Null for rows per person.</summary>
    public string? Person { get; init; }
}

/// <summary>A kind of resource, or a table, that is read.</summary>
internal sealed record MappingSource
{
    /// <summary>Its name in this mapping; unique.</summary>
    public required string Name { get; init; }

    /// <summary>FHIR: the type of resource. OMOP: the table.</summary>
    public required string Reads { get; init; }

    /// <summary>Which of them are read; null for all.</summary>
    public string? Where { get; init; }

    /// <summary>Set where each of them is a person, or a visit, that exists: nothing else makes a row.</summary>
    public MappedUnit? Defines { get; init; }

    /// <summary>Whose it is: the id of the person, or a reference to it.</summary>
    public required string Person { get; init; }

    /// <summary>In which visit: its id, or a reference to it; null where visits do not matter. May be empty for a single resource or
    /// row.</summary>
    public string? Visit { get; init; }

    /// <summary>When: a date; null where it does not matter. May be empty for a single resource or row, which then is the earliest for
    /// <see cref="Summary.Last"/> and the latest for <see cref="Summary.First"/>.</summary>
    public string? Date { get; init; }
}

/// <summary>A column of the mapped file: one text per row, from all that a source has about the row's person or visit.</summary>
internal sealed record MappingColumn
{
    /// <summary>The column's name, as the schema's layout calls it; unique.</summary>
    public required string Name { get; init; }

    /// <summary>The name of the source.</summary>
    public required string Source { get; init; }

    /// <summary>Whose value it is; null for a visit's where rows are visits and the source knows visits, else for a person's.</summary>
    public MappedUnit? Per { get; init; }

    /// <summary>Which of the source's resources or rows count here; null for all.</summary>
    public string? Where { get; init; }

    /// <summary>The value; may be null for <see cref="Summary.Exists"/> and <see cref="Summary.Count"/>, which then count what
    /// matches.</summary>
    public string? Value { get; init; }

    /// <summary>Values other than these do not count; null to take every value.</summary>
    public IReadOnlyList<string>? Codes { get; init; }

    /// <summary>OMOP: values other than these concepts do not count, and each becomes what it is taken as; null to take every
    /// value.</summary>
    public IReadOnlyList<MappedConcept>? Concepts { get; init; }

    /// <summary>OMOP: what lies below the concepts counts too, by the vocabulary's table concept_ancestor.</summary>
    public bool Descendants { get; init; }

    /// <summary>How the values of a unit become one.</summary>
    public required Summary Summary { get; init; }

    /// <summary>How a value's text is taken; null for <see cref="ValueForm.Number"/> where the summary computes and <see
    /// cref="ValueForm.Text"/> elsewhere.</summary>
    public ValueForm? As { get; init; }

    /// <summary>For <see cref="ValueForm.Age"/>: the day at which the age is taken. A date (YYYY-MM-DD), <c>visit</c> (the row's visit) or
    /// <c>last</c> (the last day of which any source says something about the person).</summary>
    public string? At { get; init; }

    /// <summary>For <see cref="Summary.Mean"/>: digits after the point, 0 to 6; null for 2.</summary>
    public int? Digits { get; init; }
}

/// <summary>A concept of OMOP's vocabularies, with its name beside it: a number alone tells a reader nothing.</summary>
/// <param name="Id">Its concept_id.</param>
/// <param name="Name">Its concept_name; compared with the vocabulary where a load has it.</param>
internal sealed record MappedConcept(long Id, string Name)
{
    /// <summary>The text that stands for it in the mapped file; null for its id.</summary>
    public string? As { get; init; }
}

/// <summary>How all values of a unit become one text. None depends on the order in which they are read.</summary>
internal enum Summary
{
    /// <summary>The one value of the resource that defines the unit; empty without one.</summary>
    Only = 0,

    /// <summary>The earliest; of several at one time the least by ordinal text; empty without one.</summary>
    First = 1,

    /// <summary>The latest; of several at one time the greatest by ordinal text; empty without one.</summary>
    Last = 2,

    /// <summary><c>yes</c> when there is one, else <c>no</c>.</summary>
    Exists = 3,

    /// <summary>How many resources or rows have one; 0 without any.</summary>
    Count = 4,

    /// <summary>The least number; empty without one.</summary>
    Min = 5,

    /// <summary>The greatest number; empty without one.</summary>
    Max = 6,

    /// <summary>The mean, rounded half away from zero; empty without one.</summary>
    Mean = 7,
}

/// <summary>How the text of a value is taken.</summary>
internal enum ValueForm
{
    /// <summary>As it stands: up to 256 characters, none of control.</summary>
    Text = 0,

    /// <summary>A decimal number below 10^15 in size, written without exponent.</summary>
    Number = 1,

    /// <summary>A date of birth, of which only the age in completed years at <see cref="MappingColumn.At"/> is kept. A year alone counts as
    /// its 1 July, a month as its 15th.</summary>
    Age = 2,
}
