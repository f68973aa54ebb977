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
        int repetitions = context.RepetitionsOr(4, 40);
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

        var figures = new List<Figure>();
        var findings = new List<string>();
        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach ((string id, string title, string axis, FigureFormat format, StatisticKind[] kinds) in ErrorScale.Families)
        {
            var series = new List<FigureSeries>();
            foreach (StatisticRequest request in requests.Where(r => kinds.Contains(r.Kind)))
            {
                int index = Array.IndexOf(requests, request);
                var points = new List<FigurePoint>();
                for (int s = 0; s < sizes.Length; s++)
                {
                    var errors = new RepeatedErrors();
                    foreach (ErrorSample[][] repetition in samples)
                    {
                        errors.Add(repetition[s][index]);
                    }

                    if (errors.Any)
                    {
                        points.Add(new FigurePoint(sizes[s], errors.Rmse, errors.Range?.Low, errors.Range?.High));
                    }
                }

                if (points.Count == 0)
                {
                    continue;
                }

                series.Add(new FigureSeries(ErrorScale.Name(request), FigureMark.Line, points));
                if (points.Count > 2)
                {
                    double slope = LogSlope(points);
                    numbers[$"{request.Kind.ToString().ToLowerInvariant()}.slope"] = slope;
                    findings.Add($"{ErrorScale.Name(request)}: ten times the records divide the error by {Math.Pow(10, -slope):0.0}"
                        + (points.Count < sizes.Length ? $"; refused below {points[0].X:#,0} records." : "."));
                }
            }

            if (series.Count > 0)
            {
                figures.Add(new Figure
                {
                    Id = $"{Name}-{id}",
                    Title = $"Error against records: {title}",
                    Reading = "Lower is better. Pure noise falls by a factor 3.2 (the root of ten) when the records grow tenfold.",
                    X = new FigureAxis("records", FigureScale.Logarithmic),
                    Y = new FigureAxis(axis, FigureScale.Logarithmic, format),
                    Series = series,
                });
            }
        }

        return new ExperimentResult
        {
            Name = Name, Title = Title, Question = Question, Findings = findings, Records = most, Repetitions = repetitions, Numbers = numbers, Figures = figures,
        };
    }

    /// <summary>The least-squares slope of log y on log x.</summary>
    internal static double LogSlope(IReadOnlyList<FigurePoint> points)
    {
        double[] x = [.. points.Select(p => Math.Log(p.X))];
        double[] y = [.. points.Select(p => Math.Log(p.Y))];
        return MathNet.Numerics.LinearRegression.SimpleRegression.Fit(x, y).B;
    }
}
