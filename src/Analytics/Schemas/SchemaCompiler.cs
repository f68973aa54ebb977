using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Schemas;

/// <summary>Turns a schema document into a <see cref="Schema"/>, or lists everything that is wrong with it.</summary>
internal sealed partial class SchemaCompiler(SchemaDocument document, string file)
{
    /// <summary>Code 65,535 marks a missing grid value, so that 65,535 codes (0 to 65,534) are the most.</summary>
    internal const int MaxCodes = ushort.MaxValue;

    private readonly List<InputProblem> _problems = [];

    public Schema Compile()
    {
        if (document.Format != 1)
        {
            Report("schema-format", "format", $"format {document.Format} is not known", "This version of the program reads format 1.");
            throw new InputException(_problems, _problems.Count);
        }

        Check(NamePattern()
            .IsMatch(document.Name), "schema-name", "name", "a name has lower-case letters, digits, '_' and '-', and starts with a letter");
        GradeLadder grades = CompileGrades();
        TierCeilings ceilings = CompileCeilings(grades);
        List<AttributeDefinition> attributes = CompileAttributes(grades, ceilings);
        CheckLayouts();
        IReadOnlyList<PolicyProfile> profiles = CompileProfiles(attributes, grades, ceilings);
        if (_problems.Count > 0)
        {
            throw new InputException(_problems, _problems.Count);
        }

        string id = CanonicalJson.Hash(JsonSerializer.SerializeToElement(document, SchemaJson.Options));
        return new Schema(document, id, grades, attributes, ceilings, profiles);
    }

    private GradeLadder CompileGrades()
    {
        if (document.Grades is null)
        {
            return GradeLadder.Default;
        }

        try
        {
            return new GradeLadder([.. document.Grades.Select(g => new EpsilonMicro(checked((long)(g * 1_000_000m))))]);
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            Report("schema-grades", "grades", e.Message,
                $"List 1 to {GradeLadder.MaxGrades} increasing losses in epsilon, for example [0.25, 0.5, 1].");
            return GradeLadder.Default;
        }
    }

    private TierCeilings CompileCeilings(GradeLadder grades)
    {
        // The defaults of the three randomised tiers: 2, 1 and 0.5 epsilon.
        int Highest(long micro) => Enumerable.Range(1, grades.Count).LastOrDefault(g => grades[g].Micro <= micro);
        var defaults = new TierCeilings(Highest(2_000_000), Highest(1_000_000), Highest(500_000));
        TierCeilings ceilings = document.Ceilings ?? defaults;
        bool onLadder = Array.TrueForAll([ceilings.Low, ceilings.Moderate, ceilings.Private], c => c >= 0 && c <= grades.Count);
        Check(onLadder, "schema-ceilings", "ceilings", $"a ceiling is not on the ladder of 0 (withheld) to {grades.Count}");
        return onLadder ? ceilings : defaults;
    }

    private List<AttributeDefinition> CompileAttributes(GradeLadder grades, TierCeilings ceilings)
    {
        var result = new List<AttributeDefinition>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        Check(document.Attributes.Count > 0, "schema-empty", "attributes", "a schema has at least one attribute");
        foreach (AttributeDocument attribute in document.Attributes)
        {
            string path = $"attributes.{attribute.Name}";
            Check(AttributePattern().IsMatch(
                attribute.Name), "schema-name", path, "an attribute's name has letters, digits, '_' and '-', and starts with a letter");
            if (!names.Add(attribute.Name))
            {
                Report("schema-duplicate", path, "the name occurs twice", "Give every attribute a name of its own.");
                continue;
            }

            Check(!attribute.Filterable
                || attribute.Tier == Tier.Public, "schema-filterable", path,
                "only a Public attribute is filterable: being matched would disclose its value");
            Check(attribute.Tier != Tier.Public
                || attribute.Mechanism is null, "schema-mechanism", path, "a Public attribute is not randomised and names no mechanism");
            if (CompileDomain(attribute, path) is not { } domain)
            {
                continue;
            }

            AttributeDefinition Define(string name, string title, AttributeDomain of, string? named)
            {
                EpsilonMicro ceiling = attribute.Tier == Tier.Public ? EpsilonMicro.Zero : grades[Math.Max(1, ceilings[attribute.Tier])];
                string? mechanism = MechanismOf(attribute, of, named, ceiling, path);
                return new AttributeDefinition
                {
                    Name = name,
                    Title = title,
                    Source = SourceOf(attribute, name, mechanism),
                    Domain = of,
                    Tier = attribute.Tier,
                    Mechanism = mechanism,
                    ConstantPerPerson = attribute.ConstantPerPerson,
                    Filterable = attribute.Filterable,
                    Optional = attribute.Optional,
                };
            }

            string title = attribute.Title ?? attribute.Name;
            result.Add(Define(attribute.Name, title, domain, attribute.Mechanism));
            if (domain is GridDomain && attribute.Optional)
            {
                result.Add(Define(attribute.Name + Schema.PresenceSuffix, title + ": was it recorded", PresenceDomain, named: null) with
                {
                    Optional = false,
                });
            }
        }

        return result;
    }

