using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Logs;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Tests.Bindings.Generated;
using EmrMarket.Contracts.Tests.DevChain;

namespace EmrMarket.Contracts.Tests.Ethereum.Logs;

public class LogFollowerTests(ChainFixture fixture) : IClassFixture<ChainFixture>
{
    [RequiresFact(Tool.Anvil)]
    public async Task Every_event_is_read_once_whatever_the_range()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        Probe probe = await DeployAsync();
        using TransactionSender sender = await fixture.SenderAsync();
        await sender.SendAsync(
            [.. Enumerable.Range(0, 40)
                .Select(i => new TransactionIntent(Guid.NewGuid().ToString(), probe.RecordMany((ulong)i * 5, 5), 2_000_000))],
                    CancellationToken.None);
        ulong head = (await chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!.Number;
        foreach (ulong range in (ulong[])[1, 3, 2_000])
        {
            LogFollower follower = new(chain.Client,
                new LogFollowerOptions { Addresses = [probe.Address], EventTopics = [RecordedEvent.Topic], LargestRange = range });
            List<ulong> ids = [];
            IReadOnlyList<LogCheckpoint> checkpoints = [];
            while (checkpoints.Count == 0 || checkpoints[^1].Number < head)
            {
                LogStep step = (await follower.NextAsync(checkpoints, CancellationToken.None))!;
                Assert.Null(step.UndoFrom);
                ids.AddRange(step.Logs.Select(log => RecordedEvent.Decode(log).Id));
                checkpoints = step.Checkpoints;
            }

            Assert.Equal(Enumerable.Range(0, 200).Select(i => (ulong)i), ids);
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Reorganisations_are_undone_before_the_new_blocks_are_read()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        Probe probe = await DeployAsync();
        LogFollower follower = new(chain.Client, new LogFollowerOptions { Addresses = [probe.Address] });
        SortedDictionary<ulong, List<ulong>> model = [];
        IReadOnlyList<LogCheckpoint> checkpoints = [];
        int undone = 0;
        await fixture.SettleAsync(10);
        for (int round = 0; round < 6; round++)
        {
            await fixture.SendAsync(probe.Record((ulong)round, default, 1));
            while (await follower.NextAsync(checkpoints, CancellationToken.None) is { } step)
            {
                if (step.UndoFrom is { } from)
                {
                    undone++;
                    foreach (ulong block in model.Keys.Where(block => block >= from).ToArray())
                    {
                        model.Remove(block);
                    }
                }

                foreach (LogEntry log in step.Logs)
                {
                    model.TryAdd(log.BlockNumber, []);
                    model[log.BlockNumber].Add(RecordedEvent.Decode(log).Id);
                }

                checkpoints = step.Checkpoints;
            }

            ulong head = (await chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!.Number;
            IReadOnlyList<LogEntry> truth = await chain.Client.GetLogsAsync(
                new LogFilter(0, Math.Min(head, checkpoints[^1].Number), [probe.Address], []), CancellationToken.None);
            Assert.NotEmpty(truth);
            Assert.Equal(truth.Select(log => RecordedEvent.Decode(log).Id), model.Values.SelectMany(ids => ids));
            await fixture.ReorganiseAsync(4 + round);
        }

        Assert.True(undone > 0);
    }

    private async Task<Probe> DeployAsync()
    {
        TransactionReceipt receipt = await fixture.SendAsync(Probe.Create(EthereumAccount.Generate().Address, 0));
        return new Probe((await fixture.GetAsync()).Client, receipt.ContractAddress!.Value);
    }
}
