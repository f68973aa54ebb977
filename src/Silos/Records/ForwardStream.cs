namespace EmrMarket.Silos.Records;

/// <summary>A stream that is read once, from its beginning to its end, through another one that it owns and looks at on the way.</summary>
internal abstract class ForwardStream(Stream inner) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => Count;
        set => throw new NotSupportedException();
    }

    /// <summary>Bytes that were read.</summary>
    protected long Count { get; private set; }

    public sealed override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public sealed override int Read(Span<byte> buffer)
    {
        int read = ReadInner(inner, buffer);
        Count += read;
        Check(read, buffer.Length);
        return read;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>Reads from the inner stream.</summary>
    protected virtual int ReadInner(Stream stream, Span<byte> buffer) => stream.Read(buffer);

    /// <summary>Looks at what was read, which <see cref="Count"/> has already, and refuses what cannot be.</summary>
    /// <param name="read">Bytes of this read.</param>
    /// <param name="asked">Bytes that were asked for.</param>
    protected virtual void Check(int read, int asked)
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
