using System.Numerics;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>
/// An exact fraction of integers in lowest terms. Realised channel probabilities are held in it, so that no privacy claim rests on a
/// rounding.
/// </summary>
public readonly record struct Rational : IComparable<Rational>
{
    private readonly BigInteger _denominatorMinusOne;

    /// <summary>numerator / denominator, reduced.</summary>
    /// <param name="numerator">Any integer.</param>
    /// <param name="denominator">A positive integer.</param>
    /// <exception cref="ArgumentOutOfRangeException">The denominator is not positive.</exception>
    public Rational(BigInteger numerator, BigInteger denominator)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(denominator);
        BigInteger divisor = BigInteger.GreatestCommonDivisor(numerator, denominator);
        Numerator = numerator / divisor;
        _denominatorMinusOne = (denominator / divisor) - 1;
    }

    /// <summary>0.</summary>
    public static Rational Zero => default;

    /// <summary>1.</summary>
    public static Rational One { get; } = new(1, 1);

    /// <summary>The reduced numerator.</summary>
    public BigInteger Numerator { get; }

    /// <summary>The reduced denominator, positive. (Stored less one, so that the default value is 0 and not 0/0.)</summary>
    public BigInteger Denominator => _denominatorMinusOne + 1;

    /// <summary>The integer as a fraction.</summary>
    public static implicit operator Rational(BigInteger value) => new(value, 1);

    /// <summary>The integer as a fraction.</summary>
    public static implicit operator Rational(long value) => new(value, 1);

    /// <summary>The exact sum.</summary>
    public static Rational operator +(Rational left, Rational right) =>
        new((left.Numerator * right.Denominator) + (right.Numerator * left.Denominator), left.Denominator * right.Denominator);

    /// <summary>The exact difference.</summary>
    public static Rational operator -(Rational left, Rational right) =>
        new((left.Numerator * right.Denominator) - (right.Numerator * left.Denominator), left.Denominator * right.Denominator);

    /// <summary>The exact product.</summary>
    public static Rational operator *(Rational left, Rational right) =>
        new(left.Numerator * right.Numerator, left.Denominator * right.Denominator);

    /// <summary>The exact quotient.</summary>
    /// <exception cref="DivideByZeroException">The divisor is 0.</exception>
    public static Rational operator /(Rational left, Rational right) => right.Numerator.IsZero
        ? throw new DivideByZeroException("A fraction was divided by zero.")
        : new(left.Numerator * right.Denominator * right.Numerator.Sign, left.Denominator * BigInteger.Abs(right.Numerator));

    /// <summary>Exact comparison.</summary>
    public static bool operator <(Rational left, Rational right) => left.CompareTo(right) < 0;

    /// <summary>Exact comparison.</summary>
    public static bool operator >(Rational left, Rational right) => left.CompareTo(right) > 0;

    /// <summary>Exact comparison.</summary>
    public static bool operator <=(Rational left, Rational right) => left.CompareTo(right) <= 0;

    /// <summary>Exact comparison.</summary>
    public static bool operator >=(Rational left, Rational right) => left.CompareTo(right) >= 0;

    /// <summary>The value to within one unit in the last place of a double.</summary>
    public static explicit operator double(Rational value)
    {
        // Scale the quotient to 64 significant bits before the division, so that huge terms neither overflow nor lose precision.
        long shift = 64 - (value.Numerator.GetBitLength() - value.Denominator.GetBitLength());
        BigInteger quotient = shift >= 0
            ? (value.Numerator << (int)shift) / value.Denominator
            : value.Numerator / (value.Denominator << (int)-shift);
        return Math.ScaleB((double)quotient, (int)-shift);
    }

    /// <summary>The smallest integer that is not below the value.</summary>
    public BigInteger Ceiling() => Numerator.Sign > 0 ? (Numerator + Denominator - 1) / Denominator : Numerator / Denominator;

    /// <inheritdoc/>
    public int CompareTo(Rational other) => (Numerator * other.Denominator).CompareTo(other.Numerator * Denominator);

    /// <summary>numerator/denominator.</summary>
    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Numerator}/{Denominator}");
}
