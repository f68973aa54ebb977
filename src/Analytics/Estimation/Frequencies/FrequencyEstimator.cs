using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation.Frequencies;

/// <summary>Shares of the values of one attribute, from the support tallies of its grades (docs/ESTIMATORS.md, "Frequency").</summary>
public static class FrequencyEstimator
{
    /// <summary>Fewer expected supports by chance than this make the normal approximation doubtful.</summary>
    private const double FewExpectedSupports = 25;

    /// <summary>Counts the reports of an attribute by grade. One pass.</summary>
    /// <returns>Per grade its tally.</returns>
    public static IReadOnlyDictionary<int, SupportTally> Tally(string attribute, IEnumerable<ReportBatch> batches)
    {
        ArgumentNullException.ThrowIfNull(batches);
        var tallies = new SortedDictionary<int, SupportTally>();
        foreach (ReportBatch batch in batches)
        {
            Add(attribute, batch, tallies);
        }

        return tallies;
    }

    /// <summary>Adds one batch to the tallies by grade.</summary>
    internal static void Add(string attribute, ReportBatch batch, SortedDictionary<int, SupportTally> tallies)
    {
        AttributeReports reports = batch[attribute];
        if (!tallies.TryGetValue(reports.Grade, out SupportTally? tally))
        {
            tallies.Add(reports.Grade, tally = new SupportTally(reports.Channel, reports.Attribute.ConstantPerPerson));
        }

        tally.Add(reports.Reports, batch.Persons);
    }

    /// <summary>The statistic from the tallies of all grades.</summary>
    /// <param name="id">The request's id.</param>
    /// <param name="attribute">The attribute.</param>
    /// <param name="tallies">Per grade its tally.</param>
    /// <param name="options">How.</param>
    /// <exception cref="EstimationRefusedException">There is no record.</exception>
    public static StatisticResult Estimate(
        string id, AttributeDefinition attribute, IReadOnlyDictionary<int, SupportTally> tallies, EstimationOptions options)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        ArgumentNullException.ThrowIfNull(tallies);
        ArgumentNullException.ThrowIfNull(options);
        StratumEstimate[] strata = [.. tallies.Values.Where(t => t.Records > 0).Select(t => new StratumEstimate(t))];
        if (strata.Length == 0)
        {
            throw new EstimationRefusedException($"There are no reports of '{attribute.Name}': widen the grades or the records asked for.");
        }

        CombinationRule rule = strata.Length == 1 ? CombinationRule.Stratified : options.Combination;
        Combination combined = Combination.Of(strata, rule, options.Target);
        int k = combined.Frequency.Length;
        double confidence = Intervals.PerCell(options, k);
        double quantile = Intervals.NormalQuantile(confidence);
        GuaranteeTerm[] terms = [.. strata.Select(s => s.Term)];
        bool guaranteed = rule == CombinationRule.Stratified;
        double? expectedHalfWidth = guaranteed ? Guarantee.Expected(terms, confidence) : null;
        double? guaranteedHalfWidth = guaranteed ? Guarantee.HalfWidth(terms, k, options.Confidence) : null;
        double[]? consistent = options.Consistent ? NormSub.Project(combined.Frequency) : null;
        bool exact = UseExactLimits(strata, options.Target);

        var cells = new StatisticCell[k];
        for (int v = 0; v < k; v++)
        {
            double error = combined.Variance is null ? double.NaN : Math.Sqrt(combined.Variance[v]);
            (double low, double high) = exact
                ? MapClopperPearson(strata[0], v, confidence)
                : (combined.Frequency[v] - (quantile * error), combined.Frequency[v] + (quantile * error));
            cells[v] = new StatisticCell
            {
                Value = attribute.Domain.Label(v),
                Codes = [v],
                Estimate = combined.Frequency[v],
                StandardError = error,
                Low = low,
                High = high,
                IntervalKind = combined.Variance is null ? IntervalKind.None : exact ? IntervalKind.ClopperPearson : IntervalKind.Normal,
                ExpectedHalfWidth = expectedHalfWidth,
                GuaranteedHalfWidth = guaranteedHalfWidth,
                PostProcessed = consistent?[v],
            };
        }

