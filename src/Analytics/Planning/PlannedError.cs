using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Tables;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Planning;

/// <summary>The error of a statistic at one grade as a function of the number of records, from public quantities only.</summary>
internal sealed class PlannedError
{
    /// <summary>One record's contribution per cell of the statistic; scaled to any number of records.</summary>
    private readonly GuaranteeTerm[] _perCell;
    private readonly bool _guaranteed;
    private readonly double _confidence;

    private PlannedError(GuaranteeTerm[] perCell, bool guaranteed, double confidence) =>
        (_perCell, _guaranteed, _confidence) = (perCell, guaranteed, confidence);

    /// <summary>The error of a statistic whose attributes are all delivered at these channels.</summary>
    /// <exception cref="EstimationRefusedException">The error of this kind depends on the data and cannot be planned.</exception>
    public static PlannedError Of(
        StatisticKind kind, IReadOnlyList<AttributeDefinition> attributes, IReadOnlyList<Channel> channels, int cellsPerBin,
        double confidence)
    {
        switch (kind)
        {
            case StatisticKind.Frequency or StatisticKind.TopCodes when channels[0] is not DswChannel:
                return new PlannedError(
                    [.. Enumerable.Repeat(GuaranteeTerm.Frequency(channels[0].P, channels[0].Q, 1), channels[0].DomainSize)], true,
                    confidence);
            case StatisticKind.Frequency:
            case StatisticKind.Bins:
                SquareWave law = OrderedSample.Wave(channels[0]);
                int width = kind == StatisticKind.Bins ? cellsPerBin : 1;
                return new PlannedError(
                    [.. Enumerable.Range(0, (law.Cells + width - 1) / width).Select(bin => Term(law, v => v / width == bin ? 1 : 0))],
                    !IsOptional(attributes[0]), confidence);
            case StatisticKind.Mean:
                double step = attributes[0].Domain is GridDomain grid ? (double)grid.Step : 1;
                return new PlannedError([Term(OrderedSample.Wave(channels[0]), v => v * step)], !IsOptional(attributes[0]), confidence);
            case StatisticKind.Table:
                double worst = JointStratum.WorstVariance(channels);
                return new PlannedError([new GuaranteeTerm(1, 1, 1, 0, 0, worst)], false, confidence);
            default:
                throw new EstimationRefusedException(
                    "The error of quantiles and regressions depends on the data and cannot be planned: plan the frequencies, bins or "
                    + "means of their attributes instead.");
        }
    }

    /// <summary>The half-width to expect for the least certain cell.</summary>
    public double Expected(long records) => _perCell.Distinct().Max(term => Guarantee.Expected([Scale(term, records)], _confidence));

    /// <summary>The half-width that all cells keep with the confidence; null when nothing is guaranteed.</summary>
    public double? Guaranteed(long records) => !_guaranteed ? null
        : _perCell.Distinct().Max(term => Guarantee.HalfWidth([Scale(term, records)], _perCell.Length, _confidence));

    /// <summary>
    /// The least number of records whose error is at most a target; null when no number up to 2^40 is enough, or nothing is guaranteed.
    /// </summary>
    public long? Records(double target, bool guaranteed)
    {
        const long Most = 1L << 40;
        if (guaranteed && !_guaranteed)
        {
            return null;
        }

        bool Enough(long n) => (guaranteed ? Guaranteed(n)!.Value : Expected(n)) <= target;
        if (!Enough(Most))
        {
            return null;
        }

        long low = 0;
        long high = Most;
        while (high - low > 1)
        {
            long middle = low + ((high - low) / 2);
            (low, high) = Enough(middle) ? (low, middle) : (middle, high);
        }

        return high;
    }

    private static bool IsOptional(AttributeDefinition attribute) => attribute.Optional && attribute.Domain is GridDomain;

    private static GuaranteeTerm Scale(GuaranteeTerm term, long records) => term with { Records = records, SumSquaredSizes = records };

    private static GuaranteeTerm Term(SquareWave law, Func<int, double> truth) =>
        new UnbiasedFunctional(law, [.. Enumerable.Range(0, law.Cells).Select(truth)]).Term(1, 1, 1);
}
