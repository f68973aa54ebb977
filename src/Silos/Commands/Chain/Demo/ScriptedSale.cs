using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using EmrMarket.Analytics.Matching;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Grains.Exchange;
using Spectre.Console;
using StoredRequest = EmrMarket.Contracts.Bindings.Request;
using Sale = EmrMarket.Contracts.Batches.Sale;
using TreeNode = EmrMarket.Contracts.Merkle.TreeNode;

namespace EmrMarket.Silos.Commands.Chain.Demo;

/// <summary>
/// A sale from policy to payout on an embedded chain, told step by step: two sites, 1,000 pseudonyms, three requests; a leaf that is
/// withheld until it is demanded, a wrong match that is challenged and voided, a short delivery that is refunded, and the trace of one
/// pseudonym with every proof checked.
/// </summary>
internal sealed class ScriptedSale : IAsyncDisposable
{
    private const int MembersPerSite = 500;
    private const int ClassesPerSite = 5;
    private const int PayoutDepth = 3;
    private const byte SiteBits = 1;
    private const byte ClassBits = 3;
    private const byte RequestBits = 2;
    private const byte AnyPurpose = 0;

    // A schema of three attributes for the demonstration: region (Public), age group (Low), diagnosis group (Moderate), with the qualities
    // in ppb of binary randomised response, tanh^2(epsilon / 2), at epsilon 0.5, 1 and 2 (docs/ESTIMATORS.md, "Effective records").
    private static readonly uint[] LadderMicro = [500_000, 1_000_000, 2_000_000];
    private static readonly uint[] Quality =
        [1_000_000_000, 1_000_000_000, 1_000_000_000, 59_985_151, 213_552_267, 580_025_658, 59_985_151, 213_552_267, 580_025_658];

    private readonly EthereumAccount _consortium = EthereumAccount.Generate();
    private readonly EthereumAccount _market = EthereumAccount.Generate();
    private readonly EthereumAccount _fund = EthereumAccount.Generate();
    private readonly EthereumAccount _auditor = EthereumAccount.Generate();
    private readonly EthereumAccount _relayer = EthereumAccount.Generate();
    private readonly EthereumAccount[] _sites = [EthereumAccount.Generate(), EthereumAccount.Generate()];
    private readonly EthereumAccount[] _researchers = [EthereumAccount.Generate(), EthereumAccount.Generate(), EthereumAccount.Generate()];
    private readonly Dictionary<Bytes32, Address[]> _payouts = [];
    private readonly Bytes32 _schemaId = RandomHash();
    private readonly IAnsiConsole _console;
    private readonly CancellationToken _cancellation;
    private DemoLedger _ledger = null!;
    private int _step;

    private ScriptedSale(IAnsiConsole console, CancellationToken cancellation) => (_console, _cancellation) = (console, cancellation);

    private sealed record PostedEpoch(EpochBatch Batch, Epoch Epoch);

    private sealed record PostedDelivery(DeliveryBatch Batch, Delivery Delivery, int RequestIndex, int Site);

    /// <summary>Tells the story; every step is done and checked before it is told.</summary>
    public static async Task RunAsync(EmbeddedTools tools, IAnsiConsole console, CancellationToken cancellationToken)
    {
        await using ScriptedSale sale = new(console, cancellationToken);
        await sale.TellAsync(tools);
    }

    public async ValueTask DisposeAsync()
    {
        if (_ledger is not null)
        {
            await _ledger.DisposeAsync();
        }
    }

