using System.Buffers.Binary;
using System.IO.Compression;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// Unpacks a gzip file (RFC 1952, one member) and refuses one that is cut short: .NET's <see cref="GZipStream"/> checks the sum of a whole
/// member but takes the end of a cut file for the end of the data. The length that the trailer states must be the length that was unpacked.
/// </summary>
internal sealed class CheckedGzipStream : Stream
{
    private readonly GZipStream _unpacked;
    private readonly string _file;
    private readonly uint _statedLength;
    private long _length;

    private CheckedGzipStream(FileStream packed, string file, uint statedLength) =>
        (_unpacked, _file, _statedLength) = (new GZipStream(packed, CompressionMode.Decompress), file, statedLength);

    /// <summary>Opens a seekable gzip file at its beginning.</summary>
    public static CheckedGzipStream Open(FileStream packed, string file)
    {
        Span<byte> trailer = stackalloc byte[4];
        // A header of 10 bytes, data of 2 and a trailer of 8 are the least.
        if (packed.Length < 20)
        {
            packed.Dispose();
            throw Damaged(file);
        }

        packed.Position = packed.Length - 4;
        packed.ReadExactly(trailer);
        packed.Position = 0;
        return new CheckedGzipStream(packed, file, BinaryPrimitives.ReadUInt32LittleEndian(trailer));
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        int read;
        try
        {
            read = _unpacked.Read(buffer);
        }
        catch (InvalidDataException)
        {
            throw Damaged(_file);
        }

        _length += read;
        return read > 0 || buffer.Length == 0 || (uint)_length == _statedLength ? read : throw Damaged(_file);
    }

    private static InputException Damaged(string file) => new(new InputProblem(
        "damaged-gzip", file, 0, "", "the compressed data is damaged, cut short, or in several parts",
        "Copy the file again ('./emr data verify' checks a known one), or pack it anew as one part with gzip."));

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException();
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unpacked.Dispose();
        }

        base.Dispose(disposing);
    }
}
