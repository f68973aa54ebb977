using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.JsonRpc;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;

namespace EmrMarket.Grains.Tests.Ledger;

/// <summary>The ledger grain on a real chain: each command ends in one outcome, and its effect is there once.</summary>
public sealed class LedgerGrainTests(LedgerFixture fixture) : IClassFixture<LedgerFixture>
{
    [RequiresFact(Tool.Anvil)]
    public async Task Commands_land_once_each_however_often_they_are_given()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        EthereumAccount auditor = await ledger.AuditorAsync();
        MemoryLedgerStore store = new();
        LedgerCommand[] commands = [.. Enumerable.Range(0, 600).Select(i => ledger.Finding($"once/{i}", i % 100 == 0 ? null : 300_000))];
        await using (LedgerProcess process = new(auditor, store, ledger.Client))
        {
            LedgerOutcome[] outcomes = await process.FinishAsync([.. commands, commands[3], commands[599]]);
            Assert.Equal(602, outcomes.Length);
            Assert.All(outcomes, outcome => Assert.Equal(LedgerState.Succeeded, outcome.State));
            Assert.All(outcomes,
                outcome =>
                    Assert.True(outcome is { BlockNumber: > 0, BlockSeconds: > 0, GasUsed: > 0, TransactionHash.Length: 32, Refusal: "" }));
        }

