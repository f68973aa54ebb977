using System.Security.Cryptography;
using System.Text;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Grains.Ledger.Storage;

namespace EmrMarket.Grains.Ledger.View;

/// <summary>What building a ledger's tables again from the chain alone brought about.</summary>
/// <param name="Block">The block up to which both were compared.</param>
/// <param name="Events">Events in the new journal.</param>
/// <param name="Before">SHA-256 of all tables as the store had them, lower-case hexadecimal.</param>
/// <param name="After">SHA-256 of all tables as the chain has them.</param>
public sealed record LedgerRebuild(ulong Block, int Events, string Before, string After)
{
    /// <summary>Whether the store held what the chain says.</summary>
    public bool IsEqual => string.Equals(Before, After, StringComparison.Ordinal);

    /// <summary>Reads the whole chain into a fresh journal and puts it in the place of the stored one, in one write. The outbox stays: it
    /// holds what the chain does not know.</summary>
    /// <exception cref="EthereumException">The node could not be asked; nothing was changed.</exception>
    public static async Task<LedgerRebuild> RunAsync(
        IEthereumClient client, ContractDeployment deployment, ILedgerStore store, ulong confirmations, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        MemoryLedgerStore fresh = new();
        using (LedgerReadModel reader = new(client, deployment, fresh, confirmations))
        {
            await reader.SyncAsync(cancellationToken);
        }

        IReadOnlyList<LogCheckpoint> checkpoints = await fresh.LoadCheckpointsAsync(cancellationToken);
        IReadOnlyList<LogCheckpoint> stored = await store.LoadCheckpointsAsync(cancellationToken);
        ulong block = stored.Count > 0 ? stored[^1].Number : 0;
        IReadOnlyList<LedgerEvent> events = await fresh.LoadEventsAsync(default, int.MaxValue, cancellationToken);
        LedgerRebuild rebuilt = new(
            block, events.Count, await DigestAsync(store, block, cancellationToken), await DigestAsync(fresh, block, cancellationToken));
        await store.AppendAsync(0, events, checkpoints, cancellationToken);
        return rebuilt;
    }

    private static async Task<string> DigestAsync(ILedgerStore store, ulong block, CancellationToken cancellationToken)
    {
        LedgerTables tables = new();
        foreach (LedgerEvent logged in await store.LoadEventsAsync(default, int.MaxValue, cancellationToken))
        {
            if (logged.BlockNumber <= block)
            {
                tables.Apply(logged);
            }
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(tables.Dump())));
    }
}