    private async Task TellAsync(EmbeddedTools tools)
    {
        Step("A ledger of its own");
        _ledger = await DemoLedger.StartAsync(
            tools, _consortium, _market, _fund, [_consortium, _market, _auditor, _relayer, .. _sites, .. _researchers], _cancellation);
        Say($"anvil runs on loopback; four contracts are deployed; everybody has tokens and {DemoLedger.Wealth / 10} units free for "
            + "bonds.");
        BigInteger supply = await _ledger.Token.TotalSupplyAsync(cancellationToken: _cancellation);

        Step("The consortium admits two sites and an auditor, and publishes the schema's quality table");
        foreach (EthereumAccount site in _sites)
        {
            await _ledger.SendAsync(_consortium, _ledger.Access.RegisterSite(site.Address, RandomHash()), _cancellation);
        }

        await _ledger.SendAsync(_consortium, _ledger.Access.SetAuditor(_auditor.Address, true), _cancellation);
        await _ledger.SendAsync(
            _consortium, _ledger.Evaluation.PublishSchema(_schemaId, 0b10_01_00, 20_000_000, LadderMicro, Quality), _cancellation);
        Say("an effective record is 10^9 ppb of score; a report of the diagnosis at epsilon 1 is worth 0.21 of one.");

        PostedEpoch[] epochs = await PostEpochsAsync();
        (ulong[] ids, RequestTerms[] terms) = await OpenRequestsAsync();
        (RoundBatch batch, Round round, Bytes32 seed) = await MatchAsync(epochs, ids, terms);
        List<PostedDelivery> deliveries = await DeliverAsync(epochs, ids, terms, batch, seed);
        await ClaimAsync(deliveries);
        await RefundAsync(ids, terms, batch, round, deliveries);
        await TraceAsync(epochs, batch, round, seed, deliveries);

        Step("The books");
        BigInteger held = await _ledger.Token.BalanceOfAsync(_ledger.Payments.Address, cancellationToken: _cancellation);
        BigInteger free = await _ledger.Payments.BurnableAsync(cancellationToken: _cancellation);
        foreach (EthereumAccount person in (EthereumAccount[])[_consortium, _market, _auditor, _relayer, _fund, .. _sites, .. _researchers])
        {
            free += await _ledger.Payments.BalanceOfAsync(person.Address, cancellationToken: _cancellation);
        }

        Require(held == free, $"the payments contract holds {held} units but owes {free}");
        Require(supply == await _ledger.Token.TotalSupplyAsync(cancellationToken: _cancellation), "tokens were made or lost");
        Say($"no escrow is left; the contract holds {held} units, all of them free balances and what waits to be burned; not a unit was "
            + "made or lost.");
    }

    private async Task<PostedEpoch[]> PostEpochsAsync()
    {
        Step($"Each site posts an epoch: {MembersPerSite} pseudonyms in {ClassesPerSite} classes");
        ulong now = await NowAsync();
        PostedEpoch[] epochs = new PostedEpoch[_sites.Length];
        for (int s = 0; s < _sites.Length; s++)
        {
            ClassLeaf[] classes = [.. Enumerable.Range(0, ClassesPerSite).Select(k =>
            {
                // Stricter classes first; whoever allows more asks for less per epsilon at the second site.
                BigInteger ceilings = 1 | ((BigInteger)Math.Min(3, 1 + k / 2) << 4) | ((BigInteger)Math.Min(3, 1 + k) << 8);
                UInt128 rate = (UInt128)(1_000 + (400 * k) + (150 * s));
                return new ClassLeaf(
                    MembersPerSite / ClassesPerSite, 2, ceilings, 0, [0, rate, rate, rate], (BigInteger.One << 256) - 1,
                    now + (300UL * 86_400),
                    BatchId.PublicCell(s == 0 ? "region=north" : "region=south"));
            })];
            MemberLeaf[] members = [
                .. Enumerable.Range(0, MembersPerSite).Select(i => NewMember((uint)(i * ClassesPerSite / MembersPerSite)))];
            EpochBatch batch = EpochBatch.Build(
                EmbeddedChain.DevelopmentChainId, _ledger.Access.Address, (uint)s + 1, _schemaId, 1, PayoutDepth, classes, members,
                RandomHash());
            Posting posting = await _ledger.PostAsync(_sites[s], _ledger.Access.PostEpoch(batch.Header), _cancellation);
            epochs[s] = new PostedEpoch(batch, new Epoch(batch.Header, posting));
            Require(
                await _ledger.Access.CommitmentOfAsync(batch.Id, cancellationToken: _cancellation) == Commitment.Of(epochs[s].Epoch),
                "the contract commits to another epoch");
            Say($"site {s + 1}: members root {Short(batch.Header.MembersRoot)}, classes root {Short(batch.Header.ClassesRoot)}; the "
                + "chain learns nothing else.");
        }

        Step("A leaf is withheld; the auditor demands it");
        uint wanted = 123;
        await _ledger.SendAsync(_auditor, _ledger.Access.DemandLeaf(epochs[1].Epoch, (byte)LeafKind.Member, wanted), _cancellation);
        await _ledger.WaitAsync(_ledger.Deployment.Terms.EpochWindowSeconds / 3, _cancellation);
        await RefusedAsync<DemandsOpenException>(
            _sites[1], _ledger.Access.FinaliseEpoch(epochs[1].Epoch), _ledger.Deployment.Terms.EpochWindowSeconds);
        Say("that is how it ends for a site that stays silent: nothing is final while a demand is open. This one gave in too late; its "
            + "epoch is void and its bond half burned:");
        await _ledger.SendAsync(_auditor, _ledger.Access.VoidUnanswered(epochs[1].Epoch, (byte)LeafKind.Member, wanted), _cancellation);
        await RequireStateAsync(
            _ledger.Access.BatchStateAsync(epochs[1].Batch.Id, cancellationToken: _cancellation), Contracts.Model.BatchStatus.Void);

        EpochBatch again = EpochBatch.Build(
            EmbeddedChain.DevelopmentChainId, _ledger.Access.Address, 2, _schemaId, 2, PayoutDepth, [.. epochs[1].Batch.Classes],
            [.. epochs[1].Batch.Members], RandomHash());
        Posting second = await _ledger.PostAsync(_sites[1], _ledger.Access.PostEpoch(again.Header), _cancellation);
        epochs[1] = new PostedEpoch(again, new Epoch(again.Header, second));
        await _ledger.SendAsync(_auditor, _ledger.Access.DemandLeaf(epochs[1].Epoch, (byte)LeafKind.Member, wanted), _cancellation);
        await _ledger.SendAsync(_sites[1], _ledger.Access.AnswerMember(epochs[1].Epoch, again.OpenMember(wanted)), _cancellation);
        Say("site 2 posts its epoch anew, and this time opens the demanded leaf at once; the deposit is its.");
        await _ledger.WaitAsync(_ledger.Deployment.Terms.EpochWindowSeconds, _cancellation);
        foreach (PostedEpoch epoch in epochs)
        {
            await _ledger.SendAsync(_relayer, _ledger.Access.FinaliseEpoch(epoch.Epoch), _cancellation);
        }

        Say("both epochs are final.");
        return epochs;
    }

