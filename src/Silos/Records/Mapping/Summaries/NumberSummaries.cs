using System.Globalization;

namespace EmrMarket.Silos.Records.Mapping.Summaries;

/// <summary>The least or the greatest number.</summary>
internal sealed class ExtremeSummary(bool greatest) : ColumnSummary
{
    private readonly Pages<decimal?> _values = new();

    public override void Add(int unit, MappedDate? date, in MappedValue value) => Take(unit, value.Number);

    public override void Merge(int into, int from)
    {
        if (_values.Peek(from) is { } number)
        {
            Take(into, number);
        }
    }

    public override string Text(int unit, int day) => _values.Peek(unit) is { } number ? Numbers.Text(number) : "";

    private void Take(int unit, decimal number)
    {
        ref decimal? known = ref _values[unit];
        known = known is not { } other ? number : greatest ? Math.Max(other, number) : Math.Min(other, number);
    }
}

/// <summary>The mean. Numbers are below 10^15 and fewer than 2^31, so that a sum stays below 2.2 * 10^24, where a decimal keeps four digits
/// after the point at least.</summary>
internal sealed class MeanSummary(int digits) : ColumnSummary
{
    private readonly Pages<(decimal Sum, int Count)> _values = new();

    public override void Add(int unit, MappedDate? date, in MappedValue value)
    {
        ref (decimal Sum, int Count) known = ref _values[unit];
        known = (known.Sum + value.Number, checked(known.Count + 1));
    }

    public override void Merge(int into, int from)
    {
        (decimal sum, int count) = _values.Peek(from);
        ref (decimal Sum, int Count) known = ref _values[into];
        known = (known.Sum + sum, checked(known.Count + count));
    }

    public override string Text(int unit, int day) => _values.Peek(unit) is (var sum, > 0 and var count)
        ? Numbers.Text(Math.Round(sum / count, digits, MidpointRounding.AwayFromZero)) : "";
}

/// <summary>Numbers as texts.</summary>
internal static class Numbers
{
    /// <summary>Numbers of this size and above are refused: nothing that is measured of a person is.</summary>
    public const decimal Bound = 1_000_000_000_000_000m;

    /// <summary>A number without exponent and without zeros at the end.</summary>
    public static string Text(decimal number) => number.ToString("0.############################", CultureInfo.InvariantCulture);

    /// <summary>Reads a decimal number, with exponent or not; false when it is none or not below the bound in size.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out decimal number) =>
        decimal.TryParse(
            text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture, out number)
        && Math.Abs(number) < Bound;
}
