using System.Numerics;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.DevChain;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Merkle;
using EmrMarket.Contracts.Model;

namespace EmrMarket.Contracts.Tests.Model;

/// <summary>Random calls by random actors, most of them sensible and some not: a small market whose sites and operator err, cheat, delay
/// and challenge one another.</summary>
internal sealed class RandomMarket(TwinLedger ledger, RandomMarket.Cast cast, int seed)
{
    private static readonly Bytes32 SchemaId = Keccak256.Hash("schema");
    private static readonly uint[] Ladder = [250_000, 500_000, 1_000_000];

    private readonly Random _random = new(seed);
    private readonly List<Posted<EpochBatch>> _epochs = [];
    private readonly List<Posted<RoundBatch>> _rounds = [];
    private readonly List<Posted<DeliveryBatch>> _deliveries = [];
    private readonly Dictionary<Bytes32, Bytes32> _reveals = [];
    private readonly Dictionary<Bytes32, EthereumAccount> _controllers = [];
    private readonly Dictionary<Bytes32, Address[]> _payouts = [];
    private uint _references;

    /// <summary>Who takes part.</summary>
    public sealed record Cast(
        Address Consortium, EthereumAccount Market, Address[] Sites, Address[] Researchers, Address[] Others, Address Fund)
    {
        public Address[] All => [Consortium, Market.Address, .. Sites, .. Researchers, .. Others, Fund];
    }

    private sealed record Posted<T>(T Batch, Posting Posting)
    {
        // Which epochs the classes of a round come from, by site.
        public Dictionary<uint, Posted<EpochBatch>> Epochs { get; init; } = [];

        // The ids of a round's requests, by index in the book.
        public ulong[] Requests { get; init; } = [];

        public Posted<RoundBatch>? Round { get; init; }
    }

    public static Parameters ParametersOf(Address token, Cast cast) => new(
        token, cast.Consortium, cast.Market.Address, cast.Fund, EpochWindow: 100, RoundWindow: 120, DeliveryWindow: 90, BookInterval: 40,
        RevealGrace: 60, RepostGrace: 80, RevocationGrace: 30, RotationDelay: 50, ClaimPeriod: 400, EpochBond: 1001, RoundBond: 2003,
        DeliveryBond: 999, DemandDeposit: 77, RelayFee: 3, MinimumBudget: 1000);

    public async Task SetUpAsync()
    {
        foreach (Address account in cast.All)
        {
            await ledger.SetUpAsync(cast.Consortium, ledger.TokenClient.Mint(account, 1_000_000_000));
            ledger.Model.Mint(account, 1_000_000_000);
            await ledger.SetUpAsync(account, ledger.TokenClient.Approve(ledger.Contracts.Payments, 900_000_000));
            ledger.Model.Approve(new CallContext(account, 0, 0), 900_000_000);
            await ledger.CallAsync("deposit", account, ledger.Payments.Deposit(account, 500_000), (m, c) => m.Deposit(c, account, 500_000));
        }

        // Tiers: Public, Low, Moderate, Private; Q grows with the grade.
        uint[] quality = [1_000_000_000, 1_000_000_000, 1_000_000_000, 60_000_000, 210_000_000, 580_000_000, 30_000_001, 132_623_668,
            463_051_755, 3_711_259, 21_501_111, 151_972_678];
        await ledger.CallAsync(
            "publishSchema", cast.Consortium, ledger.Evaluation.PublishSchema(SchemaId, 0b11_10_01_00, 2_500_000, Ladder, quality),
            (m, c) => m.PublishSchema(c, SchemaId, 0b11_10_01_00, 2_500_000, Ladder, quality));
        foreach (Address site in cast.Sites[..2])
        {
            await ledger.CallAsync("registerSite", cast.Consortium, ledger.Access.RegisterSite(site, SchemaId),
                (m, c) => m.RegisterSite(c, site, SchemaId));
        }
    }

    public Task CompareAsync() => ledger.CompareStateAsync(
        cast.All, _epochs.Select(e => e.Batch.Id), _rounds.Select(r => r.Batch.Id), _deliveries.Select(d => d.Batch.Id), SchemaId);

    public Task<bool> StepAsync() => Pick(
        (6, RolesAsync), (6, MoneyAsync), (9, PostEpochAsync), (9, FinaliseEpochAsync), (8, ChallengeEpochAsync), (6, RevokeAsync),
        (10, OpenRequestAsync), (2, CancelRequestAsync),
        (6, CloseBookAsync), (7, CommitRoundAsync), (7, SealAsync), (9, FinaliseRoundAsync), (9, ChallengeRoundAsync),
        (10, RecordDeliveryAsync), (9, FinaliseDeliveryAsync),
        (9, ChallengeDeliveryAsync), (10, ClaimAsync), (6, RefundAsync), (8, DemandAsync), (8, AnswerAsync), (6, UnansweredAsync))();

    // ---- roles and money -----------------------------------------------------------------------------------------------------

    private async Task<bool> RolesAsync()
    {
        Address sender = Mostly(cast.Consortium);
        Address account = Anyone();
        uint subject = (uint)_random.Next(4);
        bool on = _random.Next(3) == 0;
        Bytes32 hash = RandomHash();
        return await Pick<Task<bool>>(
            (1, () =>
                CallAsync("registerSite", sender, ledger.Access.RegisterSite(account, hash), (m, c) => m.RegisterSite(c, account, hash))),
            (3, () => CallAsync("setAuditor", sender, ledger.Access.SetAuditor(account, on), (m, c) => m.SetAuditor(c, account, on))),
            (1, () => CallAsync("setPaused", sender, ledger.Access.SetPaused(on), (m, c) => m.SetPaused(c, on))),
            (1, () => CallAsync("scheduleRotation", sender, ledger.Access.ScheduleRotation(subject, default),
                (m, c) => m.ScheduleRotation(c, subject, default))),
            (1, () =>
            {
                // A rotation to the account that a site or the market already has leaves the cast in place.
                Address next = subject == 0 ? cast.Market.Address : cast.Others[_random.Next(cast.Others.Length)];
                return subject == 0
                    ? CallAsync("scheduleRotation", sender, ledger.Access.ScheduleRotation(subject, next),
                        (m, c) => m.ScheduleRotation(c, subject, next))
                    : CallAsync("scheduleRotation", sender, ledger.Access.ScheduleRotation(3, next),
                        (m, c) => m.ScheduleRotation(c, 3, next));
            }),
            (3, () =>
                CallAsync("completeRotation", account, ledger.Access.CompleteRotation(subject), (m, c) => m.CompleteRotation(c, subject))),
            (2, () =>
            {
                byte kind = (byte)_random.Next(5);
                Address author = Mostly(cast.Market.Address);
                return CallAsync("recordFinding", author, ledger.Evaluation.RecordFinding(subject, kind, hash),
                    (m, c) => m.RecordFinding(c, subject, kind, hash));
            }),
            (1, () =>
            {
                uint[] ladder = _random.Next(2) == 0 ? Ladder : [5, 5];
                uint[] quality = [.. Enumerable.Range(0, _random.Next(8)).Select(_ => (uint)_random.Next(1_100_000_000))];
                Bytes32 id = _random.Next(3) == 0 ? SchemaId : hash;
                return CallAsync("publishSchema", sender, ledger.Evaluation.PublishSchema(id, 0b0101, 5, ladder, quality),
                    (m, c) => m.PublishSchema(c, id, 0b0101, 5, ladder, quality));
            }))();
    }

