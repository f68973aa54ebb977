using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Evaluation;

/// <summary>Which statistics an evaluation asks for: every attribute by itself, and some of them together.</summary>
public sealed record EvaluationPlan
{
    private const int MostTableLabels = 12;
    private const int MostTypicalLabels = 20;

    /// <summary>The statistics, in the order in which they are reported.</summary>
    public required IReadOnlyList<StatisticRequest> Statistics { get; init; }

    /// <summary>
    /// The categorical attribute whose value people may be shy about: the experiment on choice makes the choice of a grade depend on it.
    /// </summary>
    public required string Sensitive { get; init; }

    /// <summary>The label of <see cref="Sensitive"/> that makes people stricter.</summary>
    public required string SensitiveLabel { get; init; }

    /// <summary>
    /// A statistic of each kind that stands for its kind in the experiments; kinds that the schema has no attributes for are absent.
    /// </summary>
    public IReadOnlyDictionary<StatisticKind, StatisticRequest> Representatives => Statistics
        .GroupBy(s => s.Kind)
            .ToDictionary(g => g.Key, g => g.First(s => s.Kind != StatisticKind.Frequency || s.Attributes[0] == TypicalCategorical));

    /// <summary>The categorical attribute whose frequency stands for all: several cells, so that one repetition says something.</summary>
    public required string TypicalCategorical { get; init; }

    /// <summary>
    /// The plan of a schema: a frequency for every categorical attribute; mean, bins and quartiles for every grid; top codes for every
    /// dictionary; and the given tables and models.
    /// </summary>
    /// <param name="schema">The schema.</param>
    /// <param name="together">Statistics of several attributes; null for some that the schema itself suggests.</param>
    /// <param name="sensitive">
    /// Attribute and label of <see cref="Sensitive"/>; null for the first attribute of the most sensitive tier.
    /// </param>
    /// <exception cref="FormatException">A statistic names an attribute that the schema does not have or that it cannot use.</exception>
    public static EvaluationPlan Of(
        Schema schema, IReadOnlyList<StatisticRequest>? together = null, (string Attribute, string Label)? sensitive = null)
    {
        ArgumentNullException.ThrowIfNull(schema);
        AttributeDefinition[] categorical = [.. schema.Attributes.Where(a => a.Domain is CategoricalDomain)];
        AttributeDefinition[] grids = [.. schema.Attributes.Where(a => a.Domain is GridDomain)];
        foreach (StatisticRequest request in together ?? [])
        {
            foreach (string name in request.Attributes.Where(a => schema.IndexOf(a) < 0))
            {
                throw new FormatException($"The statistic '{request.Id}' names '{name}', which schema '{schema.Name}' does not have.");
            }
        }

        (string attribute, string label) = sensitive ?? MostSensitive(categorical);
        return new EvaluationPlan
        {
            Statistics =
            [
                .. categorical.Select(a => StatisticRequest.Frequency(a.Name)),
                .. grids.Select(a => StatisticRequest.Mean(a.Name)),
                .. grids.Select(a => StatisticRequest.Bins(a.Name, Math.Max(1, (int)Math.Ceiling(a.Domain.Size / 5.0)))),
                .. grids.Select(a => StatisticRequest.Quantile(a.Name, 0.25, 0.5, 0.75)),
                .. (together ?? Suggested(categorical, grids)).OrderBy(s => s.Kind),
                .. categorical.Where(a => a.Mechanism == "olh").Select(a => StatisticRequest.TopCodes(a.Name)),
            ],
            TypicalCategorical = (categorical.Where(a => a.Tier != Tier.Public && a.Domain.Size <= MostTypicalLabels)
                .MaxBy(a => a.Domain.Size) ?? categorical[0]).Name,
            Sensitive = attribute,
            SensitiveLabel = label,
        };
    }

    private static (string Attribute, string Label) MostSensitive(AttributeDefinition[] categorical)
    {
        AttributeDefinition attribute = categorical.Where(a => a.Domain.Size >= 2 && a.Tier != Tier.Public && a.Mechanism != "olh")
            .MaxBy(a => a.Tier)
            ?? throw new FormatException("The schema has no categorical attribute that is randomised: there is nothing to evaluate.");
        return (attribute.Name, attribute.Domain.Label(1));
    }

    private static IEnumerable<StatisticRequest> Suggested(AttributeDefinition[] categorical, AttributeDefinition[] grids)
    {
        string[] small =
        [
            .. categorical.Where(a => a.Domain.Size is >= 2 and <= MostTableLabels
                && !a.Name.EndsWith(Schema.PresenceSuffix, StringComparison.Ordinal))
                .OrderBy(a => a.Domain.Size).Select(a => a.Name).Take(4),
        ];
        for (int i = 1; i < small.Length; i++)
        {
            yield return StatisticRequest.Table(small[0], small[i]);
        }

        if (small.Length >= 3)
        {
            yield return StatisticRequest.Table(small[0], small[1], small[2]);
        }

        if (grids.Length >= 2)
        {
            yield return StatisticRequest.Linear(grids[0].Name, grids[1].Name);
        }

        if (small.Length >= 3)
        {
            AttributeDefinition outcome = categorical.First(a => a.Name == small[0]);
            yield return StatisticRequest.Logistic(outcome.Name, [outcome.Domain.Label(1)], small[1], small[2]);
        }
    }
}
