using EmrMarket.Contracts.Ethereum.JsonRpc;

namespace EmrMarket.Contracts.Ethereum.Logs;

/// <summary>Which logs are followed, and how closely.</summary>
public sealed record LogFollowerOptions
{
    /// <summary>Of these contracts; empty for all.</summary>
    public IReadOnlyList<Address> Addresses { get; init; } = [];

    /// <summary>With one of these first topics; empty for all.</summary>
    public IReadOnlyList<Bytes32> EventTopics { get; init; } = [];

    /// <summary>The first block: that of the deployment.</summary>
    public ulong FirstBlock { get; init; }

    /// <summary>Blocks that stay unread below the newest one; 0 follows the tip and walks back on every reorganisation.</summary>
    public ulong Confirmations { get; init; }

    /// <summary>The most blocks asked for at once; halved while a node finds them too many.</summary>
    public ulong LargestRange { get; init; } = 2_000;
}

/// <summary>A block up to which logs were read.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Hash">Its hash, which tells whether it is still part of the chain.</param>
public readonly record struct LogCheckpoint(ulong Number, Bytes32 Hash);

/// <summary>One step along the chain.</summary>
/// <param name="UndoFrom">Null, or the first block whose logs have to be undone: it and all above it are no longer part of the
/// chain.</param>
/// <param name="Logs">What was logged since, in the order of the chain.</param>
/// <param name="Checkpoints">What to keep, in one transaction with the effects of this step, and to start from next time.</param>
public sealed record LogStep(ulong? UndoFrom, IReadOnlyList<LogEntry> Logs, IReadOnlyList<LogCheckpoint> Checkpoints);

/// <summary>Reads logs by ranges of blocks, each once, and walks back where the chain was reorganised.</summary>
/// <remarks>It keeps nothing: the caller stores the checkpoints of a step together with what it made of the logs, so that a crash between
/// two steps repeats or skips nothing.</remarks>
public sealed class LogFollower
{
    // A reorganisation deeper than the kept checkpoints starts over at the first block.
    private const int KeptCheckpoints = 128;

    private readonly IEthereumClient _client;
    private readonly LogFollowerOptions _options;
    private ulong _range;

    /// <param name="client">The node.</param>
    /// <param name="options">Which logs.</param>
    public LogFollower(IEthereumClient client, LogFollowerOptions options)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(options);
        (_client, _options, _range) = (client, options, Math.Max(1, options.LargestRange));
    }

    /// <summary>The next step, or null when there is nothing new.</summary>
    /// <param name="checkpoints">Those of the last step, oldest first; empty at the start.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="EthereumException">The node could not be asked, or changed its mind while it was: ask again.</exception>
    public async Task<LogStep?> NextAsync(IReadOnlyList<LogCheckpoint> checkpoints, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(checkpoints);
        int standing = checkpoints.Count;
        while (standing > 0 && !await StandsAsync(checkpoints[standing - 1], cancellationToken))
        {
            standing--;
        }

        LogCheckpoint[] kept = [.. checkpoints.Take(standing)];
        ulong next = kept.Length > 0 ? kept[^1].Number + 1 : _options.FirstBlock;
        if (standing < checkpoints.Count)
        {
            return new LogStep(next, [], kept);
        }

        BlockHeader head = await _client.GetBlockAsync(BlockReference.Latest, cancellationToken)
            ?? throw new MalformedAnswerException("eth_getBlockByNumber", "the node has no latest block");
        if (head.Number < _options.Confirmations || head.Number - _options.Confirmations < next)
        {
            return null;
        }

        return await ReadAsync(kept, next, head.Number - _options.Confirmations, cancellationToken);
    }

    private async Task<LogStep> ReadAsync(LogCheckpoint[] kept, ulong next, ulong newest, CancellationToken cancellationToken)
    {
        while (true)
        {
            ulong last = Math.Min(newest, next + _range - 1);
            try
            {
                Bytes32 before = (await HeaderAsync(last, cancellationToken)).Hash;
                IReadOnlyList<LogEntry> logs = await _client.GetLogsAsync(
                    new LogFilter(next, last, _options.Addresses, _options.EventTopics), cancellationToken);
                BlockHeader first = await HeaderAsync(next, cancellationToken);
                Bytes32 after = (await HeaderAsync(last, cancellationToken)).Hash;
                bool isTorn = before != after || (kept.Length > 0 && first.ParentHash != kept[^1].Hash)
                    || logs.Any(log => (log.BlockNumber == last && log.BlockHash != after)
                        || (log.BlockNumber == next && log.BlockHash != first.Hash));
                if (isTorn)
                {
                    throw new MalformedAnswerException("eth_getLogs", "the chain was reorganised while its logs were read");
                }

                _range = Math.Min(_options.LargestRange, _range * 2);
                return new LogStep(null, logs, [.. kept.TakeLast(KeptCheckpoints - 1), new LogCheckpoint(last, after)]);
            }
            catch (EthereumException e) when (last > next && e is NodeErrorException or RateLimitedException or NodeUnreachableException)
            {
                // Nodes bound the number of logs, of blocks or of seconds of an answer, each in its own words: half the range is the answer
                // to all.
                _range = Math.Max(1, (last - next + 1) / 2);
            }
        }
    }

    private async Task<bool> StandsAsync(LogCheckpoint checkpoint, CancellationToken cancellationToken) =>
        (await _client.GetBlockAsync(BlockReference.At(checkpoint.Number), cancellationToken))?.Hash == checkpoint.Hash;

    private async Task<BlockHeader> HeaderAsync(ulong number, CancellationToken cancellationToken) =>
        await _client.GetBlockAsync(BlockReference.At(number), cancellationToken)
            ?? throw new MalformedAnswerException("eth_getBlockByNumber", $"block {number} has gone while its logs were read");
}
