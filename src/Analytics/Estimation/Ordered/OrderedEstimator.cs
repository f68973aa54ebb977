using System.Globalization;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation.Ordered;

/// <summary>Means, bins and quantiles of an ordered attribute (docs/ESTIMATORS.md, "Ordered attributes").</summary>
public static class OrderedEstimator
{
    /// <summary>Counts the outputs of an attribute by grade. One pass.</summary>
    public static IReadOnlyDictionary<int, OutputTally> Tally(string attribute, IEnumerable<ReportBatch> batches)
    {
        ArgumentNullException.ThrowIfNull(batches);
        var tallies = new SortedDictionary<int, OutputTally>();
        foreach (ReportBatch batch in batches)
        {
            Add(attribute, batch, tallies);
        }

        return tallies;
    }

    /// <summary>Adds one batch to the tallies by grade.</summary>
    internal static void Add(string attribute, ReportBatch batch, SortedDictionary<int, OutputTally> tallies)
    {
        AttributeReports reports = batch[attribute];
        if (!tallies.TryGetValue(reports.Grade, out OutputTally? tally))
        {
            tally = new OutputTally(reports.Channel, OrderedSample.Outputs(reports.Channel), reports.Attribute.ConstantPerPerson);
            tallies.Add(reports.Grade, tally);
        }

        tally.Add(reports.Reports, batch.Persons);
    }

    /// <summary>The statistic from the tallies of all grades.</summary>
    /// <param name="request">Mean, bins, quantile, or frequency (bins of one cell).</param>
    /// <param name="attribute">The attribute.</param>
    /// <param name="tallies">Per grade the tally of outputs.</param>
    /// <param name="presence">Per grade the tally of the attribute's presence; null when no value may be missing.</param>
    /// <param name="options">How.</param>
    /// <exception cref="EstimationRefusedException">There is no record, or the rule is not defined for ordered attributes.</exception>
    public static StatisticResult Estimate(
        StatisticRequest request,
        AttributeDefinition attribute,
        IReadOnlyDictionary<int, OutputTally> tallies,
        IReadOnlyDictionary<int, SupportTally>? presence,
        EstimationOptions options)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(attribute);
        ArgumentNullException.ThrowIfNull(tallies);
        ArgumentNullException.ThrowIfNull(options);
        if (tallies.Values.Sum(t => t.Records) == 0)
        {
            throw new EstimationRefusedException($"There are no reports of '{attribute.Name}': widen the grades or the records asked for.");
        }

        var sample = new OrderedSample(tallies, presence, options);
        List<string> warnings = ["Describes the people who allow this use at these grades, not those who do not."];
        List<StatisticSection> sections = [];
        IReadOnlyList<StatisticCell> cells = request.Kind switch
        {
            StatisticKind.Mean => Mean(sample, attribute.Domain, options),
            StatisticKind.Quantile => Quantiles(sample, attribute.Domain, request.Probabilities, options),
            _ => Bins(sample, attribute.Domain, request.CellsPerBin, options, sections),
        };
        if (sample.MayBeMissing)
        {
            warnings.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Among the {100 * sample.Present:0.0} % of records where the value is present (estimated)."));
            if (cells.Any(c => double.IsNaN(c.Low)))
            {
                warnings.Add("The share of present values is not distinguishable from zero: no interval can be given.");
            }
        }

        IEnumerable<GradeCount> grades = tallies.Select(
            t => new GradeCount(attribute.Name, t.Key, t.Value.Channel.Epsilon.Micro, t.Value.Records));
        EpsilonMicro epsilon = tallies.Values.Max(t => t.Channel.Epsilon);
        if (presence is not null)
        {
            string name = attribute.Name + Schema.PresenceSuffix;
            grades = grades.Concat(presence.Select(t => new GradeCount(name, t.Key, t.Value.Channel.Epsilon.Micro, t.Value.Records)));
            epsilon += presence.Values.Max(t => t.Channel.Epsilon);
        }

        TestOutcome? homogeneity = request.Kind == StatisticKind.Mean ? MeansAgree(sample, options) : null;
        if (homogeneity is { PValue: < 0.05 })
        {
            warnings.Add(sample.Rule == CombinationRule.Stratified
                ? "The grades describe different people (Cochran's Q): the stratified estimate remains unbiased for all of them together."
                : "The grades describe different people (Cochran's Q): only the stratified estimate is unbiased for all of them together.");
        }

