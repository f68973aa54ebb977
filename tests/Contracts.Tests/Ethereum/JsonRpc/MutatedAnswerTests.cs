using System.Text;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Tests.Bindings.Generated;
using EmrMarket.Contracts.Tests.DevChain;
using EmrMarket.Contracts.Tests.Ethereum.Sending;

namespace EmrMarket.Contracts.Tests.Ethereum.JsonRpc;

/// <summary>A real node's answers, damaged: the client neither falls over nor believes a receipt that is not the chain's.</summary>
public class MutatedAnswerTests(ChainFixture fixture) : IClassFixture<ChainFixture>
{
    [RequiresFact(Tool.Anvil)]
    public async Task Sixty_thousand_damaged_answers_give_typed_errors_or_what_was_asked_for()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        TransactionReceipt deployed = await fixture.SendAsync(Probe.Create(fixture.Account.Address, 0));
        Probe probe = new(chain.Client, deployed.ContractAddress!.Value);
        TransactionReceipt receipt = await fixture.SendAsync(probe.RecordMany(0, 3), 500_000);
        LogFilter filter = new(receipt.BlockNumber, receipt.BlockNumber, [probe.Address], []);

        // Each question with its honest answer, recorded once; then the answers alone are damaged.
        byte[] recorded = [];
        using DamagingTransport recorder = new((_, honest) => recorded = honest);
        using JsonRpcEthereumClient honest = new(chain.Endpoint, handler: recorder);
        byte[] current = [];
        using StubNode stub = new(_ => StubNode.Json(current));
        using JsonRpcEthereumClient client = new(new Uri("http://node.example"), new JsonRpcOptions { Attempts = 1 }, stub);
        Random random = new(20260901);
        int typed = 0;
        int accepted = 0;
        (Func<IEthereumClient, Task<object?>> Ask, Action<object?> Check, int Times)[] questions =
        [
            (async node => (await node.GetReceiptsAsync([receipt.TransactionHash], CancellationToken.None))[0],
                answer => Assert.True(answer is null || ((TransactionReceipt)answer).TransactionHash == receipt.TransactionHash), 25_000),
            (async node => await node.GetBlockReceiptsAsync(receipt.BlockNumber, CancellationToken.None),
                answer =>
                    Assert.All((IReadOnlyList<TransactionReceipt>?)answer ?? [], one => Assert.Equal(receipt.BlockNumber, one.BlockNumber)),
                    10_000),
            (async node => await node.GetLogsAsync(filter, CancellationToken.None),
                answer =>
                    Assert.All((IReadOnlyList<LogEntry>)answer!,
                        log => Assert.Equal((probe.Address, receipt.BlockNumber), (log.Address, log.BlockNumber))), 15_000),
            (async node => await node.GetBlockAsync(BlockReference.At(receipt.BlockNumber), CancellationToken.None),
                answer => Assert.True(answer is null || ((BlockHeader)answer).Number == receipt.BlockNumber), 5_000),
            (async node => await node.CallAsync(new ContractCall(probe.Address, new byte[] { 0x06, 0x66, 0x1a, 0xbd }),
                BlockReference.Latest, CancellationToken.None), _ => { }, 2_500),
            (async node => await new Probe(node, probe.Address).RefuseAsync(1), _ => { }, 2_500),
        ];
        foreach ((Func<IEthereumClient, Task<object?>> ask, Action<object?> check, int times) in questions)
        {
            try
            {
                check(await ask(honest));
            }
            catch (ContractRevertException)
            {
                // One of the questions is about a refusal.
            }

            byte[] answer = recorded;
            for (int i = 0; i < times; i++)
            {
                current = Mutation.Of(answer, random);
                try
                {
                    check(await ask(client));
                    accepted++;
                }
                catch (EthereumException)
                {
                    typed++;
                }
            }
        }

        Assert.Equal(60_000, typed + accepted);
        Assert.InRange(typed, 25_000, 60_000);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Sender_over_a_lying_line_finishes_with_the_chain_s_own_receipts()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        TransactionReceipt deployed = await fixture.SendAsync(Probe.Create(fixture.Account.Address, 0));
        Probe probe = new(chain.Client, deployed.ContractAddress!.Value);
        EthereumAccount account = EthereumAccount.Generate();
        await chain.FundAsync([account.Address], CancellationToken.None);
        await fixture.SettleAsync(1);

