using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation.Tables;

/// <summary>
/// Joint shares of two or three attributes, with conditional rates, ratios and a test of independence (docs/ESTIMATORS.md, "Tables").
/// </summary>
public static class TableEstimator
{
    /// <summary>Rates and ratios are given for tables up to this many cells: beyond it they are nearly all noise.</summary>
    private const int MaxCellsWithRatios = 400;

    /// <summary>Counts joint support by tuple of grades. One pass.</summary>
    /// <exception cref="EstimationRefusedException">The table is too large, or an attribute is a square wave.</exception>
    public static IReadOnlyDictionary<string, JointTally> Tally(
        IReadOnlyList<string> attributes, IEnumerable<ReportBatch> batches,
        out IReadOnlyDictionary<string, IReadOnlyList<AttributeReports>> firsts)
    {
        ArgumentNullException.ThrowIfNull(attributes);
        ArgumentNullException.ThrowIfNull(batches);
        var tallies = new SortedDictionary<string, JointTally>(StringComparer.Ordinal);
        var seen = new Dictionary<string, IReadOnlyList<AttributeReports>>(StringComparer.Ordinal);
        foreach (ReportBatch batch in batches)
        {
            Add(attributes, batch, tallies, seen);
        }

        firsts = seen;
        return tallies;
    }

    /// <summary>
    /// Adds one batch to the tallies by tuple of grades, and its reports to the first ones seen where there are none yet.
    /// </summary>
    internal static void Add(
        IReadOnlyList<string> attributes, ReportBatch batch, SortedDictionary<string, JointTally> tallies,
        Dictionary<string, IReadOnlyList<AttributeReports>> firsts)
    {
        AttributeReports[] reports = [.. attributes.Select(name => batch[name])];
        string key = string.Join(' ', reports.Select(r => r.Grade.ToString("D2", System.Globalization.CultureInfo.InvariantCulture)));
        if (!tallies.TryGetValue(key, out JointTally? tally))
        {
            Check(reports);
            tally = new JointTally([.. reports.Select(r => r.Channel)], [.. reports.Select(r => r.Attribute.ConstantPerPerson)]);
            tallies.Add(key, tally);
            firsts.Add(key, reports);
        }

        tally.Add([.. reports.Select(r => r.Reports)], batch.Persons);
    }

    /// <summary>The statistic from the tallies of all tuples of grades.</summary>
    /// <param name="request">A table.</param>
    /// <param name="tallies">Per tuple of grades its tally.</param>
    /// <param name="firsts">Per tuple of grades the attributes as first seen: names, labels, grades.</param>
    /// <param name="options">How.</param>
    /// <exception cref="EstimationRefusedException">There is no record, or the rule is not defined for tables.</exception>
    public static StatisticResult Estimate(
        StatisticRequest request,
        IReadOnlyDictionary<string, JointTally> tallies,
        IReadOnlyDictionary<string, IReadOnlyList<AttributeReports>> firsts,
        EstimationOptions options)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(tallies);
        ArgumentNullException.ThrowIfNull(firsts);
        ArgumentNullException.ThrowIfNull(options);
        JointStratum[] strata = [.. tallies.Values.Where(t => t.Records > 0).Select(t => new JointStratum(t))];
        if (strata.Length == 0)
        {
            throw new EstimationRefusedException($"There are no reports for '{request.Id}': widen the grades or the records asked for.");
        }

        if (strata.Length > 1 && options.Combination != CombinationRule.Stratified)
        {
            throw new EstimationRefusedException("Tables over several grades are estimated by the stratified rule only.");
        }

