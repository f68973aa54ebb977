using System.Globalization;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Pricing;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Planning;

/// <summary>
/// What a researcher wants to know before anything is paid: give exactly one of <see cref="TargetHalfWidth"/>, <see cref="Records"/> and
/// <see cref="Budget"/>.
/// </summary>
public sealed record PlanQuestion
{
    /// <summary>The schema.</summary>
    public required Schema Schema { get; init; }

    /// <summary>The statistic: frequency, top codes, bins, mean or table.</summary>
    public required StatisticRequest Statistic { get; init; }

    /// <summary>The confidence of the interval or guarantee, strictly between 0 and 1.</summary>
    public double Confidence { get; init; } = 0.95;

    /// <summary>The wanted half-width in the statistic's unit, positive.</summary>
    public double? TargetHalfWidth { get; init; }

    /// <summary>Whether the target is for the guaranteed half-width rather than the expected one.</summary>
    public bool Guaranteed { get; init; }

    /// <summary>The number of records that would be bought, at least 1.</summary>
    public long? Records { get; init; }

    /// <summary>What may be spent.</summary>
    public TokenAmount? Budget { get; init; }

    /// <summary>What patients ask per epsilon.</summary>
    public required TierRates Rates { get; init; }

    /// <summary>Per grade the number of records that allow it (or a higher one) for every attribute; null when unknown.</summary>
    public IReadOnlyList<long>? AvailableByGrade { get; init; }
}

/// <summary>What one grade offers.</summary>
/// <param name="Grade">The grade of every randomised attribute.</param>
/// <param name="Epsilon">The loss per record: the sum over the attributes.</param>
/// <param name="Records">Records bought.</param>
/// <param name="EffectiveRecords">Effective records bought: records times <paramref name="ScorePpb"/>.</param>
/// <param name="ScorePpb">The sum of the attributes' qualities, in parts per billion.</param>
/// <param name="ExpectedHalfWidth">The half-width to expect.</param>
/// <param name="GuaranteedHalfWidth">The guaranteed half-width; null when nothing is guaranteed.</param>
/// <param name="AskPerRecord">What a patient asks for a record's reports.</param>
/// <param name="Cost">The sum of the asks: the least that it can cost.</param>
/// <param name="AskPerEffectiveRecord">Token units per effective record.</param>
/// <param name="Limit">Why it cannot be had, in the user's words; null when it can.</param>
/// <param name="RateHalfWidth">Of a table: the half-width to expect of the rates of its first attribute in groups of equal size, at the
/// worst rate (docs/ESTIMATORS.md, "Tables"); null for other statistics, and when such a group could not be told from
/// empty.</param>
public sealed record PlanOption(
    int Grade,
    EpsilonMicro Epsilon,
    long Records,
    double EffectiveRecords,
    long ScorePpb,
    double ExpectedHalfWidth,
    double? GuaranteedHalfWidth,
    TokenAmount AskPerRecord,
    TokenAmount Cost,
    double AskPerEffectiveRecord,
    string? Limit,
    double? RateHalfWidth);

/// <summary>The answer.</summary>
/// <param name="Options">One per grade.</param>
/// <param name="Recommended">
/// With a target: the cheapest that meets it; otherwise the one of least error. Null when none can be had.
/// </param>
/// <param name="NextCheaper">The recommendation for a target, budget or number of records looser by a quarter.</param>
/// <param name="NextBetter">The recommendation for one tighter by a quarter.</param>
/// <param name="Notes">What the reader must know.</param>
public sealed record Plan(
    IReadOnlyList<PlanOption> Options, PlanOption? Recommended, PlanOption? NextCheaper, PlanOption? NextBetter,
    IReadOnlyList<string> Notes);

/// <summary>
/// Plans a request from public quantities only: which grade, how many records, at which error and price. Pure: no money or budget moves.
/// </summary>
public static class Planner
{
    private const double Step = 1.25;