    private Task<bool> MoneyAsync()
    {
        Address sender = Anyone();
        Address account = Anyone();
        BigInteger amount = _random.Next(6) == 0 ? 0 : _random.Next(8) == 0 ? BigInteger.Pow(10, 15) : _random.Next(100_000);
        return Pick<Task<bool>>(
            (3, () => CallAsync("deposit", sender, ledger.Payments.Deposit(account, amount), (m, c) => m.Deposit(c, account, amount))),
            (2, () => CallAsync("withdraw", sender, ledger.Payments.Withdraw(amount), (m, c) => m.Withdraw(c, amount))),
            (1, () => CallAsync("burn", sender, ledger.Payments.Burn(), (m, c) => m.Burn(c))))();
    }

    // ---- epochs --------------------------------------------------------------------------------------------------------------

    private async Task<bool> PostEpochAsync()
    {
        uint site = (uint)_random.Next(1, 4);
        Posted<EpochBatch>? latest = _epochs.LastOrDefault(e => e.Batch.Header.Site == site);
        uint number = (latest?.Batch.Header.Epoch ?? 0) + (_random.Next(12) == 0 ? 0u : 1u);
        Posted<EpochBatch>? previous = _epochs.LastOrDefault(e => e.Batch.Header.Site == site && Status(e.Batch.Id) == BatchStatus.Final);
        int classCount = _random.Next(1, 4);
        const byte PayoutDepth = 2;
        ClassLeaf[] classes = new ClassLeaf[classCount];
        List<MemberLeaf> members = [];
        for (int k = 0; k < classCount; k++)
        {
            uint size = (uint)_random.Next(1, 6);
            BigInteger highWater = _random.Next(15) == 0 ? 0x3333 : _random.Next(15) == 0
                ? 0x9 : 0x1111 * _random.Next(2) + (_random.Next(4) == 0 ? 1 : 0);
            classes[k] = new ClassLeaf(
                size, (ushort)_random.Next(1, 4), Grades(), highWater,
                [0, (UInt128)_random.Next(50), (UInt128)_random.Next(100), (UInt128)_random.Next(200)],
                _random.Next(6) == 0 ? 4 : (BigInteger.One << 256) - 1, ledger.Now + (ulong)_random.Next(300, 200_000),
                _random.Next(3) == 0 ? Keccak256.Hash("cell") : default);
            for (uint i = 0; i < size; i++)
            {
                int known = previous is null ? -1 : _random.Next(-3, previous.Batch.Members.Count);
                Bytes32 pseudonym = known >= 0 ? previous!.Batch.Members[known].Pseudonym : RandomHash();
                if (known >= 0 && members.Exists(m => m.Pseudonym == pseudonym) && _random.Next(20) != 0)
                {
                    (known, pseudonym) = (-1, RandomHash());
                }

                bool forgetful = known >= 0 && _random.Next(15) == 0;
                uint wrong = _random.Next(25) == 0 ? (uint)_random.Next(9) : 0;
                members.Add(new MemberLeaf(
                    pseudonym, Controller(pseudonym).Address, (uint)k, PayoutTree(pseudonym, PayoutDepth).Root.Hash,
                    known < 0 || forgetful ? wrong : previous!.Batch.Header.Epoch, known < 0 || forgetful ? wrong : (uint)known + wrong,
                    RandomHash()));
            }
        }

        EpochBatch batch = EpochBatch.Build(
            EmbeddedChain.DevelopmentChainId, ledger.Contracts.AccessControl, site, _random.Next(25) == 0 ? RandomHash() : SchemaId, number,
            PayoutDepth, classes, [.. members], RandomHash());
        EpochHeader header = _random.Next(20) switch
        {
            0 => batch.Header with { MemberDepth = 25 },
            1 => batch.Header with { ClassCount = 0 },
            2 => batch.Header with { MemberCount = 1_000 },
            _ => batch.Header,
        };
        Address sender = site <= cast.Sites.Length ? Mostly(cast.Sites[site - 1]) : Anyone();
        bool posted = await CallAsync("postEpoch", sender, ledger.Access.PostEpoch(header), (m, c) => m.PostEpoch(c, header));
        if (posted && header == batch.Header)
        {
            _epochs.Add(new Posted<EpochBatch>(batch, Posting(sender)));
        }

        return posted;
    }

    private async Task<bool> FinaliseEpochAsync()
    {
        if (Choose(_epochs, e => e.Batch.Id) is not { } epoch)
        {
            return false;
        }

        Epoch posted = EpochOf(epoch);
        ulong wait = WaitUntil(epoch.Posting.Timestamp + ledger.Parameters.EpochWindow);
        return await CallAsync("finaliseEpoch", Anyone(), ledger.Access.FinaliseEpoch(posted), (m, c) => m.FinaliseEpoch(c, posted), wait);
    }

