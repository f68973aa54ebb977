using System.Globalization;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping;

/// <summary>A file's bytes, unpacked, that ends with a refusal when a packed file has more of them than an honest one can have.</summary>
internal sealed class LimitedStream(Stream inner, string file, long most) : ForwardStream(inner)
{
    /// <summary>Opens a file, packed with gzip or not.</summary>
    /// <exception cref="InputException">It cannot be read, or is empty.</exception>
    public static Stream Open(string file, MappingLimits limits)
    {
        Stream stream = RecordFile.Open(file);
        return stream is FileStream ? stream
            : new LimitedStream(stream, file, Math.Max(limits.FreeUnpackedBytes, limits.UnpackRatio * new FileInfo(file).Length));
    }

    protected override void Check(int read, int asked)
    {
        if (Count > most)
        {
            throw new InputException(new InputProblem(
                "unpacks-too-large", file, 0, "",
                string.Create(CultureInfo.InvariantCulture,
                    $"the packed file has more than {most} bytes unpacked, which is more than files of records pack to"),
                "If the file is right, unpack it first: a plain file has no such limit."));
        }
    }
}
