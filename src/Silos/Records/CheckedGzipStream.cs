using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// Unpacks a gzip file of one or more members (RFC 1952, section 2.2: what <c>cat a.gz b.gz</c>, pigz and bgzip write) and refuses one that
/// is cut short, or that has other bytes behind a member. .NET's <see cref="GZipStream"/> checks the sum and the length of every whole
/// member, but takes the end of a cut one, and bytes that begin no member, for the end of the data. So a member of our own follows the
/// file's last, with a random text: when that text comes out at the end, every member before it was whole.
/// </summary>
internal sealed class CheckedGzipStream : ForwardStream
{
    // Letters of hexadecimal, so that packing changes them: a cut member of stored bytes cannot pass the mark on as it stands.
    private static readonly byte[] Mark = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64));
    private static readonly byte[] PackedMark = Pack(Mark);

    private readonly string _file;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private bool _isLast;

    /// <summary>Unpacks a gzip file from its beginning.</summary>
    /// <param name="packed">The file, which is then the stream's.</param>
    /// <param name="file">What the user calls it.</param>
    public CheckedGzipStream(Stream packed, string file)
        : base(new GZipStream(new MarkedStream(packed), CompressionMode.Decompress)) => _file = file;

    protected override int ReadInner(Stream stream, Span<byte> buffer)
    {
        while (!_isLast && _end - _start <= Mark.Length)
        {
            Fill(stream);
        }

        // What may be the mark is held back until more follows.
        int count = Math.Min(buffer.Length, _end - _start - Mark.Length);
        _buffer.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    private static byte[] Pack(byte[] text)
    {
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.SmallestSize))
        {
            gzip.Write(text);
        }

        return packed.ToArray();
    }

    private void Fill(Stream stream)
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        int read;
        try
        {
            read = stream.Read(_buffer.AsSpan(_end));
        }
        catch (InvalidDataException)
        {
            throw Damaged();
        }

        _end += read;
        _isLast = read == 0;
        if (_isLast && !_buffer.AsSpan(0, _end).EndsWith(Mark))
        {
            throw Damaged();
        }
    }

    private InputException Damaged() => new(new InputProblem(
        "damaged-gzip", _file, 0, "", "the compressed data is damaged or cut short, or other bytes follow it",
        "Copy the file again ('./emr data verify' checks a known one), or pack it anew with gzip."));

    /// <summary>The file, and the mark behind it.</summary>
    private sealed class MarkedStream(Stream packed) : ForwardStream(packed)
    {
        private int _marked;

        protected override int ReadInner(Stream stream, Span<byte> buffer)
        {
            int read = _marked == 0 ? stream.Read(buffer) : 0;
            if (read > 0 || buffer.IsEmpty)
            {
                return read;
            }

            int count = Math.Min(buffer.Length, PackedMark.Length - _marked);
            PackedMark.AsSpan(_marked, count).CopyTo(buffer);
            _marked += count;
            return count;
        }
    }
}