    private async Task<(ulong[] Ids, RequestTerms[] Terms)> OpenRequestsAsync()
    {
        Step("Three researchers fund requests, and the market closes the book");
        ulong deadline = await NowAsync() + (60UL * 86_400);
        (string What, BigInteger Grades, UInt128 Bid, uint Target)[] wishes =
        [
            ("age group at epsilon 1 and diagnosis at epsilon 1", 0x220, 40_000, 300), ("diagnosis at epsilon 2", 0x300, 30_000, 250),
            ("age group at epsilon 0.5", 0x010, 60_000, 200),
        ];
        ulong[] ids = new ulong[wishes.Length];
        RequestTerms[] terms = new RequestTerms[wishes.Length];
        for (int j = 0; j < wishes.Length; j++)
        {
            terms[j] = new RequestTerms(
                RandomHash(), _schemaId, RandomHash(), wishes[j].Grades, wishes[j].Grades, Bytes32.Zero, wishes[j].Bid, 100_000_000,
                wishes[j].Target, 0, AnyPurpose, deadline);
            await _ledger.SendAsync(_researchers[j], _ledger.Matching.OpenRequest(terms[j]), _cancellation);
            ids[j] = await _ledger.Matching.RequestCountAsync(cancellationToken: _cancellation);
            Say($"request {ids[j]}: {wishes[j].What}, {wishes[j].Bid} units per effective record, up to {wishes[j].Target} records; "
                + $"{terms[j].Budget} units in escrow.");
        }

        await _ledger.SendAsync(_market, _ledger.Matching.CloseBook(_schemaId), _cancellation);
        return (ids, terms);
    }

