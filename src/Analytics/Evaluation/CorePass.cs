using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>All statistics of a plan once, from reports, beside the truth.</summary>
/// <param name="schema">The schema.</param>
/// <param name="options">How statistics are estimated.</param>
/// <param name="threads">Threads at most, at least 1.</param>
public sealed class CorePass(Schema schema, EstimationOptions options, int threads)
{
    /// <summary>A statistic's answer, or why there is none.</summary>
    /// <param name="Request">What was asked.</param>
    /// <param name="Result">The answer; null when refused.</param>
    /// <param name="Refusal">Why it was refused; null when answered.</param>
    public sealed record Answer(StatisticRequest Request, StatisticResult? Result, string? Refusal);

    /// <summary>Estimates all statistics from reports alone.</summary>
    /// <param name="requests">The statistics.</param>
    /// <param name="reports">The reports; enumerated at most twice per statistic.</param>
    /// <param name="progress">Is told the share of statistics that are done.</param>
    /// <param name="cancellation">Stops between statistics.</param>
    public IReadOnlyList<Answer> Estimate(
        IReadOnlyList<StatisticRequest> requests, IReadOnlyList<ReportBatch> reports, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var answers = new Answer[requests.Count];
        int done = 0;
        Parallel.For(0, requests.Count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, i =>
        {
            answers[i] = EstimateOne(requests[i], reports);
            progress?.Report((double)Interlocked.Increment(ref done) / requests.Count);
        });
        return answers;
    }

    /// <summary>Puts the truth beside the answers.</summary>
    /// <param name="answers">The answers.</param>
    /// <param name="records">The raw records that the reports were drawn from.</param>
    /// <param name="cancellation">Stops between statistics.</param>
    public IReadOnlyList<EvaluatedStatistic> Compare(IReadOnlyList<Answer> answers, RecordTable records, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(answers);
        var truth = new Truth(schema, records);
        var compared = new EvaluatedStatistic[answers.Count];
        Parallel.For(0, answers.Count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, i =>
            compared[i] = answers[i] is { Result: { } result, Request: var request } ? Compared(request, result, truth.Of(request, result)) : Refused(answers[i], records.Count));
        return [.. compared.SelectMany(SplitMoments)];
    }

    private Answer EstimateOne(StatisticRequest request, IReadOnlyList<ReportBatch> reports)
    {
        try
        {
            return new Answer(request, StatisticEstimator.Estimate(request, reports, options), null);
        }
        catch (EstimationRefusedException refusal)
        {
            return new Answer(request, null, refusal.Message);
        }
    }

    private EvaluatedStatistic Compared(StatisticRequest request, StatisticResult result, IReadOnlyList<double> truth) => new()
    {
        Id = request.Id,
        Kind = request.Kind,
        Attributes = request.Attributes,
        Unit = Unit(request),
        Estimator = result.Estimator,
        PostProcessing = result.PostProcessing ?? "none",
        Interval = string.Join(", ", result.Cells.Select(c => Name(c.IntervalKind)).Distinct(StringComparer.Ordinal)),
        Confidence = result.Confidence,
        Grades = [.. request.Attributes.Select(a => Grade(a, result.ReportsByGrade))],
        Epsilon = result.Epsilon.Value,
        N = result.N,
        EffectiveRecords = result.EffectiveRecords,
        Cells =
        [
            .. result.Cells.Select((c, i) => (Cell: c, Truth: truth[i])).Where(p => double.IsFinite(p.Truth) && double.IsFinite(p.Cell.Estimate))
                .Select(p => new EvaluatedCell(
                    p.Cell.Value, p.Truth, p.Cell.Estimate, Finite(p.Cell.StandardError), Finite(p.Cell.Low), Finite(p.Cell.High),
                    p.Cell.ExpectedHalfWidth, p.Cell.GuaranteedHalfWidth)),
        ],
        Notes = result.Warnings,
    };

    /// <summary>A mean comes with a variance, which has another unit and is therefore another statistic.</summary>
    private static IEnumerable<EvaluatedStatistic> SplitMoments(EvaluatedStatistic statistic) =>
        statistic.Kind != StatisticKind.Mean || statistic.Cells.Count < 2 ? [statistic]
        :
        [
            statistic with { Cells = [.. statistic.Cells.Where(c => c.Value == "mean")] },
            statistic with { Id = statistic.Id + ":variance", Unit = statistic.Unit + "²", Cells = [.. statistic.Cells.Where(c => c.Value == "variance")] },
        ];

    private EvaluatedStatistic Refused(Answer answer, long records) => new()
    {
        Id = answer.Request.Id,
        Kind = answer.Request.Kind,
        Attributes = answer.Request.Attributes,
        Unit = Unit(answer.Request),
        Estimator = "none",
        PostProcessing = "none",
        Interval = "none",
        Confidence = options.Confidence,
        Grades = [.. answer.Request.Attributes.Select(_ => (AttributeGrade?)null)],
        Epsilon = 0,
        N = records,
        EffectiveRecords = 0,
        Cells = [],
        Refusal = answer.Refusal,
    };

    private AttributeGrade? Grade(string name, IReadOnlyList<GradeCount> counts)
    {
        AttributeDefinition attribute = schema.Attributes[schema.IndexOf(name)];
        GradeCount? count = counts.FirstOrDefault(c => c.Attribute == name);
        return attribute.Mechanism is null || count is null || count.Grade == 0 ? null : new AttributeGrade(attribute.Mechanism, count.Grade, count.EpsilonMicro / 1e6);
    }

    private string Unit(StatisticRequest request) => request.Kind switch
    {
        StatisticKind.Mean or StatisticKind.Quantile or StatisticKind.Linear => ((GridDomain)schema.Attributes[schema.IndexOf(request.Attributes[0])].Domain).Unit,
        StatisticKind.Logistic => "log odds",
        _ => EvaluationSummary.ShareUnit,
    };

    private static string Name(IntervalKind kind) => kind switch
    {
        IntervalKind.None => "none",
        IntervalKind.Normal => "normal",
        IntervalKind.ClopperPearson => "Clopper-Pearson",
        IntervalKind.Fieller => "Fieller",
        IntervalKind.TestInversion => "test inversion",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "A kind of interval without a name."),
    };

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
