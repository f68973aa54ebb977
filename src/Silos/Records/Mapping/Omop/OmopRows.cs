using System.Text;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Omop;

/// <summary>The rows of a table's file.</summary>
internal interface IOmopRows : IDisposable
{
    /// <summary>The line on which the current row starts, from 1.</summary>
    long Line { get; }

    /// <summary>Number of fields of the current row.</summary>
    int FieldCount { get; }

    /// <summary>The bytes of a field, valid until the next row.</summary>
    ReadOnlySpan<byte> Field(int index);

    /// <summary>Goes to the next row; false at the end.</summary>
    /// <exception cref="InputException">The file cannot be read on.</exception>
    bool ReadRow();
}

/// <summary>Opens a table's file, and finds out how it is written by its header.</summary>
internal static class OmopRows
{
    private const int MostHeader = 1 << 16;

    /// <summary>The rows, of which the first is the header.</summary>
    /// <exception cref="InputException">The file cannot be read, is empty, or not UTF-8.</exception>
    public static IOmopRows Open(string file, MappingLimits limits)
    {
        byte[] head = new byte[MostHeader];
        int read;
        using (Stream stream = LimitedStream.Open(file, limits))
        {
            read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        }

        ReadOnlySpan<byte> start = head.AsSpan(0, read);
        if (start.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || start.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF])
            || start.Contains((byte)0))
        {
            throw new InputException(new InputProblem("encoding", file, 1, "", "the file is not UTF-8",
                "Save it as UTF-8: iconv -f UTF-16 -t UTF-8."));
        }

        ReadOnlySpan<byte> line = start.IndexOf((byte)'\n') is >= 0 and int end ? start[..end] : start;
        bool tabs = line.Contains((byte)'\t');

        // Athena writes tabs and no quotes at all, so that a quote is a character like others; with quotes in the header they are quotes.
        return tabs && !line.Contains((byte)'"') ? new TabRows(LimitedStream.Open(file, limits), file)
            : new CsvRows(new CsvRowReader(LimitedStream.Open(file, limits), file, tabs ? '\t' : ','));
    }

    private sealed class CsvRows(CsvRowReader reader) : IOmopRows
    {
        public long Line => reader.Line;

        public int FieldCount => reader.FieldCount;

        public ReadOnlySpan<byte> Field(int index) => reader.Field(index);

        public bool ReadRow() => reader.ReadRow();

        public void Dispose() => reader.Dispose();
    }

    /// <summary>Lines of fields between tabs, as they stand.</summary>
    private sealed class TabRows(Stream stream, string file) : IOmopRows
    {
        private const int MostRow = 1 << 24;

        private readonly List<(int Start, int Length)> _fields = [];
        private byte[] _buffer = new byte[1 << 18];
        private int _start;
        private int _end;
        private int _row;
        private bool _isLast;

        public long Line { get; private set; }

        public int FieldCount => _fields.Count;

        public ReadOnlySpan<byte> Field(int index) => _buffer.AsSpan(_row + _fields[index].Start, _fields[index].Length);

        public bool ReadRow()
        {
            int searched = 0;
            while (true)
            {
                int found = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
                if (found >= 0 || (_isLast && _end > _start))
                {
                    int length = found >= 0 ? searched + found : _end - _start;
                    Take(length);
                    _start += length + (found >= 0 ? 1 : 0);
                    return true;
                }

                if (_isLast)
                {
                    return false;
                }

                searched = _end - _start;
                if (searched >= MostRow)
                {
                    throw new InputException(new InputProblem(
                        "malformed-csv", file, Line + 1, "", "the line is longer than 16 MiB", "Write one row on each line."));
                }

                Fill();
            }
        }

        public void Dispose() => stream.Dispose();

        private void Fill()
        {
            if (_start > 0)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                (_start, _end) = (0, _end - _start);
            }

            if (_end == _buffer.Length)
            {
                Array.Resize(ref _buffer, 2 * _buffer.Length);
            }

            int read = stream.Read(_buffer.AsSpan(_end));
            _end += read;
            _isLast = read == 0;
        }

        private void Take(int length)
        {
            Line++;
            _row = _start;
            _fields.Clear();
            ReadOnlySpan<byte> row = _buffer.AsSpan(_start, length);
            if (Line == 1 && row.StartsWith(Encoding.UTF8.Preamble))
            {
                _row += 3;
                row = row[3..];
            }

            row = row.EndsWith("\r"u8) ? row[..^1] : row;
            int at = 0;
            foreach (Range field in row.Split((byte)'\t'))
            {
                (at, int count) = field.GetOffsetAndLength(row.Length);
                _fields.Add((at, count));
            }
        }
    }
}