    private async Task<bool> ChallengeEpochAsync()
    {
        if (Choose(_epochs, e => e.Batch.Id) is not { } epoch)
        {
            return false;
        }

        Posted<EpochBatch> earlier = Any(_epochs)!;
        Address sender = Anyone();
        Epoch posted = EpochOf(epoch);
        Epoch before = EpochOf(earlier);
        EpochBatch batch = epoch.Batch;
        MemberOpening member = Spoilt(batch.OpenMember((uint)_random.Next(batch.Members.Count)));
        MemberOpening other = batch.OpenMember((uint)_random.Next(batch.Members.Count));
        MemberOpening empty = new((uint)batch.Members.Count, new MemberLeaf(default, default, 0, default, 0, 0, default),
            batch.MemberTree.Siblings((ulong)batch.Members.Count % (1UL << batch.MemberTree.Depth)));
        ClassOpening class_ = batch.OpenClass((uint)_random.Next(batch.Classes.Count));
        MemberOpening past = earlier.Batch.OpenMember((uint)_random.Next(earlier.Batch.Members.Count));
        if (member.Leaf.PreviousEpoch == earlier.Batch.Header.Epoch && member.Leaf.PreviousPosition < earlier.Batch.Members.Count
            && _random.Next(3) > 0)
        {
            past = earlier.Batch.OpenMember(member.Leaf.PreviousPosition);
        }

        // The classes that the two members name, where they exist.
        ClassOpening own = batch.OpenClass(Math.Min(member.Leaf.LocalClass, (uint)batch.Classes.Count - 1));
        ClassOpening pastClass = earlier.Batch.OpenClass(Math.Min(past.Leaf.LocalClass, (uint)earlier.Batch.Classes.Count - 1));
        return await Pick<Task<bool>>(
            (1, () =>
            {
                MemberOpening at = _random.Next(4) == 0 && batch.Members.Count < 1 << batch.MemberTree.Depth ? empty : member;
                return CallAsync("challengeClassRange", sender, ledger.Access.ChallengeClassRange(posted, class_, at),
                    (m, c) => m.ChallengeClassRange(c, posted, class_, at));
            }),
            (2, () =>
            {
                // A cheat is looked for: the pair of equal pseudonyms where there is one.
                uint twin = (uint)Enumerable.Range(0, batch.Members.Count)
                    .FirstOrDefault(i => i != member.Position && batch.Members[i].Pseudonym == member.Leaf.Pseudonym, (int)other.Position);
                MemberOpening second = batch.OpenMember(twin);
                return CallAsync("challengeDuplicate", sender, ledger.Access.ChallengeDuplicate(posted, member, second),
                    (m, c) => m.ChallengeDuplicate(c, posted, member, second));
            }),
            (2, () => CallAsync("challengeEpsilonCap", sender, ledger.Access.ChallengeEpsilonCap(posted, class_),
                (m, c) => m.ChallengeEpsilonCap(c, posted, class_))),
            (2, () =>
            {
                Epoch pointed = _epochs.FirstOrDefault(e => e.Batch.Header.Site == posted.Header.Site
                    && e.Batch.Header.Epoch == member.Leaf.PreviousEpoch) is { } target ? EpochOf(target) : before;
                return CallAsync("challengePointer", sender, ledger.Access.ChallengePointer(posted, member, pointed),
                    (m, c) => m.ChallengePointer(c, posted, member, pointed));
            }),
            (3, () => CallAsync(
                "challengeHistory", sender, ledger.Access.ChallengeHistory(posted, member, own, before, past, pastClass),
                (m, c) => m.ChallengeHistory(c, posted, member, own, before, past, pastClass))))();
    }

    private async Task<bool> RevokeAsync()
    {
        if (Any(_epochs) is not { } epoch)
        {
            return false;
        }

        Revocation[] revocations = [.. Enumerable.Range(0, _random.Next(1, 3)).Select(_ =>
        {
            MemberOpening member = Spoilt(epoch.Batch.OpenMember((uint)_random.Next(epoch.Batch.Members.Count)));
            uint site = _random.Next(10) == 0 ? 9 : epoch.Batch.Header.Site;
            Bytes32 digest = SignedMessages.Revocation(
                EmbeddedChain.DevelopmentChainId, ledger.Contracts.AccessControl, site, member.Leaf.Pseudonym);
            return new Revocation(EpochOf(epoch), member, Controller(member.Leaf.Pseudonym).Sign(digest).ToBytes());
        })];
        return await CallAsync("revoke", Anyone(), ledger.Access.Revoke(revocations), (m, c) => m.Revoke(c, revocations));
    }

    // ---- requests and rounds -------------------------------------------------------------------------------------------------

    private Task<bool> OpenRequestAsync()
    {
        BigInteger top = Grades();
        BigInteger minimum = _random.Next(4) == 0 ? top : Enumerable.Range(0, 4).Aggregate(BigInteger.Zero, (packed, a) =>
            packed | ((BigInteger)Math.Min(1, ModelSchema.Nibble(top, a)) << (4 * a)));
        RequestTerms terms = new(
            Keccak256.Hash([(byte)(_random.Next(10) == 0 ? _references : ++_references), (byte)(_references >> 8)]),
            _random.Next(30) == 0 ? RandomHash() : SchemaId, RandomHash(), _random.Next(20) == 0 ? 0x5 : minimum, top,
            _random.Next(4) == 0 ? Keccak256.Hash("cell") : default, (UInt128)_random.Next(1, 2_000),
            (UInt128)_random.Next(500, 60_000), (uint)_random.Next(1, 20), (uint)(_random.Next(3) == 0 ? _random.Next(4) : 0),
            (byte)(_random.Next(5) == 0 ? 2 : 0),
            ledger.Now + 1 + (ulong)_random.Next(300, _random.Next(4) == 0 ? 400 : 5_000) + (_random.Next(40) == 0 ? 40_000_000UL : 0));
        Address sender = _random.Next(10) == 0 ? Anyone() : cast.Researchers[_random.Next(cast.Researchers.Length)];
        return CallAsync("openRequest", sender, ledger.Matching.OpenRequest(terms), (m, c) => m.OpenRequest(c, terms));
    }

    private Task<bool> CancelRequestAsync()
    {
        ulong id = RandomRequest();
        Address sender = id >= 1 && id <= ledger.Model.RequestCount ? Mostly(ledger.Model.RequestOf(id).Researcher) : Anyone();
        return CallAsync("cancelRequest", sender, ledger.Matching.CancelRequest(id), (m, c) => m.CancelRequest(c, id));
    }

    private Task<bool> CloseBookAsync() =>
        CallAsync("closeBook", Mostly(cast.Market.Address), ledger.Matching.CloseBook(SchemaId), (m, c) => m.CloseBook(c, SchemaId),
            (ulong)_random.Next(1, 40));

