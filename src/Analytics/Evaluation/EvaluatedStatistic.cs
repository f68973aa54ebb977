using EmrMarket.Analytics.Estimation;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>One statistic: what the reports say beside what is true of the records.</summary>
public sealed record EvaluatedStatistic
{
    /// <summary>An id, unique in the run: kind and attributes, for example <c>frequency:gender</c>.</summary>
    public required string Id { get; init; }

    /// <summary>What it is.</summary>
    public required StatisticKind Kind { get; init; }

    /// <summary>The attributes that it is about, in order; for a model the outcome comes first.</summary>
    public required IReadOnlyList<string> Attributes { get; init; }

    /// <summary>The unit of truth, estimate and interval: "share", the attribute's unit, or "log odds".</summary>
    public required string Unit { get; init; }

    /// <summary>The estimator's name.</summary>
    public required string Estimator { get; init; }

    /// <summary>What was done to the estimates after the unbiased estimator, or "none".</summary>
    public required string PostProcessing { get; init; }

    /// <summary>How the intervals were made.</summary>
    public required string Interval { get; init; }

    /// <summary>The share of intervals that are to contain the truth, in (0, 1).</summary>
    public required double Confidence { get; init; }

    /// <summary>The mechanism and the grade of each attribute, in order; null for a Public attribute.</summary>
    public required IReadOnlyList<AttributeGrade?> Grades { get; init; }

    /// <summary>The loss of this statistic's reports per record: the sum over its attributes, epsilon.</summary>
    public required double Epsilon { get; init; }

    /// <summary>Number of records n.</summary>
    public required long N { get; init; }

    /// <summary>Effective records: the reports carry as much information about this statistic as so many raw records would.</summary>
    public required double EffectiveRecords { get; init; }

    /// <summary>The cells; empty when the statistic was refused.</summary>
    public required IReadOnlyList<EvaluatedCell> Cells { get; init; }

    /// <summary>Why no answer was given, or null. A refusal is an answer: the reports cannot carry this statistic.</summary>
    public string? Refusal { get; init; }

    /// <summary>What a reader must know.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Root of the mean squared error over the cells, in <see cref="Unit"/>; null when refused.</summary>
    public double? Rmse => Cells.Count == 0 ? null : Math.Sqrt(Cells.Average(c => c.Error * c.Error));

    /// <summary>The largest absolute error over the cells, in <see cref="Unit"/>; null when refused.</summary>
    public double? MaxAbsError => Cells.Count == 0 ? null : Cells.Max(c => Math.Abs(c.Error));

    /// <summary>How many cells have an interval.</summary>
    public int Intervals => Cells.Count(c => c.Covered is not null);

    /// <summary>How many of these intervals contain the truth.</summary>
    public int Covered => Cells.Count(c => c.Covered is true);
}

/// <summary>How an attribute was randomised.</summary>
/// <param name="Mechanism">The mechanism's id.</param>
/// <param name="Grade">The grade on the ladder, from 1.</param>
/// <param name="Epsilon">The loss of the grade.</param>
public sealed record AttributeGrade(string Mechanism, int Grade, double Epsilon);

/// <summary>One number of a statistic.</summary>
/// <param name="Value">Which: a value, a bin, a combination of values, a quantile or a coefficient.</param>
/// <param name="Truth">What the raw records say.</param>
/// <param name="Estimate">What the reports say.</param>
/// <param name="StandardError">The estimate's standard error as estimated from the reports; null where there is none.</param>
/// <param name="Low">Lower end of the interval.</param>
/// <param name="High">Upper end of the interval.</param>
/// <param name="ExpectedHalfWidth">Half-width that was to be expected before any report was seen.</param>
/// <param name="GuaranteedHalfWidth">
/// Half-width that holds with the stated confidence for all cells at once, whatever the records; null where nothing is guaranteed.
/// </param>
public sealed record EvaluatedCell(
    string Value, double Truth, double Estimate, double? StandardError, double? Low, double? High, double? ExpectedHalfWidth,
    double? GuaranteedHalfWidth)
{
    /// <summary>Estimate - truth.</summary>
    public double Error => Estimate - Truth;

    /// <summary>Whether the interval contains the truth; null without an interval.</summary>
    public bool? Covered => Low is { } low && High is { } high ? low <= Truth && Truth <= high : null;
}
