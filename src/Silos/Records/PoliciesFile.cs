using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records;

/// <summary>
/// Who allows what: the name of a profile of the schema's menu, a JSON file with shares, or a CSV file with one line per person
/// (docs/SCHEMAS.md, "Policies"). Persons without a line are withheld. A choice of one's own becomes the nearest profile of the menu that
/// is stricter in every field.
/// </summary>
public static class PoliciesFile
{
    private static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>The profile of each record: its index in the menu, or <see cref="SuppressionUnits.Withheld"/>.</summary>
    /// <param name="policies">A profile's name, or a file that ends in .json or .csv.</param>
    /// <param name="schema">The schema.</param>
    /// <param name="table">The records.</param>
    /// <param name="siteKey">The site's key, which decides who is in which share.</param>
    /// <exception cref="InputException">There is no such profile or file, or it is not valid.</exception>
    public static int[] Assign(string policies, Schema schema, RecordTable table, ReadOnlySpan<byte> siteKey)
    {
        ArgumentException.ThrowIfNullOrEmpty(policies);
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(table);
        if (policies.EndsWith(".csv", StringComparison.OrdinalIgnoreCase)
            || policies.EndsWith(".csv.gz", StringComparison.OrdinalIgnoreCase))
        {
            return FromCsv(policies, schema, table);
        }

        PolicyChoice choice = policies.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? FromJson(policies, schema)
            : PolicyChoice.Everybody(ProfileIndex(policies, schema, "--policies", 0));
        return choice.Assign(table, siteKey);
    }

    private static PolicyChoice FromJson(string file, Schema schema)
    {
        try
        {
            PoliciesDocument document = JsonSerializer.Deserialize<PoliciesDocument>(
                DataFolder.ReadText(file, "Name a profile or a policies file."), Options)
                ?? throw new JsonException("The document is null.");
            IReadOnlyList<ProfileShare> others = Shares(document.Shares, schema, file);
            return document.ByValue is { } byValue
                ? PolicyChoice.ByValue(schema, byValue.Attribute, [.. byValue.Labels], Shares(byValue.Shares, schema, file), others)
                : PolicyChoice.Mix(others);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or OverflowException)
        {
            throw Refuse(file, (e as JsonException)?.LineNumber + 1 ?? 0, "", e.Message, "docs/SCHEMAS.md shows a policies file.");
        }
    }

    private static List<ProfileShare> Shares(IReadOnlyDictionary<string, decimal> shares, Schema schema, string file) =>
        [.. shares.Select(
            s => new ProfileShare(ProfileIndex(s.Key, schema, file, 0), decimal.ToInt32(decimal.Round(s.Value * 1_000_000m))))];

    private static int[] FromCsv(string file, Schema schema, RecordTable table)
    {
        var profiles = new Dictionary<ulong, int>();
        bool ofPersons;
        using (var reader = new CsvRowReader(RecordFile.Open(file), file))
        {
            reader.ReadRow();
            string[] header = [.. Enumerable.Range(0, reader.FieldCount).Select(reader.Text)];
            (LayoutDocument layout, IdentifierDocument id, ofPersons) = FindId(schema, header, file);
            bool byName = header is [_, "profile"];
            if (!byName && header is not [_, "low", "moderate", "private"])
            {
                throw Refuse(
                    file, 1, "", "the header is neither '<id>,profile' nor '<id>,low,moderate,private'",
                    "docs/SCHEMAS.md shows a policies file.");
            }

            while (reader.ReadRow())
            {
                if (reader.FieldCount != header.Length)
                {
                    throw Refuse(file, reader.Line, "", $"expected {header.Length} fields, got {reader.FieldCount}", "Complete the line.");
                }

                ReadOnlySpan<byte> text = reader.Field(0);
                ulong key = (text.IsEmpty ? null : RecordKey.Of(layout, id.Kind, text))?.Key
                    ?? throw Refuse(
                        file, reader.Line, header[0], "the id is not of the kind that the schema declares",
                        "Write the id as in the record file.");
                int profile = byName ? ProfileIndex(reader.Text(1), schema, file, reader.Line) : NearestStricter(reader, schema, file);
                if (!profiles.TryAdd(key, profile))
                {
                    throw Refuse(file, reader.Line, header[0], "the id has a line before this one", "Keep one line per id.");
                }
            }
        }

        ulong[] keys = ofPersons ? table.PersonKeys : table.RecordKeys;
        return Array.ConvertAll(keys, key => profiles.GetValueOrDefault(key, SuppressionUnits.Withheld));
    }

    private static (LayoutDocument Layout, IdentifierDocument Id, bool OfPersons) FindId(Schema schema, string[] header, string file)
    {
        foreach (LayoutDocument layout in schema.Document.Layouts)
        {
            if (layout.Person is { } person && person.Column == header[0])
            {
                return (layout, person, true);
            }

            // Records of one person must not differ in policy, so that a record's own line counts only where persons have no id.
            if (layout.Person is null && layout.Record is { } record && record.Column == header[0])
            {
                return (layout, record, false);
            }
        }

        string expected = string.Join(
            " or ", schema.Document.Layouts.Select(l => (l.Person ?? l.Record)?.Column).Where(c => c is not null).Distinct());
        throw Refuse(file, 1, header[0], $"the first column is no id of a person of schema '{schema.Name}'",
            expected.Length > 0 ? $"Name it {expected}." : "This schema has no ids: name a profile, or use a JSON file of shares.");
    }

    private static int NearestStricter(CsvRowReader reader, Schema schema, string file)
    {
        int Grade(int field) =>
            int.TryParse(reader.Text(field), NumberStyles.None, CultureInfo.InvariantCulture, out int grade) && grade <= schema.Grades.Count
            ? grade
            : throw Refuse(
                file, reader.Line, "", $"field {field + 1} is no grade of 0 (withheld) to {schema.Grades.Count}", "Write a whole number.");
        PolicyProfile wish = PolicyProfile.Create("wish", schema.Attributes, schema.Grades, new TierCeilings(Grade(1), Grade(2), Grade(3)));
        PolicyProfile? published = ProfileMenu.NearestStricter(schema, wish);
        return published is null ? SuppressionUnits.Withheld : schema.Profiles.TakeWhile(p => p != published).Count();
    }

    private static int ProfileIndex(string name, Schema schema, string file, long line)
    {
        int index = schema.Profiles.TakeWhile(p => p.Name != name).Count();
        return index < schema.Profiles.Count ? index : throw Refuse(
            file, line, "", $"'{name}' is no profile of schema '{schema.Name}'",
            $"Its profiles are {string.Join(", ", schema.Profiles.Select(p => p.Name))}.");
    }

    private static InputException Refuse(string file, long line, string column, string message, string fix) =>
        new(new InputProblem("policies", file, line, column, message, fix));

    private sealed record PoliciesDocument(IReadOnlyDictionary<string, decimal> Shares)
    {
        public ByValueDocument? ByValue { get; init; }
    }

    private sealed record ByValueDocument(string Attribute, IReadOnlyList<string> Labels, IReadOnlyDictionary<string, decimal> Shares);
}
