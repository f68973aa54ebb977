using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation.Tables;

/// <summary>
/// The mean of a square wave by the values of another attribute: mean of z phi over mean of z, with Fieller's limits (docs/ESTIMATORS.md,
/// "Tables").
/// </summary>
internal sealed class GroupMeanEstimator(StatisticRequest request, EstimationOptions options) : IAccumulation
{
    private readonly SortedDictionary<(int Group, int Value), GroupOutputTally> _tallies = [];
    private readonly SortedDictionary<(string, int), GradeCount> _grades = [];
    private AttributeReports[]? _first;

    /// <summary>Whether a table of these reports is one of group means: two attributes, one of them a square wave.</summary>
    public static bool Applies(IReadOnlyList<AttributeReports> reports)
    {
        ArgumentNullException.ThrowIfNull(reports);
        return reports.Count == 2 && reports.Count(r => r.Channel is DswChannel) == 1;
    }

    /// <inheritdoc/>
    public void Add(ReportBatch batch)
    {
        AttributeReports[] reports = [.. request.Attributes.Select(name => batch[name]).OrderBy(r => r.Channel is DswChannel)];
        _first ??= reports;
        Check(reports);
        if (!_tallies.TryGetValue((reports[0].Grade, reports[1].Grade), out GroupOutputTally? tally))
        {
            bool shares = reports.Any(r => r.Attribute.ConstantPerPerson);
            tally = new GroupOutputTally(reports[0].Channel, reports[1].Channel, OrderedSample.Outputs(reports[1].Channel), shares);
            _tallies.Add((reports[0].Grade, reports[1].Grade), tally);
        }

        // Counting the support of the wave checks that its reports lie within its outputs.
        _ = reports[1].Channel.CountSupport(reports[1].Reports);
        tally.Add(reports[0].Reports, (CodeReports)reports[1].Reports, batch.Persons);
        foreach (AttributeReports one in reports)
        {
            long before = _grades.TryGetValue((one.Attribute.Name, one.Grade), out GradeCount? count) ? count.Reports : 0;
            _grades[(one.Attribute.Name, one.Grade)] = new GradeCount(
                one.Attribute.Name, one.Grade, one.Channel.Epsilon.Micro, before + batch.Count);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="EstimationRefusedException">
    /// There is no record, or several grades are to be combined by another rule than the stratified.
    /// </exception>
    public StatisticResult Result()
    {
        if (_first is not { } first || _tallies.Values.All(t => t.Records == 0))
        {
            throw new EstimationRefusedException($"There are no reports for '{request.Id}': widen the grades or the records asked for.");
        }

        if (_tallies.Count > 1 && options.Combination != CombinationRule.Stratified)
        {
            throw new EstimationRefusedException("Tables over several grades are estimated by the stratified rule only.");
        }

        AttributeDomain groups = first[0].Attribute.Domain;
        double confidence = Intervals.PerCell(options, groups.Size);
        return new StatisticResult
        {
            Id = request.Id,
            Kind = StatisticKind.Table,
            Attributes = [.. request.Attributes],
            Estimator = "mean by group, " + (_tallies.Count == 1 ? "one grade" : "stratified"),
            N = _tallies.Values.Sum(t => t.Records),
            EffectiveRecords = EffectiveRecords.Of(_tallies.Values.Select(t => (
                t.Records, t.Records, ReportQuality.OfFrequency(t.Groups.P, t.Groups.Q, t.Groups.DomainSize) * ReportQuality.OfMean(
                    OrderedSample.Wave(t.Values))))),
            Cells = [.. Enumerable.Range(0, groups.Size)
                .Select(g => Cell(g, groups, first[1].Attribute.Domain, [.. _tallies.Values], confidence, options.Target))],
            Confidence = options.Confidence,
            Target = options.Target,
            ReportsByGrade = [.. _grades.Values],
            Epsilon = _tallies.Values.Max(t => t.Groups.Epsilon + t.Values.Epsilon),
            Warnings =
            [
                "Describes the people who allow this use at these grades, not those who do not.",
                $"The mean of {first[1].Attribute.Name} among the records with each value of {first[0].Attribute.Name}; NaN where a group "
                + $"is not distinguishable from empty.",
            ],
        };
    }

    private static void Check(AttributeReports[] reports)
    {
        if (reports[1].Attribute.Optional && reports[1].Attribute.Domain is GridDomain)
        {
            throw new EstimationRefusedException(
                $"'{reports[1].Attribute.Name}' may be missing, so its mean by group is not offered: declare a categorised use of it.");
        }
    }

    private static StatisticCell Cell(
        int group, AttributeDomain groups, AttributeDomain values, GroupOutputTally[] tallies, double confidence, InferenceTarget target)
    {
        (double origin, double step) = values is GridDomain grid ? ((double)grid.Min, (double)grid.Step) : (0, 1);
        double n = tallies.Sum(t => t.Records);
        var sums = new Moments();
        foreach (GroupOutputTally tally in tallies)
        {
            sums = sums.Add(Moments.Of(tally, group, target), tally.Records / n);
        }

        (double Low, double High)? limits = sums.Group > 0
            ? Intervals.Fieller(sums.Product, sums.Group, sums.VarProduct, sums.VarGroup, sums.Covariance, confidence) : null;
        double mean = sums.Product / sums.Group;
        return limits is not { } known
            ? new StatisticCell { Value = groups.Label(group), Codes = [group], Estimate = double.NaN }
            : new StatisticCell
            {
                Value = groups.Label(group),
                Codes = [group],
                Estimate = origin + (step * mean),
                StandardError = step * Math.Sqrt(Math.Max(0, sums.VarProduct - (2 * mean * sums.Covariance)
                    + (mean * mean * sums.VarGroup))) / sums.Group,
                Low = origin + (step * known.Low),
                High = origin + (step * known.High),
                IntervalKind = IntervalKind.Fieller,
            };
    }

    /// <summary>Means of z phi and z, with their variances and covariance.</summary>
    private readonly record struct Moments(double Product, double Group, double VarProduct, double VarGroup, double Covariance)
    {
        public Moments Add(Moments part, double weight) => new(
            Product + (weight * part.Product),
            Group + (weight * part.Group),
            VarProduct + (weight * weight * part.VarProduct),
            VarGroup + (weight * weight * part.VarGroup),
            Covariance + (weight * weight * part.Covariance));

        public static Moments Of(GroupOutputTally tally, int group, InferenceTarget target)
        {
            SquareWave law = OrderedSample.Wave(tally.Values);
            double[] cells = OrderedSample.Identity(law.Cells);
            double[] phi = new UnbiasedFunctional(law, cells).Phi;
            double[] square = new UnbiasedFunctional(law, [.. cells.Select(c => c * c)]).Phi;
            double r = 1 / (tally.Groups.P - tally.Groups.Q);
            (double yes, double no) = ((1 - tally.Groups.Q) * r, -tally.Groups.Q * r);
            double product = 0, share = 0, productSquared = 0, shareSquared = 0, cross = 0, truthSquared = 0;
            for (int j = 0; j < phi.Length; j++)
            {
                long supporting = tally.Supporting(group)[j];
                long others = tally.All[j] - supporting;
                double z = (supporting * yes) + (others * no);
                double z2 = (supporting * yes * yes) + (others * no * no);
                product += z * phi[j];
                share += z;
                productSquared += z2 * phi[j] * phi[j];
                shareSquared += z2;
                cross += z2 * phi[j];
                truthSquared += z * square[j];
            }

            // On fixed records the unbiased estimate of the squared truths is taken off; in a population the squared means. Records of one
            // person: the largest design effect.
            double n = tally.Records;
            bool clustered = tally.SharesDraws || target == InferenceTarget.Population;
            double scale = (clustered ? tally.SumSquaredSizes / n : 1) / (n * n);
            bool records = target == InferenceTarget.Records;
            return new Moments(
                product / n,
                share / n,
                Math.Max(0, productSquared - (records ? truthSquared : product * product / n)) * scale,
                Math.Max(0, shareSquared - (records ? share : share * share / n)) * scale,
                (cross - (records ? product : product * share / n)) * scale);
        }
    }
}
