using System.Globalization;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;
using DeliveryRow = EmrMarket.Grains.Ledger.View.DeliveryRow;
using RequestRow = EmrMarket.Grains.Market.Storage.RequestRow;

namespace EmrMarket.Simulation.Market;

/// <summary>What a site charges and how much of its store it reads while epochs, blocks and orders pass, and what a market does without a
/// file.</summary>
public sealed class SmallMarketTests
{
    /// <summary>Somebody pauses before a delivery is drawn and comes back after its first try; since another one withdrew meanwhile it is
    /// drawn again, with both changes. Whoever came back is in it, and has lost by it.</summary>
    [Fact]
    public void Record_that_joins_a_delivery_drawn_again_is_charged() => Watched.Run(market =>
    {
        market.Begin();
        market.Set(0, Participation.Paused);
        string request = market.Order();
        market.IsCut = true;
        market.Until(request, order => order.State == SiteOrderState.Sending);
        Assert.DoesNotContain(0, market.Delivered());

        market.Set(0, Participation.Active);
        market.Set(1, Participation.Withdrawn);
        market.IsCut = false;
        market.Finish(request);

        int[] delivered = market.Delivered();
        Assert.Contains(0, delivered);
        Assert.DoesNotContain(1, delivered);
        Schema schema = MarketWorld.Schema;
        long loss = schema.Grades[schema.DefaultGrade(schema.Attributes[schema.IndexOf("ill")])].Micro;
        foreach (int person in Enumerable.Range(0, Watched.Everybody))
        {
            // The one who withdrew was in the first try, which may have arrived.
            Assert.Equal(loss, market.LossInStore(person));
            Assert.Equal(loss, market.LossTold(person));
        }
    });

    /// <summary>However many epochs were final before, the next one is decided from the newest alone, and from where its row says that
    /// those stood who are not in it.</summary>
    [Fact]
    public void Epoch_is_decided_from_two_files_however_many_there_were() => Watched.Run(market =>
    {
        market.Begin(published: Watched.Everybody - 1);
        market.Set(0, Participation.Paused);
        for (int epoch = 2; epoch <= 5; epoch++)
        {
            market.Restart();
            Assert.Equal(2, market.FilesReadToDecide());
        }

        market.Set(0, Participation.Active);
        market.FilesReadToDecide();
        EpochFile newest = market.NewestEpoch();
        MemberFound(newest, Watched.PseudonymOf(0), 1);
        MemberFound(newest, Watched.PseudonymOf(1), 5);
        Assert.DoesNotContain(newest.Members, member => member.Pseudonym == Watched.PseudonymOf(Watched.Everybody - 1));

        static void MemberFound(EpochFile epoch, Bytes32 pseudonym, uint before) =>
            Assert.Equal(before, epoch.Members.Single(member => member.Pseudonym == pseudonym).PreviousEpoch);
    });

    /// <summary>A restored store is found by what the ledger has of this site and the store has not; only what the ledger has since the
    /// last look is looked for.</summary>
    [Fact]
    public void Block_without_a_batch_of_the_site_is_compared_without_reading_its_store() => Watched.Run(market =>
    {
        market.Begin();
        market.Finish(market.Order());
        Assert.Equal((1, 1), market.ReadsOfAPass());

        // What the store lost is missed by the next process.
        market.ForgetsEpochs = true;
        market.Restart();
        market.ReadsOfAPass();
        Assert.NotNull(market.FindRestore());
    });

    /// <summary>What a market sold and delivered is paid, and the rest given back, although it lost the round's file for good.</summary>
    [Fact]
    public void Request_of_a_round_whose_file_is_lost_ends_by_what_the_ledger_has() => Watched.Run(market =>
    {
        market.Begin();
        string request = market.Order();
        market.Until(request, order => order.State == SiteOrderState.Released);
        market.LoseRounds();
        Assert.Equal(RequestState.Settled, market.Finish(request).State);
    });

