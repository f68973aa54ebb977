using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>An auditor's check of batches, against contracts on a chain: those that are right withstand every challenge while they are
/// posted, and one that is not becomes void by the call that is answered.</summary>
public sealed class BatchCheckTests
{
    [Fact]
    public async Task Batches_withstand_every_challenge_and_a_false_one_is_voided_by_the_call_that_the_check_answers()
    {
        Tools.Require(Tool.Anvil);
        Dictionary<string, BatchCheckInfo> checkedWhilePosted = new(StringComparer.Ordinal);
        await using SmallMarket market = await SmallMarket.StartAsync(TestDatabases.EmbeddedTools, RateLimits.None, async filling =>
        {
            foreach (
                BatchInfo batch in Batches(filling).Where(batch => batch.Status == "posted" && !checkedWhilePosted.ContainsKey(batch.Id)))
            {
                BatchCheckInfo answer = await CheckAsync(filling, batch.Id);
                if (answer.Status == "posted")
                {
                    checkedWhilePosted.Add(batch.Id, answer);
                }
            }
        });

        Assert.Equal(["delivery", "epoch", "round"],
            checkedWhilePosted.Values.Select(answer => answer.Kind).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        Assert.All(checkedWhilePosted.Values, answer =>
        {
            Assert.Null(answer.Fault);
            Assert.Null(answer.Challenge);
            Assert.NotEmpty(answer.Tried);
        });
        foreach (BatchInfo batch in Batches(market))
        {
            BatchCheckInfo answer = await CheckAsync(market, batch.Id);
            Assert.Null(answer.Fault);
            Assert.Empty(answer.Tried);
        }

        EthereumAccount auditor = EthereumAccount.Generate();
        await market.EndowAsync(auditor);
        uint number = 1;
        foreach ((string kind, BatchFault fault, Func<EpochFile, EpochFile> plant) in Faults())
        {
            Bytes32 id = await PostFalseEpochAsync(market, ++number, plant);
            BatchCheckInfo found = await CheckAsync(market, Show.Hash(id));
            Assert.Equal(kind, found.Challenge?.What);
            Assert.NotEmpty(found.Where);
            await market.SendAsync(auditor, $"challenge {number}", [found.Challenge!]);
            await market.Roles.View.SyncAsync(CancellationToken.None);
            EpochRow voided = market.Roles.View.Epoch(id)!;
            Assert.Equal((BatchStatus.Void, fault, auditor.Address), (voided.Status, voided.Fault, voided.Challenger));
            Assert.Null((await CheckAsync(market, Show.Hash(id))).Challenge);
        }

        // Half of each bond is the auditor's, to be taken out.
        AuditorCallService calls = market.Web.Services.GetRequiredService<AuditorCallService>();
        string address = Show.Address(auditor.Address);
        BigInteger won = (BigInteger)(market.Roles.View.Deployment.Terms.EpochBondUnits / 2) * (number - 1);
        AccountInfo before = await AccountAsync();
        Assert.Equal(won, BigInteger.Parse(before.Free, CultureInfo.InvariantCulture));
        await market.SendAsync(auditor, "withdraw", (await calls.WithdrawAsync(address, CancellationToken.None)).Calls);
        AccountInfo after = await AccountAsync();
        Assert.Equal((BigInteger.Zero, won), (BigInteger.Parse(after.Free, CultureInfo.InvariantCulture),
            BigInteger.Parse(after.Tokens, CultureInfo.InvariantCulture) - BigInteger.Parse(before.Tokens, CultureInfo.InvariantCulture)));
        Assert.Equal("demand-refused",
            (await Assert.ThrowsAsync<ServiceRefusedException>(() => calls.WithdrawAsync(address, CancellationToken.None))).Code);

        Task<AccountInfo> AccountAsync() =>
            market.Web.Services.GetRequiredService<LedgerService>().AccountAsync(address, CancellationToken.None);
    }

    /// <summary>What is wrong with an epoch, by what proves it. Each goes on from the first epoch, whose members keep their
    /// places.</summary>
    internal static IEnumerable<(string Kind, BatchFault Fault, Func<EpochFile, EpochFile> Plant)> Faults()
    {
        const int One = 5;
        BigInteger everythingAtGradeSix = Enumerable.Range(0, SmallMarket.Schema.Attributes.Count)
            .Aggregate(BigInteger.Zero, (grades, a) => grades | (new BigInteger(6) << (4 * a)));
        yield return ("challengeEpsilonCap", BatchFault.EpsilonCap, file => With(
            file, classes: [.. file.Classes.Select((leaf, i) => i == 0 ? leaf with { HighWater = everythingAtGradeSix } : leaf)]));
        yield return ("challengeDuplicate", BatchFault.DuplicatePseudonym, file => With(file, leaf => leaf with
        {
            Pseudonym = file.Members[0].Pseudonym,
        }));
        yield return ("challengePointer", BatchFault.HistoryPointer, file => With(file, leaf => leaf with { PreviousEpoch = 99 }));
        yield return ("challengePointer", BatchFault.HistoryPointer,
            file => With(file, leaf => leaf with { PreviousPosition = 1_000_000 }));
        yield return ("challengeHistory", BatchFault.HistoryPointer, file => With(file, leaf => leaf with { PreviousPosition = One + 1 }));
        yield return ("challengeHistory", BatchFault.HistorySkipped,
            file => With(file, leaf => leaf with { PreviousEpoch = 0, PreviousPosition = 0 }));

        static EpochFile With(EpochFile file, Func<MemberLeaf, MemberLeaf>? member = null, ClassLeaf[]? classes = null) => new()
        {
            Site = file.Site, SchemaId = file.SchemaId, Epoch = file.Epoch, PayoutDepth = file.PayoutDepth, Cells = file.Cells,
            Classes = classes ?? file.Classes,
            Members = [.. file.Members.Select((leaf, i) => i == One && member is not null ? member(leaf) : leaf)],
        };
    }

    private static IEnumerable<BatchInfo> Batches(SmallMarket market)
    {
        LedgerService ledger = market.Web.Services.GetRequiredService<LedgerService>();
        return [.. ledger.Epochs(), .. ledger.Rounds(), .. ledger.Deliveries()];
    }

    private static Task<BatchCheckInfo> CheckAsync(SmallMarket market, string id) =>
        market.Web.Services.GetRequiredService<BatchCheckService>().CheckAsync(id, CancellationToken.None);

    internal static async Task<Bytes32> PostFalseEpochAsync(
        SmallMarket market, uint number, Func<EpochFile, EpochFile> plant, bool isWithheld = false)
    {
        MarketContext context = market.Roles.Market!.Context;
        EpochFile first = (await context.EpochAsync(market.Roles.View.Epochs(SmallMarket.Schema.LedgerId())[0].Header.DataHash))!.File;
        EpochFile wrong = plant(new EpochFile
        {
            Site = first.Site, SchemaId = first.SchemaId, Epoch = number, PayoutDepth = first.PayoutDepth, Cells = first.Cells,
            Classes = first.Classes,
            Members = [.. first.Members.Select((leaf, i) => leaf with { PreviousEpoch = first.Epoch, PreviousPosition = (uint)i })],
        });
        byte[] bytes = wrong.Write();
        byte[] hash = SHA256.HashData(bytes);
        if (!isWithheld)
        {
            await context.Store.KeepFileAsync(Convert.ToHexStringLower(hash), bytes, CancellationToken.None);
        }

        EpochBatch batch = wrong.Build(context.ChainId, context.Access, new Bytes32(hash));
        ContractCall post = new DynamicAccessControl(market.Roles.Client, context.Access).PostEpoch(batch.Header);
        await market.SendAsync(market.Site, $"false epoch {number}",
            [new CallInfo("post an epoch", Show.Address(post.To!.Value), Show.Hex(post.Data.Span))]);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        Assert.Equal(BatchStatus.Posted, market.Roles.View.Epoch(batch.Id)!.Status);
        return batch.Id;
    }
}
