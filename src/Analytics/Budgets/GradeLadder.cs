namespace EmrMarket.Analytics.Budgets;

/// <summary>
/// The fixed ladder of privacy losses. Grade 1 is the strictest; grade <see cref="Count"/> releases most. Grade 0 means "withheld".
/// </summary>
public sealed class GradeLadder
{
    private readonly EpsilonMicro[] _epsilons;

    /// <summary>A ladder of 1 to 15 strictly increasing positive losses.</summary>
    /// <exception cref="ArgumentException">The losses are not 1 to 15 positive, strictly increasing values.</exception>
    public GradeLadder(IReadOnlyList<EpsilonMicro> epsilons)
    {
        ArgumentNullException.ThrowIfNull(epsilons);
        if (epsilons.Count is < 1 or > MaxGrades)
        {
            throw new ArgumentException($"A ladder has 1 to {MaxGrades} grades; got {epsilons.Count}.", nameof(epsilons));
        }

        for (int i = 0; i < epsilons.Count; i++)
        {
            if (epsilons[i].Micro <= 0 || (i > 0 && epsilons[i] <= epsilons[i - 1]))
            {
                throw new ArgumentException(
                    $"The losses of a ladder are positive and strictly increasing; grade {i + 1} is {epsilons[i]}.", nameof(epsilons));
            }
        }

        _epsilons = [.. epsilons];
    }

    /// <summary>The most grades that a ladder may have: on the ledger a grade has four bits, and 0 is none (docs/WIRE.md, "Grades and
    /// purposes").</summary>
    public const int MaxGrades = 15;

    /// <summary>0.25, 0.5, 1, 2, 3 and 4 epsilon: grades 1 to 6.</summary>
    public static GradeLadder Default { get; } =
        new([new(250_000), new(500_000), new(1_000_000), new(2_000_000), new(3_000_000), new(4_000_000)]);

    /// <summary>Number of grades, 1 to 15.</summary>
    public int Count => _epsilons.Length;

    /// <summary>The loss of a grade in 0..Count; grade 0 (withheld) costs nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The grade is not in 0..Count.</exception>
    public EpsilonMicro this[int grade] => grade == 0 ? EpsilonMicro.Zero
        : grade >= 1 && grade <= _epsilons.Length ? _epsilons[grade - 1]
        : throw new ArgumentOutOfRangeException(nameof(grade), grade, $"Grades run from 0 (withheld) to {Count}.");
}
