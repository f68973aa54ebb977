using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Contracts.Tests.Bindings.Generated;

namespace EmrMarket.Contracts.Tests.DevChain;

public sealed class EmbeddedChainTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-chain-").FullName;

    [RequiresFact(Tool.Anvil)]
    public async Task Killed_node_comes_back_and_nothing_above_the_outbox_is_lost()
    {
        EthereumAccount account = EthereumAccount.Generate();
        await using EmbeddedChain chain = await EmbeddedChain.StartAsync(Options(), CancellationToken.None);
        await chain.FundAsync([account.Address], CancellationToken.None);
        using FileOutbox outbox = new(Path.Combine(_folder, "outbox.jsonl"));
        using TransactionSender sender = new(chain.Client, account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast);
        Address contract =
            (await sender.SendAsync([new TransactionIntent("deploy", Probe.Create(account.Address, 0))], CancellationToken.None))[
                0].ContractAddress!.Value;
        Probe probe = new(chain.Client, contract);
        for (int round = 0; round < 4; round++)
        {
            // Killed at different moments of a run of sixty: with the first round, before its state was ever written.
            TransactionIntent[] intents =
                [.. Enumerable.Range(round * 60, 60)
                    .Select(i => new TransactionIntent($"{i}", probe.Record((ulong)i, default, 1), 200_000))];
            Task<IReadOnlyList<TransactionOutcome>> sending = sender.SendAsync(intents, CancellationToken.None);
            await Task.Delay(round * 70);
            int restarts = chain.Restarts;
            SupervisedProcessTests.Kill(chain.ProcessId);
            await SupervisedProcessTests.UntilAsync(() => chain.Restarts > restarts);
            await sending;
        }

        // What was final for the sender may have been lost with the last second of blocks: its next passes notice and send the same bytes
        // again.
        await SupervisedProcessTests.UntilAsync(() =>
        {
            sender.AdvanceAsync(CancellationToken.None).Wait();
            return chain.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None).Result == 241;
        });
        Assert.Equal(240, await probe.CountAsync());
    }

    [RequiresFact(Tool.Anvil)]
    public async Task State_outlives_the_process_and_time_can_be_moved()
    {
        EthereumAccount account = EthereumAccount.Generate();
        ulong timestamp;
        await using (EmbeddedChain chain = await EmbeddedChain.StartAsync(Options(), CancellationToken.None))
        {
            await chain.FundAsync([account.Address], CancellationToken.None);
            BlockHeader before = (await chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!;
            await chain.AdvanceTimeAsync(TimeSpan.FromDays(30), CancellationToken.None);
            timestamp = (await chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!.Timestamp;
            Assert.InRange(timestamp - before.Timestamp, 30UL * 86_400, (30UL * 86_400) + 60);
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => chain.AdvanceTimeAsync(TimeSpan.Zero, CancellationToken.None));
            Assert.Equal(chain.Endpoint.ToString(), EmbeddedChain.FindRunning(_folder)!.Endpoint);
        }

        Assert.Null(EmbeddedChain.FindRunning(_folder));
        await using EmbeddedChain again = await EmbeddedChain.StartAsync(Options(), CancellationToken.None);
        Assert.True((await again.Client.GetBalanceAsync(account.Address, BlockReference.Latest, CancellationToken.None)) > 0);
        Assert.True((await again.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!.Timestamp >= timestamp);

        // A new process of the node knows nothing of the moved clock: the next block goes on from the last one's all the same.
        await again.MineAsync(CancellationToken.None);
        timestamp = await AfterAsync(timestamp);
        int restarts = again.Restarts;
        SupervisedProcessTests.Kill(again.ProcessId);
        await SupervisedProcessTests.UntilAsync(() => again.Restarts > restarts);
        await again.MineAsync(CancellationToken.None);
        await AfterAsync(timestamp - 1);

        async Task<ulong> AfterAsync(ulong earlier)
        {
            BlockHeader latest = (await again.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!;
            Assert.InRange(latest.Timestamp, earlier + 1, earlier + 600);
            return latest.Timestamp;
        }
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Node_answers_this_machine_alone_holds_no_accounts_and_allows_no_browser()
    {
        await using EmbeddedChain chain = await EmbeddedChain.StartAsync(Options(), CancellationToken.None);
        Assert.Equal("127.0.0.1", chain.Endpoint.Host);
        using JsonRpcEthereumClient client = new(chain.Endpoint);
        int accounts = await client.Connection.AskAsync(
            new JsonRpcCall("eth_accounts", _ => { }), answer => answer.Result.GetArrayLength(), CancellationToken.None);
        Assert.Equal(0, accounts);
        using HttpClient browser = new();
        using HttpRequestMessage request = new(HttpMethod.Post, chain.Endpoint)
        {
            Headers = { { "Origin", "http://example.org" } },
            Content = new StringContent("""{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}""", System.Text.Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage response = await browser.SendAsync(request);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Idle_hour_makes_a_block_a_minute_and_a_transaction_wakes_the_pace()
    {
        EthereumAccount account = EthereumAccount.Generate();
        await using EmbeddedChain chain = await EmbeddedChain.StartAsync(
            Options() with { BlockTime = TimeSpan.FromHours(1), KeepsState = false }, CancellationToken.None);
        await chain.FundAsync([account.Address], CancellationToken.None);
        BlockPacer pacer = new(chain.DevelopmentClient, TimeSpan.FromMinutes(1));
        DateTimeOffset now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        Assert.Equal(BlockPacer.BlocksAfterActivity + 59, await TicksAsync(pacer, now, TimeSpan.FromHours(1)));
        now += TimeSpan.FromHours(1);

        Transaction transaction = new(EmbeddedChain.DevelopmentChainId, 0, await chain.Client.GetGasPriceAsync(CancellationToken.None),
            21_000, account.Address, 1, default);
        await chain.Client.SendRawAsync([transaction.Sign(account)], CancellationToken.None);
        Assert.Equal(1 + BlockPacer.BlocksAfterActivity,
            await TicksAsync(pacer, now, TimeSpan.FromSeconds(2 * (BlockPacer.BlocksAfterActivity + 5))));
        Assert.Equal(1UL, await chain.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    [Trait("Duration", "Long")]
    public async Task Idle_day_leaves_a_small_state()
    {
        await using (EmbeddedChain chain = await EmbeddedChain.StartAsync(
            Options() with { BlockTime = TimeSpan.FromHours(1) }, CancellationToken.None))
        {
            BlockPacer pacer = new(chain.DevelopmentClient, TimeSpan.FromMinutes(1));
            Assert.InRange(await TicksAsync(pacer, new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), TimeSpan.FromDays(1)), 1_440, 1_480);
        }

        Assert.InRange(new FileInfo(Path.Combine(_folder, "state.json")).Length, 1, 4 << 20);
        Assert.InRange(Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length), 1,
            8 << 20);
    }

    private static async Task<int> TicksAsync(BlockPacer pacer, DateTimeOffset from, TimeSpan during)
    {
        int blocks = 0;
        for (DateTimeOffset now = from; now < from + during; now += TimeSpan.FromSeconds(2))
        {
            blocks += await pacer.TickAsync(now, CancellationToken.None) ? 1 : 0;
        }

        return blocks;
    }

    private EmbeddedChainOptions Options() => new()
    {
        Folder = _folder, Tools = ChainFixture.EmbeddedTools, BlockTime = TimeSpan.FromMilliseconds(20),
    };

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
