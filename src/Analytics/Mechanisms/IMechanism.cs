using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>
/// A local randomiser with a ladder of reports. To add one: a folder beside the others (code, proof.md, tests) and a line in
/// <c>MechanismCatalogue</c>.
/// </summary>
public interface IMechanism
{
    /// <summary>The id used in schemas and files, lower case: grr, ss, oue, olh, dsw.</summary>
    string Id { get; }

    /// <summary>The full name, for people.</summary>
    string Name { get; }

    /// <summary>Whether it can randomise this domain; if not, <paramref name="reason"/> says why in the user's words.</summary>
    bool CanRandomise(AttributeDomain domain, out string? reason);

    /// <summary>The ladder of channels for a domain: one per grade, each derivable from the next higher one.</summary>
    IReportLadder CreateLadder(AttributeDomain domain, GradeLadder grades);
}

/// <summary>The channels of one attribute at all grades, and how a record's reports are drawn from them.</summary>
public interface IReportLadder
{
    /// <summary>The channel of a grade in 1..grades.Count.</summary>
    Channel this[int grade] { get; }

    /// <summary>
    /// Draws, for all records, the reports of the wanted grades: one report at the top of the ladder, then each lower grade from the next
    /// higher one. A function of key, source column, record (or person) id, value version and value only, so that the same fact always has
    /// the same reports.
    /// </summary>
    /// <param name="key">The site's key for this source column.</param>
    /// <param name="column">The raw values.</param>
    /// <param name="factKeys">
    /// Per record the id that its coins are keyed by: the record's, or its person's for a person-constant attribute.
    /// </param>
    /// <param name="grades">The wanted grades, each in 1..grades.Count.</param>
    /// <returns>One report column per wanted grade, in the order asked for.</returns>
    IReadOnlyList<ReportColumn> Draw(ColumnKey key, RecordColumn column, ReadOnlyMemory<ulong> factKeys, ReadOnlySpan<int> grades);
}