    /// <summary>A round's file goes with each of its orders: as many at once as there is room for, and the others next.</summary>
    [Fact]
    public async Task Orders_come_as_many_at_once_as_their_files_have_room()
    {
        MemoryMarketStore store = new();
        CancellationToken cancellation = CancellationToken.None;
        foreach ((int number, int megabytes) in ((int, int)[])[(1, 9), (2, 6), (3, 40)])
        {
            string hash = number.ToString("x64", CultureInfo.InvariantCulture);
            await store.KeepFileAsync(hash, new byte[megabytes << 20], cancellation);
            await store.PlaceOrdersAsync(
                [new OrderRow { Site = 1, RequestId = (ulong)number, RequestKey = "", RoundFileHash = hash, Attempt = 0 }], cancellation);
        }

        using LedgerReadModel view = new(MarketWorld.Chain(), MarketWorld.Deployment, new MemoryLedgerStore(), 0);
        MarketLink link = new(new MarketContext([MarketWorld.Schema], MarketWorld.Market, view, store, MarketWorld.Chain()));
        List<ulong[]> parts = [];
        for (long after = 0; await link.GetOrdersAsync(1, after, cancellation) is { Length: > 0 } orders; after = orders[^1].Sequence)
        {
            parts.Add([.. orders.Select(order => order.RequestId)]);
        }

        Assert.Equal([[1, 2], [3]], parts);
    }

    /// <summary>A site whose store and link are watched.</summary>
    private sealed class Watched : SmallMarket
    {
        public const int Everybody = Persons;

        private static readonly byte[] SiteKey = MarketWorld.KeyOf(0);
        private static readonly SiteOptions Options =
            new(SiteKey, MarketWorld.SiteAccounts[0].Address, MarketWorld.Rates) { PayoutDepth = 1 };

        private readonly Edges _edges;

        private Watched(Edges edges)
            : base(new Random(7), [MarketWorld.Schema], Options, edges.Around, edges.Around, edges.Around) => _edges = edges;

        public bool IsCut
        {
            set => _edges.IsCut = value;
        }

        public bool ForgetsEpochs
        {
            set => _edges.ForgetsEpochs = value;
        }

        public static void Run(Action<Watched> go) => In(() => new Watched(new Edges()), go, _ => true);

        public static Bytes32 PseudonymOf(int person) => PatientKeys.Pseudonym(SiteKey, MarketWorld.Schema.LedgerId(), (ulong)person + 1);

        /// <summary>Loads everybody, lets the first of them be on offer, and publishes these.</summary>
        public void Begin(int published = Persons)
        {
            Do(() => Site.LoadAsync(Records(MarketWorld.Schema)));
            SetPolicies all = Policies(MarketWorld.Schema);
            Do(() => Site.SetPoliciesAsync(all with
            {
                PersonKeys = all.PersonKeys[..published], Profiles = all.Profiles[..published], Rates = all.Rates[..published],
                Quotas = all.Quotas[..published], Purposes = all.Purposes[..published], ExpirySeconds = all.ExpirySeconds[..published],
                Participation = all.Participation[..published],
            }));
            Decide(MarketWorld.Schema);
        }

        public void Set(int person, Participation participation) => Do(() => Site.SetPoliciesAsync(
            BookInStore().PolicyOf(MarketWorld.Schema.Id, person) with { Participation = [participation] }));

        /// <summary>Asks for everybody.</summary>
        public string Order() => Open(1_000);

        /// <summary>Goes on until the site's only order stands somewhere.</summary>
        public void Until(string request, Predicate<SiteOrderRow> isThere) =>
            Drive(() => Array.Exists(OrdersInStore(), isThere), [request]);

        public RequestRow Finish(string request)
        {
            Drive(() => Stored(request).HasEnded, [request]);
            return Stored(request);
        }

        /// <summary>The market's process goes on without the files of the rounds on the ledger.</summary>
        public void LoseRounds()
        {
            _edges.LostFiles.UnionWith(Ledger().Rounds(MarketWorld.Schema.LedgerId()).Select(round => round.Header.DataHash.ToDigits()));
            MarketProcess.Dispose();
            MarketProcess.Open(Chance.Next());
        }