        AttributeDefinition[] attributes = [.. firsts.Values.First().Select(r => r.Attribute)];
        int[] sizes = [.. attributes.Select(a => a.Domain.Size)];
        int cellCount = strata[0].Tally.Cells;
        int all = strata[0].All;
        double confidence = Intervals.PerCell(options, cellCount);
        double quantile = Intervals.NormalQuantile(confidence);
        long records = strata.Sum(s => s.Tally.Records);
        double expected = quantile * Math.Sqrt(strata.Sum(s => s.Tally.Records * JointStratum.WorstVariance(s.Tally.Channels))) / records;
        var cells = new StatisticCell[cellCount];
        Parallel.For(0, cellCount, cell =>
        {
            double estimate = Combine(strata, records, s => s.Share(cell, all), squared: false);
            double error = Math.Sqrt(
                Math.Max(0, Combine(strata, records, s => s.Covariance(cell, all, all, options.Target), squared: true)));
            int[] codes = [.. attributes.Select((_, a) => strata[0].Tally.Code(cell, a))];
            cells[cell] = new StatisticCell
            {
                Value = Label(attributes, codes),
                Codes = codes,
                Estimate = estimate,
                StandardError = error,
                Low = estimate - (quantile * error),
                High = estimate + (quantile * error),
                IntervalKind = IntervalKind.Normal,
                ExpectedHalfWidth = expected,
            };
        });
        if (options.Consistent)
        {
            double[][] margins = [.. attributes.Select((_, a) => Margin(strata, records, a, sizes))];
            double[] consistent = ConsistentTable.Project([.. cells.Select(c => c.Estimate)], sizes, margins);
            cells = [.. cells.Select((cell, i) => cell with { PostProcessed = consistent[i] })];
        }

        List<StatisticSection> sections = [];
        TestOutcome[] tests = [];
        if (cellCount <= MaxCellsWithRatios)
        {
            sections.Add(Rates(strata, attributes, records, confidence, options.Target));
        }

        if (attributes.Length == 2 && Association.IsKnown(strata))
        {
            var association = new Association(strata, options.Target);
            tests = [.. association.IndependenceTests()];
            sections.AddRange(cellCount <= MaxCellsWithRatios ? Ratios(association, attributes, confidence) : []);
        }

