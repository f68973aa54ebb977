using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Grains.Market.Storage;
using DeliveryRow = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;
using RoundRow = EmrMarket.Grains.Ledger.View.RoundRow;

namespace EmrMarket.Simulation.Market;

/// <summary>
/// A real sale, with one fault planted at a time in what the auditor is given: each is found, by its name. A fault in a file is also put on
/// the ledger, as if a site or the market had posted it, so that no hash gives it away.
/// </summary>
public sealed class ReplayTests
{
    private static readonly Lazy<MarketRun> Sale = new(
        () => MarketSimulation.Run(new MarketScenario(11) { Wants = [new Want(1_000)], PayoutDepth = 0 }));

    private static MarketContext Honest => Audit();

    private static RequestStatus Status => Sale.Value.Statuses[0];

    private static LedgerRequest Request => Sale.Value.Evidence.View.Request(Status.RequestId)!;

    private static RoundRow Round =>
        Sale.Value.Evidence.View.Rounds(Request.Terms.SchemaId).Single(round => round.Status == BatchStatus.Final);

    private static DeliveryRow Delivery =>
        Sale.Value.Evidence.View.Deliveries(Status.RequestId).Single(delivery => delivery.Header.Site == 1);

    [Fact]
    public async Task Right_sale_has_no_fault() => Assert.Null(await FindAsync(Honest, await ResultsAsync()));

