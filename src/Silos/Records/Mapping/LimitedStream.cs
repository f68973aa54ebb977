using System.Globalization;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping;

/// <summary>A file's bytes, unpacked, that ends with a refusal when a packed file has more of them than an honest one can have.</summary>
internal sealed class LimitedStream(Stream inner, string file, long most) : Stream
{
    private long _read;

    /// <summary>Opens a file, packed with gzip or not.</summary>
    /// <exception cref="InputException">It cannot be read, or is empty.</exception>
    public static Stream Open(string file, MappingLimits limits)
    {
        Stream stream = RecordFile.Open(file);
        return stream is FileStream ? stream
            : new LimitedStream(stream, file, Math.Max(limits.FreeUnpackedBytes, limits.UnpackRatio * new FileInfo(file).Length));
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        int read = inner.Read(buffer);
        _read += read;
        return _read <= most ? read : throw new InputException(new InputProblem(
            "unpacks-too-large", file, 0, "",
            string.Create(CultureInfo.InvariantCulture,
                $"the packed file has more than {most} bytes unpacked, which is more than files of records pack to"),
            "If the file is right, unpack it first: a plain file has no such limit."));
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _read;
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
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
