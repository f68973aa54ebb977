using System.Numerics;
using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>
/// Fractions that enclose e^epsilon. Every threshold is computed from the lower one, so a realised loss is below the nominal one whatever
/// the error of the series; the upper one shows how tight the enclosure is.
/// </summary>
internal static class ExponentialBounds
{
    // The enclosure is about 2^-246 wide for epsilon below 16: far below the 2^-32 of the sampling thresholds.
    private const int FractionBits = 256;

    /// <summary>A fraction not above e^epsilon.</summary>
    public static Rational Lower(EpsilonMicro epsilon) => Enclose(epsilon).Lower;

    /// <summary>A fraction not below e^epsilon.</summary>
    public static Rational Upper(EpsilonMicro epsilon) => Enclose(epsilon).Upper;

    /// <summary>
    /// Taylor's series in fixed point. All terms are positive, so cutting each term down and the series off gives a lower bound. For the
    /// upper bound each of the N terms is short by less than N units in the last place in all, and the rest of the series after a term with
    /// ratio at most 1/2 is at most that term.
    /// </summary>
    private static (Rational Lower, Rational Upper) Enclose(EpsilonMicro epsilon)
    {
        BigInteger one = BigInteger.One << FractionBits;
        BigInteger term = one;
        BigInteger sum = one;
        int n = 0;
        while (!term.IsZero)
        {
            n++;
            term = term * epsilon.Micro / (1_000_000L * n);
            sum += term;
        }

        // A cut of one unit in term i grows by at most prod(epsilon / j) <= e^epsilon in the terms after it: N e^epsilon units bound all
        // cuts, and the rest is below 2 e^epsilon units. sum / one is at most e^epsilon itself, hence the integer part plus two is an upper
        // bound of it.
        BigInteger slack = (n + 2) * ((sum >> FractionBits) + 2);
        return (new Rational(sum, one), new Rational(sum + slack, one));
    }
}
