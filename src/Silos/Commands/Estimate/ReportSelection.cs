using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Silos.Records.Reports;

namespace EmrMarket.Silos.Commands.Estimate;

/// <summary>Which reports of some files a statistic is computed from.</summary>
internal static class ReportSelection
{
    /// <summary>The batches: records that have a report of every attribute, at one grade or each at its highest.</summary>
    /// <exception cref="EstimationRefusedException">An attribute is unknown or has no reports.</exception>
    public static IEnumerable<ReportBatch> Batches(IEnumerable<ReportFile> files, StatisticRequest request, int? grade)
    {
        foreach (ReportFile file in files)
        {
            AttributeDefinition[] attributes = [.. Attributes(file.Schema, request)];
            if (grade is null)
            {
                foreach (ReportBatch batch in file.HighestGrades([.. attributes.Select(a => a.Name)]))
                {
                    yield return batch;
                }
            }
            else if (file.Batch([.. attributes.Select(a => (a.Name, a.Tier == Tier.Public ? 0 : grade.Value))]) is { } batch)
            {
                yield return batch;
            }
        }
    }

    // The presence of an optional grid attribute belongs to every statistic of it.
    private static IEnumerable<AttributeDefinition> Attributes(Schema schema, StatisticRequest request)
    {
        foreach (string name in request.Attributes)
        {
            int index = schema.IndexOf(name);
            if (index < 0)
            {
                throw new EstimationRefusedException(
                    $"The schema '{schema.Name}' has no attribute '{name}'; it has "
                    + $"{string.Join(", ", schema.Attributes.Select(a => a.Name))}.");
            }

            yield return schema.Attributes[index];
            int presence = schema.PresenceOf(index);
            if (presence >= 0)
            {
                yield return schema.Attributes[presence];
            }
        }
    }
}
