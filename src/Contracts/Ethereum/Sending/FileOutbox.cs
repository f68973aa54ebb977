namespace EmrMarket.Contracts.Ethereum.Sending;

/// <summary>An outbox in a file: one JSON line per save, flushed to the disk before it counts; a line that a crash cut short is dropped
/// when the file is opened.</summary>
public sealed class FileOutbox : ITransactionOutbox, IDisposable
{
    private readonly FileStream _file;
    private readonly Dictionary<string, OutboxEntry> _byId = new(StringComparer.Ordinal);
    private readonly SortedDictionary<ulong, OutboxEntry> _byNonce = [];
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);

    /// <summary>Opens or makes the file, for its owner alone.</summary>
    /// <exception cref="IOException">Another process has it open.</exception>
    public FileOutbox(string path)
    {
        FileStreamOptions options = new() { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        _file = new FileStream(path, options);
        try
        {
            Read();
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> LoadOpenAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<OutboxEntry>>([.. _open.Select(id => _byId[id])]);

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> LoadFromNonceAsync(ulong nonce, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<OutboxEntry>>(
            [.. _byNonce.Reverse().TakeWhile(pair => pair.Key >= nonce).Select(pair => pair.Value).Reverse()]);

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> FindAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<OutboxEntry>>(
            [.. ids.Distinct(StringComparer.Ordinal).Select(id => _byId.GetValueOrDefault(id)).OfType<OutboxEntry>()]);

    /// <inheritdoc/>
    public async Task SaveAsync(IReadOnlyList<OutboxEntry> entries, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (entries.Count == 0)
        {
            return;
        }

        byte[] line = [.. OutboxEntryJson.Write(entries), (byte)'\n'];
        await _file.WriteAsync(line, cancellationToken);
        _file.Flush(flushToDisk: true);
        foreach (OutboxEntry entry in entries)
        {
            Index(entry);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void Read()
    {
        byte[] bytes = new byte[_file.Length];
        _file.ReadExactly(bytes);
        int start = 0;
        while (Array.IndexOf(bytes, (byte)'\n', start) is var end && end >= 0)
        {
            foreach (OutboxEntry entry in OutboxEntryJson.Read(bytes.AsSpan(start, end - start)))
            {
                Index(entry);
            }

            start = end + 1;
        }

        _file.SetLength(start);
        _file.Seek(0, SeekOrigin.End);
    }

    private void Index(OutboxEntry entry)
    {
        if (_byId.TryGetValue(entry.Id, out OutboxEntry? earlier) && earlier.Transaction.Nonce != entry.Transaction.Nonce)
        {
            _byNonce.Remove(earlier.Transaction.Nonce);
        }

        _byId[entry.Id] = entry;
        _byNonce[entry.Transaction.Nonce] = entry;
        if (entry.Outcome is null)
        {
            _open.Add(entry.Id);
        }
        else
        {
            _open.Remove(entry.Id);
        }
    }
}