        await using LedgerProcess again = new(auditor, store, ledger.Client);
        await again.FinishAsync(commands);
        await AssertOnceAsync(ledger, commands);
        Assert.Equal(600UL, await ledger.Client.GetNonceAsync(auditor.Address, BlockReference.Latest, CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Refusals_name_the_contracts_error_and_send_nothing_where_the_gas_was_to_be_estimated()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        EthereumAccount auditor = await ledger.AuditorAsync();
        await using LedgerProcess process = new(auditor, new MemoryLedgerStore(), ledger.Client);
        LedgerCommand unknown = ledger.Finding("refused/estimated", null) with
        {
            Data = ledger.Evaluation.RecordFinding(77, 1, Bytes32.Zero).Data.ToArray(),
        };
        LedgerOutcome[] outcomes = await process.FinishAsync(
            unknown, unknown with
            {
                Id = "refused/in-block", GasLimit = 300_000,
            }, ledger.Finding("refused/gas", 60_000), ledger.Finding("refused/never", 1), ledger.Finding("accepted"));
        Assert.Equal([LedgerState.Refused, LedgerState.Refused, LedgerState.Refused, LedgerState.Refused, LedgerState.Succeeded],
            outcomes.Select(outcome => outcome.State));
        Assert.Contains("UnknownSite", outcomes[0].Refusal, StringComparison.Ordinal);
        Assert.Empty(outcomes[0].TransactionHash);
        Assert.Contains("UnknownSite", outcomes[1].Refusal, StringComparison.Ordinal);
        Assert.True(outcomes[1].BlockNumber > 0);
        Assert.StartsWith("OutOfGas", outcomes[2].Refusal, StringComparison.Ordinal);
        Assert.Contains("gas limit", outcomes[3].Refusal, StringComparison.Ordinal);
        Assert.Equal(3UL, await ledger.Client.GetNonceAsync(auditor.Address, BlockReference.Latest, CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Command_that_needs_an_earlier_one_waits_for_it()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        EthereumAccount fresh = EthereumAccount.Generate();
        await ledger.Chain.FundAsync([fresh.Address], CancellationToken.None);
        Address token = Address.Parse(ledger.Deployment.Token.Address);
        Address payments = Address.Parse(ledger.Deployment.Payments.Address);
        Contracts.Bindings.DevelopmentToken coins = new(ledger.Client, token);
        Contracts.Bindings.AnonymousTransaction accounts = new(ledger.Client, payments);
        await using LedgerProcess process = new(fresh, new MemoryLedgerStore(), ledger.Client);
        LedgerOutcome[] outcomes = await process.FinishAsync(
            new LedgerCommand { Id = "mint", To = token.ToArray(), Data = coins.Mint(fresh.Address, 1000).Data.ToArray() },
            new LedgerCommand { Id = "approve", To = token.ToArray(), Data = coins.Approve(payments, 1000).Data.ToArray() },
            new LedgerCommand { Id = "deposit", To = payments.ToArray(), Data = accounts.Deposit(fresh.Address, 600).Data.ToArray() });
        Assert.All(outcomes, outcome => Assert.Equal(LedgerState.Succeeded, outcome.State));
        using LedgerReadModel view = ledger.View(new MemoryLedgerStore());
        await view.SyncAsync();
        Assert.Equal(600, view.FreeBalance(fresh.Address));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Reorganisation_by_five_blocks_sends_the_same_transactions_again()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        EthereumAccount auditor = await ledger.AuditorAsync();
        for (int i = 0; i < 6; i++)
        {
            await ledger.Chain.MineAsync(CancellationToken.None);
        }

        MemoryLedgerStore store = new();
        LedgerCommand[] commands = [.. Enumerable.Range(0, 40).Select(i => ledger.Finding($"reorganised/{i}"))];
        await using LedgerProcess process = new(auditor, store, ledger.Client, LedgerFixture.Fast with { Confirmations = 12 });
        await process.Ledger.SubmitAsync(commands);
        using LedgerReadModel view = ledger.View(new MemoryLedgerStore());
        int reorganisations = 0;
        LedgerOutcome[] outcomes;
        do
        {
            await process.StepAsync();
            await FollowAsync(view);
            outcomes = await process.Ledger.OutcomesAsync([.. commands.Select(command => command.Id)]);
            if (reorganisations < 3 && view.Findings(1).Any(finding => finding.Author == auditor.Address))
            {
                reorganisations++;
                await ledger.ReorganiseAsync(5);
            }
        }
        while (outcomes.Any(outcome => outcome.State == LedgerState.Pending));
        Assert.Equal(3, reorganisations);
        Assert.All(outcomes, outcome => Assert.Equal(LedgerState.Succeeded, outcome.State));
        await AssertOnceAsync(ledger, commands);
        using LedgerReadModel fresh = ledger.View(new MemoryLedgerStore());
        await FollowAsync(view);
        await FollowAsync(fresh);
        await FollowAsync(view);
        Assert.Equal(fresh.Dump(), view.Dump());
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Transaction_whose_nonce_another_program_took_is_signed_again_and_lands_once()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        EthereumAccount auditor = await ledger.AuditorAsync();
        MemoryLedgerStore store = new();
        MemoryLedgerStore intruders = new();
        LedgerCommand[] commands = [.. Enumerable.Range(0, 3).Select(i => ledger.Finding($"replaced/{i}"))];
        using Contracts.Ethereum.Sending.TransactionSender mine = new(
            ledger.Client, auditor, EmbeddedChain.DevelopmentChainId,
            store.OutboxOf(LedgerGrain.KeyOf(EmbeddedChain.DevelopmentChainId, auditor.Address)), LedgerFixture.Fast);

        // Signed, and the process ends before it offers anything; then another program sends from the account.
        await store.AddCommandsAsync(
            LedgerGrain.KeyOf(EmbeddedChain.DevelopmentChainId, auditor.Address),
            [.. commands.Select(command => new StoredCommand { Id = command.Id, To = new Address(command.To), Data = command.Data,
                GasLimit = command.GasLimit })], CancellationToken.None);
        await mine.EnqueueAsync(
            [.. commands.Select(command => new Contracts.Ethereum.Sending.TransactionIntent(
                command.Id, new ContractCall(new Address(command.To), command.Data), command.GasLimit))], CancellationToken.None);
        using Contracts.Ethereum.Sending.TransactionSender intruder = new(
            ledger.Client, auditor, EmbeddedChain.DevelopmentChainId, intruders.OutboxOf("intruder"), LedgerFixture.Fast);
        await intruder.SendAsync(
            [.. Enumerable.Range(0, 2)
                .Select(i => new Contracts.Ethereum.Sending.TransactionIntent(
                    $"intruder/{i}", new ContractCall(auditor.Address, ReadOnlyMemory<byte>.Empty), 21_000))],
            CancellationToken.None);

        await using LedgerProcess process = new(auditor, store, ledger.Client);
        Assert.All(await process.FinishAsync(commands), outcome => Assert.Equal(LedgerState.Succeeded, outcome.State));
        await AssertOnceAsync(ledger, commands);
        Assert.Equal(5UL, await ledger.Client.GetNonceAsync(auditor.Address, BlockReference.Latest, CancellationToken.None));
    }

    [RequiresFact(Tool.Anvil)]
    public async Task Key_of_another_chain_or_account_is_refused_by_name()
    {
        LedgerFixture ledger = await fixture.StartedAsync();
        EthereumAccount auditor = EthereumAccount.Generate();
        await using LedgerProcess process = new(auditor, new MemoryLedgerStore(), ledger.Client);
        foreach (string key in (string[])[
            LedgerGrain.KeyOf(1, auditor.Address), LedgerGrain.KeyOf(EmbeddedChain.DevelopmentChainId, Address.Zero), "nonsense"])
        {
            InvalidOperationException refused = await Assert.ThrowsAsync<InvalidOperationException>(
                () => process.Runtime.GetGrain<ILedgerGrain>(key).OutcomesAsync([]));
            Assert.Contains(key.Split('/')[^1][..8], refused.Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>Follows the chain as whoever owns a view does: what a reorganisation tore is read again.</summary>
    private static async Task FollowAsync(LedgerReadModel view)
    {
        const int MostTries = 100;
        for (int tries = 1; ; tries++)
        {
            try
            {
                await view.SyncAsync();
                return;
            }
            catch (MalformedAnswerException) when (tries < MostTries)
            {
                // The node was still at it.
            }
        }
    }

    private static async Task AssertOnceAsync(LedgerFixture ledger, LedgerCommand[] commands)
    {
        using LedgerReadModel view = ledger.View(new MemoryLedgerStore());
        await view.SyncAsync();
        ILookup<Bytes32, FindingRow> found = view.Findings(1).ToLookup(finding => finding.ContentHash);
        Assert.All(commands, command => Assert.Single(found[LedgerFixture.HashOf(command.Id)]));
    }
}