    private async Task<(RoundBatch Batch, Round Round, Bytes32 Seed)> MatchAsync(PostedEpoch[] epochs, ulong[] ids, RequestTerms[] terms)
    {
        Step("The market matches, wrongly at first");
        long[,] weights = new long[epochs.Length * ClassesPerSite, ids.Length];
        for (int c = 0; c < weights.GetLength(0); c++)
        {
            for (int j = 0; j < ids.Length; j++)
            {
                (bool admissible, BigInteger ask, BigInteger score) = await QuoteAsync(ClassOf(epochs, c), terms[j]);
                weights[c, j] = admissible ? (long)(terms[j].Bid * score / 1_000_000_000 - ask) : WeightMatrix.Inadmissible;
            }
        }

        StoredRequest[] stored = new StoredRequest[ids.Length];
        for (int j = 0; j < ids.Length; j++)
        {
            stored[j] = await _ledger.Matching.RequestOfAsync(ids[j], cancellationToken: _cancellation);
        }

        MatchProblem problem = new(
            [.. Enumerable.Range(0, weights.GetLength(0))
                .Select(c => new ClassSupply((int)ClassOf(epochs, c).Size, ClassOf(epochs, c).Quota))],
            [.. ids.Select((id, j) => new RequestDemand((long)id, stored[j].Capacity, 0))],
            WeightMatrix.Create(weights.GetLength(0), ids.Length, (c, row) =>
            {
                for (int j = 0; j < row.Length; j++)
                {
                    row[j] = weights[c, j];
                }
            }));
        MatchOutcome right = ExactMatcher.Solve(problem, _cancellation);
        Require(MatchVerifier.FindFaults(problem, right).Count == 0, "the solver's match does not verify");

        // The operator would like to pay its friends of a class that did not even sell out.
        int favoured = Enumerable.Range(0, problem.Classes.Count)
            .First(c => right.SalesByClass.Where(sale => sale.ClassIndex == c).Sum(sale => sale.Records) < problem.Classes[c].Capacity);
        Dictionary<uint, PriceLeaf> prices = PricesOf(right);
        Dictionary<uint, PriceLeaf> cheating = new(prices) { [Position(favoured)] = new PriceLeaf(25, 0, 0, 0) };
        (RoundBatch wrong, Round wrongRound, _) = await CommitAsync(0, cheating, right, ids.Length);
        Say($"attempt 0 gives class {favoured % ClassesPerSite} of site {favoured / ClassesPerSite + 1} a premium of 25 units, though it "
            + "has records left to sell.");
        uint position = Position(favoured);
        ClassEvidence evidence = EvidenceOf(epochs, favoured);
        TransactionReceipt challenge = await _ledger.SendAsync(
            _auditor, _ledger.Matching.ChallengeClass(wrongRound, evidence, wrong.OpenPrice(position), wrong.OpenClassRow(position)),
            _cancellation);
        await RequireStateAsync(
            _ledger.Matching.BatchStateAsync(wrong.Id, cancellationToken: _cancellation), Contracts.Model.BatchStatus.Void);
        Say($"the auditor opens three leaves and a row; the contract finds E3, an unsold premium, and voids the round "
            + $"({challenge.GasUsed} gas). Half of the bond is the auditor's.");

        Step("The right match, final and seeded");
        (RoundBatch batch, Round round, Bytes32 reveal) = await CommitAsync(1, prices, right, ids.Length);
        await RefusedAsync<NoFaultException>(
            _auditor, _ledger.Matching.ChallengeClass(round, evidence, batch.OpenPrice(position), batch.OpenClassRow(position)),
            waitSeconds: 0);
        await _ledger.MineAsync(3, _cancellation);
        await _ledger.SendAsync(_relayer, _ledger.Matching.SealSeed(round), _cancellation);
        await _ledger.WaitAsync(_ledger.Deployment.Terms.RoundWindowSeconds, _cancellation);
        await _ledger.SendAsync(_market, _ledger.Matching.FinaliseRound(round, reveal), _cancellation);
        Bytes32 seed = await _ledger.Matching.SeedOfAsync(batch.Id, cancellationToken: _cancellation);
        Bytes32 blockHash = await _ledger.Matching.SealedBlockHashAsync(batch.Id, cancellationToken: _cancellation);
        Require(seed == Drawing.Seed(reveal, blockHash), "the seed is not the hash of reveal and block");
        Say($"{batch.Header.TotalSales} sales to {ids.Length} requests, of maximum welfare and with the least premiums; seed "
            + $"{Short(seed)}.");
        return (batch, round, seed);
    }

