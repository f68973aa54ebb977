using System.Security.Cryptography;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Silos.Api.Traffic;
using EmrMarket.Silos.Services;
using EmrMarket.Silos.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>Leaves that an auditor demands on a chain, what becomes of it, and findings: by the calls that the services write.</summary>
public sealed class DemandTests
{
    // Long enough for a demand while time is moved by ten seconds at most.
    private static readonly DeploymentTerms Terms = DeploymentTerms.Embedded with
    {
        EpochWindowSeconds = 120, RoundWindowSeconds = 120, DeliveryWindowSeconds = 120,
    };

    private readonly EthereumAccount _auditor = EthereumAccount.Generate();
    private readonly Dictionary<string, int> _answers = new(StringComparer.Ordinal);

    private string Auditor => Show.Address(_auditor.Address);

    [RequiresFact(Tool.Anvil)]
    public async Task Demanded_leaves_are_opened_however_often_and_a_withheld_one_voids_its_batch()
    {
        await using SmallMarket market = await SmallMarket.StartAsync(TestDatabases.EmbeddedTools, RateLimits.None, DemandAsync, Terms);
        LedgerService ledger = market.Web.Services.GetRequiredService<LedgerService>();
        DemandInfo[] answered = ledger.Demands();

        // The first leaf of each batch twice: both demands had an answer, or the batch would be void.
        Assert.Equal([1, 3, 7], answered.Select(demand => (int)demand.Kind).Order());
        Assert.All(answered, demand => Assert.Equal("answered", demand.State));
        Assert.All(answered, demand => Assert.Equal(ledger.Batch(demand.BatchId)!.Committer, demand.Responder));
        Assert.All(answered, demand => Assert.Equal("final", ledger.Batch(demand.BatchId)!.Status));
        Assert.All(answered, demand => Assert.Equal(2, _answers[demand.BatchId]));

        await RefusalsAsync(market, answered[0]);
        await WithholdAsync(market);
        await FindAsync(market);
    }

    /// <summary>Registers the auditor once, then demands the first leaf of every batch, and again when it was answered.</summary>
    private async Task DemandAsync(SmallMarket market)
    {
        if (!market.Roles.View.Auditors().Contains(_auditor.Address))
        {
            await market.EndowAsync(_auditor);
            await market.Roles.Consortium!.SetAuditorAsync(_auditor.Address, registered: true, CancellationToken.None);
            await market.Roles.View.SyncAsync(CancellationToken.None);
            return;
        }

        LedgerService ledger = market.Web.Services.GetRequiredService<LedgerService>();
        foreach (BatchInfo batch in ledger.Epochs().Concat(ledger.Rounds()).Concat(ledger.Deliveries())
            .Where(one => one.Status == "posted"))
        {
            byte kind = (byte)(batch.Kind switch { "epoch" => LeafKind.Member, "round" => LeafKind.Price, _ => LeafKind.Delivery });
            DemandInfo? demand = ledger.Demands().FirstOrDefault(one => one.BatchId == batch.Id);
            int times = _answers.GetValueOrDefault(batch.Id);
            if (times == (demand is null ? 0 : demand.State == "answered" ? 1 : -1))
            {
                _answers[batch.Id] = times + 1;
                CallOffer offer = await Calls(market).DemandAsync(
                    new DemandWish { Account = Auditor, BatchId = batch.Id, Kind = kind, Position = 0 }, CancellationToken.None);
                Assert.Equal((Terms.DemandDepositUnits.ToString(System.Globalization.CultureInfo.InvariantCulture), 60L),
                    (offer.DepositUnits, offer.AnswerWithinSeconds));
                await market.SendAsync(_auditor, $"demand {batch.Id} {times}", offer.Calls);
                await market.Roles.View.SyncAsync(CancellationToken.None);
            }
        }
    }

    private async Task RefusalsAsync(SmallMarket market, DemandInfo old)
    {
        DemandWish wish = new() { Account = Auditor, BatchId = old.BatchId, Kind = old.Kind, Position = 0 };
        await RefusedAsync("demand-refused", () => Calls(market).DemandAsync(wish, CancellationToken.None));
        await RefusedAsync("demand-refused", () => Calls(market).EndDemandAsync(wish, CancellationToken.None));
        await RefusedAsync("unknown-leaf", () => Calls(market).DemandAsync(wish with { Kind = 9 }, CancellationToken.None));
        await RefusedAsync("unknown-leaf", () => Calls(market).DemandAsync(wish with { Position = 1 << 30 }, CancellationToken.None));
        await RefusedAsync("unknown-batch",
            () => Calls(market).DemandAsync(wish with { BatchId = new string('0', 64) }, CancellationToken.None));
    }

