using System.Numerics;
using EmrMarket.Analytics.Matching;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Model;
using EmrMarket.Contracts.Tests.DevChain;
using EmrMarket.Contracts.Tests.Ethereum.Sending;
using Sale = EmrMarket.Contracts.Batches.Sale;
using StoredRequest = EmrMarket.Contracts.Bindings.Request;

namespace EmrMarket.Contracts.Tests.Batches;

/// <summary>A round of three sites, 36 classes and nine requests on the contracts: every fault is found by a challenge made from the
/// round's own leaves, and the right round refuses them all.</summary>
public sealed class RoundChallengesTests(ChainFixture fixture) : IClassFixture<ChainFixture>
{
    private const int Sites = 3;
    private const int ClassesPerSite = 12;
    private const int MembersPerClass = 4;
    private const byte SiteBits = 2;
    private const byte ClassBits = 4;
    private const byte RequestBits = 4;

    private static readonly Bytes32 SchemaId = Keccak256.Hash("three attributes");
    private readonly Dictionary<Address, TransactionSender> _senders = [];
    private readonly EthereumAccount[] _siteAccounts = [.. Enumerable.Range(0, Sites).Select(_ => EthereumAccount.Generate())];
    private EmbeddedChain _chain = null!;
    private ContractDeployment _deployment = null!;
    private int _commands;

    private EthereumAccount Operator => fixture.Account;

    private DynamicAccessControl Access => new(_chain.Client, Address.Parse(_deployment.AccessControl.Address));

    private MatchingDecision Matching => new(_chain.Client, Address.Parse(_deployment.Matching.Address));

    private DataEvaluation Evaluation => new(_chain.Client, Address.Parse(_deployment.Evaluation.Address));

    private AnonymousTransaction Payments => new(_chain.Client, Address.Parse(_deployment.Payments.Address));

    private DevelopmentToken Token => new(_chain.Client, Address.Parse(_deployment.Token.Address));

    [RequiresFact(Tool.Anvil)]
    public async Task Every_challenge_is_refused_on_a_right_round_and_accepted_on_each_planted_fault()
    {
        Market market = await OpenMarketAsync();
        uint attempt = 0;
        foreach ((string name, string kind, BatchFault fault, Draft draft) in Faults(market))
        {
            (RoundBatch batch, Round round) = await CommitAsync(attempt++, draft);
            IEnumerable<RoundChallenge> challenges = RoundChallenges.All(Matching, round, batch, market.Classes, market.RequestIds);
            Assert.True(await RoundChallenges.FindFaultAsync(Matching, Operator.Address, challenges, CancellationToken.None) is not null,
                $"{name}: no challenge is accepted");
            RoundChallenge? found = await RoundChallenges.FindFaultAsync(
                Matching, Operator.Address, challenges.Where(challenge => challenge.Kind == kind), CancellationToken.None);
            Assert.True(found is not null, $"{name}: {kind} is refused");
            TransactionReceipt receipt = await SendAsync(Operator, found.Call);
            BatchVoidedEvent voided = Assert.Single(receipt.Logs.Select(ContractEvents.Decode).OfType<BatchVoidedEvent>());
            Assert.True((BatchFault)voided.Fault == fault, $"{name}: found {(BatchFault)voided.Fault}, expected {fault}");
        }

        (RoundBatch right, Round posted) = await CommitAsync(attempt, market.Right);
        RoundChallenge[] all = [.. RoundChallenges.All(Matching, posted, right, market.Classes, market.RequestIds)];
        Assert.Null(await RoundChallenges.FindFaultAsync(Matching, Operator.Address, all, CancellationToken.None));

        // Nothing was left out: each pair twice, each class and request, each premium, each sale twice.
        int pairs = market.Classes.Count * market.RequestIds.Length;
        Assert.Equal(
            (2 * pairs) + market.Classes.Count + market.RequestIds.Length + market.Right.Prices.Count + (2 * market.Right.ByClass.Length),
            all.Length);
        Assert.True(market.Right.Prices.Count >= 3, "too few premiums to speak of");
    }

