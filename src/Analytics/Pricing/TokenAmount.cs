using System.Globalization;

namespace EmrMarket.Analytics.Pricing;

/// <summary>An amount of the payment token in its smallest unit. Never negative; arithmetic that would leave [0, 2^128) throws.</summary>
/// <param name="Units">Smallest units of the token, for example 10^-6 of a token with six decimals.</param>
public readonly record struct TokenAmount(UInt128 Units) : IComparable<TokenAmount>
{
    /// <summary>Nothing.</summary>
    public static readonly TokenAmount Zero;

    /// <summary>Adds.</summary>
    /// <exception cref="OverflowException">The sum reaches 2^128.</exception>
    public static TokenAmount operator +(TokenAmount left, TokenAmount right) => new(checked(left.Units + right.Units));

    /// <summary>Subtracts.</summary>
    /// <exception cref="OverflowException"><paramref name="right"/> is larger than <paramref name="left"/>.</exception>
    public static TokenAmount operator -(TokenAmount left, TokenAmount right) => new(checked(left.Units - right.Units));

    /// <summary>Multiplies by a count.</summary>
    /// <exception cref="OverflowException">The product reaches 2^128, or the count is negative.</exception>
    public static TokenAmount operator *(TokenAmount amount, long count) => new(checked(amount.Units * (UInt128)count));

    /// <summary>Orders by amount.</summary>
    public static bool operator <(TokenAmount left, TokenAmount right) => left.Units < right.Units;

    /// <summary>Orders by amount.</summary>
    public static bool operator >(TokenAmount left, TokenAmount right) => left.Units > right.Units;

    /// <summary>Orders by amount.</summary>
    public static bool operator <=(TokenAmount left, TokenAmount right) => left.Units <= right.Units;

    /// <summary>Orders by amount.</summary>
    public static bool operator >=(TokenAmount left, TokenAmount right) => left.Units >= right.Units;

    /// <summary>Adds.</summary>
    public static TokenAmount Add(TokenAmount left, TokenAmount right) => left + right;

    /// <summary>Subtracts.</summary>
    public static TokenAmount Subtract(TokenAmount left, TokenAmount right) => left - right;

    /// <summary>Multiplies by a count.</summary>
    public static TokenAmount Multiply(TokenAmount amount, long count) => amount * count;

    /// <inheritdoc/>
    public int CompareTo(TokenAmount other) => Units.CompareTo(other.Units);

    /// <summary>The smallest units as a decimal number.</summary>
    public override string ToString() => Units.ToString(CultureInfo.InvariantCulture);
}
