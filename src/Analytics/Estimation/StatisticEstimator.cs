using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Regression;
using EmrMarket.Analytics.Estimation.Tables;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Estimation.TopCodes;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation;

/// <summary>The one entry point: from reports to a statistic with its error. Pure; cost O(records * cells) unless said otherwise.</summary>
public static class StatisticEstimator
{
    /// <summary>Computes one statistic.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="batches">The reports. Regressions enumerate them twice, everything else once.</param>
    /// <param name="options">How; <see cref="EstimationOptions.Default"/> when null.</param>
    /// <exception cref="EstimationRefusedException">These reports cannot carry this statistic; the message says why.</exception>
    public static StatisticResult Estimate(StatisticRequest request, IEnumerable<ReportBatch> batches, EstimationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(batches);
        options ??= EstimationOptions.Default;
        if (!(options.Confidence > 0 && options.Confidence < 1))
        {
            throw new EstimationRefusedException($"A confidence lies strictly between 0 and 1; got {options.Confidence}.");
        }

        return request.Kind switch
        {
            StatisticKind.Frequency => Frequency(request, batches, options),
            StatisticKind.Mean or StatisticKind.Bins or StatisticKind.Quantile => Ordered(request, batches, options),
            StatisticKind.Table => Table(request, batches, options),
            StatisticKind.TopCodes => TopCodes(request, batches, options),
            StatisticKind.Linear or StatisticKind.Logistic => RegressionEstimator.Estimate(request, batches, options),
            _ => throw new ArgumentOutOfRangeException(nameof(request), request.Kind, "Unknown kind of statistic."),
        };
    }

    private static StatisticResult Frequency(StatisticRequest request, IEnumerable<ReportBatch> batches, EstimationOptions options)
    {
        // The first batch tells the attribute and its mechanism; it is then counted with the others.
        using IEnumerator<ReportBatch> rest = batches.GetEnumerator();
        AttributeReports first = First(request.Attributes[0], rest);
        return first.Channel is DswChannel
            ? Ordered(request, Resume(rest), options)
            : FrequencyEstimator.Estimate(request.Id, first.Attribute, FrequencyEstimator.Tally(request.Attributes[0], Resume(rest)), options);
    }

    private static StatisticResult Ordered(StatisticRequest request, IEnumerable<ReportBatch> batches, EstimationOptions options)
    {
        AttributeDefinition? attribute = null;
        string name = request.Attributes[0];
        string presenceName = name + Schema.PresenceSuffix;
        bool mayBeMissing = false;
        var presence = new SortedDictionary<int, SupportTally>();
        IReadOnlyDictionary<int, OutputTally> tallies = OrderedEstimator.Tally(name, batches.Select(batch =>
        {
            attribute ??= batch[name].Attribute;
            if (attribute.Optional && attribute.Domain is GridDomain)
            {
                mayBeMissing = true;
                FrequencyEstimator.Add(presenceName, batch, presence);
            }

            return batch;
        }));
        return attribute is null ? throw NoReports(name) : OrderedEstimator.Estimate(request, attribute, tallies, mayBeMissing ? presence : null, options);
    }

    private static StatisticResult Table(StatisticRequest request, IEnumerable<ReportBatch> batches, EstimationOptions options)
    {
        using IEnumerator<ReportBatch> rest = batches.GetEnumerator();
        _ = First(request.Attributes[0], rest);
        return GroupMeanEstimator.Applies([.. request.Attributes.Select(name => rest.Current[name])])
            ? GroupMeanEstimator.Estimate(request, Resume(rest), options)
            : TableEstimator.Estimate(request, TableEstimator.Tally(request.Attributes, Resume(rest), out var firsts), firsts, options);
    }

    private static StatisticResult TopCodes(StatisticRequest request, IEnumerable<ReportBatch> batches, EstimationOptions options)
    {
        using IEnumerator<ReportBatch> rest = batches.GetEnumerator();
        AttributeReports first = First(request.Attributes[0], rest);
        (IReadOnlyDictionary<int, SupportTally> codes, IReadOnlyDictionary<int, GroupTally> groups) = TopCodesEstimator.Tally(request.Attributes[0], Resume(rest));
        return TopCodesEstimator.Estimate(request.Id, first.Attribute, codes, groups, options);
    }

    private static AttributeReports First(string attribute, IEnumerator<ReportBatch> batches) =>
        batches.MoveNext() ? batches.Current[attribute] : throw NoReports(attribute);

    private static IEnumerable<ReportBatch> Resume(IEnumerator<ReportBatch> batches)
    {
        do
        {
            yield return batches.Current;
        }
        while (batches.MoveNext());
    }

    private static EstimationRefusedException NoReports(string attribute) =>
        new($"There are no reports of '{attribute}': widen the grades or the records asked for.");
}
