using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>Whether intervals and guarantees hold as often as they promise.</summary>
internal sealed class Coverage : IExperiment
{
    public string Name => "coverage";

    public string Title => "Coverage of intervals and guarantees";

    public string Question =>
        "How often does an interval contain the truth, and how often does a guarantee hold for all cells of its statistic at once, "
        + "when the same records are randomised again and again?";

    public ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation)
    {
        RecordTable records = RecordSubset.Sample(context.Records, context.Choose(10_000, 20_000), context.KeyOf(Name, -1));
        int repetitions = context.RepetitionsOr(60, 1_000);
        StatisticRequest[] requests = [.. context.Plan.Representatives.Values];
        IReadOnlyList<AttributeDefinition> attributes = SiteReports.WithPresence(context.Schema, requests.SelectMany(r => r.Attributes));
        var truth = new Truth(context.Schema, records);
        var site = new SiteReports(context.Schema, threads: 1);

        Outcome?[][] outcomes = Repetition.Run(context, repetitions, progress, r =>
        {
            ReportBatch batch = site.Draw(records, context.KeyOf(Name, r), attributes, context.Schema.DefaultGrade);
            return requests.Select(request => Repetition.TryEstimate(request, [batch], context.Options) is { } answer
                ? Outcome.Of(answer, truth.Of(request, answer)) : null).ToArray();
        }, cancellation);

        var rows = new List<string>();
        var intervals = new List<FigurePoint>();
        var guarantees = new List<FigurePoint>();
        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var findings = new List<string>();
        for (int i = 0; i < requests.Length; i++)
        {
            Outcome[] own = [.. outcomes.Select(r => r[i]).OfType<Outcome>()];
            string name = ErrorScale.Name(requests[i]);
            // Intervals of top codes are made to hold together, since which of them are shown depends on the estimates; a repetition that
            // shows none holds.
            bool together = requests[i].Kind == StatisticKind.TopCodes;
            double[] shares = together ? [.. own.Select(o => o.Covered == o.Intervals ? 1.0 : 0)]
                : [.. own.Where(o => o.Intervals > 0).Select(o => (double)o.Covered / o.Intervals)];
            if (shares.Length == 0)
            {
                findings.Add($"{name}: no intervals at {records.Count:#,0} records.");
                continue;
            }

            double share = shares.Average();
            double half = HalfWidth(shares);
            intervals.Add(new FigurePoint(share, rows.Count, share - half, Math.Min(1, share + half)));
            numbers[$"{requests[i].Kind.ToString().ToLowerInvariant()}.intervals"] = share;
            Outcome[] guaranteed = [.. own.Where(o => o.GuaranteeHeld is not null)];
            if (guaranteed.Length > 0)
            {
                double held = guaranteed.Average(o => o.GuaranteeHeld!.Value ? 1.0 : 0);
                guarantees.Add(new FigurePoint(held, rows.Count));
                numbers[$"{requests[i].Kind.ToString().ToLowerInvariant()}.guarantee"] = held;
            }

            rows.Add(together ? name + ", together" : name);
        }

        findings.InsertRange(0,
        [
            $"Intervals are to contain the truth {100 * context.Confidence:0.##} % of the time; measured between "
            + $"{100 * intervals.Select(p => p.X).DefaultIfEmpty().Min():0.0} % and "
            + $"{100 * intervals.Select(p => p.X).DefaultIfEmpty().Max():0.0} %, by kind.",
            $"Guarantees are to hold for all cells at once at least {100 * context.Confidence:0.##} % of the time; the least measured is "
            + $"{100 * guarantees.Select(p => p.X).DefaultIfEmpty(1).Min():0.0} %. They assume nothing about the records, so they hold "
            + $"more often than they promise.",
        ]);
        return new ExperimentResult
        {
            Name = Name,
            Title = Title,
            Question = Question,
            Findings = findings,
            Records = records.Count,
            Repetitions = repetitions,
            Numbers = numbers,
            Figures = rows.Count == 0 ? [] :
            [
                new Figure
                {
                    Id = Name,
                    Title = "Share that holds",
                    Reading = "Intervals are right on the line; guarantees are right on it or further right. Strokes show what the "
                        + "repetitions leave open.",
                    X = new FigureAxis("share of repetitions in which it holds", FigureScale.Linear, FigureFormat.Percent, Max: 1),
                    Y = new FigureAxis(""),
                    Rows = rows,
                    Series =
                    [
                        new FigureSeries("intervals", FigureMark.Point, intervals),
                        .. guarantees.Count == 0
                            ? Array.Empty<FigureSeries>()
                            : [new FigureSeries("guarantee, all cells at once", FigureMark.Point, guarantees)],
                    ],
                    References = [new FigureReference("promised", FigureReferenceKind.Vertical, context.Confidence)],
                },
            ],
        };
    }

    /// <summary>
    /// About 95 % of what repetitions leave open; the cells of one repetition err together, so repetitions are the units.
    /// </summary>
    private static double HalfWidth(double[] shares)
    {
        if (shares.Length < 2)
        {
            return 0;
        }

        double mean = shares.Average();
        return 1.96 * Math.Sqrt(shares.Sum(s => (s - mean) * (s - mean)) / (shares.Length - 1) / shares.Length);
    }

    private sealed record Outcome(int Intervals, int Covered, bool? GuaranteeHeld)
    {
        public static Outcome Of(StatisticResult answer, IReadOnlyList<double> truth)
        {
            int intervals = 0, covered = 0;
            bool? held = null;
            for (int i = 0; i < truth.Count; i++)
            {
                StatisticCell cell = answer.Cells[i];
                if (!double.IsFinite(truth[i]))
                {
                    continue;
                }

                if (double.IsFinite(cell.Low))
                {
                    intervals++;
                    covered += cell.Low <= truth[i] && truth[i] <= cell.High ? 1 : 0;
                }

                if (cell.GuaranteedHalfWidth is { } half)
                {
                    held = (held ?? true) && Math.Abs(cell.Estimate - truth[i]) <= half;
                }
            }

            return new Outcome(intervals, covered, held);
        }
    }
}