    private static IEnumerable<(string Name, string Kind, BatchFault Fault, Draft Draft)> Faults(Market market)
    {
        Draft right = market.Right;
        (uint premiumAt, PriceLeaf premium) = right.Prices.First(pair => pair.Value.Premium > 1);
        Draft Priced(uint position, PriceLeaf leaf) =>
            right with { Prices = new Dictionary<uint, PriceLeaf>(right.Prices) { [position] = leaf } };
        Draft Surplus(int j, RequestLeaf leaf) => right with { Requests = [.. right.Requests.Select((each, i) => i == j ? leaf : each)] };
        Draft Selling(uint c, uint j, uint quantity)
        {
            Sale[] sales = [.. right.ByClass.Where(sale => (sale.Class, sale.Request) != (c, j)), new Sale(c, j, quantity)];
            return right with { ByClass = sales, ByRequest = sales };
        }

        uint Sold(uint c) => (uint)right.ByClass.Where(sale => sale.Class == c).Sum(sale => sale.Quantity);
        long Filled(int j) => right.ByClass.Where(sale => sale.Request == j).Sum(sale => sale.Quantity);
        uint Quantity(uint c, uint j) => right.ByClass.SingleOrDefault(sale => (sale.Class, sale.Request) == (c, j)).Quantity;

        yield return ("E1, a premium too low", "challengePair", BatchFault.BlockingPair,
            Priced(premiumAt, premium with { Premium = premium.Premium - 1 }));

        Sale tight = right.ByClass.First(sale => market.Weight(sale.Class, sale.Request) == (long)right.Premium(sale.Class)
            + (long)right.Requests[(int)sale.Request].Surplus);
        RequestLeaf paid = right.Requests[(int)tight.Request];
        yield return ("E2, a request pays too much", "challengePair", BatchFault.Overcharge,
            Surplus((int)tight.Request, paid with { Surplus = paid.Surplus + 1 }));

        uint room = market.Positions.First(c => Sold(c) < market.Supply(c));
        yield return ("E3, a premium though not sold out", "challengeClass", BatchFault.UnsoldPremium,
            Priced(room, new PriceLeaf(1, 0, 0, 0)));

        int unfilled = Enumerable.Range(0, right.Requests.Length).First(j => Filled(j) < market.Stored[j].Capacity);
        yield return ("E4, a surplus though not filled", "challengeRequest", BatchFault.UnfilledSurplus,
            Surplus(unfilled, new RequestLeaf(1, false)));

        Sale any = right.ByClass.First();
        yield return ("E5, more than a class has", "challengePair", BatchFault.QuantityExceeded,
            Selling(any.Class, any.Request, MembersPerClass + 1));
        Sale full = right.ByClass.First(sale => Sold(sale.Class) == market.Supply(sale.Class) && sale.Quantity < MembersPerClass);
        yield return ("E5, more than the quota", "challengeClass", BatchFault.QuantityExceeded,
            Selling(full.Class, full.Request, full.Quantity + 1));
        Sale last = right.ByClass.First(
            sale => Filled((int)sale.Request) == market.Stored[sale.Request].Capacity && sale.Quantity < MembersPerClass);
        yield return ("E5, more than asked for", "challengeRequest", BatchFault.QuantityExceeded,
            Selling(last.Class, last.Request, last.Quantity + 1));

        (uint strict, uint wanted) = market.Positions.SelectMany(c => Enumerable.Range(0, right.Requests.Length).Select(j => (c, (uint)j)))
            .First(pair => market.Weight(pair.c, pair.Item2) == WeightMatrix.Inadmissible);
        yield return ("E6, a grade above the ceiling", "challengePair", BatchFault.Inadmissible, Selling(strict, wanted, 1));

        Sale first = right.ByClass.First(sale => sale.Quantity > 1);
        uint elsewhere = market.Positions.First(c => c != first.Class && Quantity(c, first.Request) == 0);
        yield return ("E7, the two trees differ", "challengeSymmetry", BatchFault.SalesDiffer, right with
        {
            ByRequest = [.. right.ByClass.Select(sale => sale == first ? sale with { Quantity = sale.Quantity - 1 } : sale),
                new Sale(elsewhere, first.Request, 1)],
        });

        // What w is, u + v must be, wherever a premium says that it is held up.
        uint slack = (uint)Enumerable.Range(0, right.Requests.Length).First(
            j => market.Weight(premiumAt, (uint)j) != (long)premium.Premium + (long)right.Requests[j].Surplus);
        yield return ("E8, a support with slack", "challengeSupport", BatchFault.UnsupportedPremium,
            Priced(premiumAt, premium with { SupportRequest = slack }));
        yield return ("E8, a support that is no request", "challengeSupport", BatchFault.UnsupportedPremium,
            Priced(premiumAt, premium with { SupportRequest = 15 }));
        (uint ranked, PriceLeaf leaning) = right.Prices.First(
            pair => Filled((int)pair.Value.SupportRequest) == market.Stored[pair.Value.SupportRequest].Capacity);
        yield return ("E8, a support by a class beyond the tree", "challengeSupport", BatchFault.UnsupportedPremium,
            Priced(ranked, leaning with { SupportClass = 64 }));
        yield return ("E8, a support by a class that does not exist", "challengeSupport", BatchFault.UnsupportedPremium,
            Priced(ranked, leaning with { SupportClass = 63 }));

        yield return ("a request dropped without a minimum", "challengeRequest", BatchFault.Dropping,
            Surplus(unfilled, new RequestLeaf(0, true)));
        yield return ("a sale by a class that does not exist", "challengePhantom", BatchFault.Phantom, Selling(ClassesPerSite, 0, 1));
        yield return ("a sale by a site that does not exist", "challengePhantom", BatchFault.Phantom,
            Selling((uint)Sites << ClassBits, 0, 1));
        yield return ("a sale to a request that does not exist", "challengePhantom", BatchFault.Phantom, Selling(0, 12, 1));
    }

