namespace EmrMarket.Silos.Records.Mapping.Fhir.Files;

/// <summary>The part of a stream that is looked at: grows up to a limit, and knows its place in the file.</summary>
internal sealed class ByteWindow(Stream stream, int most)
{
    private byte[] _buffer = new byte[Math.Min(most, 1 << 16)];
    private int _start;
    private int _end;

    /// <summary>The bytes that are there.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Whether there is nothing behind them.</summary>
    public bool IsLast { get; private set; }

    /// <summary>Bytes before them.</summary>
    public long Offset { get; private set; }

    /// <summary>The line of the first of them, from 1.</summary>
    public long Line { get; private set; } = 1;

    /// <summary>Whether no more can be taken in before some are given up.</summary>
    public bool IsFull => _end - _start >= most;

    /// <summary>Takes more bytes in; false at the end, or when it is full.</summary>
    public bool Fill()
    {
        if (IsLast || IsFull)
        {
            return false;
        }

        // Twice the size, not a little more: whoever looks again from the beginning looks at each byte at most a few times.
        if (_end - _start > _buffer.Length / 2)
        {
            byte[] larger = new byte[Math.Min(most, 2L * _buffer.Length)];
            Bytes.CopyTo(larger);
            (_buffer, _end, _start) = (larger, _end - _start, 0);
        }
        else if (_start > 0)
        {
            Bytes.CopyTo(_buffer);
            (_end, _start) = (_end - _start, 0);
        }

        int before = _end;
        while (_end < _buffer.Length)
        {
            int read = stream.Read(_buffer.AsSpan(_end));
            if (read == 0)
            {
                IsLast = true;
                break;
            }

            _end += read;
        }

        return _end > before;
    }

    /// <summary>Gives up the first bytes.</summary>
    public void Skip(int count)
    {
        Line += Bytes[..count].Count((byte)'\n');
        Offset += count;
        _start += count;
    }

    /// <summary>The line of a byte, from 1.</summary>
    /// <param name="at">Which of <see cref="Bytes"/>.</param>
    public long LineOf(int at) => Line + Bytes[..at].Count((byte)'\n');
}
