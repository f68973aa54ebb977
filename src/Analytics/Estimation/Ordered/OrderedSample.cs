using EmrMarket.Analytics.Estimation.Frequencies;
using EmrMarket.Analytics.Estimation.Tallies;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Grr;

namespace EmrMarket.Analytics.Estimation.Ordered;

/// <summary>A mean of some function c of the value, among the records where it is present.</summary>
/// <param name="Value">The estimate.</param>
/// <param name="Variance">Its variance for the target.</param>
/// <param name="Low">Lower limit.</param>
/// <param name="High">Upper limit; both NaN when the share of present values is not distinguishable from zero.</param>
internal readonly record struct OrderedEstimate(double Value, double Variance, double Low, double High);

/// <summary>All reports of one ordered attribute, by grade, with the yes/no reports of its presence if values may be missing.</summary>
internal sealed class OrderedSample
{
    private readonly List<(SquareWave Law, OutputTally Tally, double Weight)> _strata = [];
    private readonly double _present = 1;
    private readonly double _presentVariance;
    private readonly InferenceTarget _target;

    /// <summary>Prepares the estimators.</summary>
    /// <param name="tallies">Per grade the tally of outputs, at least one record in all.</param>
    /// <param name="presence">
    /// Per grade the tally of the presence attribute (code 1: present), or null when no value may be missing.
    /// </param>
    /// <param name="options">Target and combination rule: stratified or precision.</param>
    public OrderedSample(
        IReadOnlyDictionary<int, OutputTally> tallies, IReadOnlyDictionary<int, SupportTally>? presence, EstimationOptions options)
    {
        Tallies = tallies;
        _target = options.Target;
        OutputTally[] used = [.. tallies.Values.Where(t => t.Records > 0)];
        CombinationRule rule = used.Length == 1 ? CombinationRule.Stratified : options.Combination;
        double[] weights = rule switch
        {
            CombinationRule.Stratified => [.. used.Select(t => (double)t.Records)],
            CombinationRule.Precision when used.Any(t => t.Channel is PublicChannel) => throw new EstimationRefusedException(
                "The precision-weighted estimate needs randomised reports at every grade; use the stratified one."),
            CombinationRule.Precision => [.. used.Select(t => t.Records / MeanNoise(Wave(t.Channel)))],
            _ => throw new EstimationRefusedException(
                $"The {FrequencyEstimator.Name(rule)} rule is defined for frequencies only; ask for stratified or precision."),
        };
        Rule = rule;
        double total = weights.Sum();
        for (int h = 0; h < used.Length; h++)
        {
            _strata.Add((Wave(used[h].Channel), used[h], weights[h] / total));
        }

        Cells = _strata[0].Law.Cells;
        if (presence is not null)
        {
            StratumEstimate[] strata = [.. presence.Values.Where(t => t.Records > 0).Select(t => new StratumEstimate(t))];
            Combination combined = Combination.Of(strata, CombinationRule.Stratified, options.Target);
            (_present, _presentVariance) = (combined.Frequency[1], combined.Variance![1]);
        }

        MayBeMissing = presence is not null;
    }

    /// <summary>Per grade the tally of outputs.</summary>
    public IReadOnlyDictionary<int, OutputTally> Tallies { get; }

    /// <summary>The rule in use.</summary>
    public CombinationRule Rule { get; }

    /// <summary>Number of cells d.</summary>
    public int Cells { get; }

    /// <summary>Number of records.</summary>
    public long Records => _strata.Sum(s => s.Tally.Records);

    /// <summary>Whether missing values are corrected for.</summary>
    public bool MayBeMissing { get; }

    /// <summary>The share of records with a value.</summary>
    public double Present => _present;

    /// <summary>The channels and tallies in use.</summary>
    public IEnumerable<(SquareWave Law, OutputTally Tally)> Strata => _strata.Select(s => (s.Law, s.Tally));

    /// <summary>The law of a channel whose reports are one output each.</summary>
    /// <exception cref="EstimationRefusedException">The mechanism has no order.</exception>
    public static SquareWave Wave(Channel channel) => channel switch
    {
        DswChannel dsw => new SquareWave(dsw.Cells, dsw.Bandwidth, dsw.POut, dsw.QOut),
        GrrChannel grr => new SquareWave(grr.DomainSize, 0, grr.P, grr.Q),
        PublicChannel open => new SquareWave(open.DomainSize, 0, 1, 0),
        _ => throw new EstimationRefusedException(
            "Means, bins and quantiles need an attribute that is randomised by dsw or grr, or is Public; for other mechanisms ask for "
            + "frequencies."),
    };

    /// <summary>The number of outputs of such a channel.</summary>
    public static int Outputs(Channel channel) => Wave(channel).Outputs;

