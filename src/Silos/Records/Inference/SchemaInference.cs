using System.Globalization;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records.Inference;

/// <summary>What became of a column, and why.</summary>
/// <param name="Column">The column.</param>
/// <param name="Role">record id, person id, direct identifier, ignored, or attribute.</param>
/// <param name="Reason">Why, for the person who confirms.</param>
public sealed record InferredColumn(string Column, string Role, string Reason);

/// <summary>
/// Proposes a schema from a file of records. Its domains and bounds come from the data, which public schemas must not: it is marked
/// unpublishable until a person has held it against a code book and confirmed it.
/// </summary>
public static class SchemaInference
{
    /// <summary>Columns with at most this many distinct numbers are labels, others a grid.</summary>
    private const int MaxNumericLabels = 20;

    private const int MaxGridCells = 256;

    /// <summary>
    /// Words of column names that stand for direct identifiers: the eighteen of the Safe Harbor rule, 45 CFR 164.514(b)(2)(i).
    /// </summary>
    private static readonly HashSet<string> IdentifierWords = new(StringComparer.Ordinal)
    {
        "name", "firstname", "lastname", "fullname", "surname", "forename", "maiden", "ssn", "phone", "telephone", "tel", "mobile", "fax",
        "email", "mail", "address",
        "street", "zip", "zipcode", "postcode", "postal", "birth", "birthdate", "birthday", "dob", "mrn", "passport", "licence", "license",
        "url", "ip", "account",
        "biometric", "fingerprint", "photo", "vin", "certificate", "beneficiary", "comment", "comments", "note", "notes", "initials",
    };

    private static readonly HashSet<string> RecordWords =
        new(StringComparer.Ordinal) { "record", "encounter", "visit", "stay", "discharge", "admission", "row", "episode", "case" };
    private static readonly HashSet<string> PersonWords =
        new(StringComparer.Ordinal) { "patient", "person", "subject", "member", "participant", "individual" };
    private static readonly HashSet<string> IdWords =
        new(StringComparer.Ordinal) { "id", "nbr", "number", "no", "num", "key", "identifier", "code" };

    private static readonly HashSet<string> PrivateWords = new(StringComparer.Ordinal)
    {
        "diag", "diagnosis", "dx", "icd", "hiv", "aids", "mental", "psych", "depression", "suicide", "alcohol", "drug", "substance",
        "abuse", "std", "sexual",
        "pregnant", "pregnancy", "abortion", "genetic", "gene", "cancer", "tumor", "tumour", "stroke", "heart", "diabetes", "hepatitis",
        "dementia", "glu", "glucose", "hba",
    };

    private static readonly HashSet<string> LowWords = new(StringComparer.Ordinal)
    {
        "sex", "gender", "age", "region", "payer", "insurance", "admission", "type", "source", "days", "los", "length", "month", "year",
        "education", "change",
    };

    /// <summary>Reads the whole file and proposes a schema of one layout.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">The schema's name.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    /// <exception cref="InputException">The file cannot be read as CSV with a header, or no column is usable.</exception>
    public static (Schema Schema, IReadOnlyList<InferredColumn> Columns) Infer(
        string file, string name, CancellationToken cancellationToken = default)
    {
        (ColumnProfile[] columns, long rows) = Profile(file, cancellationToken);
        var roles = new List<InferredColumn>();
        var attributes = new List<AttributeDocument>();
        var readings = new Dictionary<string, ReadingDocument>(StringComparer.Ordinal);
        IdentifierDocument? record = null, person = null;
        foreach (ColumnProfile column in columns)
        {
            if (record is null && IsRecordId(column, rows))
            {
                record = IdOf(column);
                roles.Add(new InferredColumn(column.Name, "record id", "its name says so and no two records share a value"));
            }
            else if (person is null && HasId(column, PersonWords) && column.Missing == 0 && column.Distinct > 1)
            {
                person = IdOf(column);
                roles.Add(new InferredColumn(column.Name, "person id", "its name says so"));
            }
            else if (WhyIdentifier(column, rows) is { } identifier)
            {
                roles.Add(new InferredColumn(column.Name, "direct identifier", identifier));
            }
            else if (Describe(column, attributes, readings) is { } unusable)
            {
                roles.Add(new InferredColumn(column.Name, "ignored", unusable));
            }
            else
            {
                AttributeDocument attribute = attributes[^1];
                string domain = attribute.Grid is { } grid
                    ? string.Create(CultureInfo.InvariantCulture, $"grid {grid.Min} to {grid.Max} by {grid.Step}")
                    : attribute.CodeList is { } list ? list.List : $"{attribute.Labels!.Count} labels";
                roles.Add(new InferredColumn(
                    column.Name, "attribute", $"{domain}, {attribute.Tier}{(attribute.Optional ? ", may be missing" : "")}"));
            }
        }

        if (attributes.Count == 0)
        {
            throw new InputException(new InputProblem(
                "nothing-to-infer", file, 1, "", "no column can be an attribute", "Write a schema by hand; docs/SCHEMAS.md shows how."));
        }

        string[] Unread(string role) => [.. roles.Where(r => r.Role == role).Select(r => r.Column)];
        var document = new SchemaDocument
        {
            Format = 1,
            Name = name,
            Version = "1",
            Title = "Inferred from " + Path.GetFileName(file) + "; to be held against a code book and confirmed",
            Publishable = false,
            Attributes = attributes,
            Layouts =
            [
                new LayoutDocument
                {
                    Name = name,
                    Record = record,
                    Person = person,
                    DirectIdentifiers = Unread("direct identifier") is { Length: > 0 } direct ? direct : null,
                    Ignored = Unread("ignored") is { Length: > 0 } ignored ? ignored : null,
                    Readings = readings.Count > 0 ? readings : null,
                },
            ],
        };
        return (Schema.Compile(document, file), roles);
    }

