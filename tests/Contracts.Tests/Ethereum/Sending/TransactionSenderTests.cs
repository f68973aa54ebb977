using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Contracts.Tests.Bindings.Generated;
using EmrMarket.Contracts.Tests.DevChain;
using EmrMarket.Contracts.Tests.Ethereum.JsonRpc;

namespace EmrMarket.Contracts.Tests.Ethereum.Sending;

/// <summary>The sender on a real chain: each command lands exactly once, whatever happens between.</summary>
public class TransactionSenderTests(ChainFixture fixture) : IClassFixture<ChainFixture>
{
    private const ulong Gas = 200_000;

    private static readonly JsonRpcOptions Impatient = new()
    {
        Attempts = 2, FirstPause = TimeSpan.FromMilliseconds(1), Timeout = TimeSpan.FromMilliseconds(500),
    };

    [RequiresFact(Tool.Anvil)]
    public async Task Thousand_commands_land_once_each_in_order()
    {
        (Probe probe, EthereumAccount account, _) = await PrepareAsync();
        using TransactionSender sender = Sender(account, new MemoryOutbox());
        TransactionIntent[] intents = [.. Enumerable.Range(0, 1000).Select(i => Command(probe, i))];
        IReadOnlyList<TransactionOutcome> outcomes = await sender.SendAsync(intents, CancellationToken.None);
        Assert.All(outcomes, outcome => Assert.True(outcome.Succeeded));
        Assert.Equal(intents.Select(intent => intent.Id), outcomes.Select(outcome => outcome.Id));
        Assert.Equal(1000, await probe.CountAsync());
        Assert.Equal(1000UL, await probe.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None));

