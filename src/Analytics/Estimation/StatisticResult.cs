using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Estimation;

/// <summary>What an interval promises to cover.</summary>
public enum InferenceTarget
{
    /// <summary>The value over exactly these records: the only chance is the randomiser's.</summary>
    Records,

    /// <summary>
    /// The value in the population that these persons are a simple random sample of: sampling is added, clustered by person.
    /// </summary>
    Population,
}

/// <summary>How an interval was made.</summary>
public enum IntervalKind
{
    /// <summary>No interval is claimed.</summary>
    None,

    /// <summary>Estimate plus and minus a normal quantile times the standard error.</summary>
    Normal,

    /// <summary>Exact binomial limits of the support count, mapped linearly (one channel, independent persons).</summary>
    ClopperPearson,

    /// <summary>The set of ratios that the data do not reject (Fieller).</summary>
    Fieller,

    /// <summary>The set of quantiles that the distribution function's pointwise intervals do not reject.</summary>
    TestInversion,
}

/// <summary>How records that delivered at different grades are combined.</summary>
public enum CombinationRule
{
    /// <summary>
    /// Each grade's estimate weighted by its records: unbiased for the pooled records, however the grades were chosen. The default.
    /// </summary>
    Stratified,

    /// <summary>
    /// Weighted by precision: smallest variance when the choice of grade does not depend on the value; tested by Cochran's Q.
    /// </summary>
    Precision,

    /// <summary>Each grade's estimate shrunk to the precision-weighted one: smaller error on average, no claim of coverage.</summary>
    Shrunk,

    /// <summary>
    /// All reports as if they came from the average channel: for comparison only, biased when the choice of grade depends on the value.
    /// </summary>
    Unweighted,
}

/// <summary>How a statistic is to be computed.</summary>
public sealed record EstimationOptions
{
    /// <summary>95 %, these records, stratified, no simultaneity, no consistency step.</summary>
    public static EstimationOptions Default { get; } = new();

    /// <summary>The confidence of intervals and of the guarantee, strictly between 0 and 1.</summary>
    public double Confidence { get; init; } = 0.95;

    /// <summary>What the intervals cover.</summary>
    public InferenceTarget Target { get; init; } = InferenceTarget.Records;

    /// <summary>How different grades are combined.</summary>
    public CombinationRule Combination { get; init; } = CombinationRule.Stratified;

    /// <summary>When true the intervals of all cells of one statistic hold together at <see cref="Confidence"/> (Bonferroni).</summary>
    public bool Simultaneous { get; init; }

    /// <summary>
    /// When true a consistent value (non-negative, adding to one) is put beside each estimate and labelled; intervals stay those of the
    /// unbiased estimate.
    /// </summary>
    public bool Consistent { get; init; }
}

/// <summary>One number of a statistic.</summary>
public sealed record StatisticCell
{
    /// <summary>
    /// What the number is about: a label, the labels of a table's cell joined by " | ", "mean", "0.5", a term of a model.
    /// </summary>
    public required string Value { get; init; }

    /// <summary>The codes behind <see cref="Value"/>, one per attribute; empty where there are none.</summary>
    public IReadOnlyList<int> Codes { get; init; } = [];

    /// <summary>The estimate in the statistic's unit; unbiased ones may leave the possible range. NaN: not estimable.</summary>
    public required double Estimate { get; init; }

    /// <summary>The standard error for the interval's target; NaN where none is claimed.</summary>
    public double StandardError { get; init; } = double.NaN;

    /// <summary>Lower end of the interval; NaN where none is claimed.</summary>
    public double Low { get; init; } = double.NaN;

    /// <summary>Upper end of the interval.</summary>
    public double High { get; init; } = double.NaN;

    /// <summary>How the interval was made.</summary>
    public IntervalKind IntervalKind { get; init; }

    /// <summary>
    /// The half-width promised before the data were seen (normal, worst-case variance of these records); null where none is promised.
    /// </summary>
    public double? ExpectedHalfWidth { get; init; }

