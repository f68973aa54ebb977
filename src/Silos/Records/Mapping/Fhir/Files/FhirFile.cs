using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Files;

/// <summary>Takes what a file holds, one after the other.</summary>
internal interface IResourceSink
{
    /// <summary>Takes a resource, or a bundle's entry. The bytes are valid until it returns.</summary>
    /// <param name="json">Its bytes.</param>
    /// <param name="isEntry">Whether it is an entry, with <c>resource</c> and <c>fullUrl</c>.</param>
    /// <param name="line">Its line.</param>
    /// <param name="offset">Bytes before it.</param>
    void Take(ReadOnlySpan<byte> json, bool isEntry, long line, long offset);

    /// <summary>Is told of one that is too large to be taken.</summary>
    void TooLarge(long line, long offset);
}

/// <summary>
/// Reads a file of FHIR's JSON: a resource, a bundle of any size, or a resource on each line (NDJSON), packed with gzip or not. Memory: one
/// resource. What is no JSON is refused as a whole; in NDJSON a line that is none is that line's fault.
/// </summary>
internal static class FhirFile
{
    private const int Slack = 1 << 16;

    /// <summary>Reads a file to its end.</summary>
    /// <exception cref="InputException">The file as a whole cannot be read.</exception>
    public static void Read(string file, MappingLimits limits, IResourceSink sink, CancellationToken cancellationToken)
    {
        using Stream stream = LimitedStream.Open(file, limits);
        var window = new ByteWindow(stream, limits.ResourceBytes + Slack);
        window.Fill();
        SkipMark(window, file);
        if (FhirPaths.IsByLine(file) || IsByLine(window))
        {
            LineReader.Read(window, limits, sink, cancellationToken);
        }
        else
        {
            new DocumentReader(window, file, limits, sink).Read(cancellationToken);
        }
    }

    private static void SkipMark(ByteWindow window, string file)
    {
        ReadOnlySpan<byte> bytes = window.Bytes;
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
        {
            window.Skip(3);
            bytes = window.Bytes;
        }

        // UTF-16 and UTF-32, with a mark or without: text that begins with '{' has a zero beside it.
        if (bytes.Length >= 2 && (bytes[0] is 0xFE or 0xFF || bytes[0] == 0 || bytes[1] == 0))
        {
            throw new InputException(new InputProblem(
                "encoding", file, 1, "", "the file is not UTF-8, which FHIR's JSON always is",
                    "Save it as UTF-8: iconv -f UTF-16 -t UTF-8."));
        }

        int first = bytes.IndexOfAnyExcept(" \t\r\n"u8);
        if (first < 0 || bytes[first] != '{')
        {
            throw new InputException(new InputProblem(
                "not-fhir", file, window.LineOf(Math.Max(first, 0)), "",
                first >= 0 && bytes[first] == '<' ? "the file is XML; only FHIR's JSON is read"
                    : "the file does not begin with a JSON object",
                "Name a resource, a bundle, or NDJSON, in JSON."));
        }
    }

    /// <summary>Whether a file has a resource per line: its first line is an object, to all appearance, and the next one begins
    /// another.</summary>
    private static bool IsByLine(ByteWindow window)
    {
        do
        {
            ReadOnlySpan<byte> bytes = window.Bytes;
            int line = bytes.IndexOf((byte)'\n');
            if (line >= 0)
            {
                ReadOnlySpan<byte> first = bytes[..line].Trim(" \t\r"u8);
                int next = bytes[line..].IndexOfAnyExcept(" \t\r\n"u8);
                if (first.Length > 0 && first[^1] != '}')
                {
                    return false;
                }

                if (next >= 0)
                {
                    return bytes[line + next] == '{' && first.Length > 0;
                }
            }
        }
        while (window.Fill());
        return false;
    }
}
