namespace EmrMarket.Analytics.Budgets;

/// <summary>
/// A privacy loss in micro-epsilon: 1,000,000 is epsilon = 1 (natural logarithm of the odds ratio). Integers, so that sums are exact.
/// </summary>
/// <param name="Micro">Micro-epsilon, at least 0.</param>
public readonly record struct EpsilonMicro(long Micro) : IComparable<EpsilonMicro>
{
    /// <summary>No loss: nothing was released.</summary>
    public static readonly EpsilonMicro Zero;

    /// <summary>The loss as a real number, for formulas only; ledgers add <see cref="Micro"/>.</summary>
    public double Value => Micro / 1e6;

    /// <summary>Sequential composition: losses add (Dwork and Roth 2014, theorem 3.16, doi:10.1561/0400000042).</summary>
    public static EpsilonMicro operator +(EpsilonMicro left, EpsilonMicro right) => new(checked(left.Micro + right.Micro));

    /// <summary>The part of <paramref name="left"/> above <paramref name="right"/>.</summary>
    public static EpsilonMicro operator -(EpsilonMicro left, EpsilonMicro right) => new(checked(left.Micro - right.Micro));

    /// <summary>Orders by loss.</summary>
    public static bool operator <(EpsilonMicro left, EpsilonMicro right) => left.Micro < right.Micro;

    /// <summary>Orders by loss.</summary>
    public static bool operator >(EpsilonMicro left, EpsilonMicro right) => left.Micro > right.Micro;

    /// <summary>Orders by loss.</summary>
    public static bool operator <=(EpsilonMicro left, EpsilonMicro right) => left.Micro <= right.Micro;

    /// <summary>Orders by loss.</summary>
    public static bool operator >=(EpsilonMicro left, EpsilonMicro right) => left.Micro >= right.Micro;

    /// <summary>Adds two losses.</summary>
    public static EpsilonMicro Add(EpsilonMicro left, EpsilonMicro right) => left + right;

    /// <summary>Subtracts two losses.</summary>
    public static EpsilonMicro Subtract(EpsilonMicro left, EpsilonMicro right) => left - right;

    /// <inheritdoc/>
    public int CompareTo(EpsilonMicro other) => Micro.CompareTo(other.Micro);

    /// <summary>The loss in decimal notation without trailing zeros, for example <c>0.25</c>.</summary>
    public override string ToString() => (Micro / 1_000_000m).ToString("0.######", System.Globalization.CultureInfo.InvariantCulture);
}
