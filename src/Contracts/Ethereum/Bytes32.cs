using System.Buffers.Binary;

namespace EmrMarket.Contracts.Ethereum;

/// <summary>32 bytes: a hash, a root, a topic or a storage word. Ordered as an unsigned big-endian integer.</summary>
public readonly record struct Bytes32 : IComparable<Bytes32>
{
    /// <summary>The number of bytes.</summary>
    public const int Length = 32;

    private readonly ulong _first;
    private readonly ulong _second;
    private readonly ulong _third;
    private readonly ulong _fourth;

    /// <summary>Takes exactly 32 bytes.</summary>
    /// <exception cref="ArgumentException">There are fewer or more.</exception>
    public Bytes32(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length)
        {
            throw new ArgumentException($"expected {Length} bytes, got {bytes.Length}", nameof(bytes));
        }

        _first = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _second = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _third = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _fourth = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>32 zero bytes.</summary>
    public static Bytes32 Zero => default;

    /// <summary>Reads 0x and 64 hexadecimal digits.</summary>
    /// <exception cref="FormatException">The text is anything else.</exception>
    public static Bytes32 Parse(string text)
    {
        byte[] bytes = Hex.Decode(text);
        return bytes.Length == Length
            ? new Bytes32(bytes)
            : throw new FormatException($"expected 0x and 64 hexadecimal digits, got {bytes.Length} bytes: {Hex.Excerpt(text)}");
    }

    /// <summary>Reads what <see cref="ToDigits"/> writes.</summary>
    /// <exception cref="FormatException">The text is anything else than 64 hexadecimal digits.</exception>
    public static Bytes32 ParseDigits(string digits) => Parse("0x" + digits);

    /// <summary>The 64 hexadecimal digits without 0x, as ids and files are named outside the ledger.</summary>
    public string ToDigits() => ToString()[2..];

    /// <summary>Writes the bytes to the start of a span of at least 32.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _first);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _second);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], _third);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], _fourth);
    }

    /// <summary>The bytes in a new array.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Length];
        CopyTo(bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public int CompareTo(Bytes32 other)
    {
        int order = _first.CompareTo(other._first);
        order = order != 0 ? order : _second.CompareTo(other._second);
        order = order != 0 ? order : _third.CompareTo(other._third);
        return order != 0 ? order : _fourth.CompareTo(other._fourth);
    }

    /// <summary>True when the left one is the smaller unsigned integer.</summary>
    public static bool operator <(Bytes32 left, Bytes32 right) => left.CompareTo(right) < 0;

    /// <summary>True when the left one is the larger unsigned integer.</summary>
    public static bool operator >(Bytes32 left, Bytes32 right) => left.CompareTo(right) > 0;

    /// <summary>True when the left one is not the larger unsigned integer.</summary>
    public static bool operator <=(Bytes32 left, Bytes32 right) => left.CompareTo(right) <= 0;

    /// <summary>True when the left one is not the smaller unsigned integer.</summary>
    public static bool operator >=(Bytes32 left, Bytes32 right) => left.CompareTo(right) >= 0;

    /// <summary>0x and 64 lower-case hexadecimal digits.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        CopyTo(bytes);
        return Hex.Encode(bytes);
    }
}