    /// <summary>Code 0: missing; code 1: present.</summary>
    private static CategoricalDomain PresenceDomain { get; } = new(["absent", "present"], Ordered: false);

    private AttributeDomain? CompileDomain(AttributeDocument attribute, string path)
    {
        int forms = (attribute.Labels is null ? 0 : 1) + (attribute.CodeList is null ? 0 : 1) + (attribute.Grid is null ? 0 : 1);
        if (forms != 1)
        {
            Report("schema-domain", path, $"got {forms} of 'labels', 'codeList' and 'grid'", "An attribute has exactly one of them.");
            return null;
        }

        if (attribute.Grid is { } grid)
        {
            decimal cells = grid.Step > 0 ? (grid.Max - grid.Min) / grid.Step + 1 : 0;
            if (cells < 2 || cells > MaxCodes || cells != decimal.Truncate(cells))
            {
                Report(
                    "schema-grid", path, "(max - min) / step + 1 is not a whole number of 2 to 65,535 cells",
                    "Widen the step or move a bound.");
                return null;
            }

            return new GridDomain(grid.Min, grid.Step, (int)cells, grid.Unit);
        }

        List<LabelDocument>? labels = attribute.Labels?.ToList() ?? CompileCodeList(attribute.CodeList!, path);
        if (labels is null)
        {
            return null;
        }

        if (attribute.Optional)
        {
            labels.Add(new LabelDocument(Schema.MissingLabel, "Not recorded"));
        }

        string? repeated = labels.GroupBy(l => l.Label, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1)?.Key;
        Check(repeated is null, "schema-duplicate", path, $"the label '{repeated}' occurs twice");
        int least = attribute.Tier == Tier.Public ? 1 : 2;
        Check(labels.Count >= least, "schema-domain", path, $"a randomised attribute has at least {least} labels; got {labels.Count}");
        Check(labels.Count <= MaxCodes, "schema-domain", path, $"a domain has at most 65,535 codes; got {labels.Count}; roll the codes up "
            + $"to a coarser list");
        return new CategoricalDomain([.. labels.Select(l => l.Label)], attribute.Ordered)
        {
            Texts = labels.Exists(l => l.Text is not null) ? [.. labels.Select(l => l.Text ?? l.Label)] : null,
        };
    }

    private List<LabelDocument>? CompileCodeList(CodeListDocument list, string path)
    {
        switch (list.List)
        {
            case "icd9-categories":
                var codes = new List<LabelDocument>();
                foreach (string category in Icd9.Categories())
                {
                    codes.Add(new LabelDocument(category));
                    if (list.Detailed?.Contains(category, StringComparer.Ordinal) == true)
                    {
                        codes.AddRange(Icd9.Subdivisions(category).Select(c => new LabelDocument(c)));
                    }
                }

                codes.AddRange((list.Additional ?? []).Select(c => new LabelDocument(c)));
                return codes;
            case "icd9-chapters":
                return [.. Icd9.Chapters];
            case "numbers" when list is { From: { } from, To: { } to } && from >= 0 && from <= to && to - from < MaxCodes:
                string format = new('0', Math.Max(1, list.Digits ?? 1));
                return [.. Enumerable.Range(from, to - from + 1)
                    .Select(i => new LabelDocument(i.ToString(format, CultureInfo.InvariantCulture)))];
            default:
                Report(
                    "schema-code-list", path, $"the code list '{list.List}' is not known, or its 'from' and 'to' are not",
                    "Use icd9-categories, icd9-chapters, or numbers with from and to.");
                return null;
        }
    }

