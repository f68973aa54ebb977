using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Pricing;

/// <summary>
/// What a report of each attribute costs and is worth at each grade, as published on the ledger: tiers, the ladder, and Q in parts per
/// billion.
/// </summary>
public sealed class QualityTable
{
    /// <summary>One unperturbed record, in parts per billion.</summary>
    public const long Unit = 1_000_000_000;

    private readonly Tier[] _tiers;
    private readonly long[] _quality;

    /// <summary>Checks and holds a table.</summary>
    /// <param name="tiers">Per attribute in schema order, at most 64.</param>
    /// <param name="ladder">The schema's.</param>
    /// <param name="quality">Q in ppb by attribute, then grade from 1; each in [0, 10^9], and 10^9 for a Public attribute.</param>
    /// <exception cref="ArgumentException">A part has the wrong size, or a quality is out of range.</exception>
    public QualityTable(IReadOnlyList<Tier> tiers, GradeLadder ladder, IReadOnlyList<long> quality)
    {
        ArgumentNullException.ThrowIfNull(tiers);
        ArgumentNullException.ThrowIfNull(ladder);
        ArgumentNullException.ThrowIfNull(quality);
        if (tiers.Count > AttributeGrades.MaxAttributes || quality.Count != tiers.Count * ladder.Count)
        {
            throw new ArgumentException(
                $"{tiers.Count} attributes, {ladder.Count} grades and {quality.Count} qualities: expected at most "
                + $"{AttributeGrades.MaxAttributes} attributes, and as many qualities as attributes times grades.",
                nameof(quality));
        }

        for (var i = 0; i < quality.Count; i++)
        {
            if (quality[i] is < 0 or > Unit || (tiers[i / ladder.Count] == Tier.Public && quality[i] != Unit))
            {
                throw new ArgumentException(
                    $"Attribute {i / ladder.Count} has quality {quality[i]} ppb at grade {(i % ladder.Count) + 1}, expected 0 to {Unit}, "
                    + $"and {Unit} when Public.",
                    nameof(quality));
            }
        }

        (_tiers, Ladder, _quality) = ([.. tiers], ladder, [.. quality]);
    }

    /// <summary>Number of attributes.</summary>
    public int Attributes => _tiers.Length;

    /// <summary>The losses of the grades.</summary>
    public GradeLadder Ladder { get; }

    /// <summary>The sensitivity of an attribute.</summary>
    public Tier TierOf(int attribute) => _tiers[attribute];

    /// <summary>The loss of a report; none for a Public attribute.</summary>
    public EpsilonMicro EpsilonOf(int attribute, int grade) => _tiers[attribute] == Tier.Public ? EpsilonMicro.Zero : Ladder[grade];

    /// <summary>Q in ppb.</summary>
    /// <param name="attribute">From 0.</param>
    /// <param name="grade">In [1, grades of the ladder].</param>
    public long QualityOf(int attribute, int grade)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)(grade - 1), (uint)Ladder.Count, nameof(grade));
        return _quality[(attribute * Ladder.Count) + grade - 1];
    }
}