    private async Task<bool> CommitRoundAsync()
    {
        uint open = ledger.Model.OpenBook(SchemaId);
        if (open == 0 || ledger.Model.SiteCount > 4)
        {
            return false;
        }

        uint ordinal = open - 1 - (_random.Next(6) == 0 && open > 1 ? 1u : 0);
        uint attempt = (uint)_rounds.Count(r => r.Batch.Header.Ordinal == ordinal && Status(r.Batch.Id) == BatchStatus.Void)
            + (_random.Next(15) == 0 ? 1u : 0);
        ulong[] requests = [.. Enumerable.Range(1, (int)ledger.Model.RequestCount).Select(id => (ulong)id)
            .Where(id => ledger.Model.RequestOf(id).Book == ordinal).OrderBy(id => ledger.Model.RequestOf(id).Index)];
        Book book = await ledger.Matching.BookOfAsync(SchemaId, ordinal);

        // The latest final epoch of each site when the book was closed.
        Dictionary<uint, Posted<EpochBatch>> epochs = _epochs
            .Where(e => Status(e.Batch.Id) == BatchStatus.Final && ledger.Model.StateOf(e.Batch.Id).FinalisedBlock <= book.ClosedBlock)
            .GroupBy(e => e.Batch.Header.Site).ToDictionary(g => g.Key, g => g.OrderBy(e => e.Batch.Header.Epoch).Last());
        bool careful = _random.Next(6) > 0;
        List<Sale> sales = [];
        Dictionary<uint, PriceLeaf> prices = [];
        uint[] filled = new uint[requests.Length];
        foreach ((uint site, Posted<EpochBatch> epoch) in epochs)
        {
            for (uint k = 0; k < epoch.Batch.Classes.Count; k++)
            {
                ClassLeaf class_ = epoch.Batch.Classes[(int)k];
                uint position = ((site - 1) << 2) | k;
                uint left = class_.Size * class_.Quota;
                for (uint j = 0; j < requests.Length; j++)
                {
                    Request request = ledger.Model.RequestOf(requests[j]);
                    bool fits = Admissible(class_, request);
                    uint quantity = (uint)_random.Next((int)class_.Size + 1);
                    if (careful)
                    {
                        quantity = fits ? Math.Min(Math.Min(quantity, left), request.Capacity - filled[j]) : 0;
                    }

                    if (quantity > 0 && _random.Next(4) > 0)
                    {
                        sales.Add(new Sale(position, j, quantity));
                        filled[j] += quantity;
                        left -= Math.Min(left, quantity);
                    }
                }

                if (_random.Next(4) == 0)
                {
                    prices[position] = new PriceLeaf(
                        (UInt128)_random.Next(1, 30), (uint)_random.Next(3), (uint)_random.Next(8), (uint)_random.Next(3));
                }
            }
        }

        if (_random.Next(12) == 0)
        {
            sales.Add(new Sale(15, 0, 1));
        }

        RequestLeaf[] leaves = [
            .. requests.Select(_ => new RequestLeaf((UInt128)(_random.Next(3) == 0 ? _random.Next(40) : 0), _random.Next(10) == 0))];
        Bytes32 reveal = RandomHash();
        int requestBits = Math.Max(SumTree.DepthFor(requests.Length), 1);
        RoundHeader shape = new(
            SchemaId, ordinal, attempt, (byte)(_random.Next(25) == 0 ? 0 : 2), 2, (byte)requestBits, 0, Drawing.SeedCommit(reveal),
            RandomHash(), default, default, default, default);
        if (shape.SiteBits < 2)
        {
            sales.RemoveAll(sale => sale.Class >= 4);
            prices = prices.Where(pair => pair.Key < 4).ToDictionary();
        }

        Sale[] byRequest = _random.Next(8) == 0 && sales.Count > 1
            ? [.. sales.Skip(1), sales[0] with { Quantity = sales[0].Quantity + 1 }] : [.. sales];
        RoundBatch batch = RoundBatch.Build(
            EmbeddedChain.DevelopmentChainId, ledger.Contracts.Matching, shape, prices, leaves, sales, byRequest);
        Address sender = Mostly(cast.Market.Address);
        RoundHeader header = batch.Header;
        bool posted = await CallAsync("commitRound", sender, ledger.Matching.CommitRound(header), (m, c) => m.CommitRound(c, header));
        if (posted)
        {
            _reveals[batch.Id] = reveal;
            _rounds.Add(new Posted<RoundBatch>(batch, Posting(sender)) { Epochs = epochs, Requests = requests });
        }

        return posted;
    }

    private async Task<bool> SealAsync()
    {
        if (Choose(_rounds, r => r.Batch.Id) is not { } round)
        {
            return false;
        }

        Round posted = RoundOf(round);
        if (_random.Next(12) == 0)
        {
            await ledger.MineAsync(_random.Next(3) == 0 ? 260 : 3);
        }

        return _random.Next(6) == 0
            ? await CallAsync("voidUnsealed", Anyone(), ledger.Matching.VoidUnsealed(posted), (m, c) => m.VoidUnsealed(c, posted))
            : await CallAsync("sealSeed", Anyone(), ledger.Matching.SealSeed(posted), (m, c) => m.SealSeed(c, posted));
    }

    private async Task<bool> FinaliseRoundAsync()
    {
        if (Choose(_rounds, r => r.Batch.Id) is not { } round)
        {
            return false;
        }

        Round posted = RoundOf(round);
        Bytes32 reveal = _random.Next(15) == 0 ? RandomHash() : _reveals[round.Batch.Id];
        ulong wait = WaitUntil(round.Posting.Timestamp + ledger.Parameters.RoundWindow);
        return _random.Next(30) == 0
            ? await CallAsync(
                "voidUnrevealed", Anyone(), ledger.Matching.VoidUnrevealed(posted), (m, c) => m.VoidUnrevealed(c, posted),
                WaitUntil(round.Posting.Timestamp + ledger.Parameters.RoundWindow + ledger.Parameters.RevealGrace))
            : await CallAsync("finaliseRound", Anyone(), ledger.Matching.FinaliseRound(posted, reveal),
                (m, c) => m.FinaliseRound(c, posted, reveal), wait);
    }