    private async Task<(RoundBatch Batch, Round Round, Bytes32 Reveal)> CommitAsync(
        uint attempt, Dictionary<uint, PriceLeaf> prices, MatchOutcome match, int requests)
    {
        Bytes32 reveal = RandomHash();
        RoundHeader shape = new(
            _schemaId, 0, attempt, SiteBits, ClassBits, RequestBits, 0, Drawing.SeedCommit(reveal), RandomHash(), default, default,
            default, default);
        RoundBatch batch = RoundBatch.Build(
            EmbeddedChain.DevelopmentChainId, _ledger.Matching.Address, shape, prices,
            [.. Enumerable.Range(0, requests).Select(j => new RequestLeaf((UInt128)match.Requests[j].Surplus, match.Requests[j].Dropped))],
            [.. match.SalesByClass.Select(sale => new Sale(Position(sale.ClassIndex), (uint)sale.RequestIndex, (uint)sale.Records))]);
        Posting posting = await _ledger.PostAsync(_market, _ledger.Matching.CommitRound(batch.Header), _cancellation);
        return (batch, new Round(batch.Header, posting), reveal);
    }

    private async Task<List<PostedDelivery>> DeliverAsync(
        PostedEpoch[] epochs, ulong[] ids, RequestTerms[] terms, RoundBatch round, Bytes32 seed)
    {
        Step("The sites deliver; one delivers short");
        List<PostedDelivery> deliveries = [];
        bool shortened = false;
        for (int j = 0; j < ids.Length; j++)
        {
            for (int s = 0; s < _sites.Length; s++)
            {
                DeliveryLeaf[] leaves = await LeavesAsync(epochs[s], s, (uint)j, terms[j], round, seed);
                if (leaves.Length == 0)
                {
                    continue;
                }

                int missing = shortened ? 0 : leaves.Length / 10;
                shortened |= missing > 0;
                leaves.AsSpan(leaves.Length - missing).Fill(DeliveryBatch.Undelivered);
                DeliveryBatch batch = DeliveryBatch.Build(
                    EmbeddedChain.DevelopmentChainId, _ledger.Evaluation.Address, ids[j], (uint)s + 1, 0, leaves, RandomHash());
                DeliveryHeader h = batch.Header;
                Bytes32 digest = SignedMessages.Receipt(EmbeddedChain.DevelopmentChainId, _ledger.Evaluation.Address, batch.Id, h);
                Posting posting = await _ledger.PostAsync(
                    _sites[s], _ledger.Evaluation.RecordDelivery(h, _market.Sign(digest).ToBytes()), _cancellation);
                deliveries.Add(new PostedDelivery(batch, new Delivery(h, posting), j, s));
                Say($"site {s + 1} to request {ids[j]}: {h.Count} of {leaves.Length} records, {(decimal)h.Effective / 1_000_000_000:0.0} "
                    + $"effective ones, for {h.Amount} units.");
            }
        }

        await _ledger.WaitAsync(_ledger.Deployment.Terms.DeliveryWindowSeconds, _cancellation);
        foreach (PostedDelivery delivery in deliveries)
        {
            await _ledger.SendAsync(_relayer, _ledger.Evaluation.FinaliseDelivery(delivery.Delivery), _cancellation);
        }

        return deliveries;
    }

    private async Task<DeliveryLeaf[]> LeavesAsync(
        PostedEpoch epoch, int site, uint request, RequestTerms terms, RoundBatch round, Bytes32 seed)
    {
        DeliveryLeaf[] leaves = new DeliveryLeaf[round.OpenSiteRow(request, (uint)site + 1).Sum];
        for (uint k = 0; k < ClassesPerSite; k++)
        {
            uint position = Position((site * ClassesPerSite) + (int)k);
            uint quantity = round.Quantity(position, request);
            ClassLeaf class_ = epoch.Batch.Classes[(int)k];
            (_, BigInteger ask, BigInteger score) = await QuoteAsync(class_, terms);
            Bytes32 key = Drawing.ClassKey(seed, (uint)site + 1, k);
            for (uint i = 0; i < quantity; i++)
            {
                (uint offset, uint lap) = Drawing.Draw(key, class_.Size, round.SoldBefore(position, request), i);
                uint member = epoch.Batch.Starts[(int)k] + offset;
                Address payee = _payouts[epoch.Batch.Members[(int)member].Pseudonym][
                    Drawing.PayoutIndex(0, class_.Quota, lap, PayoutDepth)];
                leaves[round.FirstSlot(position, request) + i] = new DeliveryLeaf(
                    k, member, payee, RandomHash(), (UInt128)ask + round.OpenPrice(position).Leaf.Premium, (UInt128)score);
            }
        }

        return leaves;
    }

