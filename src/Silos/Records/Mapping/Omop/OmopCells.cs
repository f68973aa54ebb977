using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace EmrMarket.Silos.Records.Mapping.Omop;

/// <summary>A cell that is not of its column's type. Its message holds no value.</summary>
internal sealed class OmopCellException(string column, string message) : Exception(message)
{
    /// <summary>The column.</summary>
    public string Column => column;
}

/// <summary>The cells of a row, by the numbers that a mapping gave to the columns that it needs. An empty cell is no value.</summary>
internal sealed class OmopCells(IReadOnlyList<string> columns)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private IOmopRows _rows = null!;
    private int[] _places = [];

    /// <summary>Begins a file.</summary>
    /// <param name="rows">Its rows.</param>
    /// <param name="places">By column of the mapping, its place in the file.</param>
    public void Begin(IOmopRows rows, int[] places) => (_rows, _places) = (rows, places);

    /// <summary>Whether there is no value.</summary>
    public bool IsEmpty(int column) => Bytes(column).IsEmpty;

    /// <summary>A whole number; null for none.</summary>
    /// <exception cref="OmopCellException">It is none, or has more than 64 bits.</exception>
    public long? Integer(int column)
    {
        ReadOnlySpan<byte> bytes = Bytes(column);
        return bytes.IsEmpty ? null
            : bytes[0] != '+' && Utf8Parser.TryParse(bytes, out long number, out int used) && used == bytes.Length ? number
            : throw new OmopCellException(columns[column], bytes.IndexOf((byte)'.') > 0
                ? "it is no whole number: written with a point, large ids lose digits; write it as a whole number"
                : "it is no whole number of at most 64 bits");
    }

    /// <summary>A decimal number; null for none.</summary>
    /// <exception cref="OmopCellException">It is none.</exception>
    public decimal? Number(int column) => Text(column) is not { } text ? null
        : decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
            out decimal number) ? number
        : throw new OmopCellException(columns[column], "it is no decimal number, or one with an exponent, or too large");

    /// <summary>A date or time; null for none.</summary>
    /// <exception cref="OmopCellException">It is none of ISO 8601.</exception>
    public MappedDate? Date(int column) => Text(column) is not { } text ? null
        : text.Length >= 10 && MappedDate.TryParse(text, out MappedDate date) ? date
        : throw new OmopCellException(columns[column], "it is no date of ISO 8601 (YYYY-MM-DD, with a time of day or without)");

    /// <summary>The text; null for none.</summary>
    /// <exception cref="OmopCellException">It is not UTF-8.</exception>
    public string? Text(int column)
    {
        try
        {
            return IsEmpty(column) ? null : Utf8.GetString(Bytes(column));
        }
        catch (DecoderFallbackException)
        {
            throw new OmopCellException(columns[column], "it is not UTF-8");
        }
    }

    private ReadOnlySpan<byte> Bytes(int column) => _rows.Field(_places[column]);
}