    private async Task<bool> ChallengeRoundAsync()
    {
        if (Choose(_rounds, r => r.Batch.Id) is not { } round || round.Epochs.Count == 0)
        {
            return false;
        }

        Address sender = Anyone();
        Round posted = RoundOf(round);
        RoundBatch batch = round.Batch;
        (ClassEvidence class_, uint position) = RandomClass(round);
        uint j = (uint)_random.Next(round.Requests.Length);
        PriceOpening price = batch.OpenPrice(position);
        RequestOpening request = Spoilt(batch.OpenRequest(round.Requests[j], j));
        SalesOpening sale = batch.OpenByClass(position, j);
        return await Pick<Task<bool>>(
            (4, () => CallAsync(
                "challengePair", sender, ledger.Matching.ChallengePair(posted, class_, price, request, sale),
                (m, c) => m.ChallengePair(c, posted, class_, price, request, sale))),
            (2, () =>
            {
                RowOpening row = batch.OpenClassRow(position);
                return CallAsync("challengeClass", sender, ledger.Matching.ChallengeClass(posted, class_, price, row),
                    (m, c) => m.ChallengeClass(c, posted, class_, price, row));
            }),
            (2, () =>
            {
                RowOpening row = batch.OpenRequestRow(j);
                return CallAsync("challengeRequest", sender, ledger.Matching.ChallengeRequest(posted, request, row),
                    (m, c) => m.ChallengeRequest(c, posted, request, row));
            }),
            (2, () =>
            {
                SalesOpening y = batch.OpenByRequest(position, j);
                return CallAsync("challengeSymmetry", sender, ledger.Matching.ChallengeSymmetry(posted, position, j, sale, y),
                    (m, c) => m.ChallengeSymmetry(c, posted, position, j, sale, y));
            }),
            (3, () =>
            {
                // Full and true evidence for the support that the price names, where what it names exists.
                uint supportRequest = Math.Min(price.Leaf.SupportRequest, (uint)round.Requests.Length - 1);
                RequestOpening named = batch.OpenRequest(round.Requests[supportRequest], supportRequest);
                SalesOpening sold = batch.OpenByClass(position, supportRequest);
                RowOpening row = batch.OpenRequestRow(supportRequest);
                (ClassEvidence supportClass, uint supportPosition) = ClassAt(round, price.Leaf.SupportClass) ?? RandomClass(round);
                PriceOpening supportPrice = batch.OpenPrice(supportPosition);
                SalesOpening supportSale = batch.OpenByClass(supportPosition, supportRequest);
                return CallAsync(
                    "challengeSupport", sender,
                    ledger.Matching.ChallengeSupport(posted, class_, price, named, sold, row, supportClass, supportPrice, supportSale),
                    (m, c) => m.ChallengeSupport(c, posted, class_, price, named, sold, row, supportClass, supportPrice, supportSale));
            }),
            (2, () =>
            {
                uint phantom = _random.Next(2) == 0 ? 15 : position;
                phantom = Math.Min(phantom, (1u << batch.PositionBits) - 1);
                SalesOpening ghost = batch.OpenByClass(phantom, j);
                Epoch epoch = EpochOf(Any([.. round.Epochs.Values])!);
                return CallAsync(
                    "challengePhantom", sender, ledger.Matching.ChallengePhantom(posted, phantom, j, ghost, epoch),
                    (m, c) => m.ChallengePhantom(c, posted, phantom, j, ghost, epoch));
            }))();
    }

    // ---- deliveries ----------------------------------------------------------------------------------------------------------

    private async Task<bool> RecordDeliveryAsync()
    {
        Posted<RoundBatch>[] final = [.. _rounds.Where(r => Status(r.Batch.Id) == BatchStatus.Final && r.Batch.Header.TotalSales > 0)];
        Posted<RoundBatch>[] inTime = [.. final.Where(r => r.Requests.Any(id => ledger.Model.RequestOf(id).Deadline > ledger.Now))];
        if (Any(inTime.Length > 0 ? inTime : final) is not { } round)
        {
            return false;
        }

        uint j = (uint)_random.Next(round.Requests.Length);
        ulong requestId = round.Requests[j];
        if (Any([.. round.Epochs.Keys.Where(s => round.Batch.OpenSiteRow(j, s).Sum > 0)]) is not (> 0 and var site))
        {
            return false;
        }

        Posted<EpochBatch> epoch = round.Epochs[site];
        Request request = ledger.Model.RequestOf(requestId);
        DeliveryLeaf[] leaves = [
            .. Enumerable.Repeat(DeliveryBatch.Undelivered, (int)round.Batch.OpenSiteRow(j, site).Sum + (_random.Next(10) == 0 ? 1 : 0))];
        if ((ulong)leaves.Length > round.Batch.OpenSiteRow(j, site).Sum)
        {
            leaves[^1] = new DeliveryLeaf(0, 0, Anyone(), default, 1, 0);
        }

        Bytes32 roundSeed = ledger.Model.SeedOf(round.Batch.Id);
        for (uint k = 0; k < epoch.Batch.Classes.Count; k++)
        {
            uint position = ((site - 1) << round.Batch.Header.ClassBits) | k;
            ClassLeaf class_ = epoch.Batch.Classes[(int)k];
            uint quantity = (uint)round.Batch.ByRequestTree.Node(0, ((ulong)j << round.Batch.PositionBits) | position).Sum.Value;
            (BigInteger ask, BigInteger score) = QuoteOf(class_, request);
            for (uint i = 0; i < quantity; i++)
            {
                (uint offset, uint lap) = Drawing.Draw(
                    Drawing.ClassKey(roundSeed, site, k), class_.Size, round.Batch.SoldBefore(position, j), i);
                uint member = epoch.Batch.Starts[(int)k] + offset;
                uint index = Drawing.PayoutIndex(round.Batch.Header.Ordinal, class_.Quota, lap, epoch.Batch.Header.PayoutDepth);
                DeliveryLeaf leaf = new(
                    k, member, _payouts[epoch.Batch.Members[(int)member].Pseudonym][index], RandomHash(),
                    (UInt128)(ask + round.Batch.OpenPrice(position).Leaf.Premium), (UInt128)score);
                leaf = _random.Next(40) switch
                {
                    0 => leaf with { LocalClass = k + 1 },
                    1 => leaf with { MemberPosition = member ^ 1 },
                    2 => leaf with { Amount = leaf.Amount + 1 },
                    3 => leaf with { Effective = leaf.Effective + 1 },
                    4 => leaf with { PayoutAddress = Anyone() },
                    5 => DeliveryBatch.Undelivered,
                    _ => leaf,
                };
                leaves[round.Batch.FirstSlot(position, j) + i] = leaf;
            }
        }

        uint attempt = (uint)_deliveries.Count(d => d.Batch.Header.RequestId == requestId && d.Batch.Header.Site == site
            && Status(d.Batch.Id) == BatchStatus.Void) + (_random.Next(15) == 0 ? 1u : 0);
        DeliveryBatch batch = DeliveryBatch.Build(
            EmbeddedChain.DevelopmentChainId, ledger.Contracts.Evaluation, requestId, site, attempt, leaves, RandomHash());
        DeliveryHeader header = batch.Header;
        Bytes32 digest = SignedMessages.Receipt(
            EmbeddedChain.DevelopmentChainId, ledger.Contracts.Evaluation, batch.Id,
            _random.Next(20) == 0 ? header with { Count = header.Count + 1 } : header);
        byte[] receipt = cast.Market.Sign(digest).ToBytes();
        Address sender = site <= cast.Sites.Length ? Mostly(cast.Sites[site - 1]) : Anyone();
        bool posted = await CallAsync(
            "recordDelivery", sender, ledger.Evaluation.RecordDelivery(header, receipt), (m, c) => m.RecordDelivery(c, header, receipt));
        if (posted)
        {
            _deliveries.Add(new Posted<DeliveryBatch>(batch, Posting(sender)) { Round = round });
        }

        return posted;
    }

