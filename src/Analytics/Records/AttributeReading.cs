using System.Globalization;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Records;

/// <summary>What a text means for an attribute.</summary>
/// <param name="Code">
/// The code, or <see cref="RecordColumn.Missing"/> for a missing grid value. Without meaning when there is a fault.
/// </param>
/// <param name="Fraction">
/// For a value between two grid points, its distance to the lower one in cells, as a 32-bit fraction rounded down.
/// </param>
/// <param name="Clipped">Whether the value lay outside the bounds and was moved to the nearer one.</param>
/// <param name="Fault">Why the text is no value of the attribute; null when it is one.</param>
public readonly record struct ReadValue(ushort Code, uint Fraction, bool Clipped, ReadFault? Fault)
{
    /// <summary>A value without fault, fraction or clipping.</summary>
    internal static ReadValue Of(int code) => new((ushort)code, 0, Clipped: false, Fault: null);

    /// <summary>A fault.</summary>
    internal static ReadValue Wrong(string code, string message, string fix) =>
        new(0, 0, Clipped: false, new ReadFault(code, message, fix));
}

/// <summary>Why a text is refused; holds no raw value.</summary>
/// <param name="Code">A stable code in kebab case.</param>
/// <param name="Message">Expected against got, without the value.</param>
/// <param name="Fix">What the user can do.</param>
public sealed record ReadFault(string Code, string Message, string Fix);

/// <summary>How the texts of one layout become codes of one attribute: a pure function of the text (and of the unit's text).</summary>
public sealed class AttributeReading
{
    private readonly AttributeDefinition _attribute;
    private readonly ReadingDocument? _reading;
    private readonly Dictionary<string, int>? _codes;
    private readonly HashSet<string> _missing;
    private readonly int _constant = -1;

    private AttributeReading(AttributeDefinition attribute, ReadingDocument? reading)
    {
        _attribute = attribute;
        _reading = reading;
        _missing = new HashSet<string>(reading?.Missing ?? [], StringComparer.Ordinal);
        if (attribute.Domain is CategoricalDomain categories)
        {
            _codes = new Dictionary<string, int>(categories.Labels.Count, StringComparer.Ordinal);
            for (int code = 0; code < categories.Labels.Count; code++)
            {
                _codes.Add(categories.Labels[code], code);
            }
        }

        if (reading?.Constant is { } constant)
        {
            _constant = ReadText(constant).Code;
        }
    }

    /// <summary>The attribute.</summary>
    public AttributeDefinition Attribute => _attribute;

    /// <summary>The column that is read; null when every record has the same value.</summary>
    public string? Column => _reading?.Constant is null ? _reading?.Column ?? _attribute.Name : null;

    /// <summary>The column of the unit; null when there is one unit.</summary>
    public string? UnitColumn => _reading?.UnitColumn;

    /// <summary>The reading of an attribute in a layout.</summary>
    /// <exception cref="InputException">The reading maps to labels that the attribute lacks.</exception>
    public static AttributeReading Create(Schema schema, LayoutDocument layout, AttributeDefinition attribute)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(attribute);
        ReadingDocument? reading = layout.Readings?.GetValueOrDefault(attribute.Name);
        if (attribute.Domain is CategoricalDomain categories)
        {
            IEnumerable<string> targets = (reading?.Map?.Values ?? []).Concat(reading?.Ranges?.Select(r => r.Label) ?? []);
            string? unknown = (reading?.Constant is { } c ? targets.Append(c) : targets)
                .FirstOrDefault(t => !categories.Labels.Contains(t, StringComparer.Ordinal));
            if (unknown is not null)
            {
                throw new InputException(new InputProblem(
                    "schema-reading", schema.Name, 0, $"layouts.{layout.Name}.readings.{attribute.Name}",
                    $"'{unknown}' is no label of the attribute", "Map to declared labels."));
            }
        }

        return new AttributeReading(attribute, reading);
    }

    /// <summary>The meaning of a text. O(1) for labels, O(length) for numbers.</summary>
    /// <param name="text">The field's text.</param>
    /// <param name="unit">The text of the unit's field; null when there is one unit.</param>
    public ReadValue Read(string text, string? unit)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (_constant >= 0)
        {
            return ReadValue.Of(_constant);
        }

        if (_missing.Contains(text))
        {
            return ReadValue.Of(_codes is null ? RecordColumn.Missing : _codes[Schema.MissingLabel]);
        }

        if (_reading?.UnitDivisors is { } divisors)
        {
            if (!TryParse(text, out decimal amount) || unit is null || !divisors.TryGetValue(unit, out int divisor))
            {
                return ReadValue.Wrong(
                    "unknown-unit", "the value is no number or its unit is not declared",
                    "Correct the value and its unit, or add the unit to the schema.");
            }

            text = decimal.Floor(amount / divisor).ToString(CultureInfo.InvariantCulture);
        }

        switch (_reading?.Normalise)
        {
            case "integer":
                if (!TryParse(text, out decimal whole) || whole != decimal.Truncate(whole))
                {
                    return ReadValue.Wrong(
                        "malformed-number", "expected a whole number", "Correct the value, or declare its text as a missing marker.");
                }

                text = decimal.Truncate(whole).ToString("0", CultureInfo.InvariantCulture);
                break;
            case "icd9" or "icd9-category" or "icd9-chapter":
                if (Icd9.Normalise(text) is not { } icd)
                {
                    return ReadValue.Wrong(
                        "malformed-code", "expected a diagnosis code of ICD-9",
                        "Correct the code, or declare its text as a missing marker.");
                }

                text = _reading.Normalise switch { "icd9" => icd.Code, "icd9-category" => icd.Category, _ => Icd9.ChapterOf(icd.Category) };
                break;
            default:
                break;
        }

        return ReadText(text);
    }

    private ReadValue ReadText(string text)
    {
        if (_reading?.Map is { } map && map.TryGetValue(text, out string? mapped))
        {
            text = mapped;
        }
        else if (_reading?.Ranges is { } ranges)
        {
            if (!TryParse(text, out decimal number))
            {
                return ReadValue.Wrong(
                    "malformed-number", "expected a number", "Correct the value, or declare its text as a missing marker.");
            }

            RangeDocument? range = ranges.FirstOrDefault(r => number >= r.From && number < r.Below);
            if (range is null)
            {
                return ReadValue.Wrong(
                    "out-of-domain", "the number is in no declared range", "Correct the value, or extend the ranges of the schema.");
            }

            text = range.Label;
        }

        if (_codes is not null)
        {
            return _codes.TryGetValue(text, out int code)
                ? ReadValue.Of(code)
                : ReadValue.Wrong(
                    "unknown-label", $"the text is none of the attribute's {_codes.Count} labels",
                    "Correct the value, map it to a label, or declare it as a missing marker.");
        }

        return TryParse(text, out decimal value)
            ? ToGrid((GridDomain)_attribute.Domain, value)
            : ReadValue.Wrong(
                "malformed-number", "expected a number with a decimal point",
                "Correct the value, or declare its text as a missing marker.");
    }

    private static ReadValue ToGrid(GridDomain grid, decimal value)
    {
        if (value < grid.Min || value > grid.Max)
        {
            return new ReadValue((ushort)(value < grid.Min ? 0 : grid.Cells - 1), 0, Clipped: true, Fault: null);
        }

        decimal cells = (value - grid.Min) / grid.Step;
        decimal lower = decimal.Truncate(cells);
        return new ReadValue((ushort)lower, (uint)decimal.Truncate((cells - lower) * 4294967296m), Clipped: false, Fault: null);
    }

    private static bool TryParse(string text, out decimal value) =>
        decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value);
}
