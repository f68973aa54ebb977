using EmrMarket.Analytics.Budgets;

namespace EmrMarket.Analytics.Pricing;

/// <summary>
/// One grade per attribute of a schema: the ceilings of an offer, the grades of a request, the highest grades released. Packed as on the
/// ledger (docs/WIRE.md): four bits per attribute, attribute 0 lowest; 0 means withheld or not requested.
/// </summary>
/// <param name="High">Attributes 32 to 63.</param>
/// <param name="Low">Attributes 0 to 31.</param>
public readonly record struct AttributeGrades(UInt128 High, UInt128 Low)
{
    /// <summary>The most attributes of a schema.</summary>
    public const int MaxAttributes = 64;

    /// <summary>The highest grade.</summary>
    public const int MaxGrade = GradeLadder.MaxGrades;

    /// <summary>Every attribute withheld.</summary>
    public static readonly AttributeGrades None;

    /// <summary>The grade of an attribute in 0..63, in 0..15.</summary>
    public int this[int attribute]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)attribute, (uint)MaxAttributes, nameof(attribute));
            return (int)((attribute < 32 ? Low >> (4 * attribute) : High >> (4 * (attribute - 32))) & 0xF);
        }
    }

    /// <summary>One past the last attribute whose grade is not 0.</summary>
    public int Length => High != 0
        ? 64 - ((int)UInt128.LeadingZeroCount(High) / 4)
        : 32 - ((int)UInt128.LeadingZeroCount(Low) / 4);

    /// <summary>The sum of all grades.</summary>
    public int Total
    {
        get
        {
            var total = 0;
            for (var a = 0; a < Length; a++)
            {
                total += this[a];
            }

            return total;
        }
    }

    /// <summary>Packs one grade per attribute.</summary>
    /// <param name="grades">At most 64, each in [0, 15].</param>
    /// <exception cref="ArgumentException">Too many attributes, or a grade out of range.</exception>
    public static AttributeGrades Of(ReadOnlySpan<int> grades)
    {
        if (grades.Length > MaxAttributes)
        {
            throw new ArgumentException($"{grades.Length} attributes, at most {MaxAttributes} fit.", nameof(grades));
        }

        var packed = None;
        for (var a = 0; a < grades.Length; a++)
        {
            packed = packed.With(a, grades[a]);
        }

        return packed;
    }

    /// <summary>The same grades but for one attribute.</summary>
    /// <param name="attribute">In [0, 63].</param>
    /// <param name="grade">In [0, 15].</param>
    public AttributeGrades With(int attribute, int grade)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)attribute, (uint)MaxAttributes, nameof(attribute));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)grade, (uint)MaxGrade, nameof(grade));
        var shift = 4 * (attribute % 32);
        var (mask, value) = ((UInt128)0xF << shift, (UInt128)(uint)grade << shift);
        return attribute < 32 ? this with { Low = (Low & ~mask) | value } : this with { High = (High & ~mask) | value };
    }

    /// <summary>Whether no attribute's grade is above the other's.</summary>
    public bool IsAtMost(AttributeGrades other) => IsAtMost(Low, other.Low) && IsAtMost(High, other.High);

    /// <summary>
    /// Compares 32 grades at once: every second nibble gets a guard bit above it, which survives the subtraction unless it borrows.
    /// </summary>
    private static bool IsAtMost(UInt128 left, UInt128 right)
    {
        var grades = new UInt128(0x0F0F0F0F0F0F0F0F, 0x0F0F0F0F0F0F0F0F);
        var guards = new UInt128(0x1010101010101010, 0x1010101010101010);
        return ((((right & grades) | guards) - (left & grades)) & guards) == guards
            && (((((right >> 4) & grades) | guards) - ((left >> 4) & grades)) & guards) == guards;
    }
}