    private static (ColumnProfile[] Columns, long Rows) Profile(string file, CancellationToken cancellationToken)
    {
        using var reader = new CsvRowReader(RecordFile.Open(file), file);
        string[] header = reader.ReadRow() ? [.. Enumerable.Range(0, reader.FieldCount).Select(reader.Text)] : [];
        if (header.Length == 0 || header.Distinct(StringComparer.Ordinal).Count() != header.Length || header.Any(string.IsNullOrWhiteSpace))
        {
            throw new InputException(
                new InputProblem(
                    "header", file, 1, "", "the header is empty, names a column twice, or leaves one without a name",
                    "Give every column a name of its own."));
        }

        ColumnProfile[] columns = Array.ConvertAll(header, h => new ColumnProfile(h));
        long rows = 0;
        while (reader.ReadRow())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (reader.FieldCount != header.Length)
            {
                throw new InputException(new InputProblem(
                    "column-count", file, reader.Line, "", $"expected {header.Length} fields as in the header, got {reader.FieldCount}",
                    "Correct the line first: a broken file cannot be described."));
            }

            rows++;
            for (int c = 0; c < columns.Length; c++)
            {
                columns[c].Add(reader.Text(c));
            }
        }

        return rows > 0 ? (columns, rows) : throw new InputException(
            new InputProblem("no-records", file, 1, "", "the file has a header and no record", "Infer from a file with records."));
    }

    private static bool HasId(ColumnProfile column, HashSet<string> whose) =>
        column.Words.Any(whose.Contains) && (column.Words.Any(IdWords.Contains) || column.Words.Count == 1);

    private static bool IsRecordId(ColumnProfile column, long rows) =>
        column.Missing == 0 && IsUnique(column, rows) && (HasId(column, RecordWords) || (column.Words is ["id"] or ["uuid"] or ["guid"]));

    private static bool IsUnique(ColumnProfile column, long rows) => column.Distinct == rows && rows > 1;

    private static IdentifierDocument IdOf(ColumnProfile column) =>
        new(column.Name, column.CanonicalIntegers == column.Present ? IdentifierKind.Integer : IdentifierKind.Text);

    /// <summary>Why a column would identify people directly; null when nothing says so.</summary>
    private static string? WhyIdentifier(ColumnProfile column, long rows)
    {
        if (column.Words.FirstOrDefault(IdentifierWords.Contains) is { } word)
        {
            return $"its name has the word '{word}'";
        }

        if (column.Present == 0)
        {
            return null;
        }

        (string What, long Count)[] patterns =
        [
            ("e-mail addresses", column.Emails), ("telephone numbers", column.Phones), ("social security numbers", column.NationalIds),
            ("dates", column.Dates), ("free text", column.Words5),
        ];
        (string what, long count) = patterns.MaxBy(p => p.Count);
        if (2 * count >= column.Present)
        {
            return $"at least half of its texts look like {what}";
        }

        if (10 * column.PersonNames >= 8 * column.Present && column.Distinct > 20)
        {
            return "its texts look like names of people";
        }

        bool isMeasure = column.Numbers == column.Present && column.Decimals > 0;
        return rows >= 50 && !isMeasure && 10L * column.Distinct >= 9 * column.Present && column.Present * 2 > rows
            ? "nearly every record has a text of its own"
            : null;
    }

    /// <summary>Adds the attribute of a column; or says why there is none.</summary>
    private static string? Describe(ColumnProfile column, List<AttributeDocument> attributes, Dictionary<string, ReadingDocument> readings)
    {
        if (column.Present == 0)
        {
            return "it is empty";
        }

        if (column.Distinct == 1 && column.Missing == 0)
        {
            return "every record has the same value";
        }

        string name = AttributeName(column.Name, attributes);
        bool isDiagnosis = column.Words.Any(w => w is "diag" or "dx" or "icd" or "diagnosis")
            && column.Diagnoses * 20 >= column.Present * 19;
        bool isGrid = !isDiagnosis && column.Numbers == column.Present && (column.Distinct > MaxNumericLabels || column.Decimals > 0);
        bool optional = column.Missing > 0;
        var attribute = new AttributeDocument { Name = name, Title = column.Name, Tier = TierOf(column), Optional = optional };
        var reading = new ReadingDocument
        {
            Column = name == column.Name ? null : column.Name, Missing = optional ? [.. column.MissingSeen] : null,
        };
        if (isDiagnosis && column.Distinct > MaxNumericLabels)
        {
            attribute = attribute with { CodeList = new CodeListDocument { List = "icd9-categories" } };
            reading = reading with { Normalise = "icd9-category" };
        }
        else if (isGrid)
        {
            attribute = attribute with { Grid = GridOf(column) };
        }
        else if (column.Texts is not { } texts)
        {
            return $"it has more than {ColumnProfile.MaxTexts} different texts that are no numbers: map them to fewer labels by hand";
        }
        else if (column.Numbers == column.Present)
        {
            texts = [.. texts.OrderBy(t => decimal.Parse(t, CultureInfo.InvariantCulture)).ThenBy(t => t, StringComparer.Ordinal)];
            attribute = attribute with { Labels = [.. texts.Select(t => new LabelDocument(t))], Ordered = !optional };
        }
        else
        {
            attribute = attribute with { Labels = [.. texts.Select(t => new LabelDocument(t))] };
        }

        attributes.Add(attribute);
        if (reading != new ReadingDocument())
        {
            readings.Add(name, reading);
        }

        return null;
    }

    private static Tier TierOf(ColumnProfile column) =>
        column.Words.Any(PrivateWords.Contains) ? Tier.Private : column.Words.Any(LowWords.Contains) ? Tier.Low : Tier.Moderate;

    /// <summary>Bounds and step of round numbers around the data, so that the extremes of single people do not show exactly.</summary>
    private static GridDocument GridOf(ColumnProfile column)
    {
        decimal step = column.Decimals == 0 ? 1 : new decimal(1, 0, 0, isNegative: false, (byte)Math.Min(column.Decimals, 6));
        while ((column.Max - column.Min) / step >= MaxGridCells)
        {
            step = NextRound(step);
        }

        decimal round = 5 * step;
        decimal min = decimal.Floor(column.Min / round) * round, max = decimal.Ceiling(column.Max / round) * round;
        return new GridDocument { Min = Plain(min), Max = Plain(min == max ? max + round : max), Step = Plain(step), Unit = "unknown" };
    }

    /// <summary>1, 2, 5, 10, 20, 50, ...</summary>
    private static decimal NextRound(decimal step)
    {
        decimal power = 1;
        while (power > step)
        {
            power /= 10;
        }

        while (power * 10 <= step)
        {
            power *= 10;
        }

        return decimal.Truncate(step / power) switch { 1 => 2 * power, 2 => 5 * power, _ => 10 * power };
    }

    private static decimal Plain(decimal value) => value / 1.0000000000000000000000000000m;

    private static string AttributeName(string column, List<AttributeDocument> attributes)
    {
        string name = string.Concat(column.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '_'));
        name = name.Length > 0 && char.IsAsciiLetter(name[0]) ? name : "x" + name;
        name = name[..Math.Min(name.Length, 58)];
        string unique = name;
        for (int i = 2; attributes.Exists(a => a.Name == unique); i++)
        {
            unique = string.Create(CultureInfo.InvariantCulture, $"{name}_{i}");
        }

        return unique;
    }
}
