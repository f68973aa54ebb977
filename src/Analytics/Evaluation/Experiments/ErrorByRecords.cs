using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>How the error of every kind of statistic depends on the number of records.</summary>
internal sealed class ErrorByRecords : IExperiment
{
    private static readonly int[] Sizes = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000];

    public string Name => "error-n";

    public string Title => "Error against the number of records";

    public string Question => "How does the typical error fall with the number of records, every attribute at its tier's default ceiling?";

    public ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation)
    {
        int repetitions = context.RepetitionsOr(3, 40);
        int most = Math.Min(context.Records.Count, 200_000);
        int[] sizes = [.. Sizes.Where(n => n < most), most];
        StatisticRequest[] requests = [.. context.Plan.Representatives.Values];
        IReadOnlyList<AttributeDefinition> attributes = SiteReports.WithPresence(context.Schema, requests.SelectMany(r => r.Attributes));
        // The scale is that of all records, so that a line shows the error and not the spread of a small sample.
        var scale = new ErrorScale(new Truth(context.Schema, context.Records));
        var site = new SiteReports(context.Schema, threads: 1);

        ErrorSample[][][] samples = Repetition.Run(context, repetitions, progress, r => sizes.Select(n =>
        {
            byte[] key = context.KeyOf($"{Name} {n}", r);
            RecordTable records = RecordSubset.Sample(context.Records, n, key);
            var truth = new Truth(context.Schema, records);
            ReportBatch batch = site.Draw(records, key, attributes, context.Schema.DefaultGrade);
            return requests.Select(request =>
            {
                if (Repetition.TryEstimate(request, [batch], context.Options) is not { } answer)
                {
                    return default;
                }

                IReadOnlyList<double> truths = truth.Of(request, answer);
                return ErrorSample.Of(answer, truths, scale.Of(request, truths));
            }).ToArray();
        }).ToArray(), cancellation);

        var curves = ErrorCurves.Of(requests, [.. sizes.Select(n => (double)n)], (r, n, i) => samples[r][n][i], repetitions);
        var findings = new List<string>();
        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach ((StatisticRequest request, IReadOnlyList<(double Place, RepeatedErrors Errors)> curve) in curves)
        {
            string name = ErrorScale.Name(request);
            string refused = curve.Count < sizes.Length && curve.Count > 0 ? $"; refused below {curve[0].Place:#,0} records." : ".";
            if (curve.Count > 2)
            {
                double slope = LogSlope(curve);
                numbers[$"{request.Kind.ToString().ToLowerInvariant()}.slope"] = slope;
                findings.Add($"{name}: ten times the records divide the error by {Math.Pow(10, -slope):0.0}{refused}");
            }
            else
            {
                findings.Add($"{name}: answered at {curve.Count} of {sizes.Length} sizes, too few for a slope{refused}");
            }
        }

        return new ExperimentResult
        {
            Name = Name,
            Title = Title,
            Question = Question,
            Findings = findings,
            Records = most,
            Repetitions = repetitions,
            Numbers = numbers,
            Figures = ErrorCurves.Draw(
                Name, "Error against records",
                "Lower is better. Pure noise falls by a factor 3.2 (the root of ten) when the records grow tenfold.",
                new FigureAxis("records", FigureScale.Logarithmic), curves),
        };
    }

    /// <summary>The least-squares slope of log error on log records.</summary>
    private static double LogSlope(IReadOnlyList<(double Place, RepeatedErrors Errors)> curve) =>
        MathNet.Numerics.LinearRegression.SimpleRegression.Fit(
        [.. curve.Select(p => Math.Log(p.Place))], [.. curve.Select(p => Math.Log(p.Errors.Rmse))]).B;
}
