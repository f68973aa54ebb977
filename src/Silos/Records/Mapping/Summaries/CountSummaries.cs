using System.Globalization;

namespace EmrMarket.Silos.Records.Mapping.Summaries;

/// <summary>Whether there is a value.</summary>
internal sealed class ExistsSummary : ColumnSummary
{
    private readonly Pages<bool> _values = new();

    public override void Add(int unit, MappedDate? date, in MappedValue value) => _values[unit] = true;

    public override void Merge(int into, int from) => _values[into] |= _values.Peek(from);

    public override string Text(int unit, int day) => _values.Peek(unit) ? "yes" : "no";
}

/// <summary>How many resources or rows have a value.</summary>
internal sealed class CountSummary : ColumnSummary
{
    private readonly Pages<int> _values = new();

    public override void Add(int unit, MappedDate? date, in MappedValue value) => _values[unit] = checked(_values[unit] + 1);

    public override void Merge(int into, int from) => _values[into] = checked(_values[into] + _values.Peek(from));

    public override string Text(int unit, int day) => _values.Peek(unit).ToString(CultureInfo.InvariantCulture);
}

/// <summary>The age in completed years; the date of birth itself never leaves.</summary>
internal sealed class AgeSummary : ColumnSummary
{
    // The day number and one more, so that zero is "none".
    private readonly Pages<int> _births = new();

    public override void Add(int unit, MappedDate? date, in MappedValue value) => _births[unit] = value.Day + 1;

    public override void Merge(int into, int from)
    {
        if (_births.Peek(from) is > 0 and var birth)
        {
            _births[into] = birth;
        }
    }

    public override string Text(int unit, int day) => _births.Peek(unit) is > 0 and var birth && day >= 0
        ? MappedDate.Years(birth - 1, day).ToString(CultureInfo.InvariantCulture) : "";
}
