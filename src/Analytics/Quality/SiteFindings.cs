using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Mechanisms;
using MathNet.Numerics.Distributions;

namespace EmrMarket.Analytics.Quality;

/// <summary>What is odd about a site's reports.</summary>
public enum FindingKind
{
    /// <summary>The site's estimate differs from that of the other sites by more than chance. Its people may simply be different.</summary>
    DiffersFromOthers,

    /// <summary>A value is supported by fewer or more reports than the channel can produce whatever the truths are.</summary>
    ImpossibleRate,

    /// <summary>The number of supported values per report, or of outputs per class, which does not depend on the truths, is off.</summary>
    ImpossibleSize,
}

/// <summary>A statistical finding about a site, recorded beside a sale; never proof of a fault.</summary>
/// <param name="Site">The site.</param>
/// <param name="Attribute">The attribute.</param>
/// <param name="Kind">What is odd.</param>
/// <param name="Value">The code or output that it is about; -1 when it is about all.</param>
/// <param name="Statistic">The standardised deviation.</param>
/// <param name="AdjustedPValue">The p-value after Holm's step-down over all comparisons made.</param>
public sealed record SiteFinding(string Site, string Attribute, FindingKind Kind, int Value, double Statistic, double AdjustedPValue);

/// <summary>
/// The evaluation of published data after the fact: sites against one another, and reports against what their channel can produce
/// (docs/ESTIMATORS.md, "Ex-post quality").
/// </summary>
public static class SiteFindings
{
    /// <summary>The probability that any honest, exchangeable site is found at all.</summary>
    public const double FamilyWiseError = 0.01;

    /// <summary>
    /// Compares the sites' reports of one attribute; nothing is said where they came at different grades, which are not alike.
    /// </summary>
    /// <param name="attribute">The attribute's name.</param>
    /// <param name="sites">Per site its reports.</param>
    /// <returns>As <see cref="Frequencies"/> or <see cref="Outputs"/>, whichever suits the channel.</returns>
    public static IReadOnlyList<SiteFinding> Of(string attribute, IReadOnlyDictionary<string, IReadOnlyList<ReportBatch>> sites)
    {
        ArgumentNullException.ThrowIfNull(sites);
        (string Site, ReportBatch Batch, AttributeReports Reports)[] all =
            [.. sites.SelectMany(site => site.Value.Select(batch => (site.Key, batch, batch.Find(attribute)!)))
                .Where(entry => entry.Item3 is not null)];
        if (all.Length == 0 || all.Any(entry => entry.Reports.Grade != all[0].Reports.Grade) || all[0].Reports.Channel is PublicChannel)
        {
            return [];
        }

        Channel channel = all[0].Reports.Channel;
        bool constant = all[0].Reports.Attribute.ConstantPerPerson;
        if (channel is Mechanisms.Dsw.DswChannel)
        {
            var outputs = new Dictionary<string, OutputTally>(StringComparer.Ordinal);
            foreach ((string site, ReportBatch batch, AttributeReports reports) in all)
            {
                outputs.TryAdd(site, new OutputTally(channel, OrderedSample.Outputs(channel), constant));
                outputs[site].Add(reports.Reports, batch.Persons);
            }

            return Outputs(attribute, outputs);
        }

        var supports = new Dictionary<string, SupportTally>(StringComparer.Ordinal);
        foreach ((string site, ReportBatch batch, AttributeReports reports) in all)
        {
            supports.TryAdd(site, new SupportTally(channel, constant));
            supports[site].Add(reports.Reports, batch.Persons);
        }

        return Frequencies(attribute, supports);
    }

