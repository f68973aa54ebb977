using System.Runtime.Intrinsics;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// Splits CSV (RFC 4180, UTF-8, LF or CRLF) into fields of bytes, without a string per field: a library's parser makes one for each of the millions of short
/// fields of a record file and takes several times as long (docs/PERFORMANCE.md). Strict: a quote inside an unquoted field, text after a closing quote
/// and an unclosed quote are refused, never guessed at.
/// </summary>
internal sealed class CsvRowReader(Stream stream, string file) : IDisposable
{
    /// <summary>Readable bytes behind the end of every field, so that a short field can be loaded as one word.</summary>
    public const int Slack = 8;

    private const int MaxRowBytes = 1 << 24;
    private byte[] _buffer = new byte[(1 << 18) + Slack];
    private byte[] _unquoted = new byte[1024];
    private byte[] _row = [];
    private int[] _ends = new int[64];
    private int _start, _next, _filled;
    private int _rowStart;
    private bool _ended;

    /// <summary>The line on which the current row starts, from 1.</summary>
    public long Line { get; private set; }

    private long _nextLine = 1;

    /// <summary>Number of fields of the current row.</summary>
    public int FieldCount { get; private set; }

    /// <summary>The bytes that <see cref="Field"/> points into.</summary>
    public byte[] Bytes => _row;

    /// <summary>The text of a field, quotes removed: its place in <see cref="Bytes"/>, where at least <see cref="Slack"/> bytes follow.</summary>
    public (int Start, int Length) Field(int index)
    {
        int start = index == 0 ? _rowStart : _ends[index - 1] + 1;
        return (start, _ends[index] - start);
    }

    /// <summary>The text of a field as a string.</summary>
    /// <exception cref="InputException">It is not UTF-8.</exception>
    public string Text(int index)
    {
        (int start, int length) = Field(index);
        try
        {
            return Utf8.GetString(_row, start, length);
        }
        catch (ArgumentException)
        {
            throw Refuse("encoding", $"field {index + 1} is not UTF-8", "Save the file as UTF-8.");
        }
    }

    /// <summary>UTF-8 that refuses what is not.</summary>
    public static System.Text.Encoding Utf8 { get; } = new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Goes to the next row; false at the end of the file.</summary>
    public bool ReadRow()
    {
        Line = _nextLine;
        if (_next == 0 && !_ended)
        {
            SkipByteOrderMark();
        }

        _start = _next;
        int end = FindLineEnd();
        if (end < 0)
        {
            _next = _start;
            return false;
        }

        ReadOnlySpan<byte> line = _buffer.AsSpan(_start, end - _start);
        if (line.Contains((byte)'"'))
        {
            return ReadQuotedRow();
        }

        _nextLine++;
        _next = Math.Min(end + 1, _filled);
        int length = line.Length > 0 && line[^1] == '\r' ? line.Length - 1 : line.Length;
        (_row, _rowStart) = (_buffer, _start);
        Split(_start + length);
        return true;
    }

    /// <summary>Finds the commas of an unquoted row, 32 bytes at a time.</summary>
    private void Split(int end)
    {
        int count = 0, at = _start;
        for (; at + Vector256<byte>.Count <= _buffer.Length && at < end; at += Vector256<byte>.Count)
        {
            uint commas = Vector256.Equals(Vector256.LoadUnsafe(ref _buffer[at]), Vector256.Create((byte)',')).ExtractMostSignificantBits();
            if (end - at < 32)
            {
                commas &= (1u << (end - at)) - 1;
            }

            while (commas != 0)
            {
                AddField(ref count, at + System.Numerics.BitOperations.TrailingZeroCount(commas));
                commas &= commas - 1;
            }
        }

        for (; at < end; at++)
        {
            if (_buffer[at] == ',')
            {
                AddField(ref count, at);
            }
        }

        AddField(ref count, end);
        FieldCount = count;
    }

    private void AddField(ref int count, int end)
    {
        if (count == _ends.Length)
        {
            Array.Resize(ref _ends, 2 * count);
        }

        _ends[count++] = end;
    }

