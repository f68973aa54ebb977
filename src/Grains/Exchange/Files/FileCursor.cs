using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Grains.Exchange.Files;

/// <summary>Reads the content of an exchanged file from its beginning to exactly its end; whatever it is made of, it never reads beyond and
/// never believes a count that its bytes cannot hold.</summary>
internal ref struct FileCursor
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _kind;
    private int _place;

    /// <exception cref="ExchangeFileException">The frame is damaged, or of another kind or version.</exception>
    public FileCursor(ReadOnlyMemory<byte> file, string magic, uint version)
    {
        _bytes = ExchangeFile.Open(file, magic, version).Span;
        _kind = magic;
    }

    public byte Byte() => Bytes(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    public UInt128 UInt128() => BinaryPrimitives.ReadUInt128LittleEndian(Bytes(16));

    public BigInteger UInt256() => new(Bytes(32), isUnsigned: true);

    public Bytes32 Hash() => new(Bytes(Bytes32.Length));

    public Address Address() => new(Bytes(Contracts.Ethereum.Address.Length));

    public string Text()
    {
        try
        {
            return Strict.GetString(Bytes(UInt16()));
        }
        catch (DecoderFallbackException e)
        {
            throw Refuse($"a text in it is no UTF-8 ({e.Message})");
        }
    }

    public ReadOnlySpan<byte> Bytes(long count)
    {
        if (count < 0 || count > _bytes.Length - _place)
        {
            throw Refuse($"it ends after {_bytes.Length} bytes, before its content does");
        }

        ReadOnlySpan<byte> taken = _bytes.Slice(_place, (int)count);
        _place += (int)count;
        return taken;
    }

    /// <summary>An array of numbers as they lie in memory: all machines that this runs on are little-endian.</summary>
    public T[] Array<T>(long count)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes(count * Marshal.SizeOf<T>())).ToArray();

    /// <summary>A count of things that take at least so many bytes each.</summary>
    public int Count(int leastBytes)
    {
        uint count = UInt32();
        return (long)count * leastBytes <= _bytes.Length - _place
            ? (int)count : throw Refuse($"it says that it holds {count} things, but ends before");
    }

    public void End()
    {
        if (_place != _bytes.Length)
        {
            throw Refuse($"{_bytes.Length - _place} bytes follow its content");
        }
    }

    public readonly ExchangeFileException Refuse(string problem) => new("malformed-file", $"the {_kind} file cannot be used: {problem}");
}
