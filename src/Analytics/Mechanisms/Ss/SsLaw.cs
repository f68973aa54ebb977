using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms.Coins;

namespace EmrMarket.Analytics.Mechanisms.Ss;

/// <summary>The law of a random subset of fixed size that is uniform among the subsets with the truth and among those without it.</summary>
/// <param name="DomainSize">k.</param>
/// <param name="SubsetSize">d, in 1..k-1.</param>
/// <param name="Membership">P[truth in subset], exactly.</param>
/// <param name="FreshBelow">A 32-bit word below it replaces the subset by a fresh uniform one, whatever the truth; at most 2^32.</param>
internal sealed record SsLaw(int DomainSize, int SubsetSize, Rational Membership, ulong FreshBelow)
{
    /// <summary>A uniform subset among those that hold the truth: no randomisation of membership yet.</summary>
    public static SsLaw Clear(int domainSize, int subsetSize) => new(domainSize, subsetSize, Rational.One, 0);

    /// <summary>P[value in subset | another truth]: the other d - 1 or d members are uniform among the other k - 1 values.</summary>
    public Rational OtherMembership => ((Membership * (SubsetSize - 1)) + ((Rational.One - Membership) * SubsetSize)) / (DomainSize - 1);

    /// <summary>
    /// The law after uniform outside elements are added up to a larger size: a truth outside enters with probability (d' - d) / (k - d).
    /// </summary>
    public SsLaw Extend(int subsetSize) => this with
    {
        SubsetSize = subsetSize,
        Membership = Membership + ((Rational.One - Membership) * new Rational(subsetSize - SubsetSize, DomainSize - SubsetSize)),
    };

    /// <summary>
    /// The law after "with probability t / 2^32 replace the subset by a uniform one", t the smallest integer that keeps the odds of a
    /// subset with the truth against one without, [p / (1-p)] (k-d) / d, at most e^epsilon (docs/MECHANISMS.md, "Subset selection").
    /// </summary>
    public SsLaw Randomise(EpsilonMicro epsilon)
    {
        Rational odds = ExponentialBounds.Lower(epsilon);
        Rational largest = SubsetSize * odds / ((SubsetSize * odds) + (DomainSize - SubsetSize));
        var uniform = new Rational(SubsetSize, DomainSize);
        BigInteger words = BigInteger.One << Coin.Bits;
        BigInteger fresh = Membership <= largest ? BigInteger.Zero : (words * (Membership - largest) / (Membership - uniform)).Ceiling();
        var share = new Rational(fresh, words);
        return this with { Membership = ((Rational.One - share) * Membership) + (share * uniform), FreshBelow = (ulong)fresh };
    }
}