    private async Task<bool> FinaliseDeliveryAsync()
    {
        if (Choose(_deliveries, d => d.Batch.Id) is not { } delivery)
        {
            return false;
        }

        Delivery posted = DeliveryOf(delivery);
        ulong wait = WaitUntil(delivery.Posting.Timestamp + ledger.Parameters.DeliveryWindow);
        return await CallAsync("finaliseDelivery", Anyone(), ledger.Evaluation.FinaliseDelivery(posted),
            (m, c) => m.FinaliseDelivery(c, posted), wait);
    }

    private async Task<bool> ChallengeDeliveryAsync()
    {
        if (Choose(_deliveries, d => d.Batch.Id) is not { } delivery)
        {
            return false;
        }

        Address sender = Anyone();
        Posted<RoundBatch> round = delivery.Round!;
        Delivery posted = DeliveryOf(delivery);
        Round match = RoundOf(round);
        uint site = posted.Header.Site;
        uint j = ledger.Model.RequestOf(posted.Header.RequestId).Index;
        Posted<EpochBatch> epoch = round.Epochs[site];
        uint slot = (uint)_random.Next(delivery.Batch.Leaves.Count);
        DeliveryOpening opening = Spoilt(delivery.Batch.Open(slot));

        // The class whose range holds the slot; any other now and then.
        uint k = (uint)Enumerable.Range(0, epoch.Batch.Classes.Count)
            .LastOrDefault(index => round.Batch.FirstSlot(((site - 1) << round.Batch.Header.ClassBits) | (uint)index, j) <= slot);
        k = _random.Next(8) == 0 ? (uint)_random.Next(epoch.Batch.Classes.Count) : k;
        uint position = ((site - 1) << round.Batch.Header.ClassBits) | k;
        SlotEvidence evidence = new(
            match, epoch.Batch.Evidence(epoch.Posting, k), round.Batch.OpenPrice(position), round.Batch.OpenByRequest(position, j),
            round.Batch.OpenByClass(position, j));
        MemberOpening member = epoch.Batch.OpenMember(Math.Min(opening.Leaf.MemberPosition, (uint)epoch.Batch.Members.Count - 1));
        return await Pick<Task<bool>>(
            (3, () => CallAsync("challengeSlot", sender, ledger.Evaluation.ChallengeSlot(posted, opening, evidence),
                (m, c) => m.ChallengeSlot(c, posted, opening, evidence))),
            (2, () =>
            {
                uint first = round.Batch.FirstSlot(position, j);
                (uint offset, uint lap) = Drawing.Draw(
                    Drawing.ClassKey(ledger.Model.SeedOf(round.Batch.Id), site, k), epoch.Batch.Classes[(int)k].Size,
                    round.Batch.SoldBefore(position, j), Math.Max(slot, first) - first);
                MemberOpening drawn = epoch.Batch.OpenMember(epoch.Batch.Starts[(int)k] + offset);
                uint index = Drawing.PayoutIndex(
                    match.Header.Ordinal, epoch.Batch.Classes[(int)k].Quota, lap, epoch.Batch.Header.PayoutDepth);
                SumTree tree = PayoutTree(drawn.Leaf.Pseudonym, epoch.Batch.Header.PayoutDepth);
                PayoutOpening payout = new(_payouts[drawn.Leaf.Pseudonym][index], tree.Siblings(index));
                return CallAsync(
                    "challengePayee", sender, ledger.Evaluation.ChallengePayee(posted, opening, evidence, drawn, payout),
                    (m, c) => m.ChallengePayee(c, posted, opening, evidence, drawn, payout));
            }),
            (2, () => CallAsync(
                "challengeRevoked", sender, ledger.Evaluation.ChallengeRevoked(posted, opening, EpochOf(epoch), member),
                (m, c) => m.ChallengeRevoked(c, posted, opening, EpochOf(epoch), member))),
            (2, () =>
            {
                DeliveryOpening last = delivery.Batch.Open((uint)delivery.Batch.Leaves.Count - 1);
                RowOpening row = round.Batch.OpenSiteRow(j, site);
                return CallAsync("challengeExcess", sender, ledger.Evaluation.ChallengeExcess(posted, last, match, row),
                    (m, c) => m.ChallengeExcess(c, posted, last, match, row));
            }))();
    }

    private async Task<bool> ClaimAsync()
    {
        Posted<DeliveryBatch>? delivery = Any([.. _deliveries.Where(d => Status(d.Batch.Id) == BatchStatus.Final)]) ?? Any(_deliveries);
        if (delivery is null)
        {
            return false;
        }

        Delivery posted = DeliveryOf(delivery);
        if (_random.Next(3) == 0)
        {
            (DeliveryLeaf[] leaves, Sibling[] path) = delivery.Batch.OpenSubtree(0);
            return await CallAsync("claimMany", Anyone(), ledger.Payments.ClaimMany(posted, 0, leaves, path),
                (m, c) => m.ClaimMany(c, posted, 0, leaves, path));
        }

        DeliveryOpening opening = Spoilt(delivery.Batch.Open((uint)_random.Next(delivery.Batch.Leaves.Count)));
        return await CallAsync("claim", Anyone(), ledger.Payments.Claim(posted, opening), (m, c) => m.Claim(c, posted, opening));
    }

    private async Task<bool> RefundAsync()
    {
        ulong id = RandomRequest();
        ulong wait = (ulong)_random.Next(1, _random.Next(3) == 0 ? 600 : 60);
        if (_random.Next(2) == 0 && Any([.. _rounds.Where(r => Status(r.Batch.Id) == BatchStatus.Final)]) is { } round)
        {
            uint j = (uint)_random.Next(round.Requests.Length);
            RowOpening row = round.Batch.OpenRequestRow(j);
            Round posted = RoundOf(round);
            ulong requestId = round.Requests[j];
            return await CallAsync("refundSettled", Anyone(), ledger.Payments.RefundSettled(requestId, posted, row),
                (m, c) => m.RefundSettled(c, requestId, posted, row));
        }

        return _random.Next(3) == 0
            ? await CallAsync("expire", Anyone(), ledger.Payments.Expire(id), (m, c) => m.Expire(c, id), wait * 5)
            : await CallAsync("refund", Anyone(), ledger.Payments.Refund(id), (m, c) => m.Refund(c, id), wait);
    }

    // ---- demands -------------------------------------------------------------------------------------------------------------