    private async Task<Market> OpenMarketAsync()
    {
        _chain = await fixture.GetAsync();
        await _chain.FundAsync([.. _siteAccounts.Select(site => site.Address)], CancellationToken.None);
        _deployment = await ContractDeployment.DeployAsync(
            SenderOf(Operator), _chain.Client, EmbeddedChain.DevelopmentChainId,
            new DeploymentRoles(Operator.Address, Operator.Address, Operator.Address), DeploymentTerms.Default, null,
            CancellationToken.None);
        BigInteger wealth = 1_000_000_000_000;
        await SendAsync(Operator, Token.Mint(Operator.Address, wealth));
        await SendAsync(Operator, Token.Approve(Payments.Address, wealth));
        foreach (Address bonded in _siteAccounts.Select(site => site.Address).Append(Operator.Address))
        {
            await SendAsync(Operator, Payments.Deposit(bonded, 200_000_000));
        }

        // The ladder and qualities of the demonstration; quality in ppb of binary randomised response, tanh^2(epsilon / 2).
        await SendAsync(Operator, Evaluation.PublishSchema(
            SchemaId, 0b10_01_00, 20_000_000, [500_000, 1_000_000, 2_000_000],
            [1_000_000_000, 1_000_000_000, 1_000_000_000, 59_985_151, 213_552_267, 580_025_658, 59_985_151, 213_552_267, 580_025_658]));

        List<ClassEvidence> classes = [];
        ulong now = (await _chain.Client.GetBlockAsync(BlockReference.Latest, CancellationToken.None))!.Timestamp;
        List<Epoch> epochs = [];
        for (int s = 0; s < Sites; s++)
        {
            await SendAsync(Operator, Access.RegisterSite(_siteAccounts[s].Address, Keccak256.Hash("profile")));
            ClassLeaf[] leaves = [.. Enumerable.Range(0, ClassesPerSite).Select(k =>
            {
                // Ceilings of grades 1 to 3 by turns; rates that differ, the last class of a site too dear for anybody.
                BigInteger ceilings = 1 | ((BigInteger)(1 + (k % 3)) << 4) | ((BigInteger)(1 + (k / 3 % 3)) << 8);
                UInt128 rate = k == ClassesPerSite - 1 ? 1_000_000u : (UInt128)(900 + (170 * k) + (310 * s));
                return new ClassLeaf(MembersPerClass, (ushort)(1 + (k % 2)), ceilings, 0, [0, rate, rate, rate],
                    (BigInteger.One << 256) - 1, now + (300UL * 86_400), default);
            })];
            MemberLeaf[] members = [.. Enumerable.Range(0, ClassesPerSite * MembersPerClass).Select(i => new MemberLeaf(
                Keccak256.Hash($"{s}/{i}"), Operator.Address, (uint)(i / MembersPerClass), Keccak256.Hash("payouts"), 0, 0,
                Keccak256.Hash("salt")))];
            EpochBatch batch = EpochBatch.Build(
                EmbeddedChain.DevelopmentChainId, Access.Address, (uint)s + 1, SchemaId, 1, 0, leaves, members, Keccak256.Hash("data"));
            Posting posting = await PostAsync(_siteAccounts[s], Access.PostEpoch(batch.Header));
            epochs.Add(new Epoch(batch.Header, posting));
            classes.AddRange(Enumerable.Range(0, ClassesPerSite).Select(k => batch.Evidence(posting, (uint)k)));
        }

        await _chain.AdvanceTimeAsync(TimeSpan.FromSeconds(DeploymentTerms.Default.EpochWindowSeconds + 1), CancellationToken.None);
        foreach (Epoch epoch in epochs)
        {
            await SendAsync(Operator, Access.FinaliseEpoch(epoch));
        }

        (BigInteger Grades, UInt128 Bid, uint Target)[] wishes =
        [
            (0x220, 40_000, 24), (0x300, 30_000, 20), (0x010, 60_000, 30), (0x110, 90_000, 18), (0x030, 35_000, 16), (0x200, 50_000, 22),
            (0x330, 30_000, 12), (0x100, 70_000, 26),
            (0x001, 10, 50),
        ];
        ulong deadline = now + (60UL * 86_400);
        foreach ((BigInteger grades, UInt128 bid, uint target) in wishes)
        {
            await SendAsync(Operator, Matching.OpenRequest(new RequestTerms(
                Keccak256.Hash($"{grades}"), SchemaId, Keccak256.Hash("terms"), grades, grades, default, bid, 50_000_000, target, 0,
                0, deadline)));
        }

        ulong[] ids = [.. Enumerable.Range(1, wishes.Length).Select(id => (ulong)id)];
        StoredRequest[] stored = new StoredRequest[ids.Length];
        for (int j = 0; j < ids.Length; j++)
        {
            stored[j] = await Matching.RequestOfAsync(ids[j]);
        }

        await SendAsync(Operator, Matching.CloseBook(SchemaId));
        long[,] weights = new long[classes.Count, ids.Length];
        for (int c = 0; c < classes.Count; c++)
        {
            for (int j = 0; j < ids.Length; j++)
            {
                ClassLeaf leaf = classes[c].Class.Leaf;
                (bool admissible, BigInteger ask, BigInteger score) = await Evaluation.QuoteAsync(
                    SchemaId, leaf.Ceilings, leaf.Rates, wishes[j].Grades, wishes[j].Grades);
                weights[c, j] = admissible ? (long)((wishes[j].Bid * score / 1_000_000_000) - ask) : WeightMatrix.Inadmissible;
            }
        }

        return new Market(classes, ids, stored, weights, Solve(classes, stored, weights));
    }