        TestOutcome? homogeneity = Homogeneity.Test(strata, combined.Frequency);
        return new StatisticResult
        {
            Id = id,
            Kind = StatisticKind.Frequency,
            Attributes = [attribute.Name],
            Estimator = strata.Length == 1 ? "one grade" : Name(rule),
            N = strata.Sum(s => s.Tally.Records),
            EffectiveRecords = EffectiveRecords.Of(strata.Select(s => (
                s.Tally.Records, s.Tally.ConstantPerPerson ? s.Tally.SumSquaredSizes : s.Tally.Records,
                ReportQuality.OfFrequency(s.P, s.Q, k)))),
            Cells = cells,
            Confidence = options.Confidence,
            Target = options.Target,
            ReportsByGrade =
                [.. tallies.Select(t => new GradeCount(attribute.Name, t.Key, t.Value.Channel.Epsilon.Micro, t.Value.Records))],
            Epsilon = tallies.Values.Max(t => t.Channel.Epsilon),
            PostProcessing = options.Consistent ? NormSub.Label : null,
            Tests = homogeneity is null ? [] : [homogeneity],
            Warnings = [.. Warnings(strata, rule, homogeneity)],
        };
    }

    internal static string Name(CombinationRule rule) => rule switch
    {
        CombinationRule.Precision => "precision-weighted",
        CombinationRule.Shrunk => "shrunk",
        CombinationRule.Unweighted => "unweighted",
        _ => "stratified",
    };

    /// <summary>
    /// Exact limits need one channel and reports that are independent of one another. They are those of a population; for fixed records
    /// they are conservative, since a sum of unequal Bernoulli variables is less spread than a binomial (Hoeffding 1956,
    /// doi:10.1214/aoms/1177728178), and replace the normal ones where those are doubtful.
    /// </summary>
    private static bool UseExactLimits(StratumEstimate[] strata, InferenceTarget target)
    {
        Tallies.SupportTally tally = strata[0].Tally;
        bool one = strata.Length == 1 && tally.SumSquaredSizes == tally.Records;
        double chance = tally.Records * strata[0].Q * (1 - strata[0].Q);
        return one && (target == InferenceTarget.Population || (strata[0].Q > 0 && chance < FewExpectedSupports));
    }

    private static (double Low, double High) MapClopperPearson(StratumEstimate stratum, int value, double confidence)
    {
        (double low, double high) = Intervals.ClopperPearson(stratum.Tally.Support[value], stratum.Tally.Records, confidence);
        return ((low - stratum.Q) * stratum.R, (high - stratum.Q) * stratum.R);
    }

    private static IEnumerable<string> Warnings(StratumEstimate[] strata, CombinationRule rule, TestOutcome? homogeneity)
    {
        yield return "Describes the people who allow this use at these grades, not those who do not.";
        if (homogeneity is { PValue: < 0.05 })
        {
            yield return rule == CombinationRule.Stratified
                ? "The grades describe different people (Cochran's Q): the stratified estimate remains unbiased for all of them together."
                : "The grades describe different people (Cochran's Q): only the stratified estimate is unbiased for all of them together.";
        }

        if (rule == CombinationRule.Stratified && strata.Length > 1)
        {
            double all = EffectiveOf(strata);
            foreach (StratumEstimate stratum in strata)
            {
                double without = EffectiveOf([.. strata.Where(s => s != stratum)]);
                if (without > all)
                {
                    yield return string.Create(
                        System.Globalization.CultureInfo.InvariantCulture,
                        $"The {stratum.Tally.Records} reports at epsilon {stratum.Tally.Channel.Epsilon} enlarge the error: without them "
                        + $"{without:0} effective records instead of {all:0}, but for fewer people.");
                }
            }
        }

        if (rule == CombinationRule.Unweighted)
        {
            yield return "Biased whenever the choice of grade depends on the value: for comparison only.";
        }
    }

    private static double EffectiveOf(StratumEstimate[] strata) => EffectiveRecords.Of(strata.Select(s => (
        s.Tally.Records, s.Tally.ConstantPerPerson ? s.Tally.SumSquaredSizes : s.Tally.Records,
        ReportQuality.OfFrequency(s.P, s.Q, s.Frequency.Length))));
}
