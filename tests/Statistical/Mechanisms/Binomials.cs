using MathNet.Numerics;

namespace EmrMarket.Statistical.Mechanisms;

/// <summary>
/// Exact binomial tests. All statistical tests of this folder share a false-alarm budget of 10^-7, divided by the number of counts they
/// look at.
/// </summary>
internal static class Binomials
{
    /// <summary>The probability that any of the mechanisms' statistical tests fails although the code is right.</summary>
    public const double FalseAlarmBudget = 1e-7;

    /// <summary>
    /// An upper bound of the number of counts that are tested in this folder: some 900 supports, 1,140 pairs of bits, and the planted
    /// errors.
    /// </summary>
    public const int CountsTested = 5_000;

    /// <summary>The level of one count.</summary>
    public const double Level = FalseAlarmBudget / CountsTested;

    /// <summary>
    /// The two-sided p-value of a count: twice the smaller tail of Binomial(n, p), tails by the regularised incomplete beta function.
    /// </summary>
    public static double TwoSided(long count, long n, double p)
    {
        double atMost = count == n ? 1 : SpecialFunctions.BetaRegularized(n - count, count + 1, 1 - p);
        double atLeast = count == 0 ? 1 : SpecialFunctions.BetaRegularized(count, n - count + 1, p);
        return Math.Min(1, 2 * Math.Min(atMost, atLeast));
    }
}
