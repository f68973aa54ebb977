using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records.Reports;

/// <summary>
/// The reports that a site hands out, by pseudonym: all that leaves a site about its records. <see cref="ReportFileFormat"/> reads and
/// writes it.
/// </summary>
public sealed class ReportFile
{
    /// <summary>Bytes of a pseudonym.</summary>
    public const int PseudonymBytes = 16;

    /// <summary>The schema, with the ladder of losses.</summary>
    public required Schema Schema { get; init; }

    /// <summary>Per record its pseudonym of 16 bytes, ascending.</summary>
    public required byte[] Pseudonyms { get; init; }

    /// <summary>Per record the index of its person, numbered by first appearance.</summary>
    public required int[] PersonIndex { get; init; }

    /// <summary>The reports, at most one column per attribute and grade.</summary>
    public required IReadOnlyList<ReportFileColumn> Columns { get; init; }

    /// <summary>Number of records.</summary>
    public int Count => PersonIndex.Length;

    /// <summary>Number of persons.</summary>
    public int PersonCount => PersonIndex.Length == 0 ? 0 : PersonIndex.Max() + 1;

    /// <summary>The grades at which there are reports of an attribute, ascending; 0 for a Public attribute.</summary>
    public IReadOnlyList<int> Grades(string attribute) =>
        [.. Columns.Where(c => c.Attribute.Name == attribute).Select(c => c.Grade).Order()];

    /// <summary>
    /// The records that have a report of each of these attributes at these grades, as one batch; null when there are none.
    /// </summary>
    /// <exception cref="EstimationRefusedException">The file has no such column.</exception>
    public ReportBatch? Batch(IReadOnlyList<(string Attribute, int Grade)> wanted)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        ReportFileColumn[] columns = [.. wanted.Select(w => Column(w.Attribute, w.Grade))];
        int[] rows = columns.Skip(1).Aggregate(columns[0].Rows, (common, column) => Intersect(common, column.Rows));
        return rows.Length == 0 ? null : ToBatch(columns, rows);
    }

    /// <summary>
    /// All records that have a report of each of these attributes, each at its highest grades, one batch per combination of grades.
    /// </summary>
    /// <exception cref="EstimationRefusedException">The file has no report of an attribute.</exception>
    public IEnumerable<ReportBatch> HighestGrades(IReadOnlyList<string> attributes)
    {
        ArgumentNullException.ThrowIfNull(attributes);
        var best = new ReportFileColumn?[attributes.Count][];
        for (int a = 0; a < attributes.Count; a++)
        {
            best[a] = new ReportFileColumn?[Count];
            IReadOnlyList<int> grades = Grades(attributes[a]);
            if (grades.Count == 0)
            {
                throw NoColumn(attributes[a]);
            }

            foreach (int grade in grades)
            {
                ReportFileColumn column = Column(attributes[a], grade);
                foreach (int row in column.Rows)
                {
                    best[a][row] = column;
                }
            }
        }

        return Enumerable.Range(0, Count)
            .Where(row => Array.TrueForAll(best, column => column[row] is not null))
            .GroupBy(row => string.Join(',', best.Select(column => column[row]!.Grade)))
            .Select(group => ToBatch([.. best.Select(column => column[group.First()]!)], [.. group]));
    }

    private ReportFileColumn Column(string attribute, int grade) =>
        Columns.FirstOrDefault(c => c.Attribute.Name == attribute && c.Grade == grade) ?? throw NoColumn(attribute);

    private EstimationRefusedException NoColumn(string attribute)
    {
        IReadOnlyList<int> grades = Grades(attribute);
        return new EstimationRefusedException(grades.Count > 0
            ? $"The reports of '{attribute}' are at grade {string.Join(", ", grades)}: ask for one of these."
            : $"There are no reports of '{attribute}'; there are reports of "
                + $"{string.Join(", ", Columns.Select(c => c.Attribute.Name).Distinct().Order(StringComparer.Ordinal))}.");
    }

    private ReportBatch ToBatch(ReportFileColumn[] columns, int[] rows)
    {
        AttributeReports[] reports =
            [.. columns.Select(c => new AttributeReports(c.Attribute, c.Grade, c.Channel, c.Reports.Take(Places(c.Rows, rows))))];
        return new ReportBatch(reports, [.. rows.Select(row => PersonIndex[row])]);
    }

    /// <summary>Where the elements of an ascending list stand in an ascending list that contains them.</summary>
    private static int[] Places(int[] among, int[] wanted)
    {
        int[] places = new int[wanted.Length];
        for (int i = 0, at = 0; i < wanted.Length; i++)
        {
            while (among[at] != wanted[i])
            {
                at++;
            }

            places[i] = at;
        }

        return places;
    }

    private static int[] Intersect(int[] left, int[] right)
    {
        var both = new List<int>(Math.Min(left.Length, right.Length));
        for (int l = 0, r = 0; l < left.Length && r < right.Length;)
        {
            if (left[l] == right[r])
            {
                both.Add(left[l]);
                l++;
                r++;
            }
            else if (left[l] < right[r])
            {
                l++;
            }
            else
            {
                r++;
            }
        }

        return [.. both];
    }
}

/// <summary>The reports of one attribute at one grade.</summary>
/// <param name="Attribute">The attribute.</param>
/// <param name="Grade">The grade, at least 1; 0 for the values of a Public attribute.</param>
/// <param name="Rows">The rows of the file that have a report, ascending.</param>
/// <param name="Reports">The reports of these rows, in their order.</param>
public sealed record ReportFileColumn(AttributeDefinition Attribute, int Grade, int[] Rows, ReportColumn Reports)
{
    /// <summary>The channel that the reports came through.</summary>
    public required Channel Channel { get; init; }

    /// <summary>The channel of an attribute at a grade under a schema's ladder; that of a Public attribute at grade 0.</summary>
    public static Channel ChannelOf(Schema schema, AttributeDefinition attribute, int grade)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(attribute);
        return attribute.Mechanism is null
            ? new PublicChannel(attribute.Domain.Size)
            : MechanismCatalogue.Get(attribute.Mechanism).CreateLadder(attribute.Domain, schema.Grades)[grade];
    }
}
