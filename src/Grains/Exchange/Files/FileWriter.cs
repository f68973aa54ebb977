using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Grains.Exchange.Files;

/// <summary>Writes the content of an exchanged file: little-endian integers, hashes and addresses as their bytes (docs/WIRE.md, "Exchanged
/// files").</summary>
internal sealed class FileWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new(1 << 16);

    public void Byte(byte value) => Bytes([value]);

    public void UInt16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Next(2), value);

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Next(4), value);

    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Next(8), value);

    public void UInt128(UInt128 value) => BinaryPrimitives.WriteUInt128LittleEndian(Next(16), value);

    /// <summary>A number below 2^256, 32 bytes.</summary>
    public void UInt256(BigInteger value)
    {
        Span<byte> place = Next(32);
        place.Clear();
        if (!value.TryWriteBytes(place, out _, isUnsigned: true))
        {
            throw new ArgumentOutOfRangeException(nameof(value), "a number has at most 256 bits");
        }
    }

    public void Hash(Bytes32 value) => value.CopyTo(Next(Bytes32.Length));

    public void Address(Address value) => value.ToArray().CopyTo(Next(Contracts.Ethereum.Address.Length));

    /// <summary>UTF-8 after its length in two bytes.</summary>
    public void Text(string value)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(value);
        UInt16(checked((ushort)utf8.Length));
        Bytes(utf8);
    }

    public void Bytes(ReadOnlySpan<byte> value) => _bytes.Write(value);

    /// <summary>The file: all of that in its frame.</summary>
    public byte[] ToFile(string magic, uint version) => ExchangeFile.Frame(magic, version, _bytes.WrittenSpan);

    private Span<byte> Next(int count)
    {
        Span<byte> place = _bytes.GetSpan(count)[..count];
        _bytes.Advance(count);
        return place;
    }
}
