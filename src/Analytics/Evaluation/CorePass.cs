using EmrMarket.Analytics.Estimation;
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

    /// <summary>
    /// Estimates all statistics from reports alone, batch by batch: of a batch only sums are kept, so that memory does not grow with the
    /// records. One pass for all statistics, and one more for the regressions.
    /// </summary>
    /// <param name="requests">The statistics.</param>
    /// <param name="reports">
    /// The reports of the named attributes in batches of whole persons; called once per pass, and must give the same reports.
    /// </param>
    /// <param name="records">Number of records in all batches, for the progress.</param>
    /// <param name="progress">Is told the share that is done.</param>
    /// <param name="cancellation">Stops between statistics of a batch.</param>
    public IReadOnlyList<Answer> Estimate(
        IReadOnlyList<StatisticRequest> requests, Func<IReadOnlyCollection<string>, IEnumerable<ReportBatch>> reports, long records,
        IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(reports);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        Pending[] all = [.. requests.Select(r => new Pending(r, new StatisticAccumulator(r, options)))];
        double whole = (double)records * (requests.Any(r => r.Kind is StatisticKind.Linear or StatisticKind.Logistic) ? 2 : 1);
        long done = 0;
        for (Pending[] open = all; open.Length > 0;)
        {
            string[] names = [.. open.SelectMany(p => p.Request.Attributes).Distinct(StringComparer.Ordinal)];
            foreach (ReportBatch batch in reports(names))
            {
                Parallel.ForEach(open, parallel, p => p.Try(sums => sums.Add(batch)));
                done += batch.Count;
                progress?.Report(done / whole);
            }

            Parallel.ForEach(open, parallel, p => p.Try(sums => p.Again = sums.EndPass()));
            open = [.. open.Where(p => p is { Again: true, Refusal: null })];
        }

        Parallel.ForEach(all, parallel, p => p.Try(sums => p.Result = sums.Result()));
        return [.. all.Select(p => new Answer(p.Request, p.Result, p.Refusal))];
    }

    /// <summary>Puts the truth beside the answers.</summary>
    /// <param name="answers">The answers.</param>
    /// <param name="records">The raw records that the reports were drawn from.</param>
    /// <param name="cancellation">Stops between statistics.</param>
    public IReadOnlyList<EvaluatedStatistic> Compare(
        IReadOnlyList<Answer> answers, RecordTable records, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(answers);
        var truth = new Truth(schema, records);
        var compared = new EvaluatedStatistic[answers.Count];
        Parallel.For(0, answers.Count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, i =>
            compared[i] = answers[i] is { Result: { } result, Request: var request }
                ? Compared(request, result, truth.Of(request, result))
                : Refused(answers[i], records.Count));
        return [.. compared.SelectMany(SplitMoments)];
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
            .. result.Cells.Select((c, i) => (Cell: c, Truth: truth[i]))
                .Where(p => double.IsFinite(p.Truth) && double.IsFinite(p.Cell.Estimate))
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
            statistic with
            {
                Id = statistic.Id + ":variance", Unit = statistic.Unit + "²",
                Cells = [.. statistic.Cells.Where(c => c.Value == "variance")],
            },
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
        return attribute.Mechanism is null || count is null || count.Grade == 0
            ? null
            : new AttributeGrade(attribute.Mechanism, count.Grade, count.EpsilonMicro / 1e6);
    }

    private string Unit(StatisticRequest request) => request.Kind switch
    {
        StatisticKind.Mean or StatisticKind.Quantile or StatisticKind.Linear =>
            ((GridDomain)schema.Attributes[schema.IndexOf(request.Attributes[0])].Domain).Unit,
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

    /// <summary>A statistic on its way: after a refusal nothing more is done for it.</summary>
    private sealed class Pending(StatisticRequest request, StatisticAccumulator sums)
    {
        public StatisticRequest Request => request;

        public StatisticResult? Result { get; set; }

        public string? Refusal { get; private set; }

        public bool Again { get; set; }

        public void Try(Action<StatisticAccumulator> step)
        {
            try
            {
                if (Refusal is null)
                {
                    step(sums);
                }
            }
            catch (EstimationRefusedException refusal)
            {
                Refusal = refusal.Message;
            }
        }
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
