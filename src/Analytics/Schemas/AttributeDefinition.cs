namespace EmrMarket.Analytics.Schemas;

/// <summary>One declared attribute of a record: its domain is public, fixed by a code book and never by the data.</summary>
public sealed record AttributeDefinition
{
    /// <summary>The attribute's name, unique in its schema.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The name that the coins of the ladder are keyed by: the source column and a hash of how its text becomes codes and codes become
    /// reports. Schemas that use a column in the same way share its ladder; two uses of one column that differ have coins of their own and
    /// their losses add.
    /// </summary>
    public required string Source { get; init; }

    /// <summary>What values look like.</summary>
    public required AttributeDomain Domain { get; init; }

    /// <summary>Sensitivity.</summary>
    public required Tier Tier { get; init; }

    /// <summary>
    /// The id of the mechanism that randomises it (a folder of Mechanisms): grr, ss, oue, olh, dsw; null for Public attributes.
    /// </summary>
    public string? Mechanism { get; init; }

    /// <summary>True when all records of a person hold the same value, so that it is drawn and charged once per person.</summary>
    public bool ConstantPerPerson { get; init; }

    /// <summary>What the attribute is, for people.</summary>
    public string Title { get; init; } = "";

    /// <summary>Whether a request may restrict whom it wants by this attribute (Public attributes only).</summary>
    public bool Filterable { get; init; }

    /// <summary>Whether a value may be missing.</summary>
    public bool Optional { get; init; }
}

/// <summary>The finite set of codes 0..Size-1 that an attribute takes. At most 65,535 codes.</summary>
public abstract record AttributeDomain
{
    /// <summary>Number of codes, 1 to 65,535 (a missing value of a categorical attribute is one of them).</summary>
    public abstract int Size { get; }

    /// <summary>The printed form of a code in 0..Size-1.</summary>
    public abstract string Label(int code);
}

/// <summary>
/// Unordered or ordered labels. When values may be missing, "missing" is one of the labels, since absence is sensitive too.
/// </summary>
/// <param name="Labels">The labels in code order.</param>
/// <param name="Ordered">Whether the order of the labels has a meaning.</param>
public sealed record CategoricalDomain(IReadOnlyList<string> Labels, bool Ordered) : AttributeDomain
{
    /// <inheritdoc/>
    public override int Size => Labels.Count;

    /// <inheritdoc/>
    public override string Label(int code) => Labels[code];

    /// <summary>The labels as people read them; null when they are the labels themselves.</summary>
    public IReadOnlyList<string>? Texts { get; init; }
}

/// <summary>
/// An equally spaced grid: code c stands for Min + c * Step. Values off the grid are rounded to it stochastically, values outside are
/// clipped and counted.
/// </summary>
/// <param name="Min">The value of code 0.</param>
/// <param name="Step">The distance of neighbouring values, positive.</param>
/// <param name="Cells">Number of grid points d, at least 2.</param>
/// <param name="Unit">Unit of the values, for people.</param>
public sealed record GridDomain(decimal Min, decimal Step, int Cells, string Unit) : AttributeDomain
{
    /// <inheritdoc/>
    public override int Size => Cells;

    /// <summary>The value of the last cell.</summary>
    public decimal Max => Min + (Cells - 1) * Step;

    /// <summary>The value of a (possibly fractional) code.</summary>
    public double ValueOf(double code) => (double)Min + code * (double)Step;

    /// <inheritdoc/>
    public override string Label(int code) =>
        (Min + code * Step).ToString("0.############", System.Globalization.CultureInfo.InvariantCulture);
}