    private Task<bool> DemandAsync()
    {
        Address sender = Anyone();
        byte kind = (byte)_random.Next(9);
        ulong position = (ulong)_random.Next(6);
        return Pick<Task<bool>>(
            (1, async () => Choose(_epochs, e => e.Batch.Id) is { } epoch && await CallAsync(
                "demandEpoch", sender, ledger.Access.DemandLeaf(EpochOf(epoch), Kind(kind, 1, 2), position),
                (m, c) => m.DemandEpochLeaf(c, EpochOf(epoch), Kind(kind, 1, 2), position))),
            (1, async () => Choose(_rounds, r => r.Batch.Id) is { } round && await CallAsync(
                "demandRound", sender, ledger.Matching.DemandLeaf(RoundOf(round), kind, position),
                (m, c) => m.DemandRoundLeaf(c, RoundOf(round), kind, position))),
            (1, async () => Choose(_deliveries, d => d.Batch.Id) is { } delivery && await CallAsync(
                "demandDelivery", sender, ledger.Evaluation.DemandLeaf(DeliveryOf(delivery), Kind(kind, 7, 7), position),
                (m, c) => m.DemandDeliveryLeaf(c, DeliveryOf(delivery), Kind(kind, 7, 7), position))))();
    }

    private Task<bool> AnswerAsync()
    {
        Address sender = Anyone();
        return Pick<Task<bool>>(
            (1, async () =>
            {
                if (Choose(_epochs, e => e.Batch.Id) is not { } epoch)
                {
                    return false;
                }

                MemberOpening member = epoch.Batch.OpenMember((uint)_random.Next(Math.Min(6, epoch.Batch.Members.Count)));
                ClassOpening class_ = epoch.Batch.OpenClass((uint)_random.Next(epoch.Batch.Classes.Count));
                return _random.Next(2) == 0
                    ? await CallAsync("answerMember", sender, ledger.Access.AnswerMember(EpochOf(epoch), member),
                        (m, c) => m.AnswerMember(c, EpochOf(epoch), member))
                    : await CallAsync("answerClass", sender, ledger.Access.AnswerClass(EpochOf(epoch), class_),
                        (m, c) => m.AnswerClass(c, EpochOf(epoch), class_));
            }),
            (2, async () =>
            {
                if (Choose(_rounds, r => r.Batch.Id) is not { } round)
                {
                    return false;
                }

                uint c0 = (uint)_random.Next(Math.Min(6, 1 << round.Batch.PositionBits));
                uint j = (uint)_random.Next(round.Requests.Length);
                Round posted = RoundOf(round);
                PriceOpening price = round.Batch.OpenPrice(c0);
                RequestOpening request = round.Batch.OpenRequest(round.Requests[j], j);
                SalesOpening x = round.Batch.OpenByClass(0, j);
                SalesOpening y = round.Batch.OpenByRequest(c0, 0);
                return await Pick<Task<bool>>(
                    (1, () => CallAsync("answerPrice", sender, ledger.Matching.AnswerPrice(posted, price),
                        (m, c) => m.AnswerPrice(c, posted, price))),
                    (1, () => CallAsync("answerRequest", sender, ledger.Matching.AnswerRequest(posted, j, request),
                        (m, c) => m.AnswerRequest(c, posted, j, request))),
                    (1, () => CallAsync("answerSales", sender, ledger.Matching.AnswerSales(posted, 5, j, x),
                        (m, c) => m.AnswerSales(c, posted, 5, j, x))),
                    (1, () => CallAsync("answerSales", sender, ledger.Matching.AnswerSales(posted, 6, c0, y),
                        (m, c) => m.AnswerSales(c, posted, 6, c0, y))))();
            }),
            (1, async () =>
            {
                if (Choose(_deliveries, d => d.Batch.Id) is not { } delivery)
                {
                    return false;
                }

                DeliveryOpening slot = delivery.Batch.Open((uint)_random.Next(Math.Min(6, 1 << delivery.Batch.Tree.Depth)));
                return await CallAsync("answerDelivery", sender, ledger.Evaluation.AnswerDelivery(DeliveryOf(delivery), slot),
                    (m, c) => m.AnswerDelivery(c, DeliveryOf(delivery), slot));
            }))();
    }

    private Task<bool> UnansweredAsync()
    {
        Address sender = Anyone();
        ulong position = (ulong)_random.Next(6);
        ulong wait = (ulong)_random.Next(1, 70);
        bool reclaim = _random.Next(3) == 0;
        return Pick<Task<bool>>(
            (1, async () =>
            {
                byte kind = (byte)_random.Next(1, 3);
                if ((reclaim ? Any(_epochs) : Choose(_epochs, e => e.Batch.Id)) is not { } epoch)
                {
                    return false;
                }

                return reclaim
                    ? await CallAsync("reclaimDemand", sender, ledger.Access.ReclaimDemand(epoch.Batch.Id, kind, position),
                        (m, _) => m.ReclaimDemand(epoch.Batch.Id, kind, position))
                    : await CallAsync("voidUnanswered", sender, ledger.Access.VoidUnanswered(EpochOf(epoch), kind, position),
                        (m, c) => m.VoidUnansweredEpoch(c, EpochOf(epoch), kind, position), wait);
            }),
            (1, async () =>
            {
                byte kind = (byte)_random.Next(3, 7);
                if ((reclaim ? Any(_rounds) : Choose(_rounds, r => r.Batch.Id)) is not { } round)
                {
                    return false;
                }

                return reclaim
                    ? await CallAsync("reclaimDemand", sender, ledger.Matching.ReclaimDemand(round.Batch.Id, kind, position),
                        (m, _) => m.ReclaimDemand(round.Batch.Id, kind, position))
                    : await CallAsync("voidUnanswered", sender, ledger.Matching.VoidUnanswered(RoundOf(round), kind, position),
                        (m, c) => m.VoidUnansweredRound(c, RoundOf(round), kind, position), wait);
            }),
            (1, async () =>
            {
                if ((reclaim ? Any(_deliveries) : Choose(_deliveries, d => d.Batch.Id)) is not { } delivery)
                {
                    return false;
                }

                return reclaim
                    ? await CallAsync("reclaimDemand", sender, ledger.Evaluation.ReclaimDemand(delivery.Batch.Id, 7, position),
                        (m, _) => m.ReclaimDemand(delivery.Batch.Id, 7, position))
                    : await CallAsync(
                        "voidUnanswered", sender, ledger.Evaluation.VoidUnanswered(DeliveryOf(delivery), 7, position),
                        (m, c) => m.VoidUnansweredDelivery(c, DeliveryOf(delivery), 7, position), wait);
            }))();
    }

    // ---- choices -------------------------------------------------------------------------------------------------------------

    private Task<bool> CallAsync(
        string name, Address sender, ContractCall call, Action<LedgerModel, CallContext> rule, ulong seconds = 0) =>
        ledger.CallAsync(name, sender, call, rule, Math.Max(1, seconds == 0 ? (ulong)_random.Next(1, 4) : seconds));