        return new StatisticResult
        {
            Id = request.Id,
            Kind = StatisticKind.Table,
            Attributes = [.. attributes.Select(a => a.Name)],
            Estimator = "products of unbiased indicators, " + (strata.Length == 1 ? "one grade" : "stratified"),
            N = records,
            EffectiveRecords = EffectiveRecords.Of(
                strata.Select(s => (s.Tally.Records, s.Tally.Records, TableQuality.Of(s.Tally.Channels)))),
            Cells = cells,
            Confidence = options.Confidence,
            Target = options.Target,
            ReportsByGrade =
            [
                .. firsts.SelectMany(f => f.Value.Select(r => (Reports: r, tallies[f.Key].Records)))
                    .GroupBy(r => (r.Reports.Attribute.Name, r.Reports.Grade))
                    .Select(g => new GradeCount(g.Key.Name, g.Key.Grade, g.First().Reports.Channel.Epsilon.Micro, g.Sum(r => r.Records))),
            ],
            Epsilon = strata.Max(s => s.Tally.Channels.Aggregate(EpsilonMicro.Zero, (sum, channel) => sum + channel.Epsilon)),
            PostProcessing = options.Consistent ? ConsistentTable.Label : null,
            Sections = sections,
            Tests = tests,
            Warnings = ["Describes the people who allow this use at these grades, not those who do not."],
        };
    }

    private static void Check(AttributeReports[] reports)
    {
        AttributeReports? wave = reports.FirstOrDefault(r => r.Channel is DswChannel);
        if (wave is not null)
        {
            throw new EstimationRefusedException(
                $"'{wave.Attribute.Name}' is randomised by dsw and has no cells in a table: declare a categorised use of it, randomised "
                + $"by grr or ss, or ask for linear:{wave.Attribute.Name}~... (its mean by group).");
        }

        long cells = reports.Aggregate(1L, (product, r) => product * r.Attribute.Domain.Size);
        if (cells > StatisticRequest.MaxTableCells)
        {
            throw new EstimationRefusedException(
                $"The table has {cells} cells, at most {StatisticRequest.MaxTableCells} are estimated: most cells of a larger one would "
                + $"be noise. Leave out an attribute or merge its values.");
        }
    }

    private static double Combine(JointStratum[] strata, long records, Func<JointStratum, double> value, bool squared)
    {
        double sum = 0;
        foreach (JointStratum stratum in strata)
        {
            double weight = (double)stratum.Tally.Records / records;
            sum += (squared ? weight * weight : weight) * value(stratum);
        }

        return sum;
    }

    private static double[] Margin(JointStratum[] strata, long records, int attribute, int[] sizes)
    {
        int stride = sizes.Skip(attribute + 1).Aggregate(1, (product, size) => product * size);
        return [.. Enumerable.Range(0, sizes[attribute])
            .Select(v => Combine(strata, records, s => s.Share(v * stride, 1 << attribute), squared: false))];
    }

    private static string Label(AttributeDefinition[] attributes, int[] codes) =>
        string.Join(" | ", attributes.Select((attribute, a) => attribute.Domain.Label(codes[a])));

    /// <summary>P(first attribute | the others): the joint share over the others' share, with Fieller's limits.</summary>
    private static StatisticSection Rates(
        JointStratum[] strata, AttributeDefinition[] attributes, long records, double confidence, InferenceTarget target)
    {
        int all = strata[0].All;
        int given = all & ~1;
        IEnumerable<StatisticCell> cells = Enumerable.Range(0, strata[0].Tally.Cells).Select(cell =>
        {
            double joint = Combine(strata, records, s => s.Share(cell, all), squared: false);
            double condition = Combine(strata, records, s => s.Share(cell, given), squared: false);
            double varJoint = Combine(strata, records, s => s.Covariance(cell, all, all, target), squared: true);
            double varCondition = Combine(strata, records, s => s.Covariance(cell, given, given, target), squared: true);
            double covariance = Combine(strata, records, s => s.Covariance(cell, all, given, target), squared: true);
            (double Low, double High)? limits = condition > 0
                ? Intervals.Fieller(joint, condition, varJoint, varCondition, covariance, confidence) : null;
            double rate = joint / condition;
            int[] codes = [.. attributes.Select((_, a) => strata[0].Tally.Code(cell, a))];
            return limits is null ? NotEstimable(Label(attributes, codes), codes) : new StatisticCell
            {
                Value = Label(attributes, codes),
                Codes = codes,
                Estimate = rate,
                StandardError = Math.Sqrt(Math.Max(0, varJoint - (2 * rate * covariance) + (rate * rate * varCondition))) / condition,
                Low = limits.Value.Low,
                High = limits.Value.High,
                IntervalKind = IntervalKind.Fieller,
            };
        });
        return new StatisticSection(
            $"{attributes[0].Name} given {string.Join(" and ", attributes.Skip(1).Select(a => a.Name))}",
            "The rate of the first value among the records with the other values; Fieller's limits, NaN where the group is not "
            + "distinguishable from empty.",
            [.. cells]);
    }

    private static IEnumerable<StatisticSection> Ratios(Association association, AttributeDefinition[] attributes, double confidence)
    {
        (int row, int column) = (association.ReferenceRow, association.ReferenceColumn);
        string against = attributes[1].Domain.Label(column);
        var risks = new List<StatisticCell>();
        var odds = new List<StatisticCell>();
        for (int v = 0; v < attributes[0].Domain.Size; v++)
        {
            for (int w = 0; w < attributes[1].Domain.Size; w++)
            {
                int[] codes = [v, w];
                string label = Label(attributes, codes);
                if (w != column)
                {
                    risks.Add(Ratio(label, codes, association.RiskRatio(v, w, confidence)));
                }

                if (w != column && v != row)
                {
                    odds.Add(Ratio(label, codes, association.OddsRatio(v, w, confidence)));
                }
            }
        }

        yield return new StatisticSection(
            "risk ratios", $"The rate of the first value among records with the second, over its rate among '{against}'; Fieller's limits "
                + $"on linearised products, NaN where not estimable.", risks);
        yield return new StatisticSection(
            "odds ratios",
            $"The odds of the first value against '{attributes[0].Domain.Label(row)}' among records with the second, over those among "
            + $"'{against}'; Fieller's limits on linearised products, NaN where not estimable.",
            odds);
    }

    private static StatisticCell Ratio(string label, int[] codes, (double Estimate, double Low, double High)? ratio) =>
        ratio is not { } known
        ? NotEstimable(label, codes)
        : new StatisticCell
        {
            Value = label, Codes = codes, Estimate = known.Estimate, Low = known.Low, High = known.High,
            IntervalKind = IntervalKind.Fieller,
        };

    private static StatisticCell NotEstimable(string label, int[] codes) => new() { Value = label, Codes = codes, Estimate = double.NaN };
}
