using System.Buffers.Binary;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>
/// A number modulo p = 2^256 - 2^32 - 977, the prime of secp256k1 (SEC 2, 2.4.1), as four 64-bit limbs, the lowest first, always in [0, p).
/// Why not the library's, and how it is held to it: docs/CHAIN.md, "Addresses by the hundred thousand". Not constant-time.
/// </summary>
internal readonly struct FieldElement : IEquatable<FieldElement>
{
    /// <summary>Length in bytes.</summary>
    public const int Length = 32;

    // 2^256 - p: what a carry out of the top limb is worth.
    private const ulong Fold = 0x1_0000_03d1;

    private readonly ulong _a, _b, _c, _d;

    private FieldElement(ulong a, ulong b, ulong c, ulong d) => (_a, _b, _c, _d) = (a, b, c, d);

    public static FieldElement One => new(1, 0, 0, 0);

    public bool IsZero => (_a | _b | _c | _d) == 0;

    /// <summary>Reads 32 bytes, the highest first; what is p or more is reduced.</summary>
    public static FieldElement Read(ReadOnlySpan<byte> bytes) => Reduced(
        BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), BinaryPrimitives.ReadUInt64BigEndian(bytes), 0);

    /// <summary>Writes 32 bytes, the highest first.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], _a);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _d);
    }

    public static FieldElement operator -(in FieldElement x, in FieldElement y)
    {
        ulong borrow = 0;
        ulong a = Subtract(x._a, y._a, ref borrow), b = Subtract(x._b, y._b, ref borrow);
        ulong c = Subtract(x._c, y._c, ref borrow), d = Subtract(x._d, y._d, ref borrow);
        if (borrow == 0)
        {
            return new(a, b, c, d);
        }

        // The limbs stand for x - y + 2^256, and x - y + p is less by 2^256 - p. No borrow is left, since x - y + p is not negative.
        borrow = 0;
        a = Subtract(a, Fold, ref borrow);
        b = Subtract(b, 0, ref borrow);
        c = Subtract(c, 0, ref borrow);
        d = Subtract(d, 0, ref borrow);
        return new(a, b, c, d);
    }

    /// <summary>The product, column by column of its limbs (Comba 1990, doi:10.1147/sj.294.0526).</summary>
    public static FieldElement operator *(in FieldElement x, in FieldElement y)
    {
        ulong low = 0, high = 0, top = 0;
        Add(x._a, y._a, ref low, ref high, ref top);
        ulong r0 = Shift(ref low, ref high, ref top);
        Add(x._a, y._b, ref low, ref high, ref top);
        Add(x._b, y._a, ref low, ref high, ref top);
        ulong r1 = Shift(ref low, ref high, ref top);
        Add(x._a, y._c, ref low, ref high, ref top);
        Add(x._b, y._b, ref low, ref high, ref top);
        Add(x._c, y._a, ref low, ref high, ref top);
        ulong r2 = Shift(ref low, ref high, ref top);
        Add(x._a, y._d, ref low, ref high, ref top);
        Add(x._b, y._c, ref low, ref high, ref top);
        Add(x._c, y._b, ref low, ref high, ref top);
        Add(x._d, y._a, ref low, ref high, ref top);
        ulong r3 = Shift(ref low, ref high, ref top);
        Add(x._b, y._d, ref low, ref high, ref top);
        Add(x._c, y._c, ref low, ref high, ref top);
        Add(x._d, y._b, ref low, ref high, ref top);
        ulong r4 = Shift(ref low, ref high, ref top);
        Add(x._c, y._d, ref low, ref high, ref top);
        Add(x._d, y._c, ref low, ref high, ref top);
        ulong r5 = Shift(ref low, ref high, ref top);
        Add(x._d, y._d, ref low, ref high, ref top);
        ulong r6 = Shift(ref low, ref high, ref top), r7 = low;

        // 2^256 is worth Fold: the upper half, folded onto the lower, leaves a fifth limb of 34 bits at most.
        UInt128 sum = ((UInt128)r4 * Fold) + r0;
        ulong a = (ulong)sum;
        sum = (sum >> 64) + ((UInt128)r5 * Fold) + r1;
        ulong b = (ulong)sum;
        sum = (sum >> 64) + ((UInt128)r6 * Fold) + r2;
        ulong c = (ulong)sum;
        sum = (sum >> 64) + ((UInt128)r7 * Fold) + r3;
        return Reduced(a, b, c, (ulong)sum, (ulong)(sum >> 64));
    }

    /// <summary>The inverse by Fermat: the power p - 2. Zero has none and gives zero.</summary>
    public FieldElement Invert()
    {
        // p - 2 is 2^256 - 2^32 - 979: 223 ones, a zero, and 32 bits that end in ...fc2d.
        const uint Tail = 0xffff_fc2d;
        FieldElement power = One;
        for (int bit = 255; bit >= 0; bit--)
        {
            power *= power;
            if (bit > 32 || (bit < 32 && ((Tail >> bit) & 1) != 0))
            {
                power *= this;
            }
        }

        return power;
    }

    public bool Equals(FieldElement other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    public override bool Equals(object? obj) => obj is FieldElement other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(_a, _b, _c, _d);

    /// <summary>The number of four limbs and a small fifth.</summary>
    private static FieldElement Reduced(ulong a, ulong b, ulong c, ulong d, ulong fifth)
    {
        // Once for the fifth limb (34 bits times 33 bits do not fit one limb), once for the carry that this may leave.
        UInt128 sum = ((UInt128)fifth * Fold) + a;
        a = (ulong)sum;
        sum = (sum >> 64) + b;
        b = (ulong)sum;
        sum = (sum >> 64) + c;
        c = (ulong)sum;
        sum = (sum >> 64) + d;
        d = (ulong)sum;
        bool isOver = (ulong)(sum >> 64) != 0
            || (d == ulong.MaxValue && c == ulong.MaxValue && b == ulong.MaxValue && a > ulong.MaxValue - Fold);
        if (isOver)
        {
            // Less p is more by Fold, and the carry out of the top limb is what was taken.
            sum = (UInt128)a + Fold;
            a = (ulong)sum;
            sum = (sum >> 64) + b;
            b = (ulong)sum;
            sum = (sum >> 64) + c;
            c = (ulong)sum;
            d += (ulong)(sum >> 64);
        }

        return new(a, b, c, d);
    }

    private static void Add(ulong x, ulong y, ref ulong low, ref ulong high, ref ulong top)
    {
        ulong upper = Math.BigMul(x, y, out ulong lower);
        low += lower;

        // The upper half of a product is 2^64 - 2 at most: the carry fits.
        upper += low < lower ? 1ul : 0;
        high += upper;
        top += high < upper ? 1ul : 0;
    }

    private static ulong Shift(ref ulong low, ref ulong high, ref ulong top)
    {
        ulong limb = low;
        (low, high, top) = (high, top, 0);
        return limb;
    }

    private static ulong Subtract(ulong x, ulong y, ref ulong borrow)
    {
        ulong difference = x - y, result = difference - borrow;
        borrow = (x < y ? 1ul : 0) | (difference < borrow ? 1ul : 0);
        return result;
    }
}