    /// <summary>The mean variance of one report's estimate of the cell, over a uniform truth.</summary>
    public static double MeanNoise(SquareWave law) => new UnbiasedFunctional(law, Identity(law.Cells)).VarianceGivenTruth.Average();

    /// <summary>0, 1, ..., d - 1.</summary>
    public static double[] Identity(int cells) => [.. Enumerable.Range(0, cells).Select(v => (double)v)];

    /// <summary>
    /// The mean of c over the records where the value is present. O(d) per grade; with clustering also O(distinct pairs of outputs of one
    /// person).
    /// </summary>
    /// <param name="c">c(v) for v in 0..d-1.</param>
    /// <param name="confidence">Of the limits.</param>
    public OrderedEstimate Estimate(double[] c, double confidence)
    {
        double value = 0;
        double variance = 0;
        double mean = c.Average();
        double[] squares = [.. c.Select(x => x * x)];
        double spread = Math.Max(0, squares.Average() - (mean * mean));
        foreach ((SquareWave law, OutputTally tally, double weight) in _strata)
        {
            var functional = new UnbiasedFunctional(law, c);
            value += weight * tally.Sum(functional.Phi) / tally.Records;
            variance += weight * weight * (_target == InferenceTarget.Records
                ? OnRecords(functional, squares, tally)
                : InPopulation(functional, tally));
        }

        double quantile = Intervals.NormalQuantile(confidence);
        if (!MayBeMissing)
        {
            double half = quantile * Math.Sqrt(variance);
            return new OrderedEstimate(value, variance, value - half, value + half);
        }

        // A missing value enters as a uniform cell (drawn once): its mean is subtracted, and on fixed records its spread is chance too.
        double missing = Math.Clamp(1 - _present, 0, 1);
        if (_target == InferenceTarget.Records)
        {
            variance += missing * spread * _strata.Sum(
                s => s.Weight * s.Weight * Draws(s.Tally) / ((double)s.Tally.Records * s.Tally.Records));
        }

        // (value - (1 - present) mean) / present; the coins of value and presence are independent. In a population their truths' covariance
        // is negative here, so leaving it out is conservative.
        double numerator = value - ((1 - _present) * mean);
        double ratio = numerator / _present;
        double slope = mean - ratio;
        (double Low, double High)? limits = Intervals.Fieller(
            numerator, _present, variance + (mean * mean * _presentVariance), _presentVariance, mean * _presentVariance, confidence);
        return new OrderedEstimate(
            ratio, (variance + (slope * slope * _presentVariance)) / (_present * _present), limits?.Low ?? double.NaN,
            limits?.High ?? double.NaN);
    }

    /// <summary>The terms of a guarantee about the mean of c; null when nothing can be guaranteed.</summary>
    public GuaranteeTerm[]? Terms(double[] c) => MayBeMissing || Rule != CombinationRule.Stratified ? null
        : [.. _strata.Select(
            s => new UnbiasedFunctional(s.Law, c).Term(s.Tally.Records, Draws(s.Tally), s.Tally.ConstantPerPerson ? s.Tally.MaxSize : 1))];

    /// <summary>The sum of squared sizes of the groups of records that share one draw.</summary>
    public static long Draws(OutputTally tally) => tally.ConstantPerPerson ? tally.SumSquaredSizes : tally.Records;

    // Sum of phi^2 less the unbiased estimate of the sum of c^2, kept within what the channel can produce.
    private static double OnRecords(UnbiasedFunctional functional, double[] squares, OutputTally tally)
    {
        double[] phi = functional.Phi;
        double[] excess = [.. phi];
        var square = new UnbiasedFunctional(functional.Law, squares);
        for (int j = 0; j < phi.Length; j++)
        {
            excess[j] = (phi[j] * phi[j]) - square.Phi[j];
        }

        double sum = tally.ConstantPerPerson ? tally.SumTimesSize(excess) : tally.Sum(excess);
        long draws = Draws(tally);
        sum = Math.Clamp(sum, draws * functional.VarianceGivenTruth.Min(), draws * functional.VarianceGivenTruth.Max());
        return sum / ((double)tally.Records * tally.Records);
    }

    private static double InPopulation(UnbiasedFunctional functional, OutputTally tally)
    {
        if (tally.Persons < 2)
        {
            return double.PositiveInfinity;
        }

        double n = tally.Records;
        double mean = tally.Sum(functional.Phi) / n;
        double clusters = tally.SumOfSquaredPersons(functional.Phi) - (2 * mean * tally.SumTimesSize(functional.Phi))
            + (mean * mean * tally.SumSquaredSizes);
        return Math.Max(0, clusters) / (n * n) * tally.Persons / (tally.Persons - 1);
    }
}