    [Theory]
    [InlineData("a slot is missing", "and the delivery has")]
    [InlineData("another class", "and the round puts class")]
    [InlineData("another member", "and the seed draws")]
    [InlineData("a higher amount", "and ask and premium are")]
    [InlineData("more effective records", "and the grades give")]
    [InlineData("another payee", "which is not the member's")]
    [InlineData("an attribute that was not sold", "which was not sold")]
    [InlineData("another grade", "which was not sold")]
    [InlineData("no reports", "were sold")]
    [InlineData("another report", "has another report than its leaf says")]
    [InlineData("another report hash", "has another report than its leaf says")]
    public async Task Fault_of_a_delivery_is_found_by_its_name(string fault, string found)
    {
        DeliveryFile file = (await Honest.DeliveryAsync(Delivery.Header.DataHash, MarketWorld.Schema))!.File;
        OpenedRound round = (await Honest.RoundAsync(Round.Header.DataHash))!;
        OpenedEpoch epoch = (await Honest.EpochAsync(round.File.Epochs.Single(epoch => epoch.Site == 1).DataHash))!;
        DeliveryFrame frame = new(Honest.Schemas[MarketWorld.Schema.Id], Request.Terms, Request.Index, round, Round.Seed!.Value, epoch);
        Assert.Null(DeliveryCheck.FindFault(file, frame));
        DeliveryFile wrong = Wrong(file, fault);
        Assert.Contains(found, DeliveryCheck.FindFault(wrong, frame), StringComparison.Ordinal);

        // On the ledger, the same.
        Bytes32 hash = RoundFile.HashOf(wrong.Write(MarketWorld.Schema));
        DeliveryRow posted = Delivery with { Header = wrong.Build(Honest.ChainId, Honest.Evaluation.Address, hash).Header };
        string? replayed = await FindAsync(
            Audit(new Dictionary<string, byte[]?>(StringComparer.Ordinal) { [MarketContext.Name(hash)] = wrong.Write(MarketWorld.Schema) },
                (method, call) => method == nameof(ILedgerView.Deliveries)
                ? (DeliveryRow[])[
                    .. ((IReadOnlyList<DeliveryRow>)call()!).Select(delivery => delivery.Header.Site == 1 ? posted : delivery)] : call()),
            null);
        Assert.Contains("the delivery of site 1: ", replayed, StringComparison.Ordinal);
        Assert.Contains(found, replayed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sale_to_a_request_whose_terms_do_not_admit_it_is_found()
    {
        DeliveryFile file = (await Honest.DeliveryAsync(Delivery.Header.DataHash, MarketWorld.Schema))!.File;
        OpenedRound round = (await Honest.RoundAsync(Round.Header.DataHash))!;
        OpenedEpoch epoch = (await Honest.EpochAsync(round.File.Epochs.Single(epoch => epoch.Site == 1).DataHash))!;
        DeliveryFrame frame = new(
            Honest.Schemas[MarketWorld.Schema.Id], Request.Terms with { Purpose = 5 }, Request.Index, round, Round.Seed!.Value, epoch);
        Assert.Contains("may not serve the request", DeliveryCheck.FindFault(file, frame), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fault_of_a_match_on_the_ledger_is_found()
    {
        RoundFile file = (await Honest.RoundAsync(Round.Header.DataHash))!.File;
        foreach (RoundFile wrong in (RoundFile[])
            [
                file with { Sales = [file.Sales[0] with { Quantity = file.Sales[0].Quantity - 1 }, .. file.Sales.Skip(1)] },
                file with { Requests = [file.Requests[0] with { Surplus = file.Requests[0].Surplus + 1 }] },
            ])
        {
            byte[] bytes = wrong.Write();
            RoundRow posted = Round with { Header = wrong.Build(Honest.ChainId, Honest.Matching.Address).Header };
            string? found = await FindAsync(
                Audit(new Dictionary<string, byte[]?>(StringComparer.Ordinal) { [MarketContext.Name(RoundFile.HashOf(bytes))] = bytes },
                    (method, call) => method == nameof(ILedgerView.Rounds) ? (RoundRow[])[posted] : call()), null);
            Assert.Contains("the match of round 0: ", found, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task File_that_is_missing_or_another_than_the_ledger_says_is_found()
    {
        RoundFile round = (await Honest.RoundAsync(Round.Header.DataHash))!.File;
        DeliveryFile delivery = (await Honest.DeliveryAsync(Delivery.Header.DataHash, MarketWorld.Schema))!.File;
        string epoch = MarketContext.Name(round.Epochs[0].DataHash);
        foreach (byte[]? given in (byte[]?[])[
            null, (round with { Requests = [round.Requests[0] with { Surplus = round.Requests[0].Surplus + 1 }] }).Write()])
        {
            Assert.Contains("the file of round 0 is missing",
                await FindAsync(Audit(Files(MarketContext.Name(Round.Header.DataHash), given)), null), StringComparison.Ordinal);
        }

        foreach (byte[]? given in (byte[]?[])[null, Wrong(delivery, "a higher amount").Write(MarketWorld.Schema)])
        {
            Assert.Contains("a file of site 1's delivery is missing",
                await FindAsync(Audit(Files(MarketContext.Name(Delivery.Header.DataHash), given)), null), StringComparison.Ordinal);
        }

        Assert.Contains("other epochs than those", await FindAsync(Audit(Files(epoch, null)), null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fault_of_terms_results_round_epochs_or_claims_is_found()
    {
        string results = await ResultsAsync();
        Assert.Contains("the ledger has no request 99", await RequestReplay.FindFaultAsync(Honest, 99, Status.TermsJson, null),
            StringComparison.Ordinal);
        string terms = Status.TermsJson.Replace("\"targetRecords\":1000", "\"targetRecords\":1001", StringComparison.Ordinal);
        Assert.NotEqual(terms, Status.TermsJson);
        Assert.Contains("do not follow from the terms document",
            await RequestReplay.FindFaultAsync(Honest, Status.RequestId, terms, results), StringComparison.Ordinal);
        Assert.Contains("are not those that its deliveries give", await FindAsync(Honest, results + " "), StringComparison.Ordinal);
        Assert.Contains("has no final round",
            await FindAsync(Audit(null, (method, call) => method == nameof(ILedgerView.Rounds) ? (RoundRow[])[] : call()), results),
            StringComparison.Ordinal);
        Assert.Contains(
            "other epochs than those",
            await FindAsync(Audit(null, (method, call) => method == nameof(ILedgerView.Sites)
                ? (SiteRow[])[((IReadOnlyList<SiteRow>)call()!)[0]] : call()), results), StringComparison.Ordinal);
        foreach (Func<ClaimRow, ClaimRow> change in (Func<ClaimRow, ClaimRow>[])[
            claim => claim with { Amount = claim.Amount + 1 }, claim => claim with { Payee = MarketWorld.Fund }])
        {
            string? found = await FindAsync(
                Audit(null,
                    (method, call) =>
                        method == nameof(ILedgerView.Claims)
                            ? (ClaimRow[])[.. ((IReadOnlyList<ClaimRow>)call()!).Select((claim, i) => i == 2 ? change(claim) : claim)]
                            : call()), results);
            Assert.Contains("slot 2 of site 1's delivery was paid otherwise than delivered", found, StringComparison.Ordinal);
        }
    }

    private static Dictionary<string, byte[]?> Files(string name, byte[]? given) => new(StringComparer.Ordinal) { [name] = given };

    private static Task<string?> FindAsync(MarketContext audit, string? results) =>
        RequestReplay.FindFaultAsync(audit, Status.RequestId, Status.TermsJson, results);

    private static async Task<string> ResultsAsync() =>
        (await Sale.Value.Evidence.Store.FindResultsAsync(Status.Key, CancellationToken.None))!;

    /// <summary>What an auditor is given: the chain's tables and the files, some of them others than they should be.</summary>
    private static MarketContext Audit(Dictionary<string, byte[]?>? files = null, Func<string, Func<object?>, object?>? view = null)
    {
        (ILedgerView honest, IMarketStore store, IEthereumClient chain) = Sale.Value.Evidence;
        return new MarketContext(
            [MarketWorld.Schema], MarketWorld.Market,
            view is null ? honest : Planted.Of(honest, (method, _, call) => view(method.Name, call)),
            files is null
                ? store : Planted.Of(store, (method, args, call) => method.Name == nameof(IMarketStore.FindFileAsync)
                    && files.TryGetValue((string)args[0]!, out byte[]? given) ? Task.FromResult(given) : call()),
            chain);
    }

    private static DeliveryFile Wrong(DeliveryFile file, string fault)
    {
        int slot = Array.FindIndex(file.Leaves, leaf => leaf.PayoutAddress != Address.Zero);
        DeliveryLeaf[] Leaf(Func<DeliveryLeaf, DeliveryLeaf> change) =>
            [.. file.Leaves.Select((leaf, i) => i == slot ? change(leaf) : leaf)];
        DeliveryColumn column = file.Columns[0];
        return fault switch
        {
            "a slot is missing" => file with
            {
                Leaves = file.Leaves[..^1], Persons = file.Persons[..^1],
                Columns =
                    [.. file.Columns.Select(
                        c => c with
                        {
                            Slots = [.. c.Slots.Where(s => s < file.Leaves.Length - 1)],
                            Reports = c.Reports.Take([.. Enumerable.Range(0, c.Slots.Count(s => s < file.Leaves.Length - 1))]),
                        })],
            },
            "another class" => file with { Leaves = Leaf(leaf => leaf with { LocalClass = leaf.LocalClass + 1 }) },
            "another member" => file with
            {
                Leaves = Leaf(leaf => leaf with { MemberPosition = leaf.MemberPosition == 0 ? 1 : leaf.MemberPosition - 1 }),
            },
            "a higher amount" => file with { Leaves = Leaf(leaf => leaf with { Amount = leaf.Amount + 1 }) },
            "more effective records" => file with { Leaves = Leaf(leaf => leaf with { Effective = leaf.Effective + 1 }) },
            "another payee" => file with { Leaves = Leaf(leaf => leaf with { PayoutAddress = MarketWorld.Fund }) },
            "another report hash" => file with { Leaves = Leaf(leaf => leaf with { ReportHash = Keccak256.Hash("another") }) },
            "an attribute that was not sold" => file with
            {
                Columns = [new DeliveryColumn(0, column.Grade, [slot], new CodeReports([0])), .. file.Columns],
            },
            "another grade" => file with { Columns = [column with { Grade = column.Grade - 1 }, .. file.Columns.Skip(1)] },
            "no reports" => file with { Columns = [.. file.Columns.Skip(1)] },
            "another report" => file with
            {
                Columns = [column with { Reports = Other((CodeReports)column.Reports) }, .. file.Columns.Skip(1)],
            },
            _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "unknown fault"),
        };
    }

    private static CodeReports Other(CodeReports reports) => new([(ushort)(reports.Codes[0] == 0 ? 1 : 0), .. reports.Codes.Skip(1)]);
}
