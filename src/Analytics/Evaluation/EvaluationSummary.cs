using EmrMarket.Analytics.Estimation;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>A run in a few numbers.</summary>
public sealed record EvaluationSummary
{
    /// <summary>Statistics that were answered.</summary>
    public required int Answered { get; init; }

    /// <summary>Statistics that were refused because the reports cannot carry them.</summary>
    public required int Refused { get; init; }

    /// <summary>Intervals given to randomised statistics.</summary>
    public required int Intervals { get; init; }

    /// <summary>Intervals that contain the truth.</summary>
    public required int Covered { get; init; }

    /// <summary>Intervals that were to contain the truth: the sum of their confidences.</summary>
    public required double ExpectedCovered { get; init; }

    /// <summary>Cells with a guarantee.</summary>
    public required int Guaranteed { get; init; }

    /// <summary>Cells whose error is above their guarantee.</summary>
    public required int GuaranteeMissed { get; init; }

    /// <summary>The statistic with the largest absolute error of a share; null when there is no share.</summary>
    public required string? LargestErrorId { get; init; }

    /// <summary>Its cell.</summary>
    public required string? LargestErrorCell { get; init; }

    /// <summary>Its error, as a share of 1; 0 when there is no share.</summary>
    public required double LargestError { get; init; }

    /// <summary>The median absolute error of all shares; 0 when there is no share.</summary>
    public required double MedianError { get; init; }

    /// <summary>The unit of shares.</summary>
    public const string ShareUnit = "share";

    /// <summary>
    /// How far randomised shares are from the truth, by kind, the most precise kind first: one number over all of them would be that of the
    /// kind that the reports carry least.
    /// </summary>
    public static IReadOnlyList<ShareErrors> ErrorsByKind(IReadOnlyList<EvaluatedStatistic> statistics) =>
    [
        .. statistics.Where(s => s.Unit == ShareUnit && s.Cells.Count > 0 && s.Grades.Any(g => g is not null)).GroupBy(s => s.Kind)
            .Select(kind =>
        {
            (EvaluatedStatistic Statistic, EvaluatedCell Cell)[] cells =
                [.. kind.SelectMany(s => s.Cells.Select(c => (s, c))).OrderBy(p => Math.Abs(p.c.Error))];
            return new ShareErrors(
                kind.Key, cells.Length, Math.Abs(cells[cells.Length / 2].Cell.Error), Math.Abs(cells[^1].Cell.Error),
                cells[^1].Statistic.Id, cells[^1].Cell.Value);
        }).OrderBy(e => e.Median),
    ];

    /// <summary>Summarises statistics.</summary>
    public static EvaluationSummary Of(IReadOnlyList<EvaluatedStatistic> statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        // A statistic of Public attributes alone is exact: counting it would flatter.
        EvaluatedStatistic[] randomised = [.. statistics.Where(s => s.Grades.Any(g => g is not null))];
        EvaluatedCell[] cells = [.. randomised.SelectMany(s => s.Cells)];
        (EvaluatedStatistic Statistic, EvaluatedCell Cell)[] shares =
            [.. randomised.Where(s => s.Unit == ShareUnit).SelectMany(s => s.Cells.Select(c => (s, c))).OrderBy(p => Math.Abs(p.c.Error))];
        return new EvaluationSummary
        {
            Answered = statistics.Count(s => s.Refusal is null),
            Refused = statistics.Count(s => s.Refusal is not null),
            Intervals = cells.Count(c => c.Covered is not null),
            Covered = cells.Count(c => c.Covered is true),
            ExpectedCovered = randomised.Sum(s => s.Confidence * s.Intervals),
            Guaranteed = cells.Count(c => c.GuaranteedHalfWidth is not null),
            GuaranteeMissed = cells.Count(c => c.GuaranteedHalfWidth is { } half && Math.Abs(c.Error) > half),
            LargestErrorId = shares.Length == 0 ? null : shares[^1].Statistic.Id,
            LargestErrorCell = shares.Length == 0 ? null : shares[^1].Cell.Value,
            LargestError = shares.Length == 0 ? 0 : Math.Abs(shares[^1].Cell.Error),
            MedianError = shares.Length == 0 ? 0 : Math.Abs(shares[shares.Length / 2].Cell.Error),
        };
    }
}

/// <summary>How far the shares of one kind of statistic are from the truth.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Cells">Number of shares.</param>
/// <param name="Median">The median absolute error, as a share of 1.</param>
/// <param name="Largest">The largest.</param>
/// <param name="LargestId">The statistic with the largest.</param>
/// <param name="LargestCell">Its cell.</param>
public sealed record ShareErrors(StatisticKind Kind, int Cells, double Median, double Largest, string LargestId, string LargestCell);