    /// <summary>An epoch whose file nobody has: its leaf stays closed.</summary>
    private async Task WithholdAsync(SmallMarket market)
    {
        EpochFile first = (await market.Roles.Market!.Context.EpochAsync(
            market.Roles.View.Epochs(SmallMarket.Schema.LedgerId())[0].Header.DataHash))!.File;
        EpochFile next = new()
        {
            Site = first.Site, SchemaId = first.SchemaId, Epoch = first.Epoch + 1, PayoutDepth = first.PayoutDepth, Cells = first.Cells,
            Classes = first.Classes, Members = first.Members,
        };
        Address access = market.Roles.Market.Context.Access;
        EpochBatch batch = next.Build(market.Roles.Market.Context.ChainId, access, new Bytes32(SHA256.HashData("nowhere"u8)));
        ContractCall post = new DynamicAccessControl(market.Roles.Client, access).PostEpoch(batch.Header);
        await market.SendAsync(market.Site, "withheld epoch",
            [new CallInfo("post an epoch", Show.Address(post.To!.Value), Show.Hex(post.Data.Span))]);
        DemandWish wish = new() { Account = Auditor, BatchId = Show.Hash(batch.Id), Kind = (byte)LeafKind.Class, Position = 0 };
        EthereumAccount stranger = EthereumAccount.Generate();
        await RefusedAsync("not-an-auditor",
            () => Calls(market).DemandAsync(wish with { Account = Show.Address(stranger.Address) }, CancellationToken.None));
        BatchCheckInfo found = await market.Web.Services.GetRequiredService<BatchCheckService>()
            .CheckAsync(wish.BatchId, CancellationToken.None);
        Assert.Contains("demand a leaf", found.Fault, StringComparison.Ordinal);
        await market.SendAsync(_auditor, "demand what is withheld", (await Calls(market).DemandAsync(wish, CancellationToken.None)).Calls);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        LedgerService ledger = market.Web.Services.GetRequiredService<LedgerService>();
        Assert.Equal("open", ledger.Demands().Single(demand => demand.BatchId == wish.BatchId).State);
        await RefusedAsync("demand-refused", () => Calls(market).DemandAsync(wish, CancellationToken.None));
        await RefusedAsync("demand-refused", () => Calls(market).EndDemandAsync(wish, CancellationToken.None));
        await market.Roles.Consortium!.AdvanceTimeAsync(TimeSpan.FromSeconds(61), CancellationToken.None);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        Assert.Equal("overdue", ledger.Demands().Single(demand => demand.BatchId == wish.BatchId).State);
        await market.SendAsync(_auditor, "void", (await Calls(market).EndDemandAsync(wish, CancellationToken.None)).Calls);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        EpochRow voided = market.Roles.View.Epoch(batch.Id)!;
        Assert.Equal(
            (BatchStatus.Void, BatchFault.LeafWithheld, _auditor.Address), (voided.Status, voided.Fault, voided.Challenger));
        Assert.Equal("void", ledger.Demands().Single(demand => demand.BatchId == wish.BatchId).State);
        await RefusedAsync("demand-refused", () => Calls(market).EndDemandAsync(wish, CancellationToken.None));
    }

    private async Task FindAsync(SmallMarket market)
    {
        FindingWish wish = new()
        {
            Account = Auditor, Kind = 2, ContentHash = Convert.ToHexStringLower(SHA256.HashData("apart from the others"u8)),
        };
        await RefusedAsync("unknown-site", () => Calls(market).FindingAsync(7, wish, CancellationToken.None));
        await RefusedAsync("not-an-auditor", () => Calls(market).FindingAsync(
            1, wish with { Account = Show.Address(market.Researcher.Address) }, CancellationToken.None));
        await RefusedAsync("malformed-hash",
            () => Calls(market).FindingAsync(1, wish with { ContentHash = "no hash" }, CancellationToken.None));
        await market.SendAsync(_auditor, "finding", (await Calls(market).FindingAsync(1, wish, CancellationToken.None)).Calls);
        await market.Roles.View.SyncAsync(CancellationToken.None);
        FindingInfo finding = Assert.Single(market.Web.Services.GetRequiredService<LedgerService>().Findings(1));
        Assert.Equal((wish.ContentHash, wish.Kind, Auditor), (finding.ContentHash, finding.Kind, finding.Author));
    }

    private static async Task RefusedAsync(string code, Func<Task> call) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<ServiceRefusedException>(call)).Code);

    private static AuditorCallService Calls(SmallMarket market) => market.Web.Services.GetRequiredService<AuditorCallService>();
}