    /// <summary>Compares the sites' reports of one attribute at one grade.</summary>
    /// <param name="attribute">The attribute's name.</param>
    /// <param name="sites">Per site its tally; all of one channel.</param>
    /// <returns>The findings that are significant at <see cref="FamilyWiseError"/> over all comparisons, most significant first.</returns>
    public static IReadOnlyList<SiteFinding> Frequencies(string attribute, IReadOnlyDictionary<string, SupportTally> sites)
    {
        ArgumentNullException.ThrowIfNull(sites);
        var found = new List<SiteFinding>();
        var used = sites.Where(s => s.Value.Records > 1 && s.Value.Persons > 1).ToList();
        foreach ((string site, SupportTally tally) in used)
        {
            var own = new StratumEstimate(tally);
            SupportTally[] others = [.. used.Where(s => !string.Equals(s.Key, site, StringComparison.Ordinal)).Select(s => s.Value)];
            StratumEstimate? rest = others.Length == 0 ? null : new StratumEstimate(others.Aggregate(SupportTally.Merge));
            for (int v = 0; v < own.Frequency.Length; v++)
            {
                if (rest is not null)
                {
                    double deviation = Standardised(
                        own.Frequency[v] - rest.Frequency[v], own.VarianceInPopulation[v] + rest.VarianceInPopulation[v]);
                    found.Add(new SiteFinding(site, attribute, FindingKind.DiffersFromOthers, v, deviation, TwoSided(deviation)));
                }

                found.Add(ImpossibleRate(site, attribute, v, tally.Support[v], tally, own.P, own.Q));
            }

            found.AddRange(ImpossibleSize(site, attribute, tally));
        }

        return Adjust(found);
    }

    /// <summary>
    /// Compares the sites' reports of one grid attribute at one grade: means, rates of outputs, and the residue classes whose totals the
    /// truth cannot move.
    /// </summary>
    /// <inheritdoc cref="Frequencies"/>
    public static IReadOnlyList<SiteFinding> Outputs(string attribute, IReadOnlyDictionary<string, OutputTally> sites)
    {
        ArgumentNullException.ThrowIfNull(sites);
        var found = new List<SiteFinding>();
        var used = sites.Where(s => s.Value.Records > 1 && s.Value.Persons > 1).ToList();
        foreach ((string site, OutputTally tally) in used)
        {
            SquareWave law = OrderedSample.Wave(tally.Channel);
            OutputTally[] others = [.. used.Where(s => !string.Equals(s.Key, site, StringComparison.Ordinal)).Select(s => s.Value)];
            if (others.Length > 0)
            {
                (double own, double ownVariance) = Mean(tally);
                (double rest, double restVariance) = Mean(others.Aggregate(OutputTally.Merge));
                double deviation = Standardised(own - rest, ownVariance + restVariance);
                found.Add(new SiteFinding(site, attribute, FindingKind.DiffersFromOthers, -1, deviation, TwoSided(deviation)));
            }

            double draws = DrawsOf(tally.ConstantPerPerson, tally.Records, tally.SumSquaredSizes);
            for (int j = 0; j < law.Outputs; j++)
            {
                found.Add(Rate(site, attribute, j, (double)tally.Outputs[j] / tally.Records, draws, law.P, law.Q));
            }

            double statistic = 0;
            for (int residue = 0; residue < law.Window; residue++)
            {
                double expected = 0;
                double observed = 0;
                for (int j = residue; j < law.Outputs; j += law.Window)
                {
                    expected += law.Q;
                    observed += tally.Outputs[j];
                }

                expected += law.P - law.Q;
                double share = observed / tally.Records;
                statistic += draws * (share - expected) * (share - expected) / expected;
            }

            if (law.Window > 1)
            {
                found.Add(new SiteFinding(
                    site, attribute, FindingKind.ImpossibleSize, -1, statistic, 1 - ChiSquared.CDF(law.Window - 1, statistic)));
            }
        }

        return Adjust(found);
    }

    private static (double Mean, double Variance) Mean(OutputTally tally)
    {
        var sample = new OrderedSample(
            new Dictionary<int, OutputTally> { [0] = tally }, null, EstimationOptions.Default with { Target = InferenceTarget.Population });
        OrderedEstimate mean = sample.Estimate(OrderedSample.Identity(sample.Cells), EstimationOptions.Default.Confidence);
        return (mean.Value, mean.Variance);
    }

