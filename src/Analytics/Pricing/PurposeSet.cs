namespace EmrMarket.Analytics.Pricing;

/// <summary>A set of purpose codes 0..255, packed as on the ledger: bit p of a 256-bit number.</summary>
/// <param name="High">Codes 128 to 255.</param>
/// <param name="Low">Codes 0 to 127.</param>
public readonly record struct PurposeSet(UInt128 High, UInt128 Low)
{
    /// <summary>No purpose.</summary>
    public static readonly PurposeSet Empty;

    /// <summary>Number of purposes.</summary>
    public int Count => (int)(UInt128.PopCount(High) + UInt128.PopCount(Low));

    /// <summary>Whether a purpose is in the set.</summary>
    public bool Contains(byte purpose) => ((purpose < 128 ? Low >> purpose : High >> (purpose - 128)) & 1) == 1;

    /// <summary>The set with one purpose more.</summary>
    public PurposeSet With(byte purpose)
        => purpose < 128
            ? this with { Low = Low | (UInt128.One << purpose) }
            : this with { High = High | (UInt128.One << (purpose - 128)) };

    /// <summary>Whether every purpose of this set is in the other.</summary>
    public bool IsSubsetOf(PurposeSet other) => (High & ~other.High) == 0 && (Low & ~other.Low) == 0;
}
