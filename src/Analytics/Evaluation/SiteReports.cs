using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>Draws the reports of records as their site would: one ladder per fact, of which the wanted grades are kept.</summary>
/// <param name="schema">The schema of the records.</param>
/// <param name="threads">Threads at most, at least 1.</param>
public sealed class SiteReports(Schema schema, int threads)
{
    /// <summary>
    /// The schema's attributes with a value that can be asked for, and the presence attributes of optional grids among them.
    /// </summary>
    /// <param name="schema">The schema.</param>
    /// <param name="names">The attributes that are needed.</param>
    public static IReadOnlyList<AttributeDefinition> WithPresence(Schema schema, IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(names);
        var wanted = new HashSet<string>(names, StringComparer.Ordinal);
        foreach (string name in wanted.ToArray())
        {
            if (schema.IndexOf(name + Schema.PresenceSuffix) >= 0)
            {
                wanted.Add(name + Schema.PresenceSuffix);
            }
        }

        return [.. schema.Attributes.Where(a => wanted.Contains(a.Name))];
    }

    /// <summary>
    /// The reports of attributes, each at one grade; attributes whose grade is 0 (withheld) have none. O(records) per attribute.
    /// </summary>
    /// <param name="records">The records.</param>
    /// <param name="siteKey">The site's key, 32 bytes.</param>
    /// <param name="attributes">The attributes.</param>
    /// <param name="grade">The grade of an attribute that is not Public.</param>
    public ReportBatch Draw(
        RecordTable records, ReadOnlyMemory<byte> siteKey, IReadOnlyList<AttributeDefinition> attributes,
        Func<AttributeDefinition, int> grade)
    {
        ArgumentNullException.ThrowIfNull(attributes);
        ArgumentNullException.ThrowIfNull(grade);
        AttributeDefinition[] released = [.. attributes.Where(a => a.Tier == Tier.Public || grade(a) > 0)];
        return DrawLadders(records, siteKey, released, a => [grade(a)])[0];
    }

    /// <summary>
    /// The reports of attributes at their schema's default grade, table by table and drawn when asked for: what one table needs is the
    /// memory that all of them need.
    /// </summary>
    /// <param name="tables">The records in tables of whole persons.</param>
    /// <param name="siteKey">The site's key, 32 bytes.</param>
    /// <param name="names">The attributes; those of their presence come along.</param>
    public IEnumerable<ReportBatch> Stream(IEnumerable<RecordTable> tables, ReadOnlyMemory<byte> siteKey, IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(tables);
        IReadOnlyList<AttributeDefinition> attributes = WithPresence(schema, names);
        return tables.Select(table => Draw(table, siteKey, attributes, schema.DefaultGrade));
    }

    /// <summary>
    /// The reports of attributes at several grades, all from the same ladders: one batch per grade, Public attributes in each.
    /// </summary>
    /// <param name="records">The records.</param>
    /// <param name="siteKey">The site's key, 32 bytes.</param>
    /// <param name="attributes">The attributes.</param>
    /// <param name="grades">The grades, each in 1 to the ladder's count.</param>
    public IReadOnlyList<ReportBatch> DrawGrades(
        RecordTable records, ReadOnlyMemory<byte> siteKey, IReadOnlyList<AttributeDefinition> attributes, IReadOnlyList<int> grades)
    {
        ArgumentNullException.ThrowIfNull(attributes);
        ArgumentNullException.ThrowIfNull(grades);
        int[] wanted = [.. grades];
        return DrawLadders(records, siteKey, attributes, _ => wanted);
    }

    /// <summary>The channel of an attribute that is not Public, at a grade.</summary>
    public Channel ChannelOf(AttributeDefinition attribute, int grade)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        return MechanismCatalogue.Get(attribute.Mechanism!).CreateLadder(attribute.Domain, schema.Grades)[grade];
    }

    private ReportBatch[] DrawLadders(
        RecordTable records, ReadOnlyMemory<byte> siteKey, IReadOnlyList<AttributeDefinition> attributes,
        Func<AttributeDefinition, int[]> grades)
    {
        ArgumentNullException.ThrowIfNull(records);
        var drawn = new AttributeReports[attributes.Count][];
        Parallel.For(0, attributes.Count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
            drawn[i] = DrawOne(records, siteKey.Span, attributes[i], grades(attributes[i])));
        int batches = drawn.Max(d => d.Length);
        return [.. Enumerable.Range(0, batches).Select(b => new ReportBatch([.. drawn.Select(d => d[b])], records.PersonIndex))];
    }

    private AttributeReports[] DrawOne(RecordTable records, ReadOnlySpan<byte> siteKey, AttributeDefinition attribute, int[] grades)
    {
        RecordColumn column = records.Columns[schema.IndexOf(attribute.Name)];
        if (attribute.Tier == Tier.Public)
        {
            var clear = new PublicChannel(attribute.Domain.Size);
            return [.. grades.Select(_ => new AttributeReports(attribute, 0, clear, new CodeReports(column.Codes)))];
        }

        IReportLadder ladder = MechanismCatalogue.Get(attribute.Mechanism!).CreateLadder(attribute.Domain, schema.Grades);
        ulong[] facts = attribute.ConstantPerPerson ? records.PersonKeys : records.RecordKeys;
        IReadOnlyList<ReportColumn> reports = ladder.Draw(ColumnKey.Derive(siteKey, attribute.Source), column, facts, grades);
        return [.. grades.Select((grade, i) => new AttributeReports(attribute, grade, ladder[grade], reports[i]))];
    }
}
