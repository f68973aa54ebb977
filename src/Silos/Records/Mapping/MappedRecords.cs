using System.Globalization;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records.Mapping;

/// <summary>A mapped file on its way to a loader: packed CSV in a temporary folder that only its owner enters, removed when
/// disposed.</summary>
internal sealed class MappedRecords : IDisposable
{
    private readonly string _folder;

    private MappedRecords(string folder, MappingReport report) => (_folder, Report) = (folder, report);

    /// <summary>The file.</summary>
    public string Path => System.IO.Path.Combine(_folder, "records.csv.gz");

    /// <summary>What became of what was read.</summary>
    public MappingReport Report { get; }

    /// <summary>Writes rows, all of which the schema reads: rows with a value that it refuses are reported and left out.</summary>
    /// <param name="accumulator">All that was read.</param>
    /// <param name="schema">The schema.</param>
    /// <param name="parent">The folder to make the temporary one in; null for the system's.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InputException">The columns are those of no layout of the schema, or no row is left.</exception>
    public static MappedRecords Create(RowAccumulator accumulator, Schema schema, string? parent, CancellationToken cancellationToken) =>
        Create(accumulator, schema, parent, out _, cancellationToken);

    private static MappedRecords Create(
        RowAccumulator accumulator, Schema schema, string? parent, out MappedRowSet rows, CancellationToken cancellationToken)
    {
        rows = accumulator.Finish();
        string folder = parent is null
            ? Directory.CreateTempSubdirectory("emr-mapped-").FullName : System.IO.Path.Combine(parent, Guid.NewGuid().ToString("N"));
        Api.Access.KeyFolder.Create(folder);
        var records = new MappedRecords(folder, accumulator.Report);
        try
        {
            rows.Write(records.Path, cancellationToken);
            rows = Refuse(rows, schema, records, cancellationToken);
            records.Report.Rows = rows.Count;
            return rows.Count > 0 ? records : throw NoRows(accumulator.Report);
        }
        catch
        {
            records.Dispose();
            throw;
        }
    }

    /// <summary>Writes all rows, whatever a schema would say of them.</summary>
    /// <exception cref="InputException">There is no row.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(RowAccumulator accumulator, string path, CancellationToken cancellationToken)
    {
        MappedRowSet rows = accumulator.Finish();
        accumulator.Report.Rows = rows.Count;
        if (rows.Count == 0)
        {
            throw NoRows(accumulator.Report);
        }

        rows.Write(path, cancellationToken);
    }

    /// <summary>Writes the rows that the schema reads; the others are reported and left out.</summary>
    /// <exception cref="InputException">The columns are those of no layout of the schema, or no row is left.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(RowAccumulator accumulator, Schema schema, string path, CancellationToken cancellationToken)
    {
        MappedRowSet rows;
        using (Create(accumulator, schema, null, out rows, cancellationToken))
        {
        }

        rows.Write(path, cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private static MappedRowSet Refuse(MappedRowSet rows, Schema schema, MappedRecords records, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
        {
            return rows;
        }

        bool[] refused = new bool[rows.Count];
        foreach (RecordTable _ in new RecordLoader(schema).ReadValid([records.Path], problem =>
        {
            int row = (int)problem.Line - 2;
            refused[row] = true;
            IssueCode code = problem.Code is "not-constant" ? IssueCode.BusinessRule : IssueCode.Value;
            records.Report.Add(new MappingIssue(code, null, $"{problem.Message}. {problem.Fix}", problem.Column)
            {
                Unit = rows.Id(row), Reading = problem.Code,
            });
        }, cancellationToken))
        {
            // What the reader takes is taken; only what it refuses matters here.
        }

        int leftOut = refused.Count(each => each);
        records.Report.RowsLeftOut += leftOut;
        if (leftOut > 0)
        {
            rows = rows.Without(refused);
            rows.Write(records.Path, cancellationToken);
        }

        return rows;
    }

    private static InputException NoRows(MappingReport report)
    {
        string reason = report.TotalIssues > 0
            ? string.Create(CultureInfo.InvariantCulture,
                $"no row is left; {report.TotalIssues} issues, the first: {report.Issues[0].Message}")
            : "no row is left: nothing that was read defines a person or visit";
        return new InputException(new InputProblem(
            "no-records", report.Files.Count > 0 ? report.Files[0] : "", 0, "", reason,
            "Check that the mapping is the one for these files."));
    }
}