    private static Draft Solve(List<ClassEvidence> classes, StoredRequest[] stored, long[,] weights)
    {
        MatchProblem problem = new(
            [.. classes.Select(evidence => new ClassSupply((int)evidence.Class.Leaf.Size, evidence.Class.Leaf.Quota))],
            [.. stored.Select((request, j) => new RequestDemand(j + 1, request.Capacity, 0))],
            WeightMatrix.Create(classes.Count, stored.Length, (c, row) =>
            {
                for (int j = 0; j < row.Length; j++)
                {
                    row[j] = weights[c, j];
                }
            }));
        MatchOutcome outcome = ExactMatcher.Solve(problem, CancellationToken.None);
        Dictionary<uint, PriceLeaf> prices = [];
        for (int c = 0; c < classes.Count; c++)
        {
            ClassPremium premium = outcome.Classes[c];
            if (premium.Premium > 0)
            {
                uint support = premium.SupportClass < 0 ? 0 : Position(classes[premium.SupportClass]);
                prices.Add(Position(classes[c]),
                    new PriceLeaf((UInt128)premium.Premium, (uint)premium.SupportRequest, support, (uint)premium.Rank));
            }
        }

        Sale[] sales =
            [.. outcome.SalesByClass.Select(
                sale => new Sale(Position(classes[sale.ClassIndex]), (uint)sale.RequestIndex, (uint)sale.Records))];
        return new Draft(prices, [.. outcome.Requests.Select(request => new RequestLeaf((UInt128)request.Surplus, request.Dropped))],
            sales, sales);
    }