        return new StatisticResult
        {
            Id = request.Id,
            Kind = request.Kind,
            Attributes = [attribute.Name],
            Estimator = "linear unbiased, " + (tallies.Count == 1 ? "one grade" : FrequencyEstimator.Name(sample.Rule)),
            N = sample.Records,
            EffectiveRecords = EffectiveRecords.Of(sample.Strata.Select(s => (
                s.Tally.Records, OrderedSample.Draws(s.Tally), ReportQuality.OfMean(s.Law)))),
            Cells = cells,
            Confidence = options.Confidence,
            Target = options.Target,
            ReportsByGrade = [.. grades],
            Epsilon = epsilon,
            PostProcessing = cells.Any(c => c.PostProcessed is not null) ? NormSub.Label : null,
            Sections = sections,
            Tests = homogeneity is null ? [] : [homogeneity],
            Warnings = warnings,
        };
    }

    private static (double Origin, double Step) Scale(AttributeDomain domain) =>
        domain is GridDomain grid ? ((double)grid.Min, (double)grid.Step) : (0, 1);

    private static StatisticCell[] Mean(OrderedSample sample, AttributeDomain domain, EstimationOptions options)
    {
        (double origin, double step) = Scale(domain);
        double[] identity = OrderedSample.Identity(sample.Cells);
        double confidence = Intervals.PerCell(options, 2);
        OrderedEstimate mean = sample.Estimate(identity, confidence);
        GuaranteeTerm[]? terms = sample.Terms(identity);

        // The square of the estimated mean exceeds that of the mean by its variance on average.
        OrderedEstimate second = sample.Estimate([.. identity.Select(v => v * v)], confidence);
        double variance = second.Value - (mean.Value * mean.Value) + mean.Variance;
        OrderedEstimate influence = sample.Estimate([.. identity.Select(v => (v * v) - (2 * mean.Value * v))], confidence);
        double error = Math.Sqrt(influence.Variance);
        double half = Intervals.NormalQuantile(confidence) * error;
        double square = step * step;
        return
        [
            new StatisticCell
            {
                Value = "mean",
                Estimate = origin + (step * mean.Value),
                StandardError = step * Math.Sqrt(mean.Variance),
                Low = origin + (step * mean.Low),
                High = origin + (step * mean.High),
                IntervalKind = Kind(sample, mean),
                ExpectedHalfWidth = terms is null ? null : step * Guarantee.Expected(terms, confidence),
                GuaranteedHalfWidth = terms is null ? null : step * Guarantee.HalfWidth(terms, 1, options.Confidence),
            },
            new StatisticCell
            {
                Value = "variance",
                Estimate = square * variance,
                StandardError = square * error,
                Low = square * (variance - half),
                High = square * (variance + half),
                IntervalKind = IntervalKind.Normal,
            },
        ];
    }

    private static StatisticCell[] Bins(
        OrderedSample sample, AttributeDomain domain, int cellsPerBin, EstimationOptions options, List<StatisticSection> sections)
    {
        int d = sample.Cells;
        int bins = (d + cellsPerBin - 1) / cellsPerBin;
        double confidence = Intervals.PerCell(options, bins);
        var cells = new StatisticCell[bins];
        Parallel.For(0, bins, i =>
        {
            int from = i * cellsPerBin;
            int to = Math.Min(d, from + cellsPerBin) - 1;
            double[] indicator = Indicator(d, from, to);
            OrderedEstimate share = sample.Estimate(indicator, confidence);
            GuaranteeTerm[]? terms = sample.Terms(indicator);
            cells[i] = new StatisticCell
            {
                Value = from == to ? domain.Label(from) : $"{domain.Label(from)}..{domain.Label(to)}",
                Codes = [from, to],
                Estimate = share.Value,
                StandardError = Math.Sqrt(share.Variance),
                Low = share.Low,
                High = share.High,
                IntervalKind = Kind(sample, share),
                ExpectedHalfWidth = terms is null ? null : Guarantee.Expected(terms, confidence),
                GuaranteedHalfWidth = terms is null ? null : Guarantee.HalfWidth(terms, bins, options.Confidence),
            };
        });
        if (options.Consistent)
        {
            double[] consistent = NormSub.Project([.. cells.Select(c => c.Estimate)]);
            cells = [.. cells.Select((cell, i) => cell with { PostProcessed = consistent[i] })];
        }

        sections.Add(new StatisticSection(
            "smoothed distribution",
            "Expectation maximisation with smoothing, one curve per grade averaged by its records: descriptive; smoothing biases it, so "
            + "it has no interval."
                + (sample.MayBeMissing ? " The uniform cells that stand for missing values are taken out." : ""),
            [.. Smoothed(sample).Chunk(cellsPerBin)
                .Zip(cells, (share, cell) => new StatisticCell { Value = cell.Value, Codes = cell.Codes, Estimate = share.Sum() })]));
        return cells;
    }

    private static double[] Smoothed(OrderedSample sample)
    {
        var curve = new double[sample.Cells];
        foreach ((SquareWave law, OutputTally tally) in sample.Strata)
        {
            double[] part = law.HalfWidth == 0 && law.Q == 0
                ? [.. tally.Outputs.ToArray().Select(count => (double)count / tally.Records)]
                : SmoothedDistribution.Estimate(law, tally.Outputs);
            for (int v = 0; v < curve.Length; v++)
            {
                curve[v] += part[v] * tally.Records / sample.Records;
            }
        }

        if (sample.MayBeMissing && sample.Present > 0)
        {
            double missing = Math.Clamp(1 - sample.Present, 0, 1) / sample.Cells;
            curve = NormSub.Project([.. curve.Select(share => (share - missing) / sample.Present)]);
        }

        return curve;
    }

    private static StatisticCell[] Quantiles(
        OrderedSample sample, AttributeDomain domain, IReadOnlyList<double> probabilities, EstimationOptions options)
    {
        (double origin, double step) = Scale(domain);
        int d = sample.Cells;
        double confidence = Intervals.PerCell(options, probabilities.Count);
        var distribution = new OrderedEstimate[d - 1];
        Parallel.For(0, d - 1, v => distribution[v] = sample.Estimate(Indicator(d, 0, v), confidence));
        double[] monotone = Isotonic([.. distribution.Select(f => f.Value)]);
        return
        [
            .. probabilities.Select(probability =>
            {
                // Cell v is refused as the quantile when F(v) is significantly below the probability or F(v - 1) significantly not below
                // it.
                int low = 0;
                while (low < d - 1 && distribution[low].High < probability)
                {
                    low++;
                }

                int high = d - 1;
                while (high > 0 && distribution[high - 1].Low >= probability)
                {
                    high--;
                }

                int estimate = Array.FindIndex(monotone, share => share >= probability);
                estimate = estimate < 0 ? d - 1 : estimate;
                bool known = !distribution.Any(f => double.IsNaN(f.Low));
                return new StatisticCell
                {
                    Value = probability.ToString(CultureInfo.InvariantCulture),
                    Codes = [estimate],
                    Estimate = origin + (step * estimate),
                    Low = known ? origin + (step * Math.Min(low, estimate)) : double.NaN,
                    High = known ? origin + (step * Math.Max(high, estimate)) : double.NaN,
                    IntervalKind = known ? IntervalKind.TestInversion : IntervalKind.None,
                };
            }),
        ];
    }

    /// <summary>
    /// The least-squares non-decreasing sequence (pool adjacent violators; Ayer et al. 1955, doi:10.1214/aoms/1177728423).
    /// </summary>
    internal static double[] Isotonic(double[] values)
    {
        List<(double Sum, int Count)> blocks = [];
        foreach (double value in values)
        {
            (double Sum, int Count) block = (value, 1);
            while (blocks.Count > 0 && blocks[^1].Sum * block.Count >= block.Sum * blocks[^1].Count)
            {
                block = (block.Sum + blocks[^1].Sum, block.Count + blocks[^1].Count);
                blocks.RemoveAt(blocks.Count - 1);
            }

            blocks.Add(block);
        }

        return [.. blocks.SelectMany(b => Enumerable.Repeat(b.Sum / b.Count, b.Count))];
    }

    private static double[] Indicator(int cells, int from, int to)
    {
        var indicator = new double[cells];
        indicator.AsSpan(from, to - from + 1).Fill(1);
        return indicator;
    }

    private static IntervalKind Kind(OrderedSample sample, OrderedEstimate estimate) =>
        !sample.MayBeMissing ? IntervalKind.Normal : double.IsNaN(estimate.Low) ? IntervalKind.None : IntervalKind.Fieller;

    private static TestOutcome? MeansAgree(OrderedSample sample, EstimationOptions options)
    {
        (double Mean, double Variance)[] grades =
        [
            .. sample.Tallies.Where(t => t.Value.Records > 1).Select(t =>
            {
                var one = new Dictionary<int, OutputTally> { [t.Key] = t.Value };
                OrderedEstimate mean = new OrderedSample(one, null, options with { Target = InferenceTarget.Population })
                    .Estimate(OrderedSample.Identity(sample.Cells), options.Confidence);
                return (mean.Value, mean.Variance);
            }).Where(g => g.Variance > 0),
        ];
        if (grades.Length < 2)
        {
            return null;
        }

        double weight = grades.Sum(g => 1 / g.Variance);
        double pooled = grades.Sum(g => g.Mean / g.Variance) / weight;
        double statistic = grades.Sum(g => (g.Mean - pooled) * (g.Mean - pooled) / g.Variance);
        return new TestOutcome(
            "Cochran's Q: the grades have the same mean", statistic, grades.Length - 1,
            1 - MathNet.Numerics.Distributions.ChiSquared.CDF(grades.Length - 1, statistic));
    }
}
