namespace EmrMarket.Silos.Records.Mapping.Fhir.Files;

/// <summary>Reads NDJSON (http://ndjson.org, as FHIR's Bulk Data has it): a resource on each line. A line that is too long is told and
/// skipped.</summary>
internal static class LineReader
{
    /// <summary>Reads to the end.</summary>
    public static void Read(ByteWindow window, MappingLimits limits, IResourceSink sink, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int end = window.Bytes.IndexOf((byte)'\n');
            while (end < 0 && window.Fill())
            {
                end = window.Bytes.IndexOf((byte)'\n');
            }

            if (end < 0 && window.IsLast)
            {
                end = window.Bytes.Length;
                if (end == 0)
                {
                    return;
                }
            }

            if (end < 0 || end > limits.ResourceBytes)
            {
                sink.TooLarge(window.Line, window.Offset);
                SkipLine(window);
                continue;
            }

            ReadOnlySpan<byte> line = window.Bytes[..end];
            int start = line.IndexOfAnyExcept(" \t\r"u8);
            if (start >= 0)
            {
                sink.Take(line[start..].TrimEnd(" \t\r"u8), isEntry: false, window.Line, window.Offset + start);
            }

            window.Skip(Math.Min(end + 1, window.Bytes.Length));
        }
    }

    private static void SkipLine(ByteWindow window)
    {
        int end;
        while ((end = window.Bytes.IndexOf((byte)'\n')) < 0)
        {
            window.Skip(window.Bytes.Length);
            if (!window.Fill())
            {
                return;
            }
        }

        window.Skip(end + 1);
    }
}