    private static uint Position(ClassEvidence evidence) => ((evidence.Epoch.Header.Site - 1) << ClassBits) | evidence.Class.Index;

    private async Task<(RoundBatch Batch, Round Round)> CommitAsync(uint attempt, Draft draft)
    {
        RoundHeader shape = new(
            SchemaId, 0, attempt, SiteBits, ClassBits, RequestBits, 0, Drawing.SeedCommit(Keccak256.Hash("reveal")), Keccak256.Hash("data"),
            default, default, default, default);
        RoundBatch batch = RoundBatch.Build(
            EmbeddedChain.DevelopmentChainId, Matching.Address, shape, draft.Prices, draft.Requests, draft.ByClass, draft.ByRequest);
        return (batch, new Round(batch.Header, await PostAsync(Operator, Matching.CommitRound(batch.Header))));
    }

    private async Task<Posting> PostAsync(EthereumAccount account, ContractCall call)
    {
        TransactionReceipt receipt = await SendAsync(account, call);
        BlockHeader block = (await _chain.Client.GetBlockAsync(BlockReference.At(receipt.BlockNumber), CancellationToken.None))!;
        return new Posting(account.Address, block.Timestamp, block.Number);
    }

    private async Task<TransactionReceipt> SendAsync(EthereumAccount account, ContractCall call)
    {
        TransactionOutcome outcome = (
            await SenderOf(account).SendAsync([new TransactionIntent($"command {++_commands}", call)], CancellationToken.None))[0];
        Assert.True(outcome.Succeeded);
        return (await _chain.Client.GetReceiptsAsync([outcome.TransactionHash], CancellationToken.None))[0]!;
    }

    private TransactionSender SenderOf(EthereumAccount account)
    {
        if (!_senders.TryGetValue(account.Address, out TransactionSender? sender))
        {
            sender = new TransactionSender(_chain.Client, account, EmbeddedChain.DevelopmentChainId, new MemoryOutbox(), ChainFixture.Fast);
            _senders.Add(account.Address, sender);
        }

        return sender;
    }

    /// <summary>What a round says, before it is hashed.</summary>
    private sealed record Draft(
        Dictionary<uint, PriceLeaf> Prices, RequestLeaf[] Requests, Sale[] ByClass, Sale[] ByRequest)
    {
        public UInt128 Premium(uint position) => Prices.GetValueOrDefault(position, RoundBatch.NoPremium).Premium;
    }

    private sealed record Market(
        IReadOnlyList<ClassEvidence> Classes, ulong[] RequestIds, StoredRequest[] Stored, long[,] Weights, Draft Right)
    {
        public IEnumerable<uint> Positions => Classes.Select(Position);

        public long Weight(uint position, uint request) =>
            Weights[(int)((position >> ClassBits) * ClassesPerSite) + (int)(position & ((1 << ClassBits) - 1)), request];

        public uint Supply(uint position)
        {
            ClassLeaf leaf = Classes.Single(evidence => Position(evidence) == position).Class.Leaf;
            return leaf.Size * leaf.Quota;
        }
    }
}