    /// <summary>Answers a question.</summary>
    /// <exception cref="ArgumentException">Not exactly one of target, records and budget is given, or it is not positive.</exception>
    /// <exception cref="EstimationRefusedException">The statistic's error cannot be planned, or an attribute is unknown.</exception>
    public static Plan Answer(PlanQuestion question)
    {
        ArgumentNullException.ThrowIfNull(question);
        int given = (question.TargetHalfWidth is null ? 0 : 1) + (question.Records is null ? 0 : 1) + (question.Budget is null ? 0 : 1);
        if (given != 1 || question.TargetHalfWidth is <= 0 or double.NaN || question.Records is < 1
            || !(question.Confidence > 0 && question.Confidence < 1))
        {
            throw new ArgumentException(
                "A plan needs exactly one of target half-width, records and budget, positive, and a confidence strictly between 0 and 1.",
                nameof(question));
        }

        AttributeDefinition[] attributes = [.. Attributes(question)];
        PlanOption[] options = Options(question, attributes);
        PlanOption? recommended = Best(question, options);
        PlanOption? cheaper = Best(question, Options(Loosen(question, Step), attributes));
        PlanOption? better = Best(question, Options(Loosen(question, 1 / Step), attributes));
        return new Plan(
            options,
            recommended,
            cheaper?.Cost < recommended?.Cost ? cheaper : null,
            better?.ExpectedHalfWidth < recommended?.ExpectedHalfWidth ? better : null,
            [.. Notes(question, attributes, options)]);
    }

    private static IEnumerable<AttributeDefinition> Attributes(PlanQuestion question)
    {
        foreach (string name in question.Statistic.Attributes)
        {
            int index = question.Schema.IndexOf(name);
            if (index < 0)
            {
                throw new EstimationRefusedException(
                    $"The schema '{question.Schema.Name}' has no attribute '{name}'; it has "
                    + $"{string.Join(", ", question.Schema.Attributes.Select(a => a.Name))}.");
            }

            yield return question.Schema.Attributes[index];
            int presence = question.Schema.PresenceOf(index);
            if (presence >= 0)
            {
                // Bought with the value: without it the mean of those who have one cannot be told.
                yield return question.Schema.Attributes[presence];
            }
        }
    }

    private static PlanOption[] Options(PlanQuestion question, AttributeDefinition[] attributes)
    {
        AttributeDefinition[] named = [.. attributes.Where(a => question.Statistic.Attributes.Contains(a.Name, StringComparer.Ordinal))];
        return [.. Enumerable.Range(1, question.Schema.Grades.Count).Select(grade => Option(question, attributes, named, grade))];
    }

    private static PlanOption Option(PlanQuestion question, AttributeDefinition[] attributes, AttributeDefinition[] named, int grade)
    {
        Channel ChannelOf(AttributeDefinition attribute) => attribute.Mechanism is null
            ? new PublicChannel(attribute.Domain.Size)
            : MechanismCatalogue.Get(attribute.Mechanism).CreateLadder(attribute.Domain, question.Schema.Grades)[grade];

        PlannedError error = PlannedError.Of(
            question.Statistic.Kind, named, [.. named.Select(ChannelOf)], question.Statistic.CellsPerBin, question.Confidence);
        EpsilonMicro epsilon = EpsilonMicro.Zero;
        TokenAmount ask = TokenAmount.Zero;
        long score = 0;
        foreach (AttributeDefinition attribute in attributes)
        {
            Channel channel = ChannelOf(attribute);
            epsilon += channel.Epsilon;
            ask += PriceRules.Ask(question.Rates[attribute.Tier], channel.Epsilon);
            score += ReportQuality.PartsPerBillion(attribute, channel);
        }

        long? available = question.AvailableByGrade?[grade - 1];
        long? records = question switch
        {
            { TargetHalfWidth: { } target } => error.Records(target, question.Guaranteed),
            { Records: { } wanted } => wanted,
            _ => ask == TokenAmount.Zero
                ? available ?? 0
                : (long)UInt128.Min(question.Budget!.Value.Units / ask.Units, (UInt128)(available ?? long.MaxValue >> 20)),
        };
        string? limit = records switch
        {
            null when question.Guaranteed => "nothing is guaranteed for this statistic, or no number of records is enough",
            null => "no number of records is enough",
            0 => "the budget does not buy one record",
            _ when records > available => string.Create(
                CultureInfo.InvariantCulture,
                $"{records:N0} records are needed, {available:N0} allow grade {grade} for "
                + $"{string.Join(" and ", question.Statistic.Attributes)}"),
            _ => null,
        };
        long n = records ?? 0;
        return new PlanOption(
            grade,
            epsilon,
            n,
            (double)n * score / QualityTable.Unit,
            score,
            n == 0 ? double.PositiveInfinity : error.Expected(n),
            n == 0 ? null : error.Guaranteed(n),
            ask,
            ask * n,
            score == 0 ? double.PositiveInfinity : (double)ask.Units * QualityTable.Unit / score,
            limit,
            n == 0 || question.Statistic.Kind != StatisticKind.Table ? null
                : PlannedRate.Worst([.. named.Select(ChannelOf)], GroupShare(named), n, question.Confidence));
    }

