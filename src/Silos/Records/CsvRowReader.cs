using System.Text;
using CsvHelper;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// The rows of a CSV file (RFC 4180, comma or tab, UTF-8 or a byte order mark that says otherwise) as fields of bytes. Strict: a quote
/// inside an unquoted field, text after a closing quote and an unclosed quote are refused, never guessed at; an empty line is a row.
/// </summary>
internal sealed class CsvRowReader : IDisposable
{
    private static CsvReaderOptions Options(char separator) => new()
    {
        Separator = separator,
        HasHeader = false,
        DetectSeparatorHint = false,
        SkipEmptyLines = false,
        MalformedData = CsvMalformedDataHandling.Throw,
        TrackLineNumbers = true,
        IncludeValuesInExceptions = false,
        MaxRecordSize = 1 << 24,
        BufferSize = 1 << 18,
    };

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly CsvReader _reader;
    private readonly string _file;

    /// <summary>Reads a stream, which it then owns.</summary>
    public CsvRowReader(Stream stream, string file, char separator = ',') =>
        (_reader, _file) = (CsvReader.Create(stream, Options(separator)), file);

    /// <summary>The line on which the current row starts, from 1.</summary>
    public long Line => _reader.LineNumber;

    /// <summary>Number of fields of the current row.</summary>
    public int FieldCount => _reader.FieldCount;

    /// <summary>The bytes of a field, quotes removed. Valid until the next row.</summary>
    public ReadOnlySpan<byte> Field(int index) => _reader.GetSpan(index);

    /// <summary>The text of a field.</summary>
    /// <exception cref="InputException">It is not UTF-8.</exception>
    public string Text(int index)
    {
        try
        {
            return StrictUtf8.GetString(Field(index));
        }
        catch (ArgumentException)
        {
            throw new InputException(
                new InputProblem("encoding", _file, Line, "", $"field {index + 1} is not UTF-8", "Save the file as UTF-8."));
        }
    }

    /// <summary>Goes to the next row; false at the end of the file.</summary>
    /// <exception cref="InputException">The row breaks the rules of quoting.</exception>
    public bool ReadRow()
    {
        try
        {
            return _reader.Read();
        }
        catch (CsvFormatException e)
        {
            throw new InputException(new InputProblem(
                "malformed-csv", _file, e.LineNumber, "", "the line breaks the rules of quoting, or is longer than 16 MiB",
                "Close every quote, put the whole field in quotes, and double the quotes inside it."));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();
}
