using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Estimation;

/// <summary>The reports of one attribute in one batch, all at one grade.</summary>
/// <param name="Attribute">The attribute.</param>
/// <param name="Grade">The grade, at least 1; 0 for a Public attribute.</param>
/// <param name="Channel">The channel of that attribute and grade.</param>
/// <param name="Reports">One report per record of the batch.</param>
public sealed record AttributeReports(AttributeDefinition Attribute, int Grade, Channel Channel, ReportColumn Reports);

/// <summary>
/// Reports of some records, all at the same grade per attribute. Estimators take any number of batches and add them up; records that
/// deliver at different grades come in different batches. All records of one person are in one batch, so that clusters are whole.
/// </summary>
public sealed class ReportBatch
{
    private readonly Dictionary<string, AttributeReports> _attributes;

    /// <summary>A batch.</summary>
    /// <param name="attributes">The reports, one entry per attribute, all of the same length.</param>
    /// <param name="personIndex">
    /// Per record the index of its person, unique within the batch; null when every record is a different person.
    /// </param>
    /// <exception cref="ArgumentException">The lengths differ, an attribute occurs twice, or there is none.</exception>
    public ReportBatch(IReadOnlyList<AttributeReports> attributes, int[]? personIndex = null)
    {
        ArgumentNullException.ThrowIfNull(attributes);
        if (attributes.Count == 0)
        {
            throw new ArgumentException("A batch holds the reports of at least one attribute.", nameof(attributes));
        }

        Count = attributes[0].Reports.Count;
        _attributes = new Dictionary<string, AttributeReports>(StringComparer.Ordinal);
        foreach (AttributeReports reports in attributes)
        {
            if (reports.Reports.Count != Count)
            {
                throw new ArgumentException(
                    $"All attributes of a batch have one report per record: '{reports.Attribute.Name}' has {reports.Reports.Count}, "
                    + $"expected {Count}.",
                    nameof(attributes));
            }

            if (!_attributes.TryAdd(reports.Attribute.Name, reports))
            {
                throw new ArgumentException($"The attribute '{reports.Attribute.Name}' occurs twice in the batch.", nameof(attributes));
            }
        }

        if (personIndex is not null && personIndex.Length != Count)
        {
            throw new ArgumentException($"The batch has {Count} records but {personIndex.Length} person indices.", nameof(personIndex));
        }

        Persons = personIndex is null ? PersonClusters.Singletons(Count) : new PersonClusters(personIndex);
    }

    /// <summary>Number of records.</summary>
    public int Count { get; }

    /// <summary>Which records belong to one person.</summary>
    internal PersonClusters Persons { get; }

    /// <summary>The attributes with reports.</summary>
    public IReadOnlyCollection<AttributeReports> Attributes => _attributes.Values;

    /// <summary>The reports of an attribute, or null when the batch has none.</summary>
    public AttributeReports? Find(string attribute) => _attributes.GetValueOrDefault(attribute);

    /// <summary>The reports of an attribute.</summary>
    /// <exception cref="EstimationRefusedException">The batch has none.</exception>
    public AttributeReports this[string attribute] => _attributes.TryGetValue(attribute, out AttributeReports? reports)
        ? reports
        : throw new EstimationRefusedException(
            $"There are no reports of '{attribute}'; there are reports of "
            + $"{string.Join(", ", _attributes.Keys.Order(StringComparer.Ordinal))}.");
}
