using System.Text.Json;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;

namespace EmrMarket.Contracts.DevChain;

/// <summary>Decides when the embedded chain makes a block: at its pace while transactions wait or were taken a moment ago, seldom when
/// idle.</summary>
/// <remarks>The node's own interval would add 1.7 KB of state with every empty block for as long as it runs.</remarks>
internal sealed class BlockPacer(JsonRpcEthereumClient client, TimeSpan idleBlockTime)
{
    // Blocks at full pace after the last transaction: more than the 10 that make it final and the 2 that a round's seed waits for.
    internal const int BlocksAfterActivity = 24;

    private int _quietBlocks;
    private DateTimeOffset _lastBlock = DateTimeOffset.MinValue;

    /// <summary>Ticks once per block time until it is cancelled.</summary>
    public async Task PaceAsync(TimeSpan blockTime, CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(blockTime);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                try
                {
                    await TickAsync(DateTimeOffset.UtcNow, cancellationToken);
                }
                catch (EthereumException)
                {
                    // The node is away: its supervisor brings it back, and the next tick tries again.
                    _quietBlocks = 0;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    /// <summary>Makes a block if one is due; true if it did.</summary>
    public async Task<bool> TickAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        bool isWaiting = await AskAsync(
            "txpool_status", result => result.TryGetProperty("pending", out JsonElement pending) && JsonRpcReader.Unsigned(pending) > 0,
            cancellationToken);
        if (!isWaiting && _quietBlocks >= BlocksAfterActivity && now - _lastBlock < idleBlockTime)
        {
            return false;
        }

        await AskAsync("evm_mine", _ => true, cancellationToken);
        _lastBlock = now;
        _quietBlocks = isWaiting ? 0 : _quietBlocks + 1;
        return true;
    }

    private Task<T> AskAsync<T>(string method, Func<JsonElement, T> read, CancellationToken cancellationToken) =>
        client.Connection.AskAsync(
            new JsonRpcCall(method, _ => { }), answer => read(client.Connection.Result(method, answer)), cancellationToken);
}