    private string? MechanismOf(AttributeDocument attribute, AttributeDomain domain, string? named, EpsilonMicro ceiling, string path)
    {
        if (attribute.Tier == Tier.Public)
        {
            return null;
        }

        try
        {
            IMechanism mechanism = named is null ? MechanismCatalogue.Default(domain, ceiling) : MechanismCatalogue.Get(named);
            Check(mechanism.CanRandomise(domain, out string? reason), "schema-mechanism", path, reason ?? "");
            return mechanism.Id;
        }
        catch (ArgumentException e)
        {
            Report("schema-mechanism", path, e.Message, "Name another mechanism, or none for the best one.");
            return null;
        }
    }

    /// <summary>
    /// The coins' name: the columns, then a hash of everything that decides which report a text of theirs leads to. What people read
    /// (titles, texts) and what they may choose (tiers, ceilings) is no part of it.
    /// </summary>
    private string SourceOf(AttributeDocument attribute, string name, string? mechanism)
    {
        var readings = document.Layouts.Select(l => new { l.Name, l.Salt, Reading = l.Readings?.GetValueOrDefault(attribute.Name) })
            .ToList();
        string columns = string.Join('+', readings.Select(r => r.Reading?.Column ?? attribute.Name).Distinct(StringComparer.Ordinal));
        var use = new
        {
            name,
            mechanism,
            labels = attribute.Labels?.Select(l => l.Label),
            attribute.CodeList,
            attribute.Grid,
            attribute.Optional,
            attribute.ConstantPerPerson,
            document.Grades,
            readings,
        };
        byte[] canonical = CanonicalJson.Write(JsonSerializer.SerializeToElement(use, SchemaJson.Options));
        return $"{columns}#{Convert.ToHexStringLower(SHA256.HashData(canonical).AsSpan(0, 8))}";
    }

    private List<PolicyProfile> CompileProfiles(List<AttributeDefinition> attributes, GradeLadder grades, TierCeilings ceilings)
    {
        if (_problems.Count > 0)
        {
            return [];
        }

        IReadOnlyList<ProfileDocument> menu = document.Profiles ?? ProfileMenu.Default(grades, ceilings);
        Check(menu.Count is >= 1 and <= Schema.MaxProfiles, "schema-profiles", "profiles", $"a menu has 1 to {Schema.MaxProfiles} "
            + $"profiles; got {menu.Count}");
        Check(menu.Select(p => p.Name).Distinct(StringComparer.Ordinal)
            .Count() == menu.Count, "schema-profiles", "profiles", "two profiles have the same name");
        var profiles = new List<PolicyProfile>();
        foreach (ProfileDocument profile in menu)
        {
            try
            {
                profiles.Add(PolicyProfile.Create(profile.Name, attributes, grades, profile.Ceilings, profile.Attributes));
            }
            catch (ArgumentException e)
            {
                Report("schema-profiles", $"profiles.{profile.Name}", e.Message, "Name randomised attributes and grades of the ladder.");
            }
        }

        return profiles;
    }

