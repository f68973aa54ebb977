using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;

namespace EmrMarket.Grains.Tests.Ledger;

/// <summary>The tables hold what the chain says, whatever way they came to it.</summary>
public sealed class LedgerReadModelTests(LedgerFixture fixture) : IClassFixture<LedgerFixture>
{
    [RequiresFact(Tool.Anvil)]
    public async Task Tables_are_the_same_when_followed_step_by_step_opened_again_or_rebuilt_from_the_chain_alone()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        EthereumAccount auditor = await ledger.AuditorAsync();
        MemoryLedgerStore store = new();
        using LedgerReadModel followed = ledger.View(store);
        MemoryLedgerStore commands = new();
        await using (LedgerProcess process = new(auditor, commands, ledger.Client))
        {
            for (int i = 0; i < 5; i++)
            {
                await process.FinishAsync([.. Enumerable.Range(0, 4).Select(j => ledger.Finding($"rebuild/{i}/{j}"))]);
                await followed.SyncAsync();
            }
        }

        Assert.Equal(20, followed.Findings(1).Count);
        Assert.Single(followed.Sites());
        using LedgerReadModel opened = ledger.View(store);
        await opened.SyncAsync();
        await followed.SyncAsync();
        Assert.Equal(followed.Dump(), opened.Dump());

        LedgerRebuild rebuilt = await LedgerRebuild.RunAsync(ledger.Client, ledger.Deployment, store, 0, CancellationToken.None);
        Assert.True(rebuilt.IsEqual, $"{rebuilt.Before} before, {rebuilt.After} after");
        using LedgerReadModel after = ledger.View(store);
        await after.SyncAsync();
        Assert.Equal(followed.Dump(), after.Dump());

        // A journal that somebody altered is found, named and mended.
        IReadOnlyList<LedgerEvent> events = await store.LoadEventsAsync(default, 1_000, CancellationToken.None);
        await store.AppendAsync(
            events[^1].BlockNumber, [], await store.LoadCheckpointsAsync(CancellationToken.None), CancellationToken.None);
        Assert.False((await LedgerRebuild.RunAsync(ledger.Client, ledger.Deployment, store, 0, CancellationToken.None)).IsEqual);
        Assert.True((await LedgerRebuild.RunAsync(ledger.Client, ledger.Deployment, store, 0, CancellationToken.None)).IsEqual);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Confirmations_keep_an_event_back_until_blocks_stand_above_it()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        using LedgerReadModel tip = ledger.View(new MemoryLedgerStore());
        using LedgerReadModel late = ledger.View(new MemoryLedgerStore(), confirmations: 1_000);
        await tip.SyncAsync();
        await late.SyncAsync();
        Assert.NotEmpty(tip.Sites());
        Assert.Empty(late.Sites());
        Assert.Equal(0UL, late.FollowedTo);
        Assert.True(late.NowSeconds > 0);
        Assert.Null(tip.RevokedAt(1, Bytes32.Zero));
        Assert.Null(tip.Request(1));
    }
}