    /// <summary>The slow way, for the few rows with quotes: fields are copied without their quotes, one byte apart.</summary>
    private bool ReadQuotedRow()
    {
        int count = 0, written = 0, at = _start;
        while (true)
        {
            bool quoted = Peek(ref at) == '"';
            if (quoted)
            {
                at++;
                while (true)
                {
                    int next = Peek(ref at);
                    if (next < 0)
                    {
                        throw Refuse("unclosed-quote", $"the quote of field {count + 1} is never closed", "Close the quote, or double a quote that belongs to the text.");
                    }

                    at++;
                    if (next == '"')
                    {
                        if (Peek(ref at) != '"')
                        {
                            break;
                        }

                        at++;
                    }

                    _nextLine += next == '\n' ? 1 : 0;
                    Write(ref written, (byte)next);
                }
            }

            int end = Peek(ref at);
            while (end >= 0 && end != ',' && end != '\n')
            {
                if (quoted && !(end == '\r' && PeekAfter(ref at) is '\n' or < 0))
                {
                    throw Refuse("text-after-quote", $"text follows the closing quote of field {count + 1}", "Put the whole field in quotes, and double the quotes inside it.");
                }

                if (end == '"')
                {
                    throw Refuse("stray-quote", $"field {count + 1} has a quote inside but does not begin with one", "Put the whole field in quotes, and double the quotes inside it.");
                }

                if (!quoted && !(end == '\r' && PeekAfter(ref at) is '\n' or < 0))
                {
                    Write(ref written, (byte)end);
                }

                at++;
                end = Peek(ref at);
            }

            AddField(ref count, written);
            Write(ref written, 0);
            if (end != ',')
            {
                _next = end == '\n' ? at + 1 : at;
                _nextLine++;
                (_row, _rowStart, FieldCount) = (_unquoted, 0, count);
                return true;
            }

            at++;
        }
    }

    /// <summary>The byte at a place of the buffer, reading more when needed; -1 at the end of the file.</summary>
    private int Peek(ref int at)
    {
        if (at >= _filled && !ReadMore(ref at))
        {
            return -1;
        }

        return _buffer[at];
    }

    private int PeekAfter(ref int at)
    {
        int after = at + 1, shifted = after;
        int value = Peek(ref shifted);
        at += shifted - after;
        return value;
    }

    private void Write(ref int written, byte value)
    {
        if (written + Slack + 1 >= _unquoted.Length)
        {
            Array.Resize(ref _unquoted, 2 * _unquoted.Length);
        }

        _unquoted[written++] = value;
    }

    /// <summary>The place of the line feed that ends the line at <see cref="_start"/>, or of the end of the file; -1 when nothing is left.</summary>
    private int FindLineEnd()
    {
        int from = _start;
        while (true)
        {
            int found = _buffer.AsSpan(from, _filled - from).IndexOf((byte)'\n');
            if (found >= 0)
            {
                return from + found;
            }

            from = _filled;
            if (!ReadMore(ref from))
            {
                return _filled > _start ? _filled : -1;
            }
        }
    }

    /// <summary>Reads on, keeping the bytes from <see cref="_start"/>; moves <paramref name="at"/> with them. False at the end of the file.</summary>
    private bool ReadMore(ref int at)
    {
        if (_ended)
        {
            return false;
        }

        if (_start > 0)
        {
            _buffer.AsSpan(_start, _filled - _start).CopyTo(_buffer);
            at -= _start;
            _filled -= _start;
            _start = 0;
        }

        if (_filled + Slack >= _buffer.Length)
        {
            if (_buffer.Length > MaxRowBytes)
            {
                throw Refuse("row-too-long", $"the row is longer than {MaxRowBytes} bytes", "Look for a quote that is not closed.");
            }

            Array.Resize(ref _buffer, 2 * _buffer.Length);
        }

        int read = stream.Read(_buffer, _filled, _buffer.Length - Slack - _filled);
        _ended = read == 0;
        _filled += read;
        return read > 0;
    }

    private void SkipByteOrderMark()
    {
        int at = 0;
        while (_filled < 4 && ReadMore(ref at))
        {
        }

        ReadOnlySpan<byte> head = _buffer.AsSpan(0, _filled);
        if (head.StartsWith<byte>([0xFF, 0xFE]) || head.StartsWith<byte>([0xFE, 0xFF]))
        {
            throw Refuse("encoding", "the file is UTF-16", "Save the file as UTF-8.");
        }

        _next = head.StartsWith<byte>([0xEF, 0xBB, 0xBF]) ? 3 : 0;
    }

    private InputException Refuse(string code, string message, string fix) => new(new InputProblem(code, file, Line, "", message, fix));

    public void Dispose() => stream.Dispose();
}
