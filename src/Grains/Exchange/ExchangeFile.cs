using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace EmrMarket.Grains.Exchange;

/// <summary>A file of the other side is cut short, altered, of a future version, or says what it may not say.</summary>
/// <param name="code">A stable code for programs.</param>
/// <param name="message">What is wrong, expected against got.</param>
[GenerateSerializer]
[Alias("emr.ExchangeFileException")]
public sealed class ExchangeFileException(string code, string message) : Exception(message)
{
    /// <summary>The code.</summary>
    [Id(0)]
    public string Code { get; init; } = code;
}

/// <summary>The frame that all exchanged files share (docs/WIRE.md, "Exchanged files"): magic, version, content, SHA-256 of everything
/// before it.</summary>
internal static class ExchangeFile
{
    public const int MagicLength = 8;
    private const int HeadLength = MagicLength + sizeof(uint);

    /// <summary>Frames content.</summary>
    public static byte[] Frame(string magic, uint version, ReadOnlySpan<byte> content)
    {
        byte[] file = new byte[HeadLength + content.Length + SHA256.HashSizeInBytes];
        Encoding.ASCII.GetBytes(magic, file);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(MagicLength), version);
        content.CopyTo(file.AsSpan(HeadLength));
        SHA256.HashData(file.AsSpan(0, HeadLength + content.Length), file.AsSpan(HeadLength + content.Length));
        return file;
    }

    /// <summary>Checks the frame and gives the content.</summary>
    /// <exception cref="ExchangeFileException">The frame is not as it must be.</exception>
    public static ReadOnlyMemory<byte> Open(ReadOnlyMemory<byte> file, string magic, uint version)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (bytes.Length < HeadLength + SHA256.HashSizeInBytes || !bytes[..MagicLength].SequenceEqual(Encoding.ASCII.GetBytes(magic)))
        {
            throw new ExchangeFileException(
                "wrong-file", $"this is no {magic} file: it has {bytes.Length} bytes, or begins with something else");
        }

        uint actual = BinaryPrimitives.ReadUInt32LittleEndian(bytes[MagicLength..]);
        if (actual != version)
        {
            throw new ExchangeFileException(
                "future-version", $"the {magic} file has version {actual}, and this program reads version {version}: use a newer program");
        }

        int end = bytes.Length - SHA256.HashSizeInBytes;
        if (!SHA256.HashData(bytes[..end]).AsSpan().SequenceEqual(bytes[end..]))
        {
            throw new ExchangeFileException(
                "damaged-file", $"the {magic} file was cut short or altered: its checksum does not fit its {bytes.Length} bytes");
        }

        return file[HeadLength..end];
    }
}