    private async Task ClaimAsync(List<PostedDelivery> deliveries)
    {
        Step("Anybody claims for everybody");
        List<ContractCall> calls = [];
        foreach (PostedDelivery delivery in deliveries)
        {
            for (uint subtree = 0; subtree < delivery.Batch.SubtreeCount; subtree++)
            {
                (DeliveryLeaf[] leaves, Sibling[] path) = delivery.Batch.OpenSubtree(subtree);
                if (leaves.Any(leaf => leaf != DeliveryBatch.Undelivered))
                {
                    calls.Add(_ledger.Payments.ClaimMany(delivery.Delivery, subtree, leaves, path));
                }
            }
        }

        IReadOnlyList<TransactionOutcome> outcomes = await _ledger.SendAllAsync(_relayer, calls, _cancellation);
        long payees = deliveries.Sum(delivery => delivery.Batch.Header.Count);
        ulong gas = outcomes.Aggregate(0UL, (sum, outcome) => sum + outcome.GasUsed);
        foreach (PostedDelivery delivery in deliveries)
        {
            for (int slot = 0; slot < delivery.Batch.Leaves.Count; slot++)
            {
                DeliveryLeaf leaf = delivery.Batch.Leaves[slot];
                Require(
                    leaf.PayoutAddress == Address.Zero
                        || await _ledger.Payments.IsClaimedAsync(delivery.Batch.Id, (uint)slot, cancellationToken: _cancellation),
                    $"slot {slot} of delivery {delivery.Batch.Id} is not paid");
            }
        }

        Say($"{payees} payees are paid by {calls.Count} transactions of a relayer, {gas / (ulong)payees} gas each; the relayer earns "
            + $"{_ledger.Deployment.Terms.RelayFeeUnits} units a leaf.");
    }

    private async Task RefundAsync(ulong[] ids, RequestTerms[] terms, RoundBatch batch, Round round, List<PostedDelivery> deliveries)
    {
        Step("What was not delivered goes back");
        bool waited = false;
        for (int j = 0; j < ids.Length; j++)
        {
            PostedDelivery[] own = [.. deliveries.Where(delivery => delivery.RequestIndex == j)];
            BigInteger paid = own.Aggregate(BigInteger.Zero,
                (sum, d) => sum + d.Batch.Header.Amount + (d.Batch.Header.Count * (BigInteger)_ledger.Deployment.Terms.RelayFeeUnits));
            BigInteger before = await _ledger.Token.BalanceOfAsync(_researchers[j].Address, cancellationToken: _cancellation);
            ContractCall settled = _ledger.Payments.RefundSettled(ids[j], round, batch.OpenRequestRow((uint)j));
            bool whole = (ulong)own.Sum(delivery => delivery.Batch.Header.Count) == batch.OpenRequestRow((uint)j).Sum;
            if (whole)
            {
                await _ledger.SendAsync(_relayer, settled, _cancellation);
            }
            else
            {
                await RefusedAsync<NotSettledException>(_relayer, settled, waitSeconds: 0);
                if (!waited)
                {
                    await _ledger.WaitAsync(
                        (uint)(terms[j].Deadline - await NowAsync()) + _ledger.Deployment.Terms.RepostGraceSeconds, _cancellation);
                    waited = true;
                }

                await _ledger.SendAsync(_relayer, _ledger.Payments.Refund(ids[j]), _cancellation);
            }

            BigInteger refund = await _ledger.Token.BalanceOfAsync(_researchers[j].Address, cancellationToken: _cancellation) - before;
            Require(refund + paid == terms[j].Budget, $"request {ids[j]}: {terms[j].Budget} funded, but {paid} paid and {refund} refunded");
            Say($"request {ids[j]}: funded {terms[j].Budget} = paid with fees {paid} + refunded "
                + $"{refund}{(whole ? "" : "; delivered short, so only after the deadline")}.");
        }
    }