    // Groups of equal size: nothing is known of the others before the data are seen.
    private static double GroupShare(AttributeDefinition[] named) =>
        named.Skip(1).Aggregate(1.0, (share, attribute) => share / attribute.Domain.Size);

    private static PlanOption? Best(PlanQuestion question, PlanOption[] options)
    {
        IEnumerable<PlanOption> possible = options.Where(o => o.Limit is null);
        return question.TargetHalfWidth is null
            ? possible.OrderBy(o => o.ExpectedHalfWidth).ThenBy(o => o.Cost).FirstOrDefault()
            : possible.OrderBy(o => o.Cost).ThenBy(o => o.Epsilon).FirstOrDefault();
    }

    private static PlanQuestion Loosen(PlanQuestion question, double factor) => question switch
    {
        { TargetHalfWidth: { } target } => question with { TargetHalfWidth = target * factor },
        { Records: { } records } => question with { Records = Math.Max(1, (long)(records / factor)) },
        _ => question with { Budget = new TokenAmount((UInt128)((double)question.Budget!.Value.Units / factor)) },
    };

    private static IEnumerable<string> Notes(PlanQuestion question, AttributeDefinition[] attributes, PlanOption[] options)
    {
        if (options.All(o => o.AskPerRecord > TokenAmount.Zero))
        {
            PlanOption bargain = options.MinBy(o => o.AskPerEffectiveRecord)!;
            PlanOption[] others = [.. new[] { options[0], options[^1] }.Where((option, i) => i == 0 || option != bargain)];
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"An effective record is cheapest at grade {bargain.Grade}: {bargain.AskPerEffectiveRecord:#,0} token units, against "
                + $"{string.Join(" and ", others.Select(o => string.Create(
                    CultureInfo.InvariantCulture, $"{o.AskPerEffectiveRecord:#,0} at grade {o.Grade}")))}.");
        }

        yield return "Costs are the patients' asks; what is paid may exceed them by the classes' premiums, never the bid. Errors are "
            + "those of the records bought, about the people who allow this use.";
        if (question.AvailableByGrade is null)
        {
            yield return "How many records allow which grade was not given: whether there are enough is not checked.";
        }

        if (attributes.Length > question.Statistic.Attributes.Count)
        {
            yield return "Values may be missing: presence is bought too, the error among those present is larger by one over their share, "
                + "and nothing is guaranteed.";
        }

        if (question.Statistic.Kind == StatisticKind.Table)
        {
            AttributeDefinition[] named =
                [.. attributes.Where(a => question.Statistic.Attributes.Contains(a.Name, StringComparer.Ordinal))];
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"The rates of {question.Statistic.Attributes[0]} among the records with each value of "
                + $"{string.Join(" and ", question.Statistic.Attributes.Skip(1))} come with the table, corrected for the noise in both. "
                + $"Their error is given for groups of equal size ({GroupShare(named):0.##%} of the records each) and the worst rate; in a "
                + $"group of half the size it is about twice as large. None is given where such a group could not be told from empty.");
        }

        if (attributes.Any(a => a.ConstantPerPerson))
        {
            yield return "Records of one person repeat one draw of some attributes: the error is that of as many persons, not records.";
        }
    }
}