    private void CheckLayouts()
    {
        Check(document.Layouts.Count > 0, "schema-layouts", "layouts", "a schema has at least one layout");
        Check(document.Layouts.Select(l => l.Name).Distinct(StringComparer.Ordinal)
            .Count() == document.Layouts.Count, "schema-layouts", "layouts", "two layouts have the same name");
        Check(document.Layouts.Select(l => l.Salt).Distinct()
            .Count() == document.Layouts.Count, "schema-layouts", "layouts", "two layouts have the same salt: their ids could meet");
        foreach (LayoutDocument layout in document.Layouts)
        {
            string path = $"layouts.{layout.Name}";
            int least = document.Layouts.Count > 1 ? 1 : 0;
            Check(layout.Salt >= least
                && layout.Salt <= 255, "schema-layouts", path,
                $"a salt is one byte, {least} to 255 among {document.Layouts.Count} layouts; got {layout.Salt}");
            foreach ((string name, ReadingDocument reading) in layout.Readings ?? new Dictionary<string, ReadingDocument>())
            {
                AttributeDocument? attribute = document.Attributes.FirstOrDefault(a => a.Name == name);
                string where = $"{path}.readings.{name}";
                Check(attribute is not null, "schema-reading", where, $"'{name}' is no attribute of the schema");
                Check((reading.UnitColumn is null) == (
                    reading.UnitDivisors is null), "schema-reading", where, "unitColumn and unitDivisors come together");
                Check(
                    reading.Normalise is null or "integer" or "icd9" or "icd9-category" or "icd9-chapter",
                    "schema-reading", where, $"'{reading.Normalise}' is no normal form");
                Check(reading.Missing is null
                    || attribute?.Optional == true, "schema-reading", where, "texts mean 'missing', but the attribute is not optional");
                Check(reading.UnitDivisors?.Values.All(d => d > 0) != false, "schema-reading", where, "a divisor is positive");
            }

            CheckIdentifiersAreNotRead(layout, path);
        }
    }

    private void CheckIdentifiersAreNotRead(LayoutDocument layout, string path)
    {
        var unread = new HashSet<string>((layout.DirectIdentifiers ?? []).Concat(layout.Ignored ?? []), StringComparer.Ordinal);
        foreach (string column in ColumnsRead(layout))
        {
            Check(!unread.Contains(
                column), "schema-layouts", path, $"the column '{column}' is listed as not read, and an attribute or id reads it");
        }

        // An id may key coins; it may never be a value that leaves the site, however randomised.
        foreach (AttributeDocument attribute in document.Attributes)
        {
            string column = layout.Readings?.GetValueOrDefault(attribute.Name)?.Column ?? attribute.Name;
            bool isId = (column == layout.Record?.Column || column == layout.Person?.Column)
                && layout.Readings?.GetValueOrDefault(attribute.Name)?.Constant is null;
            Check(!isId, "schema-identifier", path, $"'{attribute.Name}' reads the id column '{column}': identifiers can never be "
                + $"attributes");
        }
    }

    /// <summary>Every column that a layout reads.</summary>
    internal static IEnumerable<string> ColumnsRead(SchemaDocument document, LayoutDocument layout)
    {
        if (layout.Record is { } record)
        {
            yield return record.Column;
        }

        if (layout.Person is { } person)
        {
            yield return person.Column;
        }

        foreach (AttributeDocument attribute in document.Attributes)
        {
            ReadingDocument? reading = layout.Readings?.GetValueOrDefault(attribute.Name);
            if (reading?.Constant is null)
            {
                yield return reading?.Column ?? attribute.Name;
            }

            if (reading?.UnitColumn is { } unit)
            {
                yield return unit;
            }
        }
    }

    private IEnumerable<string> ColumnsRead(LayoutDocument layout) => ColumnsRead(document, layout);

    private void Check(bool holds, string code, string path, string message)
    {
        if (!holds)
        {
            Report(code, path, message, "docs/SCHEMAS.md describes the member.");
        }
    }

    private void Report(string code, string path, string message, string fix) =>
        _problems.Add(new InputProblem(code, file, 0, path, message, fix));

    [GeneratedRegex("^[a-z][a-z0-9_-]{0,62}$", RegexOptions.NonBacktracking)]
    private static partial Regex NamePattern();

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_-]{0,62}$", RegexOptions.NonBacktracking)]
    private static partial Regex AttributePattern();
}
