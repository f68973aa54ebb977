using System.Buffers.Binary;
using System.Numerics;

namespace EmrMarket.Contracts.Merkle;

/// <summary>The packed sums of a tree node (docs/WIRE.md, "Trees"): value in bits 0..127, count in bits 128..159, effective records in bits
/// 160..255.</summary>
public readonly record struct SumWord
{
    private static readonly UInt128 MaxEffective = (UInt128.One << 96) - 1;

    // Count in the low 32 bits and effective above it: the upper half of the word as it stands on the wire.
    private readonly UInt128 _upper;

    /// <summary>Packs three sums.</summary>
    /// <param name="value">The main sum, in 0..2^128-1.</param>
    /// <param name="count">Number of leaves, in 0..2^32-1; only delivery trees use it.</param>
    /// <param name="effective">Effective records in ppb, in 0..2^96-1; only delivery trees use it.</param>
    /// <exception cref="ArgumentOutOfRangeException">The effective records exceed 96 bits.</exception>
    public SumWord(UInt128 value, uint count = 0, UInt128 effective = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(effective, MaxEffective);
        Value = value;
        _upper = (effective << 32) | count;
    }

    private SumWord(UInt128 upper, UInt128 value) => (_upper, Value) = (upper, value);

    /// <summary>The main sum.</summary>
    public UInt128 Value { get; }

    /// <summary>Number of leaves.</summary>
    public uint Count => (uint)_upper;

    /// <summary>Effective records in ppb.</summary>
    public UInt128 Effective => _upper >> 32;

    /// <summary>Unpacks a uint256.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or above 256 bits.</exception>
    public static SumWord FromInteger(BigInteger word)
    {
        if (word.Sign < 0 || word.GetBitLength() > 256)
        {
            throw new ArgumentOutOfRangeException(nameof(word), "a sum word has 0 to 256 bits");
        }

        return new SumWord((UInt128)(word >> 128), (UInt128)(word & (BigInteger)UInt128.MaxValue));
    }

    /// <summary>The packed uint256.</summary>
    public BigInteger ToInteger() => ((BigInteger)_upper << 128) | (BigInteger)Value;

    /// <summary>Adds lane by lane; false when a lane would carry into the next one, which makes a path invalid.</summary>
    public static bool TryAdd(SumWord left, SumWord right, out SumWord sum)
    {
        UInt128 value = unchecked(left.Value + right.Value);
        ulong count = (ulong)left.Count + right.Count;
        UInt128 effective = left.Effective + right.Effective;
        bool fits = value >= left.Value && count <= uint.MaxValue && effective <= MaxEffective;
        sum = fits ? new SumWord((effective << 32) | count, value) : default;
        return fits;
    }

    /// <summary>Adds lane by lane.</summary>
    /// <exception cref="OverflowException">A lane overflows.</exception>
    public static SumWord operator +(SumWord left, SumWord right) => TryAdd(left, right, out SumWord sum)
        ? sum
        : throw new OverflowException($"a lane of the sums {left} and {right} overflows");

    /// <summary>Adds lane by lane.</summary>
    public static SumWord Add(SumWord left, SumWord right) => left + right;

    /// <summary>Writes the word's 32 bytes, big-endian.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt128BigEndian(destination, _upper);
        BinaryPrimitives.WriteUInt128BigEndian(destination[16..], Value);
    }

    /// <summary>The three lanes in decimal notation.</summary>
    public override string ToString() => $"(value {Value}, count {Count}, effective {Effective})";
}
