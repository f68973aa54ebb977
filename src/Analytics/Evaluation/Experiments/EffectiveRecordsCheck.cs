using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.Statistics;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>Whether effective records, by which reports are priced, predict the error that is really made.</summary>
internal sealed class EffectiveRecordsCheck : IExperiment
{
    /// <summary>Larger domains add many nearly equal cells and much time, no more insight.</summary>
    private const int MostCells = 64;

    public string Name => "effective-n";

    public string Title => "Effective records against realised error";

    public string Question => "Reports are priced by the effective records that they are worth. Does that number predict the error?";

    public ExperimentResult Run(ExperimentContext context, IProgress<double> progress, CancellationToken cancellation)
    {
        RecordTable records = RecordSubset.Sample(context.Records, context.Choose(20_000, 100_000), context.KeyOf(Name, -1));
        int repetitions = context.RepetitionsOr(12, 60);
        int[] grades = [.. Enumerable.Range(1, context.TopGrade)];
        AttributeDefinition[] measured = [.. context.Schema.Attributes.Where(a => a.Tier != Tier.Public && a.Domain.Size <= MostCells)];
        // The mean of an optional grid is a ratio of two estimates, which its effective records do not describe.
        StatisticRequest[] requests =
            [.. measured.Where(a => a.Domain is CategoricalDomain || context.Schema.IndexOf(a.Name + Schema.PresenceSuffix) < 0)
            .Select(a => a.Domain is CategoricalDomain ? StatisticRequest.Frequency(a.Name) : StatisticRequest.Mean(a.Name))];
        AttributeDefinition[] attributes = [.. requests.Select(r => context.Schema.Attributes[context.Schema.IndexOf(r.Attributes[0])])];
        var truth = new Truth(context.Schema, records);
        var site = new SiteReports(context.Schema, threads: 1);

        (ErrorSample Errors, double Predicted)[][][] samples = Repetition.Run(context, repetitions, progress, r =>
        {
            IReadOnlyList<ReportBatch> batches = site.DrawGrades(records, context.KeyOf(Name, r), attributes, grades);
            return requests.Select((request, i) => batches.Select(batch =>
            {
                StatisticResult answer = StatisticEstimator.Estimate(request, [batch], context.Options);
                return (
                    ErrorSample.Of(answer, truth.Of(request, answer), Spread(attributes[i])), Predicted(answer, attributes[i], records));
            }).ToArray()).ToArray();
        }, cancellation);

        var shares = new List<FigurePoint>();
        var means = new List<FigurePoint>();
        for (int i = 0; i < requests.Length; i++)
        {
            for (int g = 0; g < grades.Length; g++)
            {
                var errors = new RepeatedErrors();
                foreach ((ErrorSample Errors, double Predicted)[][] repetition in samples)
                {
                    errors.Add(repetition[i][g].Errors);
                }

                var point = new FigurePoint(
                    samples[0][i][g].Predicted, errors.Rmse, errors.Range?.Low, errors.Range?.High,
                    $"{requests[i].Attributes[0]} at epsilon {context.Schema.Grades[grades[g]]}");
                (requests[i].Kind == StatisticKind.Frequency ? shares : means).Add(point);
            }
        }

        FigurePoint[] all = [.. shares, .. means];
        double[] ratios = [.. all.Select(p => p.Y / p.X)];
        double correlation = Correlation.Pearson(all.Select(p => Math.Log(p.X)), all.Select(p => Math.Log(p.Y)));
        double ratio = Statistics.Median(ratios);
        return new ExperimentResult
        {
            Name = Name,
            Title = Title,
            Question = Question,
            Records = records.Count,
            Repetitions = repetitions,
            Numbers = new SortedDictionary<string, double>(StringComparer.Ordinal)
            {
                ["correlation"] = correlation, ["ratio.median"] = ratio, ["ratio.least"] = ratios.Min(), ["ratio.greatest"] = ratios.Max(),
                ["points"] = all.Length,
            },
            Findings =
            [
                $"Over {all.Length} combinations of attribute and grade, the realised error is {ratio:0.00} times the predicted one "
                + $"(median; from {ratios.Min():0.00} to {ratios.Max():0.00}), with a correlation of {correlation:0.000} on "
                + $"logarithmic scales.",
                "The prediction uses public numbers only: the records, the grade and the size of the domain, never the data.",
            ],
            Figures =
            [
                new Figure
                {
                    Id = Name,
                    Title = "Error predicted by effective records, and made",
                    Reading = "On the line the prediction is exact. One mark per attribute and grade.",
                    X = new FigureAxis("predicted error, standard deviations of a uniform attribute", FigureScale.Logarithmic),
                    Y = new FigureAxis("realised error, same unit", FigureScale.Logarithmic),
                    Series =
                    [
                        .. new[] { new FigureSeries("frequencies", FigureMark.Point, shares), new FigureSeries(
                            "means", FigureMark.Point, means) }.Where(s => s.Points.Count > 0),
                    ],
                    References = [new FigureReference("realised = predicted", FigureReferenceKind.Identity)],
                },
            ],
        };
    }

    /// <summary>
    /// The noise alone: 1/(effective records) is the variance of the estimate for a population, of which 1/n (by person where draws are
    /// shared) would remain without noise.
    /// </summary>
    private static double Predicted(StatisticResult answer, AttributeDefinition attribute, RecordTable records)
    {
        double clear = attribute.ConstantPerPerson
            ? SumOfSquaredSizes(records) / ((double)records.Count * records.Count)
            : 1.0 / records.Count;
        return Math.Sqrt((1 / answer.EffectiveRecords) - clear);
    }

    private static double SumOfSquaredSizes(RecordTable records)
    {
        int[] sizes = new int[records.PersonCount];
        foreach (int person in records.PersonIndex)
        {
            sizes[person]++;
        }

        return sizes.Sum(s => (double)s * s);
    }

    /// <summary>The standard deviation of a uniform value: of one cell's indicator, or of the grid in its unit.</summary>
    private static double Spread(AttributeDefinition attribute)
    {
        double size = attribute.Domain.Size;
        return attribute.Domain is GridDomain grid
            ? Math.Sqrt(((size * size) - 1) / 12) * (double)grid.Step
            : Math.Sqrt((size - 1) / (size * size));
    }
}
