using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>How the error of every kind of statistic depends on epsilon.</summary>
internal sealed class ErrorByEpsilon : IExperiment
{
    public string Name => "error-epsilon";

    public string Title => "Error against epsilon";

    public string Question => "How large is the typical error of each kind of statistic at each grade, when all its attributes are released at that grade?";

    public ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation)
    {
        RecordTable records = RecordSubset.Sample(context.Records, context.Choose(50_000, 200_000), context.KeyOf(Name, -1));
        int repetitions = context.RepetitionsOr(6, 40);
        int[] grades = [.. Enumerable.Range(1, context.TopGrade)];
        StatisticRequest[] requests = [.. context.Plan.Representatives.Values];
        IReadOnlyList<AttributeDefinition> attributes = SiteReports.WithPresence(context.Schema, requests.SelectMany(r => r.Attributes));
        var truth = new Truth(context.Schema, records);
        var scale = new ErrorScale(truth);
        var site = new SiteReports(context.Schema, threads: 1);

        ErrorSample[][][] samples = Repetition.Run(context, repetitions, progress, r =>
        {
            IReadOnlyList<ReportBatch> batches = site.DrawGrades(records, context.KeyOf(Name, r), attributes, grades);
            return requests.Select(request => batches.Select(batch =>
            {
                if (Repetition.TryEstimate(request, [batch], context.Options) is not { } answer)
                {
                    return default;
                }

                IReadOnlyList<double> truths = truth.Of(request, answer);
                return ErrorSample.Of(answer, truths, scale.Of(request, truths));
            }).ToArray()).ToArray();
        }, cancellation);

        var figures = new List<Figure>();
        var findings = new List<string>();
        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var agreement = new List<double>();
        foreach ((string id, string title, string axis, FigureFormat format, StatisticKind[] kinds) in ErrorScale.Families)
        {
            var series = new List<FigureSeries>();
            foreach (StatisticRequest request in requests.Where(r => kinds.Contains(r.Kind)))
            {
                int index = Array.IndexOf(requests, request);
                var points = new List<FigurePoint>();
                for (int g = 0; g < grades.Length; g++)
                {
                    var errors = new RepeatedErrors();
                    foreach (ErrorSample[][] repetition in samples)
                    {
                        errors.Add(repetition[index][g]);
                    }

                    if (errors.Any)
                    {
                        points.Add(new FigurePoint(context.Schema.Grades[grades[g]].Value, errors.Rmse, errors.Range?.Low, errors.Range?.High));
                        agreement.Add(errors.PredictedRmse / errors.Rmse);
                    }
                }

                if (points.Count > 0)
                {
                    series.Add(new FigureSeries(ErrorScale.Name(request), FigureMark.Line, points));
                    numbers[$"{request.Kind.ToString().ToLowerInvariant()}.rmse.lowest"] = points[0].Y;
                    numbers[$"{request.Kind.ToString().ToLowerInvariant()}.rmse.highest"] = points[^1].Y;
                    findings.Add(points.Count < grades.Length
                        ? $"{ErrorScale.Name(request)}: refused below epsilon {points[0].X:0.##}, where the reports cannot carry it."
                        : $"{ErrorScale.Name(request)}: the error falls {points[0].Y / points[^1].Y:0}-fold from epsilon {points[0].X:0.##} to {points[^1].X:0.##}.");
                }
            }

            if (series.Count > 0)
            {
                figures.Add(new Figure
                {
                    Id = $"{Name}-{id}",
                    Title = $"Error against epsilon: {title}",
                    Reading = "Lower is better. Root of the mean squared error over cells and repetitions; strokes show what the repetitions leave open.",
                    X = new FigureAxis("epsilon of each attribute", FigureScale.Logarithmic),
                    Y = new FigureAxis(axis, FigureScale.Logarithmic, format),
                    Series = series,
                });
            }
        }

        double[] ratios = [.. agreement.Where(double.IsFinite).Order()];
        if (ratios.Length > 0)
        {
            numbers["standardError.medianRatio"] = ratios[ratios.Length / 2];
            findings.Add($"The standard errors that the estimators report are {ratios[ratios.Length / 2]:0.00} times the errors that they made (median over grades and kinds; 1 is right).");
        }

        return new ExperimentResult
        {
            Name = Name, Title = Title, Question = Question, Findings = findings, Records = records.Count, Repetitions = repetitions, Numbers = numbers, Figures = figures,
        };
    }
}