    /// <summary>
    /// The half-width that holds with the stated confidence whatever the data, from public quantities only (docs/ESTIMATORS.md); null where
    /// nothing is guaranteed.
    /// </summary>
    public double? GuaranteedHalfWidth { get; init; }

    /// <summary>The value after the post-processing that the result names; null when there was none.</summary>
    public double? PostProcessed { get; init; }
}

/// <summary>The outcome of a hypothesis test that belongs to a statistic.</summary>
/// <param name="Name">What was tested and how.</param>
/// <param name="Statistic">The test statistic.</param>
/// <param name="DegreesOfFreedom">Its degrees of freedom.</param>
/// <param name="PValue">The probability of a statistic at least as large under the null hypothesis.</param>
public sealed record TestOutcome(string Name, double Statistic, int DegreesOfFreedom, double PValue);

/// <summary>How many reports of one attribute came at one grade.</summary>
/// <param name="Attribute">The attribute.</param>
/// <param name="Grade">The grade.</param>
/// <param name="EpsilonMicro">Its loss in micro-epsilon.</param>
/// <param name="Reports">Number of reports.</param>
public sealed record GradeCount(string Attribute, int Grade, long EpsilonMicro, long Reports);

/// <summary>A statistic with everything needed to judge it.</summary>
public sealed record StatisticResult
{
    /// <summary>The request's id.</summary>
    public required string Id { get; init; }

    /// <summary>The kind.</summary>
    public required StatisticKind Kind { get; init; }

    /// <summary>The attributes, in the request's order.</summary>
    public required IReadOnlyList<string> Attributes { get; init; }

    /// <summary>The estimator's name, with the combination rule where grades differ.</summary>
    public required string Estimator { get; init; }

    /// <summary>Number of records n.</summary>
    public required long N { get; init; }

    /// <summary>Unperturbed records that would carry the same information (docs/ESTIMATORS.md, "Effective records").</summary>
    public required double EffectiveRecords { get; init; }

    /// <summary>The cells.</summary>
    public required IReadOnlyList<StatisticCell> Cells { get; init; }

    /// <summary>The confidence of the intervals and of the guarantee.</summary>
    public required double Confidence { get; init; }

    /// <summary>What the intervals cover.</summary>
    public required InferenceTarget Target { get; init; }

    /// <summary>Reports by attribute and grade.</summary>
    public required IReadOnlyList<GradeCount> ReportsByGrade { get; init; }

    /// <summary>The largest loss that any one record bore for this statistic: the sum over its attributes.</summary>
    public required EpsilonMicro Epsilon { get; init; }

    /// <summary>What was done to the estimates after they were unbiased, or null.</summary>
    public string? PostProcessing { get; init; }

    /// <summary>Further numbers computed from the cells: conditional rates, ratios, roll-ups, a descriptive curve.</summary>
    public IReadOnlyList<StatisticSection> Sections { get; init; } = [];

    /// <summary>Hypothesis tests that belong to it.</summary>
    public IReadOnlyList<TestOutcome> Tests { get; init; } = [];

    /// <summary>What a reader must know before using it, in plain words.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

/// <summary>A named group of further numbers of one statistic.</summary>
/// <param name="Name">For example "given gender", "odds ratios", "roll-ups", "smoothed distribution".</param>
/// <param name="Note">How they were made and what is claimed for them.</param>
/// <param name="Cells">The numbers.</param>
public sealed record StatisticSection(string Name, string Note, IReadOnlyList<StatisticCell> Cells);

/// <summary>
/// A statistic that would be worthless or misleading on these reports. The message says why and what would have to change.
/// </summary>
public sealed class EstimationRefusedException : Exception
{
    /// <summary>A refusal without a reason; prefer the one with.</summary>
    public EstimationRefusedException()
    {
    }

    /// <summary>A refusal with its reason.</summary>
    public EstimationRefusedException(string message)
        : base(message)
    {
    }

    /// <summary>A refusal caused by another exception.</summary>
    public EstimationRefusedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
