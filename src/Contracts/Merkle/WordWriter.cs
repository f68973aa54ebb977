using System.Buffers.Binary;
using System.Numerics;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Contracts.Merkle;

/// <summary>Writes static values as 32-byte words into a buffer of zeros, one after the other: the ABI encoding of a row of static
/// values.</summary>
internal ref struct WordWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;
    private int _offset;

    public readonly ReadOnlySpan<byte> Written => _buffer[.._offset];

    public void Write(Bytes32 value) => value.CopyTo(Next());

    public void Write(Address value) => value.CopyTo(Next()[(Bytes32.Length - Address.Length)..]);

    public void Write(ulong value) => BinaryPrimitives.WriteUInt64BigEndian(Next()[24..], value);

    public void Write(UInt128 value) => BinaryPrimitives.WriteUInt128BigEndian(Next()[16..], value);

    public void Write(bool value) => Next()[31] = value ? (byte)1 : (byte)0;

    public void Write(BigInteger value)
    {
        Span<byte> word = Next();
        int length = value.GetByteCount(isUnsigned: true);
        if (!value.TryWriteBytes(word[(Bytes32.Length - length)..], out _, isUnsigned: true, isBigEndian: true))
        {
            throw new ArgumentOutOfRangeException(nameof(value), $"a word has 256 bits; got {value.GetBitLength()}");
        }
    }

    private Span<byte> Next()
    {
        Span<byte> word = _buffer.Slice(_offset, Bytes32.Length);
        _offset += Bytes32.Length;
        return word;
    }
}
