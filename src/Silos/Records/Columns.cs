using System.Runtime.CompilerServices;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records;

/// <summary>The columns of one file: which layout it has, and where each attribute and id stands.</summary>
internal sealed class Columns
{
    private Columns(LayoutDocument layout, int count, int recordColumn, int personColumn, ColumnReading[] attributes) =>
        (Layout, Count, RecordColumn, PersonColumn, Attributes) = (layout, count, recordColumn, personColumn, attributes);

    /// <summary>The file's layout.</summary>
    public LayoutDocument Layout { get; }

    /// <summary>Number of columns.</summary>
    public int Count { get; }

    /// <summary>The column of record ids, or -1.</summary>
    public int RecordColumn { get; }

    /// <summary>The column of person ids, or -1.</summary>
    public int PersonColumn { get; }

    /// <summary>How each attribute is read, presence attributes with the grid attribute that they belong to.</summary>
    public ColumnReading[] Attributes { get; }

    /// <summary>Reads the header and finds the layout whose columns it names, in any order.</summary>
    /// <exception cref="InputException">No layout has exactly these columns.</exception>
    public static Columns Recognise(Schema schema, CsvRowReader reader, string file)
    {
        if (!reader.ReadRow())
        {
            throw new InputException(new InputProblem(
                "empty-file", file, 0, "", "the file is empty", "A record file has a header line and at least one record."));
        }

        string[] header = [.. Enumerable.Range(0, reader.FieldCount).Select(reader.Text)];
        if (header.GroupBy(h => h, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } repeated)
        {
            throw new InputException(new InputProblem(
                "duplicate-header", file, 1, repeated.Key, "the header names the column twice", "Give every column a name of its own."));
        }

        var closest = schema.Document.Layouts
            .Select(layout => (Layout: layout, Declared: Declared(schema, layout)))
            .Select(l => (l.Layout, Missing: l.Declared.Except(header, StringComparer.Ordinal)
                .ToArray(), Extra: header.Except(l.Declared, StringComparer.Ordinal).ToArray()))
            .MinBy(l => l.Missing.Length + l.Extra.Length);
        if (closest.Missing.Length + closest.Extra.Length > 0)
        {
            string wrong = string.Join("; ", new[]
            {
                closest.Missing.Length > 0 ? $"missing: {Listed(closest.Missing)}" : "",
                closest.Extra.Length > 0 ? $"not declared: {Listed(closest.Extra)}" : "",
            }.Where(t => t.Length > 0));
            throw new InputException(new InputProblem(
                "header-mismatch", file, 1, "",
                $"the columns are those of no layout of schema '{schema.Name}'; nearest is '{closest.Layout.Name}' ({wrong})",
                "Use the schema of this file, or correct the header; a column that is not needed is listed under 'ignored'."));
        }

        int Place(string? column) => column is null ? -1 : Array.IndexOf(header, column);
        LayoutDocument layout = closest.Layout;
        var attributes = new List<ColumnReading>();
        for (int a = 0; a < schema.Attributes.Count; a++)
        {
            if (schema.Attributes[a].Name.EndsWith(Schema.PresenceSuffix, StringComparison.Ordinal))
            {
                continue;
            }

            AttributeReading reading = AttributeReading.Create(schema, layout, schema.Attributes[a]);
            attributes.Add(new ColumnReading(reading, a, schema.PresenceOf(a), Place(reading.Column), Place(reading.UnitColumn)));
        }

        return new Columns(layout, header.Length, Place(layout.Record?.Column), Place(layout.Person?.Column), [.. attributes]);
    }

    private static HashSet<string> Declared(Schema schema, LayoutDocument layout) =>
        [.. SchemaCompiler.ColumnsRead(schema.Document, layout), .. layout.DirectIdentifiers ?? [], .. layout.Ignored ?? []];

    private static string Listed(string[] columns) =>
        string.Join(", ", columns.Take(10)) + (columns.Length > 10 ? $" and {columns.Length - 10} more" : "");
}

/// <summary>Reads one attribute from the rows of a file.</summary>
internal sealed class ColumnReading(AttributeReading reading, int attribute, int presence, int column, int unitColumn)
{
    private readonly FieldMemo _memo = new();
    private byte[] _joined = new byte[256];

    /// <summary>The attribute's index in the schema.</summary>
    public int Attribute => attribute;

    /// <summary>The index of its presence attribute, or -1.</summary>
    public int Presence => presence;

    /// <summary>The column's place in the file, or 0 when every record has the same value.</summary>
    public int Index => Math.Max(0, column);

    /// <summary>The column's name, for messages.</summary>
    public string Name => reading.Column ?? reading.Attribute.Name;

    /// <summary>The value of the current row.</summary>
    public ReadValue Read(CsvRowReader row)
    {
        if (column < 0)
        {
            return reading.Read("", unit: null);
        }

        ReadOnlySpan<byte> text = unitColumn < 0 ? row.Field(column) : Join(row.Field(column), row.Field(unitColumn));
        ref readonly ReadValue known = ref _memo.Find(text, out ulong hash);
        if (!Unsafe.IsNullRef(in known))
        {
            return known;
        }

        ReadValue value = reading.Read(row.Text(column), unitColumn >= 0 ? row.Text(unitColumn) : null);
        _memo.Add(text, hash, value);
        return value;
    }

    /// <summary>The texts of value and unit as one, a byte that UTF-8 never has between them.</summary>
    private ReadOnlySpan<byte> Join(ReadOnlySpan<byte> value, ReadOnlySpan<byte> unit)
    {
        int length = value.Length + 1 + unit.Length;
        if (length > _joined.Length)
        {
            _joined = new byte[2 * length];
        }

        value.CopyTo(_joined);
        _joined[value.Length] = 0xFF;
        unit.CopyTo(_joined.AsSpan(value.Length + 1));
        return _joined.AsSpan(0, length);
    }
}
