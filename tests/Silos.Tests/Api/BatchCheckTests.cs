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
            Assert.True(answer.Tried > 0, answer.Kind);
        });
        foreach (BatchInfo batch in Batches(market))
        {
            BatchCheckInfo answer = await CheckAsync(market, batch.Id);
            Assert.Null(answer.Fault);
            Assert.Equal(0, answer.Tried);
        }

        // The site posts an epoch that charges its people more than the cap of a lifetime.
        Bytes32 id = await PostFalseEpochAsync(market);
        BatchCheckInfo found = await CheckAsync(market, Show.Hash(id));
        Assert.Equal("challengeEpsilonCap", found.Challenge?.What);
        EthereumAccount auditor = EthereumAccount.Generate();
        await market.EndowAsync(auditor);
        await market.SendAsync(auditor, "challenge", [found.Challenge!]);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        EpochRow voided = market.Roles.View.Epoch(id)!;
        Assert.Equal((BatchStatus.Void, BatchFault.EpsilonCap), (voided.Status, voided.Fault));
        Assert.Null((await CheckAsync(market, Show.Hash(id))).Challenge);
    }

    private static IEnumerable<BatchInfo> Batches(SmallMarket market)
    {
        LedgerService ledger = market.Web.Services.GetRequiredService<LedgerService>();
        return [.. ledger.Epochs(), .. ledger.Rounds(), .. ledger.Deliveries()];
    }

    private static Task<BatchCheckInfo> CheckAsync(SmallMarket market, string id) =>
        market.Web.Services.GetRequiredService<BatchCheckService>().CheckAsync(id, CancellationToken.None);

    private static async Task<Bytes32> PostFalseEpochAsync(SmallMarket market)
    {
        MarketContext context = market.Roles.Market!.Context;
        EpochFile right = (await context.EpochAsync(market.Roles.View.Epochs(SmallMarket.Schema.LedgerId())[0].Header.DataHash))!.File;
        BigInteger everythingAtGradeSix = Enumerable.Range(0, SmallMarket.Schema.Attributes.Count)
            .Aggregate(BigInteger.Zero, (grades, a) => grades | (new BigInteger(6) << (4 * a)));
        EpochFile wrong = new()
        {
            Site = right.Site, SchemaId = right.SchemaId, Epoch = right.Epoch + 1, PayoutDepth = right.PayoutDepth, Cells = right.Cells,
            Members = right.Members,
            Classes = [.. right.Classes.Select((leaf, i) => i == 0 ? leaf with { HighWater = everythingAtGradeSix } : leaf)],
        };
        byte[] bytes = wrong.Write();
        byte[] hash = SHA256.HashData(bytes);
        await context.Store.KeepFileAsync(Convert.ToHexStringLower(hash), bytes, CancellationToken.None);
        EpochBatch batch = wrong.Build(context.ChainId, context.Access, new Bytes32(hash));
        ContractCall post = new DynamicAccessControl(market.Roles.Client, context.Access).PostEpoch(batch.Header);
        await market.SendAsync(market.Site, "false-epoch",
            [new CallInfo("post an epoch", Show.Address(post.To!.Value), Show.Hex(post.Data.Span))]);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        Assert.Equal(BatchStatus.Posted, market.Roles.View.Epoch(batch.Id)!.Status);
        return batch.Id;
    }
}
