using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.Statistics;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>How well a logistic model fitted to reports tells held-out raw records apart, beside one fitted to the raw records.</summary>
internal sealed class LogisticFromReports : IExperiment
{
    private const double TestShare = 0.3;

    public string Name => "logistic";

    public string Title => "A logistic model from reports";

    public string Question =>
        "A model is fitted to the reports of 70 % of the persons and must tell the raw records of the other 30 % apart. "
        + "How much is lost against a model fitted to the raw records?";

    public ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation)
    {
        int repetitions = context.RepetitionsOr(4, 40);
        if (!context.Plan.Representatives.TryGetValue(StatisticKind.Logistic, out StatisticRequest? request))
        {
            return Nothing(context, repetitions, "The plan has no logistic model.");
        }

        RecordTable records = RecordSubset.Sample(context.Records, context.Choose(100_000, 200_000), context.KeyOf(Name, -1));
        int[] grades = [.. Enumerable.Range(1, context.TopGrade)];
        AttributeDefinition[] attributes = [.. request.Attributes.Select(a => context.Schema.Attributes[context.Schema.IndexOf(a)])];
        var site = new SiteReports(context.Schema, threads: 1);

        (double Raw, double?[] FromReports, double?[] Distance)[] outcomes = Repetition.Run(context, repetitions, progress, r =>
        {
            byte[] key = context.KeyOf(Name, r);
            (RecordTable train, RecordTable test) = Split(records, key);
            var model = new RawModel(context.Schema, train, request);
            var judge = new RawModel(context.Schema, test, request);
            IReadOnlyDictionary<string, double> raw = model.Fit();
            IReadOnlyList<ReportBatch> batches = site.DrawGrades(train, key, attributes, grades);
            var areas = new double?[grades.Length];
            var distances = new double?[grades.Length];
            for (int g = 0; g < grades.Length; g++)
            {
                if (Repetition.TryEstimate(request, [batches[g]], context.Options) is { } answer)
                {
                    var fitted = answer.Cells.ToDictionary(c => c.Value, c => c.Estimate, StringComparer.Ordinal);
                    areas[g] = Area(judge, test.Count, fitted);
                    distances[g] = Math.Sqrt(raw.Where(c => c.Key != "intercept" && double.IsFinite(c.Value))
                        .Select(c => Math.Pow(fitted.GetValueOrDefault(c.Key) - c.Value, 2)).DefaultIfEmpty(0).Average());
                }
            }

            return (Area(judge, test.Count, raw), areas, distances);
        }, cancellation);

        double rawArea = outcomes.Average(o => o.Raw);
        FigurePoint[] areas = Points(context.Schema.Grades, grades, outcomes.Select(o => o.FromReports));
        FigurePoint[] distances = Points(context.Schema.Grades, grades, outcomes.Select(o => o.Distance));
        if (areas.Length == 0)
        {
            return Nothing(
                context, repetitions,
                $"The model {request.Id} was refused at every grade: {records.Count:#,0} records are too few for it.");
        }

        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal) { ["auc.raw"] = rawArea };
        foreach (FigurePoint point in areas)
        {
            numbers[FormattableString.Invariant($"auc.epsilon-{point.X}")] = point.Y;
        }

        int @default = attributes.Min(a => context.Schema.DefaultGrade(a) is > 0 and int grade ? grade : context.TopGrade);
        FigurePoint? ceiling = areas.FirstOrDefault(p => p.X == context.Schema.Grades[@default].Value);
        return new ExperimentResult
        {
            Name = Name,
            Title = Title,
            Question = Question,
            Records = records.Count,
            Repetitions = repetitions,
            Numbers = numbers,
            Findings =
            [
                $"Model {request.Id}: held-out area under the curve {rawArea:0.000} when fitted to raw records; from reports "
                + $"{areas[0].Y:0.000} at epsilon {areas[0].X:0.##} and {areas[^1].Y:0.000} at {areas[^1].X:0.##} per attribute.",
                ceiling is null ? "At the strictest default ceiling of its attributes the model is refused."
                    : $"At the strictest default ceiling of its attributes (epsilon {ceiling.X:0.##}) it reaches "
                        + $"{100 * (ceiling.Y - 0.5) / (rawArea - 0.5):0} % of the raw model's distance from guessing (0.5).",
                .. areas.Length < grades.Length
                    ? new[] { $"Below epsilon {areas[0].X:0.##} the model is refused: the reports cannot carry it." }
                    : [],
            ],
            Figures =
            [
                new Figure
                {
                    Id = $"{Name}-auc",
                    Title = "Telling held-out raw records apart",
                    Reading = "Area under the ROC curve: 0.5 is guessing, the dashed line is the model fitted to raw records.",
                    X = new FigureAxis("epsilon of each attribute", FigureScale.Logarithmic),
                    Y = new FigureAxis("area under the curve"),
                    Series = [new FigureSeries("fitted to reports", FigureMark.Line, areas)],
                    References =
                        [new FigureReference("fitted to raw records", FigureReferenceKind.Horizontal, rawArea), new FigureReference(
                            "guessing", FigureReferenceKind.Horizontal, 0.5)],
                },
                new Figure
                {
                    Id = $"{Name}-coefficients",
                    Title = "Distance of the coefficients",
                    Reading = "Root of the mean squared difference to the coefficients from the raw records, without the intercept. Lower "
                        + "is better.",
                    X = new FigureAxis("epsilon of each attribute", FigureScale.Logarithmic),
                    Y = new FigureAxis("difference, log odds", FigureScale.Logarithmic),
                    Series = [new FigureSeries("fitted to reports", FigureMark.Line, distances)],
                },
            ],
        };
    }

    private ExperimentResult Nothing(ExperimentContext context, int repetitions, string why) => new()
    {
        Name = Name, Title = Title, Question = Question, Records = context.Records.Count, Repetitions = repetitions,
        Numbers = new SortedDictionary<string, double>(StringComparer.Ordinal), Findings = [why], Figures = [],
    };

    private static (RecordTable Train, RecordTable Test) Split(RecordTable records, byte[] key)
    {
        using var random = new KeyedRandom(key);
        bool[] held = [.. Enumerable.Range(0, records.PersonCount).Select(_ => random.Unit() < TestShare)];
        int[] All(bool test) => [.. Enumerable.Range(0, records.Count).Where(i => held[records.PersonIndex[i]] == test)];
        return (RecordSubset.Take(records, All(false)), RecordSubset.Take(records, All(true)));
    }

    private static FigurePoint[] Points(GradeLadder ladder, int[] grades, IEnumerable<double?[]> repetitions)
    {
        double?[][] all = [.. repetitions];
        var points = new List<FigurePoint>();
        for (int g = 0; g < grades.Length; g++)
        {
            double[] values = [.. all.Select(r => r[g]).OfType<double>()];
            // A point needs an answer in every repetition, or it would show the lucky ones only.
            if (values.Length == all.Length)
            {
                double half = values.Length < 2 ? 0 : 1.96 * values.StandardDeviation() / Math.Sqrt(values.Length);
                double mean = values.Average();
                points.Add(new FigurePoint(
                    ladder[grades[g]].Value, mean, values.Length < 3 ? null : mean - half, values.Length < 3 ? null : mean + half));
            }
        }

        return [.. points];
    }

    /// <summary>
    /// The area under the ROC curve: the share of pairs (yes, no) that the score orders rightly, ties counting half (Mann and Whitney 1947,
    /// doi:10.1214/aoms/1177730491).
    /// </summary>
    internal static double Area(RawModel model, int records, IReadOnlyDictionary<string, double> coefficients)
    {
        double[] scores = [.. Enumerable.Range(0, records).Select(i => Math.Round(model.Score(i, coefficients), 9))];
        bool[] yes = [.. Enumerable.Range(0, records).Select(model.Yes)];
        Array.Sort(scores, yes);
        double below = 0, ordered = 0, positives = 0;
        for (int start = 0, end; start < records; start = end)
        {
            end = start;
            int positive = 0;
            while (end < records && scores[end] == scores[start])
            {
                positive += yes[end++] ? 1 : 0;
            }

            int negative = end - start - positive;
            ordered += positive * (below + (negative / 2.0));
            below += negative;
            positives += positive;
        }

        return positives == 0 || below == 0 ? 0.5 : ordered / (positives * below);
    }
}
