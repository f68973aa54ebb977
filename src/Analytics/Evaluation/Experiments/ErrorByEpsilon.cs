using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>How the error of every kind of statistic depends on epsilon.</summary>
internal sealed class ErrorByEpsilon : IExperiment
{
    public string Name => "error-epsilon";

    public string Title => "Error against epsilon";

    public string Question =>
        "How large is the typical error of each kind of statistic at each grade, when all its attributes are released at that grade?";

    public ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation)
    {
        RecordTable records = RecordSubset.Sample(context.Records, context.Choose(50_000, 200_000), context.KeyOf(Name, -1));
        int repetitions = context.RepetitionsOr(4, 40);
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

        var curves = ErrorCurves.Of(
            requests, [.. grades.Select(g => context.Schema.Grades[g].Value)], (r, g, i) => samples[r][i][g], repetitions);
        var findings = new List<string>();
        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach ((StatisticRequest request, IReadOnlyList<(double Place, RepeatedErrors Errors)> curve) in curves)
        {
            string kind = request.Kind.ToString().ToLowerInvariant();
            if (curve.Count == 0)
            {
                findings.Add($"{ErrorScale.Name(request)}: refused at every grade.");
                continue;
            }

            ((double lowest, RepeatedErrors first), (double highest, RepeatedErrors last)) = (curve[0], curve[^1]);
            (numbers[$"{kind}.rmse.lowest"], numbers[$"{kind}.rmse.highest"]) = (first.Rmse, last.Rmse);
            findings.Add(
                $"{ErrorScale.Name(request)}: the error falls {first.Rmse / last.Rmse:0}-fold from epsilon {lowest:0.##} to {highest:0.##}"
                + (curve.Count < grades.Length ? $"; refused below {lowest:0.##}, where the reports cannot carry it." : "."));
        }

        double[] ratios =
            [.. curves.SelectMany(c => c.Curve).Select(p => p.Errors.PredictedRmse / p.Errors.Rmse).Where(double.IsFinite).Order()];
        if (ratios.Length > 0)
        {
            numbers["standardError.medianRatio"] = ratios[ratios.Length / 2];
            findings.Add($"The standard errors that the estimators report are {ratios[ratios.Length / 2]:0.00} times the errors that they "
                + $"made (median over grades and kinds; 1 is right).");
        }

        return new ExperimentResult
        {
            Name = Name,
            Title = Title,
            Question = Question,
            Findings = findings,
            Records = records.Count,
            Repetitions = repetitions,
            Numbers = numbers,
            Figures = ErrorCurves.Draw(
                Name, Title,
                "Lower is better. Root of the mean squared error over cells and repetitions; strokes show what the repetitions leave open.",
                new FigureAxis("epsilon of each attribute", FigureScale.Logarithmic), curves),
        };
    }
}
