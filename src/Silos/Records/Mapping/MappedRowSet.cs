using System.IO.Compression;
using System.Text;
using EmrMarket.Silos.Records.Mapping.Summaries;

namespace EmrMarket.Silos.Records.Mapping;

/// <summary>The rows of a load, which are still summaries in memory, and how they are written as CSV (RFC 4180, UTF-8, sorted by
/// id).</summary>
internal sealed class MappedRowSet(RecordMapping mapping, UnitTable persons, UnitTable visits, ColumnSummary[] summaries, int[] rows)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private readonly int[] _days = [.. mapping.Document.Columns.Select(column =>
        DateOnly.TryParse(column.At, System.Globalization.CultureInfo.InvariantCulture, out DateOnly day) ? day.DayNumber : -1)];

    /// <summary>How many there are.</summary>
    public int Count => rows.Length;

    /// <summary>The id of a row's person or visit, for the site's own eyes.</summary>
    public string Id(int row) => (mapping.Document.Rows.Per == MappedUnit.Visit ? visits : persons).Id(rows[row]);

    /// <summary>Leaves rows out.</summary>
    /// <param name="leftOut">By row, whether it is left out.</param>
    public MappedRowSet Without(IReadOnlyList<bool> leftOut) =>
        new(mapping, persons, visits, summaries, [.. rows.Where((_, row) => !leftOut[row])]);

    /// <summary>Writes the rows; the file appears under its name when it is whole, and only its owner may read it. Packed when the name
    /// ends in .gz. Row r is line r + 2.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(string path, CancellationToken cancellationToken)
    {
        string unfinished = path + ".part";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 1 << 16 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            // A file of that name, which a crash left, would keep the rights that it has.
            File.Delete(unfinished);
            using (var file = new FileStream(unfinished, options))
            using (Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
                ? new GZipStream(file, CompressionLevel.Fastest) : file)
            using (var writer = new StreamWriter(stream, Utf8, 1 << 16) { NewLine = "\n" })
            {
                Write(writer, cancellationToken);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    /// <summary>Writes the rows.</summary>
    public void Write(TextWriter writer, CancellationToken cancellationToken)
    {
        bool first = true;
        foreach (string name in mapping.Header)
        {
            if (!first)
            {
                writer.Write(',');
            }

            first = false;
            WriteField(writer, name);
        }

        writer.WriteLine();
        bool perVisit = mapping.Document.Rows.Per == MappedUnit.Visit;
        for (int row = 0; row < rows.Length; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int unit = rows[row], person = perVisit ? persons.Find(visits.Person(unit)) : unit;
            WriteField(writer, Id(row));
            if (perVisit)
            {
                writer.Write(',');
                WriteField(writer, persons.Id(person));
            }

            for (int c = 0; c < summaries.Length; c++)
            {
                writer.Write(',');
                int day = mapping.Document.Columns[c].At switch
                {
                    "visit" => visits.OwnDay(unit),
                    "last" => persons.LastDay(person),
                    _ => _days[c],
                };
                WriteField(writer, summaries[c].Text(mapping.UnitOf[c] == MappedUnit.Visit ? unit : person, day));
            }

            writer.WriteLine();
        }
    }

    private static void WriteField(TextWriter writer, string text)
    {
        if (text.AsSpan().IndexOfAny(',', '"') < 0)
        {
            writer.Write(text);
            return;
        }

        writer.Write('"');
        writer.Write(text.Replace("\"", "\"\"", StringComparison.Ordinal));
        writer.Write('"');
    }
}
