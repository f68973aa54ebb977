namespace EmrMarket.Analytics.Mechanisms;

/// <summary>
/// The reports of one attribute at one grade, one per record, in the records' order. The only thing about a sensitive attribute that leaves
/// a site.
/// </summary>
public abstract class ReportColumn
{
    /// <summary>Number of reports n.</summary>
    public abstract int Count { get; }
}

/// <summary>Reports that are one code each: GRR (0..k-1) and DSW (0..d+2b-1).</summary>
/// <param name="codes">One code per record.</param>
public sealed class CodeReports(ushort[] codes) : ReportColumn
{
    /// <summary>One code per record.</summary>
    public ushort[] Codes { get; } = codes;

    /// <inheritdoc/>
    public override int Count => Codes.Length;
}

/// <summary>
/// Reports that are a set of values each: SS (d of k) and OUE (any). Bit v of a row says that the report supports value v.
/// </summary>
/// <param name="words">Rows of <paramref name="wordsPerReport"/> 64-bit words, least significant bit first.</param>
/// <param name="wordsPerReport">ceil(k / 64).</param>
public sealed class SetReports(ulong[] words, int wordsPerReport) : ReportColumn
{
    /// <summary>Row-major bit rows; bits at k and above are zero.</summary>
    public ulong[] Words { get; } = words;

    /// <summary>Words per row, ceil(k / 64).</summary>
    public int WordsPerReport { get; } = wordsPerReport;

    /// <inheritdoc/>
    public override int Count => Words.Length / WordsPerReport;
}

/// <summary>
/// Reports that are a hash function and a cell each: OLH. Supports the values that its hash, the top bits of a v + b (mod 2^32), sends to
/// its cell.
/// </summary>
/// <param name="multipliers">Per report the multiplier a of the hash, uniform over 32 bits.</param>
/// <param name="addends">Per report the addend b of the hash, uniform over 32 bits.</param>
/// <param name="cells">Per report a cell in 0..g-1.</param>
public sealed class HashReports(uint[] multipliers, uint[] addends, ushort[] cells) : ReportColumn
{
    /// <summary>Multiplier a per report.</summary>
    public uint[] Multipliers { get; } = multipliers;

    /// <summary>Addend b per report.</summary>
    public uint[] Addends { get; } = addends;

    /// <summary>Cell per report.</summary>
    public ushort[] Cells { get; } = cells;

    /// <inheritdoc/>
    public override int Count => Cells.Length;
}

/// <summary>Bitmaps over reports, one per value: bit i of bitmap v says that report i supports value v.</summary>
/// <param name="bits">Row-major, <paramref name="wordsPerValue"/> words per value; bits at n and above are zero.</param>
/// <param name="wordsPerValue">ceil(n / 64).</param>
public sealed class SupportBitmaps(ulong[] bits, int wordsPerValue)
{
    /// <summary>The bitmap of the i-th requested value.</summary>
    public ReadOnlySpan<ulong> this[int index] => bits.AsSpan(index * wordsPerValue, wordsPerValue);

    /// <summary>Number of bitmaps.</summary>
    public int Count => wordsPerValue == 0 ? 0 : bits.Length / wordsPerValue;
}
