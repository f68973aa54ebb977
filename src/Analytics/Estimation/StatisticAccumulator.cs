using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Estimation.Regression;
using EmrMarket.Analytics.Estimation.Tables;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Estimation.TopCodes;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation;

/// <summary>
/// One statistic while its reports are still coming: batches are added one after the other and may be dropped, since only sums are kept.
/// Memory O(cells), whatever the number of records. Not thread-safe.
/// </summary>
/// <param name="request">What is asked for.</param>
/// <param name="options">How.</param>
public sealed class StatisticAccumulator(StatisticRequest request, EstimationOptions options)
{
    private IAccumulation? _sums;

    /// <summary>Adds a batch. The first one tells the mechanisms and thereby the estimator.</summary>
    /// <param name="batch">The batch; all records of a person are in one.</param>
    /// <exception cref="EstimationRefusedException">These reports cannot carry this statistic; nothing more may be added.</exception>
    public void Add(ReportBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _sums ??= Begin(batch);
        _sums.Add(batch);
    }

    /// <summary>Says that every batch was added.</summary>
    /// <returns>Whether all of them must be added once more before there is a result: regressions need to, once.</returns>
    /// <exception cref="EstimationRefusedException">The reports are too few or too noisy.</exception>
    public bool EndPass() => Sums.EndPass();

    /// <summary>The statistic, once <see cref="EndPass"/> wants no more.</summary>
    /// <exception cref="EstimationRefusedException">The reports are too few or too noisy.</exception>
    public StatisticResult Result() => Sums.Result();

    private IAccumulation Sums => _sums ?? throw new EstimationRefusedException(
        $"There are no reports of '{request.Attributes[0]}': widen the grades or the records asked for.");

    private IAccumulation Begin(ReportBatch first)
    {
        bool isWave = first[request.Attributes[0]].Channel is DswChannel;
        AttributeDefinition attribute = first[request.Attributes[0]].Attribute;
        return request.Kind switch
        {
            StatisticKind.Frequency when !isWave => new FrequencySums(request, attribute, options),
            StatisticKind.Frequency or StatisticKind.Mean or StatisticKind.Bins or StatisticKind.Quantile =>
                new OrderedSums(request, attribute, options),
            StatisticKind.Table when GroupMeanEstimator.Applies([.. request.Attributes.Select(name => first[name])]) =>
                new GroupMeanEstimator(request, options),
            StatisticKind.Table => new TableSums(request, options),
            StatisticKind.TopCodes => new TopCodesSums(request, attribute, options),
            StatisticKind.Linear or StatisticKind.Logistic => new RegressionEstimator(request, options),
            _ => throw new InvalidOperationException($"'{request.Kind}' is an unknown kind of statistic."),
        };
    }

    private sealed class FrequencySums(StatisticRequest request, AttributeDefinition attribute, EstimationOptions options) : IAccumulation
    {
        private readonly SortedDictionary<int, SupportTally> _tallies = [];

        public void Add(ReportBatch batch) => FrequencyEstimator.Add(request.Attributes[0], batch, _tallies);

        public StatisticResult Result() => FrequencyEstimator.Estimate(request.Id, attribute, _tallies, options);
    }

    private sealed class OrderedSums(StatisticRequest request, AttributeDefinition attribute, EstimationOptions options) : IAccumulation
    {
        private readonly SortedDictionary<int, OutputTally> _tallies = [];
        private readonly SortedDictionary<int, SupportTally>? _presence = attribute.Optional && attribute.Domain is GridDomain ? [] : null;

        public void Add(ReportBatch batch)
        {
            OrderedEstimator.Add(attribute.Name, batch, _tallies);
            if (_presence is not null)
            {
                FrequencyEstimator.Add(attribute.Name + Schema.PresenceSuffix, batch, _presence);
            }
        }

        public StatisticResult Result() => OrderedEstimator.Estimate(request, attribute, _tallies, _presence, options);
    }

    private sealed class TableSums(StatisticRequest request, EstimationOptions options) : IAccumulation
    {
        private readonly SortedDictionary<string, JointTally> _tallies = new(StringComparer.Ordinal);
        private readonly Dictionary<string, IReadOnlyList<AttributeReports>> _firsts = new(StringComparer.Ordinal);

        public void Add(ReportBatch batch) => TableEstimator.Add(request.Attributes, batch, _tallies, _firsts);

        public StatisticResult Result() => TableEstimator.Estimate(request, _tallies, _firsts, options);
    }

    private sealed class TopCodesSums(StatisticRequest request, AttributeDefinition attribute, EstimationOptions options) : IAccumulation
    {
        private readonly SortedDictionary<int, SupportTally> _codes = [];
        private readonly SortedDictionary<int, GroupTally> _groups = [];

        public void Add(ReportBatch batch) => TopCodesEstimator.Add(attribute.Name, batch, _codes, _groups);

        public StatisticResult Result() => TopCodesEstimator.Estimate(request.Id, attribute, _codes, _groups, options);
    }
}

/// <summary>The sums behind one kind of statistic.</summary>
internal interface IAccumulation
{
    /// <summary>Adds a batch.</summary>
    void Add(ReportBatch batch);

    /// <summary>Ends a pass over the batches; true when another is needed.</summary>
    bool EndPass() => false;

    /// <summary>The statistic.</summary>
    StatisticResult Result();
}
