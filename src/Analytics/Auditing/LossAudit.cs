using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Auditing;

/// <summary>What the black-box audit of one mechanism at one grade saw.</summary>
/// <param name="Mechanism">The mechanism's id.</param>
/// <param name="Grade">The grade.</param>
/// <param name="Epsilon">The nominal loss.</param>
/// <param name="DomainSize">Number of values k (DSW: cells).</param>
/// <param name="Samples">Reports drawn for each of the two values.</param>
/// <param name="Hits">Reports of v that support v and not v', in the direction that looked worse.</param>
/// <param name="FalseHits">Reports of v' that support v and not v', in the same direction.</param>
/// <param name="Measured">ln(hits / false hits), the loss as measured; infinite when there were no false hits.</param>
/// <param name="LowerBound">
/// The loss is at least this, except with probability <see cref="LossAudit.TailProbability"/> for each of the two counts.
/// </param>
/// <param name="UpperBound">The loss that this event shows is at most this, with the same exception.</param>
public sealed record LossAuditFinding(
    string Mechanism,
    int Grade,
    EpsilonMicro Epsilon,
    int DomainSize,
    long Samples,
    long Hits,
    long FalseHits,
    double Measured,
    double LowerBound,
    double UpperBound)
{
    /// <summary>Whether the mechanism is proved, up to the tail probability, to lose more than it claims.</summary>
    public bool Violated => LowerBound > Epsilon.Value;

    /// <summary>
    /// The smallest excess over the claimed loss that this audit could have seen: the distance from the measured loss to its lower bound. A
    /// mechanism with a larger excess is flagged at least every other time, one with twice this excess all but surely.
    /// </summary>
    public double SmallestVisibleExcess => Measured - LowerBound;
}

/// <summary>
/// A black-box audit: draws reports of two values through the public interface, counts an event that tells them apart best, and bounds the
/// loss from below. It knows nothing of thresholds or channels, so it would see a wrong sampler that the exact tests of the laws cannot.
/// Method: Ding et al. 2018, doi:10.1145/3243734.3243818, with exact binomial bounds (Clopper and Pearson 1934).
/// </summary>
public static class LossAudit
{
    /// <summary>The probability that one bound of one count is wrong.</summary>
    public const double TailProbability = 1e-6;

    private const int Batch = 1 << 19;

    /// <summary>
    /// Audits all grades of one mechanism. The event: a report supports v and not v', for v and v' the first and the last value and the
    /// other way round (for DSW: the report lies in v's window only). Under v it is e^epsilon times as likely as under v' for every
    /// mechanism offered.
    /// </summary>
    /// <param name="mechanism">The mechanism.</param>
    /// <param name="domain">The domain.</param>
    /// <param name="grades">The ladder.</param>
    /// <param name="samples">Reports to draw for each of the two values, at least 1,000.</param>
    /// <param name="key">A fresh random key: an audit of reports that anybody could predict would audit nothing.</param>
    /// <param name="cancellation">Stops the audit between batches.</param>
    public static IReadOnlyList<LossAuditFinding> Run(
        IMechanism mechanism, AttributeDomain domain, GradeLadder grades, long samples, ColumnKey key,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(mechanism);
        ArgumentNullException.ThrowIfNull(domain);
        return Run(mechanism.Id, mechanism.CreateLadder(domain, grades), domain, grades, samples, key, cancellation);
    }

    /// <summary>Audits a given ladder, for tests that plant an error in it.</summary>
    internal static IReadOnlyList<LossAuditFinding> Run(
        string mechanism, IReportLadder ladder, AttributeDomain domain, GradeLadder grades, long samples, ColumnKey key,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1_000);
        int[] values = [0, domain.Size - 1];
        int[] allGrades = [.. Enumerable.Range(1, grades.Count)];

        // counts[truth][grade - 1, side]: reports of values[truth] that support values[side] and not the other.
        long[][,] counts = [new long[grades.Count, 2], new long[grades.Count, 2]];
        var attribute = new AttributeDefinition
        {
            Name = "audit", Source = "audit", Domain = domain, Tier = Tier.Private, Mechanism = mechanism,
        };
        ulong fact = 0;
        for (long drawn = 0; drawn < samples; drawn += Batch)
        {
            int n = (int)Math.Min(Batch, samples - drawn);
            for (int truth = 0; truth < 2; truth++)
            {
                cancellation.ThrowIfCancellationRequested();
                ulong[] facts = new ulong[n];
                ushort[] codes = new ushort[n];
                for (int i = 0; i < n; i++)
                {
                    facts[i] = fact++;
                }

                Array.Fill(codes, (ushort)values[truth]);
                IReadOnlyList<ReportColumn> reports = ladder.Draw(
                    key, new RecordColumn { Attribute = attribute, Codes = codes }, facts, allGrades);
                for (int grade = 1; grade <= grades.Count; grade++)
                {
                    SupportBitmaps support = ladder[grade].Support(reports[grade - 1], values);
                    (long first, long last) = Exclusive(support[0], support[1]);
                    counts[truth][grade - 1, 0] += first;
                    counts[truth][grade - 1, 1] += last;
                }
            }
        }

        return
        [
            .. allGrades.Select(grade => Enumerable.Range(0, 2)
                .Select(
                    side => Find(
                        mechanism, grade, grades[grade], domain.Size, samples, counts[side][grade - 1, side],
                        counts[1 - side][grade - 1, side]))
                .MaxBy(finding => finding.LowerBound)!),
        ];
    }

    private static LossAuditFinding Find(
        string mechanism, int grade, EpsilonMicro epsilon, int size, long samples, long hits, long falseHits)
    {
        const double Confidence = 1 - (2 * TailProbability);
        (double hitLow, double hitHigh) = Intervals.ClopperPearson(hits, samples, Confidence);
        (double falseLow, double falseHigh) = Intervals.ClopperPearson(falseHits, samples, Confidence);
        return new LossAuditFinding(
            mechanism, grade, epsilon, size, samples, hits, falseHits, Math.Log((double)hits / falseHits), Math.Log(hitLow / falseHigh),
            Math.Log(hitHigh / falseLow));
    }

    private static (long First, long Second) Exclusive(ReadOnlySpan<ulong> first, ReadOnlySpan<ulong> second)
    {
        long onlyFirst = 0;
        long onlySecond = 0;
        for (int w = 0; w < first.Length; w++)
        {
            onlyFirst += BitOperations.PopCount(first[w] & ~second[w]);
            onlySecond += BitOperations.PopCount(second[w] & ~first[w]);
        }

        return (onlyFirst, onlySecond);
    }
}