        // The same commands again, in any mixture, send nothing more.
        await sender.SendAsync([intents[5], intents[5], intents[999]], CancellationToken.None);
        Assert.Equal(1000, await probe.CountAsync());
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Bad_commands_are_refused_before_anything_is_signed()
    {
        (Probe probe, EthereumAccount account, _) = await PrepareAsync();
        MemoryOutbox outbox = new();
        using TransactionSender sender = Sender(account, outbox);
        await Assert.ThrowsAsync<ArgumentException>(
            () => sender.EnqueueAsync([Command(probe, 1), Command(probe, 2) with { Id = "1" }], CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(
            () => sender.EnqueueAsync([Command(probe, 1) with { GasLimit = 21_000 }], CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(
            () => sender.EnqueueAsync([Command(probe, 1) with { GasLimit = ulong.MaxValue }], CancellationToken.None));
        await Assert.ThrowsAsync<ContractRevertException>(
            () => sender.EnqueueAsync([Command(probe, 1), new TransactionIntent("2", probe.OnlyOwner())], CancellationToken.None));
        Assert.Empty(outbox.Entries);
        using TransactionSender elsewhere = new((await fixture.GetAsync()).Client, account, 1, outbox);
        await Assert.ThrowsAsync<WrongChainException>(() => elsewhere.EnqueueAsync([Command(probe, 1)], CancellationToken.None));
        Assert.Empty(outbox.Entries);
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Refused_call_is_a_final_outcome_that_failed()
    {
        (Probe probe, EthereumAccount account, _) = await PrepareAsync();
        using TransactionSender sender = Sender(account, new MemoryOutbox());
        IReadOnlyList<TransactionOutcome> outcomes = await sender.SendAsync(
            [new TransactionIntent("refused", probe.OnlyOwner(), Gas), Command(probe, 1)], CancellationToken.None);
        Assert.Equal([false, true], outcomes.Select(outcome => outcome.Succeeded));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Account_without_ether_is_a_typed_error_and_lands_when_it_is_funded()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        (Probe probe, _, _) = await PrepareAsync();
        EthereumAccount poor = EthereumAccount.Generate();
        using TransactionSender sender = Sender(poor, new MemoryOutbox());
        await sender.EnqueueAsync([Command(probe, 1)], CancellationToken.None);
        NodeErrorException error = await Assert.ThrowsAsync<NodeErrorException>(() => sender.AdvanceAsync(CancellationToken.None));
        Assert.Contains("nsufficient funds", error.Message, StringComparison.Ordinal);
        await chain.FundAsync([poor.Address], CancellationToken.None);
        await sender.SendAsync([Command(probe, 1)], CancellationToken.None);
        Assert.Equal(1, await probe.CountAsync());
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Crash_after_every_step_loses_and_doubles_nothing()
    {
        // The faulty client stops the process (throws something that nobody handles) at its n-th question, before or after the node heard
        // it; a new sender takes the same outbox. Every n from the first to the last question of the whole story is tried.
        (Probe probe, EthereumAccount account, IEthereumClient client) = await PrepareAsync();
        int expected = 0;
        bool crashed = true;
        for (int step = 0; crashed; step++)
        {
            crashed = false;
            MemoryOutbox outbox = new();
            TransactionIntent[] intents = [.. Enumerable.Range(0, 3).Select(i => Command(probe, (step * 10) + i))];
            expected += intents.Length;
            foreach (bool isHeard in (bool[])[true, false])
            {
                CrashingClient crashing = new(client, step, isHeard);
                try
                {
                    using TransactionSender sender = new(crashing, account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast);
                    await sender.SendAsync(intents, CancellationToken.None);
                }
                catch (CrashException)
                {
                    crashed = true;
                }
            }

            using TransactionSender after = Sender(account, outbox);
            Assert.All(await after.SendAsync(intents, CancellationToken.None), outcome => Assert.True(outcome.Succeeded));
            Assert.Equal(expected, await probe.CountAsync());
            Assert.True(step < 100, "the story never ends");
        }

        Assert.Equal((ulong)expected, await client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Line_that_fails_in_every_way_sends_each_command_once()
    {
        (Probe probe, EthereumAccount account, IEthereumClient honest) = await PrepareAsync();
        using FailingTransport line = new(new Random(20260903));
        using JsonRpcEthereumClient client = new(
            (await fixture.GetAsync()).Endpoint, Impatient, line);
        MemoryOutbox outbox = new();
        using TransactionSender sender = new(
            client, account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast with { LargestNumberInFlight = 8 });
        TransactionIntent[] intents = [.. Enumerable.Range(0, 200).Select(i => Command(probe, i))];
        for (bool isEnqueued = false; !isEnqueued;)
        {
            // What was signed before the line failed is in the outbox, and is not signed again.
            try
            {
                await sender.EnqueueAsync(intents, CancellationToken.None);
                isEnqueued = true;
            }
            catch (EthereumException e)
            {
                Assert.True(e.IsTransient, e.Message);
            }
        }

        IReadOnlyList<TransactionOutcome> outcomes = await sender.SendAsync(intents, CancellationToken.None);
        Assert.All(outcomes, outcome => Assert.True(outcome.Succeeded));
        Assert.Equal(200, await probe.CountAsync());
        Assert.Equal(200UL, await honest.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None));
        Assert.All(outbox.Entries, entry => Assert.Empty(entry.ReplacedHashes));
        Assert.True(line.Failures.All(count => count > 0), string.Join(", ", line.Failures));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Reorganisation_that_drops_transactions_sends_the_same_bytes_again()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        (Probe probe, EthereumAccount account, _) = await PrepareAsync();
        await fixture.SettleAsync(8);
        MemoryOutbox outbox = new();
        using TransactionSender sender = new(
            chain.Client, account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast with { Confirmations = 15 });
        await sender.EnqueueAsync([.. Enumerable.Range(0, 20).Select(i => Command(probe, i))], CancellationToken.None);
        Bytes32[] hashes = [.. outbox.Entries.Select(entry => entry.Hash)];
        while ((await sender.AdvanceAsync(CancellationToken.None)).Included < 20)
        {
            await Task.Delay(5);
        }

        await fixture.ReorganiseAsync(8);
        Assert.Equal(0, await probe.CountAsync());
        bool wasSeen = false;
        int final = 0;
        while (final < 20)
        {
            SenderPass pass = await sender.AdvanceAsync(CancellationToken.None);
            wasSeen |= pass.Reorganised;
            final += pass.Final.Count;
            await Task.Delay(5);
        }

        Assert.True(wasSeen);
        Assert.Equal(20, await probe.CountAsync());
        Assert.Equal(hashes, outbox.Entries.Select(entry => entry.Outcome!.TransactionHash));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Nonce_used_up_by_another_program_is_signed_again_once_it_is_final()
    {
        (Probe probe, EthereumAccount account, IEthereumClient client) = await PrepareAsync();
        MemoryOutbox outbox = new();
        using TransactionSender sender = Sender(account, outbox);
        await sender.EnqueueAsync([Command(probe, 1), Command(probe, 2)], CancellationToken.None);
        Bytes32[] first = [.. outbox.Entries.Select(entry => entry.Hash)];

        // Another program sends from the same account before the sender does.
        Transaction foreign = new(EmbeddedChain.DevelopmentChainId, 0, await client.GetGasPriceAsync(CancellationToken.None), 50_000,
            account.Address, 1, default);
        Assert.Equal(SendStatus.Accepted, (await client.SendRawAsync([foreign.Sign(account)], CancellationToken.None))[0].Status);
        await (await fixture.GetAsync()).MineAsync(CancellationToken.None);

        Assert.All(await sender.SendAsync([Command(probe, 1), Command(probe, 2)], CancellationToken.None),
            outcome => Assert.True(outcome.Succeeded));
        Assert.Equal(2, await probe.CountAsync());
        Assert.Single(outbox.Entries, entry => entry.ReplacedHashes.Count == 1 && first.Contains(entry.ReplacedHashes[0]));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Price_below_the_base_fee_is_raised_on_the_same_nonce()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        (Probe probe, EthereumAccount account, _) = await PrepareAsync();
        MemoryOutbox outbox = new();
        using TransactionSender sender = Sender(account, outbox);
        await sender.EnqueueAsync([Command(probe, 1)], CancellationToken.None);
        do
        {
            // A block that the pace is just making takes the fee of before, and sets its own successor's.
            await chain.CommandAsync(
                "anvil_setNextBlockBaseFeePerGas", parameters => parameters.WriteStringValue("0x174876e8000"), CancellationToken.None);
            await chain.MineAsync(CancellationToken.None);
        }
        while ((await chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!.BaseFeePerGas < 100_000_000_000);

        Assert.True(Assert.Single(await sender.SendAsync([Command(probe, 1)], CancellationToken.None)).Succeeded);
        Assert.Equal(1, await probe.CountAsync());
        Assert.NotEmpty(Assert.Single(outbox.Entries).ReplacedHashes);
        Assert.Equal(1UL, await chain.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None));
    }

    /// <summary>A backup lacks what its process signed afterwards. The node held that still when the next commands got their nonces, and
    /// then forgot it: the nonces between are nobody's, and nothing after them would ever be in a block.</summary>
    [RequiresTheory(Tool.Anvil)]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Nonces_that_a_destroyed_process_left_empty_are_filled_with_nothing(int inBackup)
    {
        await using StillChain still = await StillChain.StartAsync(fixture);
        (EmbeddedChain chain, Probe probe, EthereumAccount account) = still;
        MemoryOutbox backup = new();
        using TransactionSender destroyed = new(
            chain.Client, account, EmbeddedChain.DevelopmentChainId, new MemoryOutbox(), ChainFixture.Fast);
        using TransactionSender restored = new(chain.Client, account, EmbeddedChain.DevelopmentChainId, backup, ChainFixture.Fast);
        TransactionIntent[] known = [.. Enumerable.Range(0, inBackup).Select(i => Command(probe, i))];
        await restored.EnqueueAsync(known, CancellationToken.None);
        await destroyed.EnqueueAsync([.. known, Command(probe, 7), Command(probe, 8)], CancellationToken.None);
        Assert.Equal(inBackup + 2, (await destroyed.AdvanceAsync(CancellationToken.None)).InFlight);

        TransactionIntent next = Command(probe, 9);
        await restored.EnqueueAsync([next], CancellationToken.None);
        Assert.Equal((ulong)inBackup + 2, await restored.NonceOfAsync(next.Id, CancellationToken.None));
        await chain.CommandAsync("anvil_dropAllTransactions", _ => { }, CancellationToken.None);

        int blocks = 0;
        while (backup.Entries.Any(entry => entry.Outcome is null))
        {
            Assert.True(blocks < 40, $"{backup.Entries.Count(entry => entry.Outcome is null)} transactions wait for ever");
            await restored.AdvanceAsync(CancellationToken.None);
            int fillers = backup.Entries.Count(entry => entry.Transaction.To == account.Address);
            Assert.True(fillers == 0 || blocks >= (int)ChainFixture.Fast.BlocksBetweenOffers, $"filled after {blocks} blocks");
            await chain.MineAsync(CancellationToken.None);
            blocks++;
        }

        OutboxEntry[] filled = [.. backup.Entries.Where(entry => entry.Transaction.To == account.Address)];
        Assert.Equal([(ulong)inBackup, (ulong)inBackup + 1], filled.Select(entry => entry.Transaction.Nonce));
        Assert.All(filled, entry => Assert.True(entry.Transaction.Value.IsZero && entry.Transaction.Data.IsEmpty));
        Assert.All(backup.Entries, entry => Assert.True(entry.Outcome!.Succeeded));
        Assert.Equal(inBackup + 1, await probe.CountAsync());
        Assert.Equal((ulong)inBackup + 3, await chain.Client.GetNonceAsync(account.Address, BlockReference.Latest, CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Nonces_that_a_destroyed_process_takes_up_after_all_are_not_filled()
    {
        await using StillChain still = await StillChain.StartAsync(fixture);
        (EmbeddedChain chain, Probe probe, EthereumAccount account) = still;
        MemoryOutbox backup = new();
        using TransactionSender destroyed = new(
            chain.Client, account, EmbeddedChain.DevelopmentChainId, new MemoryOutbox(), ChainFixture.Fast);
        using TransactionSender restored = new(chain.Client, account, EmbeddedChain.DevelopmentChainId, backup, ChainFixture.Fast);
        await destroyed.EnqueueAsync([Command(probe, 7), Command(probe, 8)], CancellationToken.None);
        await destroyed.AdvanceAsync(CancellationToken.None);
        await restored.EnqueueAsync([Command(probe, 9)], CancellationToken.None);
        for (int blocks = 0; backup.Entries.Any(entry => entry.Outcome is null); blocks++)
        {
            Assert.True(blocks < 40, "the command waits for ever");
            await restored.AdvanceAsync(CancellationToken.None);
            await chain.MineAsync(CancellationToken.None);
        }

        Assert.Equal((2UL, true), (Assert.Single(backup.Entries).Transaction.Nonce, backup.Entries.Single().Outcome!.Succeeded));
        Assert.Equal(3, await probe.CountAsync());
    }

    private static TransactionIntent Command(Probe probe, int i) =>
        new(i.ToString(System.Globalization.CultureInfo.InvariantCulture),
            probe.Record((ulong)i, Keccak256.Hash(BitConverter.GetBytes(i)), 1), Gas);

    private TransactionSender Sender(EthereumAccount account, MemoryOutbox outbox) =>
        new(fixture.GetAsync().Result.Client, account, EmbeddedChain.DevelopmentChainId, outbox, ChainFixture.Fast);

    /// <summary>A contract and an account that no other test uses.</summary>
    private async Task<(Probe Probe, EthereumAccount Account, IEthereumClient Client)> PrepareAsync()
    {
        EmbeddedChain chain = await fixture.GetAsync();
        TransactionReceipt receipt = await fixture.SendAsync(Probe.Create(EthereumAccount.Generate().Address, 0));
        EthereumAccount account = EthereumAccount.Generate();
        await chain.FundAsync([account.Address], CancellationToken.None);
        return (new Probe(chain.Client, receipt.ContractAddress!.Value), account, chain.Client);
    }
}

/// <summary>A chain that makes a block when it is told to, and only then.</summary>
internal sealed record StillChain(EmbeddedChain Chain, Probe Probe, EthereumAccount Account, string Folder) : IAsyncDisposable
{
    public static async Task<StillChain> StartAsync(ChainFixture fixture)
    {
        Tools.Require(Tool.Anvil);
        string folder = Directory.CreateTempSubdirectory("emrmarket-chain-").FullName;
        EmbeddedChain chain = await EmbeddedChain.StartAsync(
            new EmbeddedChainOptions
            {
                Folder = folder, Tools = ChainFixture.EmbeddedTools, BlockTime = TimeSpan.FromDays(1), KeepsState = false,
            }, CancellationToken.None);
        EthereumAccount account = EthereumAccount.Generate();
        await chain.FundAsync([fixture.Account.Address, account.Address], CancellationToken.None);
        ContractCall creation = Probe.Create(fixture.Account.Address, 0);
        SignedTransaction signed = new Transaction(EmbeddedChain.DevelopmentChainId, 0,
            await chain.Client.GetGasPriceAsync(CancellationToken.None), 5_000_000, creation.To, creation.Value, creation.Data)
            .Sign(fixture.Account);
        Assert.Equal(SendStatus.Accepted, (await chain.Client.SendRawAsync([signed], CancellationToken.None))[0].Status);
        await chain.MineAsync(CancellationToken.None);
        TransactionReceipt receipt = (await chain.Client.GetReceiptsAsync([signed.Hash], CancellationToken.None))[0]!;
        return new StillChain(chain, new Probe(chain.Client, receipt.ContractAddress!.Value), account, folder);
    }

    public void Deconstruct(out EmbeddedChain chain, out Probe probe, out EthereumAccount account) =>
        (chain, probe, account) = (Chain, Probe, Account);

    public async ValueTask DisposeAsync()
    {
        await Chain.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>The process ends here.</summary>
internal sealed class CrashException : Exception;

/// <summary>A node at whose n-th question the asking process ends, before the question arrives or after it is answered.</summary>
internal sealed class CrashingClient(IEthereumClient inner, int questions, bool isHeard) : IEthereumClient
{
    private int _left = questions;

    public Task<ulong> GetChainIdAsync(CancellationToken cancellationToken) => CrashAsync(() => inner.GetChainIdAsync(cancellationToken));

    public Task<BlockHeader?> GetBlockAsync(BlockReference block, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetBlockAsync(block, cancellationToken));

    public Task<byte[]> CallAsync(ContractCall call, BlockReference block, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.CallAsync(call, block, cancellationToken));

    public Task<ulong> EstimateGasAsync(ContractCall call, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.EstimateGasAsync(call, cancellationToken));

    public Task<ulong> GetNonceAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetNonceAsync(account, block, cancellationToken));

    public Task<System.Numerics.BigInteger> GetBalanceAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetBalanceAsync(account, block, cancellationToken));

    public Task<byte[]> GetCodeAsync(Address account, BlockReference block, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetCodeAsync(account, block, cancellationToken));

    public Task<GasPrice> GetGasPriceAsync(CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetGasPriceAsync(cancellationToken));

    public Task<IReadOnlyList<SendOutcome>> SendRawAsync(
        IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.SendRawAsync(transactions, cancellationToken));

    public Task<IReadOnlyList<TransactionReceipt?>> GetReceiptsAsync(
        IReadOnlyList<Bytes32> transactionHashes, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetReceiptsAsync(transactionHashes, cancellationToken));

    public Task<IReadOnlyList<TransactionReceipt>?> GetBlockReceiptsAsync(ulong blockNumber, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetBlockReceiptsAsync(blockNumber, cancellationToken));

    public Task<IReadOnlyList<LogEntry>> GetLogsAsync(LogFilter filter, CancellationToken cancellationToken) =>
        CrashAsync(() => inner.GetLogsAsync(filter, cancellationToken));

    private async Task<T> CrashAsync<T>(Func<Task<T>> ask)
    {
        bool isLast = --_left < 0;
        if (isLast && !isHeard)
        {
            throw new CrashException();
        }

        T answer = await ask();
        return isLast ? throw new CrashException() : answer;
    }
}
