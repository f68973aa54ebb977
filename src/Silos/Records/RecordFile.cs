using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>Opens a file of records, packed with gzip or not: told apart by its first bytes, whatever its name.</summary>
internal static class RecordFile
{
    /// <summary>The unpacked bytes of a file.</summary>
    /// <exception cref="InputException">The file cannot be read or is empty.</exception>
    public static Stream Open(string file)
    {
        FileStream stream;
        try
        {
            stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            string reason = e is FileNotFoundException or DirectoryNotFoundException
                ? "there is no such file"
                : "the file cannot be opened: " + e.Message;
            throw new InputException(new InputProblem("unreadable-file", file, 0, "", reason, "Check the path and its permissions."));
        }

        Span<byte> head = stackalloc byte[2];
        int read = stream.ReadAtLeast(head, 2, throwOnEndOfStream: false);
        if (read == 0)
        {
            stream.Dispose();
            throw new InputException(new InputProblem(
                "empty-file", file, 0, "", "the file is empty", "A record file has a header line and at least one record."));
        }

        stream.Position = 0;
        return read == 2 && head[0] == 0x1F && head[1] == 0x8B ? new CheckedGzipStream(stream, file) : stream;
    }
}
