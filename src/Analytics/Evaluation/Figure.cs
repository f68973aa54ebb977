namespace EmrMarket.Analytics.Evaluation;

/// <summary>What a plot shows, as data: a report draws it, a table lists it, a file keeps it.</summary>
public sealed record Figure
{
    /// <summary>An id, unique in its results: lower case, digits and hyphens.</summary>
    public required string Id { get; init; }

    /// <summary>What is shown, in a few words.</summary>
    public required string Title { get; init; }

    /// <summary>How to read it: what a good result looks like.</summary>
    public required string Reading { get; init; }

    /// <summary>The horizontal axis.</summary>
    public required FigureAxis X { get; init; }

    /// <summary>The vertical axis; with <see cref="Rows"/>, its values are row indexes.</summary>
    public required FigureAxis Y { get; init; }

    /// <summary>Names of the rows of a dot plot, from the top; null when both axes are numeric.</summary>
    public IReadOnlyList<string>? Rows { get; init; }

    /// <summary>What is drawn, at most eight series.</summary>
    public required IReadOnlyList<FigureSeries> Series { get; init; }

    /// <summary>Lines to compare with.</summary>
    public IReadOnlyList<FigureReference> References { get; init; } = [];
}

/// <summary>An axis.</summary>
/// <param name="Label">The quantity and its unit.</param>
/// <param name="Scale">How values are placed.</param>
/// <param name="Format">How values are printed.</param>
/// <param name="Min">The least value shown, or null for that of the data.</param>
/// <param name="Max">The greatest value shown, or null for that of the data.</param>
public sealed record FigureAxis(
    string Label, FigureScale Scale = FigureScale.Linear, FigureFormat Format = FigureFormat.Number, double? Min = null,
    double? Max = null);

/// <summary>How values are placed on an axis.</summary>
public enum FigureScale
{
    /// <summary>In proportion to the value.</summary>
    Linear,

    /// <summary>In proportion to its logarithm; values at or below 0 are not drawn.</summary>
    Logarithmic,
}

/// <summary>How values are printed.</summary>
public enum FigureFormat
{
    /// <summary>As numbers.</summary>
    Number,

    /// <summary>Shares of 1, printed as per cent.</summary>
    Percent,
}

/// <summary>A named series of points.</summary>
/// <param name="Name">Its name in the legend.</param>
/// <param name="Mark">How it is drawn.</param>
/// <param name="Points">Its points.</param>
public sealed record FigureSeries(string Name, FigureMark Mark, IReadOnlyList<FigurePoint> Points);

/// <summary>How a series is drawn.</summary>
public enum FigureMark
{
    /// <summary>Points joined by a line, in the order given.</summary>
    Line,

    /// <summary>Points alone.</summary>
    Point,

    /// <summary>A short stroke across the row: the truth beside an estimate.</summary>
    Tick,

    /// <summary>A bar from zero.</summary>
    Bar,
}

/// <summary>A point, with its interval where it has one.</summary>
/// <param name="X">Horizontal value.</param>
/// <param name="Y">Vertical value, or the row.</param>
/// <param name="Low">Lower end of the interval: along X with rows, along Y otherwise.</param>
/// <param name="High">Upper end of the interval.</param>
/// <param name="Label">A name shown on hovering and in the table.</param>
public sealed record FigurePoint(double X, double Y, double? Low = null, double? High = null, string? Label = null);

/// <summary>A line to compare with.</summary>
/// <param name="Name">What it stands for.</param>
/// <param name="Kind">Where it lies.</param>
/// <param name="Value">Its place, for constant lines.</param>
public sealed record FigureReference(string Name, FigureReferenceKind Kind, double Value = 0);

/// <summary>Where a reference line lies.</summary>
public enum FigureReferenceKind
{
    /// <summary>At a constant y.</summary>
    Horizontal,

    /// <summary>At a constant x.</summary>
    Vertical,

    /// <summary>Where y = x.</summary>
    Identity,
}
