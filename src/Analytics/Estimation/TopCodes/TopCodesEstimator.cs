using System.Globalization;
using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.Distributions;

namespace EmrMarket.Analytics.Estimation.TopCodes;

/// <summary>The most frequent codes of a large dictionary, and shares of groups of codes (docs/ESTIMATORS.md, "Top codes").</summary>
public static class TopCodesEstimator
{
    /// <summary>The probability that any code that nobody has is shown.</summary>
    private const double FamilyWiseError = 0.05;

    /// <summary>
    /// The groups that an attribute's codes roll up to: the chapters of ICD-9-CM when its labels are such codes; otherwise none.
    /// </summary>
    public static IReadOnlyList<(string Name, int[] Codes)> Groups(AttributeDomain domain)
    {
        ArgumentNullException.ThrowIfNull(domain);
        (int Code, string? Chapter)[] chapters =
        [
            .. Enumerable.Range(0, domain.Size)
                .Select(code => (code, Icd9.Normalise(domain.Label(code)) is { } icd ? Icd9.ChapterOf(icd.Category) : null)),
        ];

        // A dictionary may hold a few labels besides codes ("missing"); with more, the numbers are not diagnoses.
        return chapters.Count(c => c.Chapter is null) > 2 || domain.Size < 100 ? []
            : [.. chapters.Where(c => c.Chapter is not null).GroupBy(c => c.Chapter!, StringComparer.Ordinal)
                .Select(g => (g.Key, g.Select(c => c.Code).ToArray()))];
    }

    /// <summary>Adds one batch to the support per code and per group, by grade.</summary>
    internal static void Add(
        string attribute, ReportBatch batch, SortedDictionary<int, SupportTally> codes, SortedDictionary<int, GroupTally> groups)
    {
        FrequencyEstimator.Add(attribute, batch, codes);
        AttributeReports reports = batch[attribute];
        if (!groups.TryGetValue(reports.Grade, out GroupTally? tally))
        {
            tally = new GroupTally(
                reports.Channel, [.. Groups(reports.Attribute.Domain).Select(g => g.Codes)], reports.Attribute.ConstantPerPerson);
            groups.Add(reports.Grade, tally);
        }

        tally.Add(reports.Reports, batch.Persons);
    }

    /// <summary>The statistic from the tallies of all grades.</summary>
    /// <exception cref="EstimationRefusedException">There is no record.</exception>
    public static StatisticResult Estimate(
        string id,
        AttributeDefinition attribute,
        IReadOnlyDictionary<int, SupportTally> codes,
        IReadOnlyDictionary<int, GroupTally> groups,
        EstimationOptions options)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(options);

        // The codes shown are chosen by their estimates, so their intervals have to hold for the whole dictionary at once.
        StatisticResult all = FrequencyEstimator.Estimate(id, attribute, codes, options with { Simultaneous = true });
        double threshold = Threshold([.. codes.Values.Where(t => t.Records > 0)]);
        StatisticCell[] shown = [.. all.Cells.Where(c => c.Estimate >= threshold).OrderByDescending(c => c.Estimate)];
        IReadOnlyList<(string Name, int[] Codes)> names = Groups(attribute.Domain);
        List<StatisticSection> sections = [];
        if (names.Count > 0)
        {
            sections.Add(new StatisticSection(
                "roll-ups",
                "Shares of groups of codes from each record's number of supported codes; intervals hold together over the groups.",
                [.. names.Select(
                    (group, g) => RollUp(group.Name, g, [.. groups.Values.Where(t => t.Records > 0)], names.Count, options))]));
        }

        return all with
        {
            Kind = StatisticKind.TopCodes,
            Cells = shown,
            Sections = sections,
            Warnings =
            [
                .. all.Warnings,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Shown are the {shown.Length} of {all.Cells.Count} codes with an estimate of at least {threshold:0.#####}: a code "
                    + $"that nobody has is shown with probability at most {FamilyWiseError} over the dictionary. Intervals hold together "
                    + $"over the dictionary."),
            ],
        };
    }

    /// <summary>
    /// The least estimate that a code nobody has reaches with probability at most 0.05 / k: by the exact binomial of its support count for
    /// one grade and independent reports, otherwise by the normal approximation at frequency 0.
    /// </summary>
    internal static double Threshold(SupportTally[] tallies)
    {
        int k = tallies[0].Channel.DomainSize;
        double tail = FamilyWiseError / k;
        long n = tallies.Sum(t => t.Records);
        StratumEstimate[] strata = [.. tallies.Select(t => new StratumEstimate(t))];
        bool shared = tallies.Any(t => t.ConstantPerPerson && t.SumSquaredSizes != t.Records);
        if (tallies.Length == 1 && !shared)
        {
            return (((double)LeastCount(n, strata[0].Q, tail) / n) - strata[0].Q) * strata[0].R;
        }

        double variance = strata.Sum(s => (s.Tally.ConstantPerPerson ? s.Tally.SumSquaredSizes : s.Tally.Records) * s.NullVariance) / (
            (double)n * n);
        return Normal.InvCDF(0, 1, 1 - tail) * Math.Sqrt(variance);
    }

    /// <summary>The least c with P[Binomial(n, q) >= c] at most the tail; 1 when q is 0.</summary>
    internal static long LeastCount(long n, double q, double tail)
    {
        if (q == 0)
        {
            return 1;
        }

        long low = 0;
        long high = n + 1;
        while (high - low > 1)
        {
            long middle = low + ((high - low) / 2);
            bool small = MathNet.Numerics.SpecialFunctions.BetaRegularized(middle, n - middle + 1, q) <= tail;
            (low, high) = small ? (low, middle) : (middle, high);
        }

        return high;
    }

    private static StatisticCell RollUp(string name, int group, GroupTally[] tallies, int groups, EstimationOptions options)
    {
        double n = tallies.Sum(t => t.Records);
        double share = 0;
        double variance = 0;
        foreach (GroupTally tally in tallies)
        {
            (double estimate, double own) = tally.Estimate(group, options.Target);
            double weight = tally.Records / n;
            share += weight * estimate;
            variance += weight * weight * own;
        }

        double error = Math.Sqrt(variance);
        double half = Intervals.NormalQuantile(Intervals.PerCell(options with { Simultaneous = true }, groups)) * error;
        return new StatisticCell
        {
            Value = name,
            Estimate = share,
            StandardError = error,
            Low = share - half,
            High = share + half,
            IntervalKind = IntervalKind.Normal,
        };
    }
}