    private async Task TraceAsync(PostedEpoch[] epochs, RoundBatch batch, Round round, Bytes32 seed, List<PostedDelivery> deliveries)
    {
        Step("The trace of one pseudonym, every proof checked against the chain");
        PostedDelivery delivery = deliveries[0];
        uint slot = 0;
        DeliveryLeaf leaf = delivery.Batch.Leaves[(int)slot];
        PostedEpoch epoch = epochs[delivery.Site];
        MemberOpening member = epoch.Batch.OpenMember(leaf.MemberPosition);
        ClassOpening class_ = epoch.Batch.OpenClass(leaf.LocalClass);
        uint position = Position((delivery.Site * ClassesPerSite) + (int)leaf.LocalClass);
        uint request = (uint)delivery.RequestIndex;

        Require(await _ledger.Access.CommitmentOfAsync(epoch.Batch.Id, cancellationToken: _cancellation) == Commitment.Of(epoch.Epoch),
            "the epoch is not the chain's");
        EpochHeader e = epoch.Epoch.Header;
        Require(
            SumPath.Proves(new TreeNode(e.MembersRoot, new SumWord(e.MemberCount)), member.Position,
                Leaves.Member(epoch.Batch.Id, member.Position, member.Leaf), member.Path.Nodes())
            && SumPath.Proves(new TreeNode(e.ClassesRoot, new SumWord(e.MemberCount)), class_.Index,
                Leaves.Class(epoch.Batch.Id, class_.Index, class_.Leaf), class_.Path.Nodes()),
            "the policy's openings do not prove");
        Say($"policy    {Short(member.Leaf.Pseudonym)} stands at position {member.Position} of site {e.Site}'s epoch {e.Epoch}, in class "
            + $"{class_.Index}: ceilings 0x{class_.Leaf.Ceilings:x}.");

        Require(await _ledger.Matching.CommitmentOfAsync(batch.Id, cancellationToken: _cancellation) == Commitment.Of(round),
            "the round is not the chain's");
        SalesOpening sale = batch.OpenByClass(position, request);
        ulong at = ((ulong)position << RequestBits) | request;
        Require(
            SumPath.Proves(
                new TreeNode(round.Header.SalesByClassRoot, new SumWord(round.Header.TotalSales)), at,
                Leaves.Sales(LeafKind.SalesByClass, batch.Id, at, sale.Quantity), sale.Path.Nodes()),
            "the sale's opening does not prove");
        ulong before = (ulong)SumPath.Prefix(at, sale.Path.Nodes(), RequestBits).Value;
        (uint offset, _) = Drawing.Draw(
            Drawing.ClassKey(seed, e.Site, class_.Index), class_.Leaf.Size, before, slot - batch.FirstSlot(position, request));
        uint start = (uint)SumPath.Prefix(class_.Index, class_.Path.Nodes()).Value;
        Require(start + offset == member.Position, "the seed draws another member");
        Say($"match     the class sells {sale.Quantity} records to request {delivery.Delivery.Header.RequestId}; the seed draws offset "
            + $"{offset}, which is this member.");

        Require(await _ledger.Evaluation.CommitmentOfAsync(delivery.Batch.Id, cancellationToken: _cancellation) == Commitment.Of(
            delivery.Delivery), "the delivery is not the chain's");
        DeliveryHeader d = delivery.Delivery.Header;
        Require(
            SumPath.Proves(new TreeNode(d.Root, new SumWord(d.Amount, d.Count, d.Effective)), slot,
                Leaves.Delivery(delivery.Batch.Id, slot, leaf), delivery.Batch.Open(slot).Path.Nodes()),
            "the delivery's opening does not prove");
        Say($"delivery  slot {slot}: report {Short(leaf.ReportHash)}, {(decimal)leaf.Effective / 1_000_000_000:0.000} effective records, "
            + $"{leaf.Amount} units.");

        LogFilter filter = new(_ledger.Deployment.FirstBlock,
            (await _ledger.Client.GetBlockAsync(BlockReference.Latest, _cancellation))!.Number, [_ledger.Payments.Address],
            [ClaimedEvent.Topic]);
        ClaimedEvent claim = (await _ledger.Client.GetLogsAsync(filter, _cancellation)).Select(ClaimedEvent.Decode)
            .Single(c => c.DeliveryId == delivery.Batch.Id && c.Slot == slot);
        Require(claim.Payee == leaf.PayoutAddress && claim.Amount == leaf.Amount, "another payout was logged");
        Require(await _ledger.Token.BalanceOfAsync(claim.Payee, cancellationToken: _cancellation) >= claim.Amount,
            "the payee does not hold the money");
        Say($"payout    {claim.Amount} units at the one-time address {claim.Payee}, as the chain's log says.");
    }

