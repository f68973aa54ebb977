using System.Buffers.Binary;
using System.Runtime.CompilerServices;

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
    /// <remarks>Compiled in full at its first call: the quick form of the compiler makes 40 calls of it, and a hundred thousand addresses
    /// are derived before it is replaced.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static FieldElement operator *(in FieldElement x, in FieldElement y)
    {
        ulong x0 = x._a, x1 = x._b, x2 = x._c, x3 = x._d, y0 = y._a, y1 = y._b, y2 = y._c, y3 = y._d;
        ulong low = 0, high = 0, top = 0;
        Add(x0, y0, ref low, ref high, ref top);
        ulong r0 = Shift(ref low, ref high, ref top);
        Add(x0, y1, ref low, ref high, ref top);
        Add(x1, y0, ref low, ref high, ref top);
        ulong r1 = Shift(ref low, ref high, ref top);
        Add(x0, y2, ref low, ref high, ref top);
        Add(x1, y1, ref low, ref high, ref top);
        Add(x2, y0, ref low, ref high, ref top);
        ulong r2 = Shift(ref low, ref high, ref top);
        Add(x0, y3, ref low, ref high, ref top);
        Add(x1, y2, ref low, ref high, ref top);
        Add(x2, y1, ref low, ref high, ref top);
        Add(x3, y0, ref low, ref high, ref top);
        ulong r3 = Shift(ref low, ref high, ref top);
        Add(x1, y3, ref low, ref high, ref top);
        Add(x2, y2, ref low, ref high, ref top);
        Add(x3, y1, ref low, ref high, ref top);
        ulong r4 = Shift(ref low, ref high, ref top);
        Add(x2, y3, ref low, ref high, ref top);
        Add(x3, y2, ref low, ref high, ref top);
        ulong r5 = Shift(ref low, ref high, ref top);
        Add(x3, y3, ref low, ref high, ref top);
        ulong r6 = low, r7 = high;

        // 2^256 is worth Fold: the upper half, folded onto the lower, leaves a fifth limb of 34 bits at most.
        ulong fifth = 0;
        ulong a = Folded(r4, r0, ref fifth), b = Folded(r5, r1, ref fifth), c = Folded(r6, r2, ref fifth), d = Folded(r7, r3, ref fifth);
        return Reduced(a, b, c, d, fifth);
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static FieldElement Reduced(ulong a, ulong b, ulong c, ulong d, ulong fifth)
    {
        ulong carry = 0;
        a = Folded(fifth, a, ref carry);
        b = Sum(b, ref carry);
        c = Sum(c, ref carry);
        d = Sum(d, ref carry);
        bool isAtLeastPrime = d == ulong.MaxValue && c == ulong.MaxValue && b == ulong.MaxValue && a > ulong.MaxValue - Fold;
        if (carry != 0 || isAtLeastPrime)
        {
            // Less p is more by Fold, and the carry out of the top limb is what was taken.
            carry = Fold;
            a = Sum(a, ref carry);
            b = Sum(b, ref carry);
            c = Sum(c, ref carry);
            d = Sum(d, ref carry);
        }

        return new(a, b, c, d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(ulong x, ulong y, ref ulong low, ref ulong high, ref ulong top)
    {
        ulong upper = Math.BigMul(x, y, out ulong lower);
        low += lower;

        // The upper half of a product is 2^64 - 2 at most: the carry fits.
        upper += low < lower ? 1ul : 0;
        high += upper;
        top += high < upper ? 1ul : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Shift(ref ulong low, ref ulong high, ref ulong top)
    {
        ulong limb = low;
        (low, high, top) = (high, top, 0);
        return limb;
    }

    /// <summary>limb * Fold + addend + carry.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Folded(ulong limb, ulong addend, ref ulong carry)
    {
        ulong upper = Math.BigMul(limb, Fold, out ulong lower);
        lower = Sum(lower, ref carry);
        upper += carry;
        lower += addend;
        carry = upper + (lower < addend ? 1ul : 0);
        return lower;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Sum(ulong limb, ref ulong carry)
    {
        ulong sum = limb + carry;
        carry = sum < carry ? 1ul : 0;
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Subtract(ulong x, ulong y, ref ulong borrow)
    {
        ulong difference = x - y, result = difference - borrow;
        borrow = (x < y ? 1ul : 0) | (difference < borrow ? 1ul : 0);
        return result;
    }
}