    // Now and then exactly at a limit, one second before or after it, or whenever.
    private ulong WaitUntil(ulong limit) => _random.Next(4) == 0 || limit <= ledger.Now
        ? (ulong)_random.Next(1, 20) : Math.Max(1, limit - ledger.Now + (ulong)_random.Next(3) - 1);

    private T Pick<T>(params (int Weight, T Choice)[] choices)
    {
        int at = _random.Next(choices.Sum(choice => choice.Weight));
        foreach ((int weight, T choice) in choices)
        {
            if ((at -= weight) < 0)
            {
                return choice;
            }
        }

        throw new InvalidOperationException("the weights are positive");
    }

    private Func<T> Pick<T>(params (int Weight, Func<T> Choice)[] choices) => Pick<Func<T>>(choices);

    private T? Any<T>(IReadOnlyList<T> list) => list.Count == 0 ? default : list[_random.Next(list.Count)];

    // Mostly one that is still open, and the latest ones rather than old ones.
    private Posted<T>? Choose<T>(List<Posted<T>> list, Func<Posted<T>, Bytes32> id)
    {
        Posted<T>[] open = [.. list.Where(batch => Status(id(batch)) == BatchStatus.Posted)];
        return open.Length > 0 && _random.Next(30) > 0 ? Any(open) : _random.Next(8) == 0 ? Any(list) : null;
    }

    private Address Anyone() => cast.All[_random.Next(cast.All.Length)];

    private Address Mostly(Address right) => _random.Next(15) == 0 ? Anyone() : right;

    private ulong RandomRequest() => (ulong)_random.Next((int)ledger.Model.RequestCount + 2);

    private BigInteger Grades() =>
        Enumerable.Range(0, 4).Aggregate(BigInteger.Zero, (packed, a) => packed | ((BigInteger)_random.Next(4) << (4 * a)));

    private static byte Kind(byte kind, byte low, byte high) => kind == 0 ? kind : (byte)(low + kind % (high - low + 1));

    private Bytes32 RandomHash()
    {
        byte[] bytes = new byte[32];
        _random.NextBytes(bytes);
        return new Bytes32(bytes);
    }

    // One opening in fifteen has a changed leaf or a path that is too short.
    private MemberOpening Spoilt(MemberOpening opening) => _random.Next(15) switch
    {
        0 => opening with { Leaf = opening.Leaf with { Salt = RandomHash() } },
        1 when opening.Path.Length > 0 => opening with { Path = opening.Path[1..] },
        _ => opening,
    };

    private RequestOpening Spoilt(RequestOpening opening) => _random.Next(15) switch
    {
        0 => opening with { Leaf = opening.Leaf with { Surplus = opening.Leaf.Surplus + 1 } },
        1 => opening with { RequestId = RandomRequest() },
        _ => opening,
    };

    private DeliveryOpening Spoilt(DeliveryOpening opening) => _random.Next(15) switch
    {
        0 => opening with { Leaf = opening.Leaf with { Amount = opening.Leaf.Amount + 1 } },
        1 => opening with { Slot = opening.Slot ^ 1 },
        _ => opening,
    };

    private BatchStatus Status(Bytes32 id) => (BatchStatus)ledger.Model.StateOf(id).Status;

    private Posting Posting(Address committer) => new(committer, ledger.Now, ledger.Height);

    private static Epoch EpochOf(Posted<EpochBatch> epoch) => new(epoch.Batch.Header, epoch.Posting);

    private static Round RoundOf(Posted<RoundBatch> round) => new(round.Batch.Header, round.Posting);

    private static Delivery DeliveryOf(Posted<DeliveryBatch> delivery) => new(delivery.Batch.Header, delivery.Posting);

    private (ClassEvidence Class, uint Position) RandomClass(Posted<RoundBatch> round)
    {
        KeyValuePair<uint, Posted<EpochBatch>>[] epochs = [
            .. round.Epochs.Where(pair => (pair.Key - 1) >> round.Batch.Header.SiteBits == 0).DefaultIfEmpty(round.Epochs.First())];
        (uint site, Posted<EpochBatch> epoch) = epochs[_random.Next(epochs.Length)];
        uint k = (uint)_random.Next(epoch.Batch.Classes.Count);
        return (epoch.Batch.Evidence(epoch.Posting, k), ((site - 1) << round.Batch.Header.ClassBits) | k);
    }

    private static (ClassEvidence Class, uint Position)? ClassAt(Posted<RoundBatch> round, uint position)
    {
        uint k = position & ((1u << round.Batch.Header.ClassBits) - 1);
        return round.Epochs.TryGetValue((position >> round.Batch.Header.ClassBits) + 1, out Posted<EpochBatch>? epoch)
            && k < epoch.Batch.Classes.Count
            ? (epoch.Batch.Evidence(epoch.Posting, k), position)
            : null;
    }

    private EthereumAccount Controller(Bytes32 pseudonym)
    {
        if (!_controllers.TryGetValue(pseudonym, out EthereumAccount? account))
        {
            _controllers.Add(pseudonym, account = new EthereumAccount(Keccak256.Hash(pseudonym.ToArray()).ToArray()));
        }

        return account;
    }

    private SumTree PayoutTree(Bytes32 pseudonym, int depth)
    {
        if (!_payouts.TryGetValue(pseudonym, out Address[]? addresses))
        {
            addresses =
                [.. Enumerable.Range(0, 1 << depth)
                    .Select(i => new Address(Keccak256.Hash([.. pseudonym.ToArray(), (byte)i]).ToArray().AsSpan(12)))];
            _payouts.Add(pseudonym, addresses);
        }

        return SumTree.Build(depth, [.. addresses.Select((address, i) => Leaves.Payout(pseudonym, (uint)i, address))]);
    }

    private static bool Admissible(ClassLeaf class_, Request request) =>
        !request.Cancelled && class_.ExpiresAt >= request.Deadline && ((class_.Purposes >> request.Purpose) & 1) == 1
        && (request.PublicCell == default || request.PublicCell == class_.PublicCell)
        && Enumerable.Range(0, 4).All(a => ModelSchema.Nibble(request.TopGrades, a) == 0
            || Math.Min(ModelSchema.Nibble(class_.Ceilings, a), ModelSchema.Nibble(request.TopGrades, a)) >= ModelSchema.Nibble(
                request.MinimumGrades, a));

    private (BigInteger Ask, BigInteger Score) QuoteOf(ClassLeaf class_, Request request)
    {
        (bool _, BigInteger ask, BigInteger score) = ledger.Evaluation.QuoteAsync(
            SchemaId, class_.Ceilings, class_.Rates, request.MinimumGrades, request.TopGrades).GetAwaiter().GetResult();
        return (ask, score);
    }
}
