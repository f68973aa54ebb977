using System.Buffers.Binary;
using System.IO.Compression;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// Unpacks a gzip file (RFC 1952, one member) and refuses one that is cut short: .NET's <see cref="GZipStream"/> checks the sum of a whole
/// member but takes the end of a cut file for the end of the data. The length that the trailer states must be the length that was unpacked.
/// </summary>
internal sealed class CheckedGzipStream : ForwardStream
{
    private readonly string _file;
    private readonly uint _statedLength;

    private CheckedGzipStream(FileStream packed, string file, uint statedLength)
        : base(new GZipStream(packed, CompressionMode.Decompress)) => (_file, _statedLength) = (file, statedLength);

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

    protected override int ReadInner(Stream stream, Span<byte> buffer)
    {
        try
        {
            return stream.Read(buffer);
        }
        catch (InvalidDataException)
        {
            throw Damaged(_file);
        }
    }

    protected override void Check(int read, int asked)
    {
        if (read == 0 && asked > 0 && (uint)Count != _statedLength)
        {
            throw Damaged(_file);
        }
    }

    private static InputException Damaged(string file) => new(new InputProblem(
        "damaged-gzip", file, 0, "", "the compressed data is damaged, cut short, or in several parts",
        "Copy the file again ('./emr data verify' checks a known one), or pack it anew as one part with gzip."));
}
