using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms.Oue;

/// <summary>
/// The law of the bits of a value other than the truth; the truth's own bit is a fair coin at every grade, which flips leave fair.
/// </summary>
/// <param name="Other">q, exactly; below 1/2.</param>
/// <param name="FlipBelow">A 32-bit word below it flips a bit; below 2^32.</param>
internal sealed record OueLaw(Rational Other, uint FlipBelow)
{
    /// <summary>Other bits are 0: no randomisation yet.</summary>
    public static OueLaw Clear { get; } = new(Rational.Zero, 0);

    /// <summary>
    /// The law after every bit is flipped with probability f = t / 2^32: q' = q + f (1 - 2q), t the smallest integer with (1 - q') / q' at
    /// most e^epsilon (docs/MECHANISMS.md, "Unary encoding"). From the clear law that draws the bits of the top grade, q' = f.
    /// </summary>
    public OueLaw Randomise(EpsilonMicro epsilon)
    {
        Rational least = Rational.One / (ExponentialBounds.Lower(epsilon) + Rational.One);
        BigInteger words = BigInteger.One << Coin.Bits;
        BigInteger flip = Other >= least ? BigInteger.Zero : (words * (least - Other) / (Rational.One - (2 * Other))).Ceiling();
        return new OueLaw(Other + (new Rational(flip, words) * (Rational.One - (2 * Other))), (uint)flip);
    }
}