        // One answer in five is damaged, and one receipt in ten has its status and gas changed in a way that nothing else in it need
        // contradict. No two lies are equal:
        // the sender believes what it reads twice, which a line that always tells the same lie would pass.
        Random random = new(20260902);
        int damaged = 0;
        using DamagingTransport line = new((question, answer) =>
        {
            if (random.Next(10) == 0 && question.Contains("eth_getTransactionReceipt", StringComparison.Ordinal))
            {
                damaged++;
                return Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(answer)
                    .Replace("\"status\":\"0x1\",\"cumulative", "\"status\":\"0x0\",\"cumulative", StringComparison.Ordinal)
                    .Replace("\"gasUsed\":\"0x", FormattableString.Invariant($"\"gasUsed\":\"0x{damaged:x}"), StringComparison.Ordinal));
            }

            if (random.Next(5) != 0)
            {
                return answer;
            }

            damaged++;
            return Mutation.Of(answer, random);
        });
        JsonRpcOptions options = new() { Attempts = 1 };
        using JsonRpcEthereumClient client = new(chain.Endpoint, options, line);
        MemoryOutbox outbox = new();
        using TransactionSender sender = new(
            client, account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast with { LargestNumberInFlight = 8 });
        TransactionIntent[] intents =
            [.. Enumerable.Range(0, 120)
                .Select(i => new TransactionIntent($"{i}", i % 10 == 9 ? probe.OnlyOwner() : probe.Record((ulong)i, default, 1), 200_000))];
        for (bool isEnqueued = false; !isEnqueued;)
        {
            isEnqueued = await TryAsync(() => sender.EnqueueAsync(intents, CancellationToken.None));
        }

        while (outbox.Entries.Any(entry => entry.Outcome is null))
        {
            await TryAsync(() => sender.AdvanceAsync(CancellationToken.None));
            await chain.MineAsync(CancellationToken.None);
        }

        Assert.InRange(damaged, 30, int.MaxValue);
        Assert.Equal(108, await probe.CountAsync());
        IReadOnlyList<TransactionReceipt?> truth = await chain.Client.GetReceiptsAsync(
            [.. outbox.Entries.Select(entry => entry.Outcome!.TransactionHash)], CancellationToken.None);
        foreach ((OutboxEntry entry, TransactionReceipt? real) in outbox.Entries.Zip(truth))
        {
            Assert.Equal((real!.Succeeded, real.GasUsed, real.BlockNumber, real.BlockHash),
                (entry.Outcome!.Succeeded, entry.Outcome.GasUsed, entry.Outcome.BlockNumber, entry.Outcome.BlockHash));
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Chain_that_changes_under_way_gets_nothing_and_loses_nothing()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        TransactionReceipt deployed = await fixture.SendAsync(Probe.Create(fixture.Account.Address, 0));
        Probe probe = new(chain.Client, deployed.ContractAddress!.Value);
        EthereumAccount account = EthereumAccount.Generate();
        await chain.FundAsync([account.Address], CancellationToken.None);
        bool isOther = false;
        List<string> asked = [];
        using DamagingTransport line = new((question, answer) =>
        {
            asked.Add(question);
            return isOther && question.Contains("eth_chainId", StringComparison.Ordinal)
                ? Encoding.UTF8.GetBytes("""{"jsonrpc":"2.0","id":0,"result":"0x1"}""") : answer;
        });
        using JsonRpcEthereumClient client = new(chain.Endpoint, handler: line);
        MemoryOutbox outbox = new();
        using TransactionSender sender = new(client, account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast);
        await sender.EnqueueAsync([new TransactionIntent("1", probe.Record(1, default, 1), 200_000)], CancellationToken.None);
        isOther = true;
        asked.Clear();
        WrongChainException error = await Assert.ThrowsAsync<WrongChainException>(() => sender.AdvanceAsync(CancellationToken.None));
        Assert.Equal((EmbeddedChain.DevelopmentChainId, 1UL), (error.Expected, error.Actual));
        Assert.DoesNotContain(asked, question => question.Contains("eth_sendRawTransaction", StringComparison.Ordinal));
        isOther = false;
        await sender.SendAsync([new TransactionIntent("1", probe.Record(1, default, 1), 200_000)], CancellationToken.None);
        Assert.Equal(1, await probe.CountAsync());
    }

    private static async Task<bool> TryAsync(Func<Task> action)
    {
        try
        {
            await action();
            return true;
        }
        catch (EthereumException)
        {
            return false;
        }
    }
}