        /// <summary>The persons in what the market has.</summary>
        public int[] Delivered()
        {
            DeliveryRow[] posted = [.. Ledger().DeliveriesOf(1, 0)];
            EpochFile epoch = NewestEpoch();
            return [.. posted.SelectMany(delivery => DeliveryFile.Read(FileOf(delivery.Header.DataHash), MarketWorld.Schema).Leaves)
                .Where(leaf => leaf.PayoutAddress != Address.Zero)
                .Select(leaf => BookInStore().RecordOf(epoch.Members[leaf.MemberPosition].Pseudonym))];
        }

        public EpochFile NewestEpoch() =>
            EpochFile.Read(FileOf(Ledger().FinalEpoch(1, MarketWorld.Schema.LedgerId())!.Header.DataHash));

        public long LossInStore(int person) => BookInStore().Budgets.LossOf(person).Micro;

        public long LossTold(int person) => Do(
            () => Site.PublisherAsync(MarketWorld.Schema.Id, PseudonymOf(person).ToDigits())).LossMicro;

        /// <summary>Decides the next epoch and waits until it is final.</summary>
        /// <returns>The files that were read to decide it.</returns>
        public int FilesReadToDecide()
        {
            _edges.Reads.Clear();
            Do(() => Site.DecideEpochAsync(MarketWorld.Schema.Id));
            int read = ReadsOf(nameof(ISiteStore.FindFileAsync));
            Decide(MarketWorld.Schema);
            return read;
        }

        /// <summary>How often orders and epochs are read when there is a new block.</summary>
        public (int Orders, int Epochs) ReadsOfAPass()
        {
            Chain.Mine();
            Chain.Mine();
            _edges.Reads.Clear();
            Do(() => Site.AdvanceAsync());
            return (ReadsOf(nameof(ISiteStore.ReadOrdersAsync)), ReadsOf(nameof(ISiteStore.ReadEpochsAsync)));
        }

        public void Restart()
        {
            SiteProcess.Dispose();
            SiteProcess.Open(Chance.Next());
        }

        public SiteRestoreRow? FindRestore() => SiteStore.FindRestoreAsync(CancellationToken.None).Result;

        private RequestRow Stored(string request) => MarketStore.FindRequestAsync(request, CancellationToken.None).Result!;

        private int ReadsOf(string method) => _edges.Reads.Count(read => read == method);

        private SiteOrderRow[] OrdersInStore() => SiteStore.ReadOrdersAsync(CancellationToken.None).Result;

        private byte[] FileOf(Bytes32 hash) => SiteStore.FindFileAsync(hash.ToDigits(), CancellationToken.None).Result!;

        private SiteBook BookInStore() =>
            SiteBook.ReadAsync(SiteStore, MarketWorld.Schema.Id, Options, CancellationToken.None).GetAwaiter().GetResult();
    }

    /// <summary>Where the site's process touches its store and its market.</summary>
    private sealed class Edges
    {
        /// <summary>The methods of the store that were called.</summary>
        public List<string> Reads { get; } = [];

        /// <summary>Nothing that is handed over arrives.</summary>
        public bool IsCut { get; set; }

        /// <summary>The store has no epochs any more.</summary>
        public bool ForgetsEpochs { get; set; }

        /// <summary>Files that the market has no longer.</summary>
        public HashSet<string> LostFiles { get; } = new(StringComparer.Ordinal);

        public IMarketStore Around(IMarketStore store) => Planted.Of(store, (method, args, call) =>
            method.Name == nameof(IMarketStore.FindFileAsync) && LostFiles.Contains((string)args[0]!)
                ? Task.FromResult<byte[]?>(null) : call());

        public ISiteStore Around(ISiteStore store) => Planted.Of(store, (method, _, call) =>
        {
            Reads.Add(method.Name);
            return ForgetsEpochs && method.Name == nameof(ISiteStore.ReadEpochsAsync) ? Task.FromResult<SiteEpochRow[]>([]) : call();
        });

        public ISiteMarketLink Around(ISiteMarketLink link) => Planted.Of(link, (method, _, call) =>
            IsCut && method.Name == nameof(ISiteMarketLink.DeliverAsync)
                ? Task.FromException<DeliveryReceipt>(new LinkRefusedException(LinkRefusedException.NotReady, "it does not arrive"))
                : call());
    }
}