    // Reports that share a draw are one draw: Kish's effective number of them.
    private static double DrawsOf(bool constantPerPerson, long records, long sumSquaredSizes) =>
        constantPerPerson ? (double)records * records / sumSquaredSizes : records;

    private static SiteFinding ImpossibleRate(
        string site, string attribute, int value, long support, SupportTally tally, double p, double q) => Rate(
        site, attribute, value, (double)support / tally.Records, DrawsOf(tally.ConstantPerPerson, tally.Records, tally.SumSquaredSizes), p,
        q);

    /// <summary>
    /// Every report supports a value with probability p or q. By stochastic dominance a share below q, or above p, is at most as likely as
    /// for that many reports of probability q, or p: exact binomial tails, doubled for looking on both sides.
    /// </summary>
    private static SiteFinding Rate(string site, string attribute, int value, double share, double draws, double p, double q)
    {
        double pValue = 1;
        double bound = share < q ? q : p;
        if ((share < q || share > p) && bound > 0 && bound < 1)
        {
            double count = Math.Round(share * draws);
            double tail = share < q
                ? 1 - MathNet.Numerics.SpecialFunctions.BetaRegularized(count + 1, Math.Max(draws - count, 1e-9), q)
                : MathNet.Numerics.SpecialFunctions.BetaRegularized(Math.Max(count, 1e-9), draws - count + 1, p);
            pValue = Math.Min(1, 2 * tail);
        }
        else if (share < q || share > p)
        {
            pValue = 0;
        }

        double deviation = share < q || share > p ? Standardised(share - bound, bound * (1 - bound) / draws) : 0;
        return new SiteFinding(site, attribute, FindingKind.ImpossibleRate, value, deviation, pValue);
    }

    /// <summary>
    /// The mean number of supported values is p + (k - 1) q whatever the truths; where it is not fixed per report, its deviation is
    /// standardised by the values' null variances.
    /// </summary>
    private static IEnumerable<SiteFinding> ImpossibleSize(string site, string attribute, SupportTally tally)
    {
        var law = new PairLaw(tally.Channel);
        long total = 0;
        foreach (long support in tally.Support)
        {
            total += support;
        }

        double expected = law.P + ((law.DomainSize - 1) * law.Q);
        double mean = (double)total / tally.Records;
        if (law.HasFixedSize)
        {
            bool exact = Math.Abs(mean - expected) < 1e-9 * expected;
            yield return new SiteFinding(site, attribute, FindingKind.ImpossibleSize, -1, mean - expected, exact ? 1 : 0);
        }
        else if (tally.Channel is not Mechanisms.Olh.OlhChannel)
        {
            double variance = (law.P * (1 - law.P)) + ((law.DomainSize - 1) * law.Q * (1 - law.Q));
            double deviation = Standardised(
                mean - expected, variance / DrawsOf(tally.ConstantPerPerson, tally.Records, tally.SumSquaredSizes));
            yield return new SiteFinding(site, attribute, FindingKind.ImpossibleSize, -1, deviation, TwoSided(deviation));
        }
    }

    private static double Standardised(double difference, double variance) => variance > 0 ? difference / Math.Sqrt(variance) : 0;

    private static double TwoSided(double deviation) => 2 * Normal.CDF(0, 1, -Math.Abs(deviation));

    // Holm (1979): the i-th smallest of m p-values times m - i, made monotone.
    private static List<SiteFinding> Adjust(List<SiteFinding> findings)
    {
        SiteFinding[] ordered = [.. findings.OrderBy(f => f.AdjustedPValue)];
        var adjusted = new List<SiteFinding>();
        double largest = 0;
        for (int i = 0; i < ordered.Length; i++)
        {
            largest = Math.Max(largest, Math.Min(1, ordered[i].AdjustedPValue * (ordered.Length - i)));
            if (largest < FamilyWiseError)
            {
                adjusted.Add(ordered[i] with { AdjustedPValue = largest });
            }
        }

        return adjusted;
    }
}