    private MemberLeaf NewMember(uint localClass)
    {
        Bytes32 pseudonym = RandomHash();
        Address[] payouts =
            [.. Enumerable.Range(0, 1 << PayoutDepth).Select(_ => new Address(RandomNumberGenerator.GetBytes(Address.Length)))];
        _payouts.Add(pseudonym, payouts);
        Bytes32 payoutRoot = Contracts.Merkle.SumTree.Build(
            PayoutDepth, [.. payouts.Select((address, i) => Leaves.Payout(pseudonym, (uint)i, address))]).Root.Hash;
        return new MemberLeaf(pseudonym, new Address(RandomNumberGenerator.GetBytes(Address.Length)), localClass, payoutRoot, 0, 0,
            RandomHash());
    }

    private static Dictionary<uint, PriceLeaf> PricesOf(MatchOutcome match) => match.Classes
        .Select((premium, c) => (premium, c))
        .Where(pair => pair.premium.Premium > 0)
        .ToDictionary(
            pair => Position(pair.c),
            pair => new PriceLeaf(
                (UInt128)pair.premium.Premium, (uint)pair.premium.SupportRequest,
                pair.premium.SupportClass < 0 ? 0 : Position(pair.premium.SupportClass), (uint)pair.premium.Rank));

    private static ClassLeaf ClassOf(PostedEpoch[] epochs, int c) => epochs[c / ClassesPerSite].Batch.Classes[c % ClassesPerSite];

    private static ClassEvidence EvidenceOf(PostedEpoch[] epochs, int c) =>
        epochs[c / ClassesPerSite].Batch.Evidence(epochs[c / ClassesPerSite].Epoch.Posting, (uint)(c % ClassesPerSite));

    private static uint Position(int c) => ((uint)(c / ClassesPerSite) << ClassBits) | (uint)(c % ClassesPerSite);

    private Task<(bool Admissible, BigInteger Ask, BigInteger Score)> QuoteAsync(ClassLeaf class_, RequestTerms terms) =>
        _ledger.Evaluation.QuoteAsync(
        _schemaId, class_.Ceilings, class_.Rates, terms.MinimumGrades, terms.TopGrades, cancellationToken: _cancellation);

    private async Task<ulong> NowAsync() => (await _ledger.Client.GetBlockAsync(BlockReference.Latest, _cancellation))!.Timestamp;

    private async Task RefusedAsync<TRefusal>(EthereumAccount person, ContractCall call, uint waitSeconds)
        where TRefusal : ContractRevertException
    {
        if (waitSeconds > 0)
        {
            await _ledger.WaitAsync(waitSeconds, _cancellation);
        }

        try
        {
            await _ledger.Access.TryAsync(call, person.Address, _cancellation);
        }
        catch (TRefusal refusal)
        {
            Say($"refused, as it must be: {refusal.Message}");
            return;
        }

        throw new CommandException(ExitCode.Failure, $"the contract accepted a call that it must refuse with {typeof(TRefusal).Name}");
    }

    private static async Task RequireStateAsync(Task<BatchState> state, Contracts.Model.BatchStatus expected)
    {
        BatchState actual = await state;
        Require(actual.Status == (byte)expected, $"a batch is in state {actual.Status}, expected {expected}");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new CommandException(ExitCode.Failure, "the demonstration failed: " + otherwise);
        }
    }

    private static Bytes32 RandomHash() => new(RandomNumberGenerator.GetBytes(Bytes32.Length));

    private static string Short(Bytes32 hash) => hash.ToString()[..10] + "...";

    private void Step(string title) => _console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"\n[bold]{++_step}. {title}[/]");

    private void Say(string text) => _console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"   {text}");
}
