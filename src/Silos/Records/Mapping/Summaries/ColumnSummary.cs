namespace EmrMarket.Silos.Records.Mapping.Summaries;

/// <summary>A value that counts for a unit.</summary>
/// <param name="Text">Its text; empty where only its being there matters.</param>
/// <param name="Number">The number, where the column takes numbers.</param>
/// <param name="Day">The day, where the column takes ages.</param>
internal readonly record struct MappedValue(string Text, decimal Number = 0, int Day = 0);

/// <summary>
/// The values of one column for all units, each unit's in constant memory. Adding and merging give the same whatever their order (a
/// commutative monoid), so that rows do not depend on the order of resources and files.
/// </summary>
internal abstract class ColumnSummary
{
    /// <summary>The summary of a column.</summary>
    public static ColumnSummary Of(MappingColumn column) => column switch
    {
        { As: ValueForm.Age } => new AgeSummary(),
        { Summary: Summary.Only } => new DatedSummary(latest: false),
        { Summary: Summary.First } => new DatedSummary(latest: false),
        { Summary: Summary.Last } => new DatedSummary(latest: true),
        { Summary: Summary.Exists } => new ExistsSummary(),
        { Summary: Summary.Count } => new CountSummary(),
        { Summary: Summary.Min } => new ExtremeSummary(greatest: false),
        { Summary: Summary.Max } => new ExtremeSummary(greatest: true),
        { Summary: Summary.Mean } => new MeanSummary(column.Digits ?? 2),
        _ => throw new ArgumentOutOfRangeException(nameof(column), column.Summary, "unknown summary"),
    };

    /// <summary>Takes a value.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="date">When it was; null where that is not known.</param>
    /// <param name="value">The value.</param>
    public abstract void Add(int unit, MappedDate? date, in MappedValue value);

    /// <summary>Takes all values of another unit as this one's.</summary>
    public abstract void Merge(int into, int from);

    /// <summary>The text for the mapped file.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="day">For an age: the day at which it is taken; negative for none.</param>
    public abstract string Text(int unit, int day);
}
