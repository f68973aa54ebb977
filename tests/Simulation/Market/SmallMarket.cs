using System.Globalization;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Abstractions.Link;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Exchange;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Market.Hosting;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Simulation.Chain;
using EmrMarket.Simulation.Driving;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Simulation.Market;

/// <summary>A site of 24 persons, a market and the ledger in one thread, without faults: each step is done, and all that follows from it
/// driven to its end.</summary>
internal class SmallMarket : IDisposable
{
    protected const int Persons = 24;
    protected const string SiteName = "site-1";
    private const int MostSteps = 4_000;

    private readonly FakeClock _clock = new();
    private readonly LedgerReadModel _audit;
    private SteppedContext _context = null!;

    /// <param name="random">Decides all that is drawn.</param>
    /// <param name="schemas">What the market deals in.</param>
    /// <param name="options">The site's.</param>
    /// <param name="storeOf">The store as the site's process sees it.</param>
    /// <param name="linkOf">The link as the site's process sees it.</param>
    /// <param name="marketStoreOf">The store as the market's process sees it.</param>
    protected SmallMarket(
        Random random, IReadOnlyCollection<Schema> schemas, SiteOptions options, Func<ISiteStore, ISiteStore>? storeOf = null,
        Func<ISiteMarketLink, ISiteMarketLink>? linkOf = null, Func<IMarketStore, IMarketStore>? marketStoreOf = null)
    {
        (Chance, Chain) = (random, MarketWorld.Chain());
        foreach (SchemaPublication schema in schemas.Where(schema => schema != MarketWorld.Schema)
            .Select(schema => schema.ToPublication(BudgetBook.DefaultCap)))
        {
            Chain.Send(MarketWorld.Consortium, new DataEvaluation(null!, MarketWorld.Contracts.Evaluation).PublishSchema(
                schema.SchemaId, schema.Tiers, schema.CapMicro, schema.LadderMicro, schema.Quality));
        }

        // Blocks differ from run to run, and with them the seeds of the draws.
        Chain.Wait((ulong)random.Next(1, 1_000_000));
        Chain.Mine();
        _audit = new LedgerReadModel(Chain, MarketWorld.Deployment, new MemoryLedgerStore(), 0);
        FaultPoints none = new((_, _) => Fault.None);
        MarketProcess = new SimulatedProcess(
            none, Chain, MarketWorld.Deployment, MarketWorld.Market, new Disk(), 1, _clock, NullLoggerFactory.Instance,
            (services, process) =>
            {
                IMarketStore store = marketStoreOf?.Invoke(MarketStore) ?? MarketStore;
                MarketContext market = new(
                    schemas, MarketWorld.Market, process.View, store, Chain, new MarketWorld.Coins(random.Next()));
                services.AddSingleton(store).AddSingleton(market)
                    .AddSingleton<ISiteMarketLink>(new MarketLink(market));
            },
            typeof(MarketGrain).Assembly);
        MarketProcess.Open(random.Next());
        SiteProcess = new SimulatedProcess(
            none, Chain, MarketWorld.Deployment, MarketWorld.SiteAccounts[0], new Disk(), 1, _clock, NullLoggerFactory.Instance,
            (services, _) =>
            {
                RecordedLink link = new(MarketProcess, Wire);
                services.AddSingleton(options).AddSingleton(storeOf?.Invoke(SiteStore) ?? SiteStore)
                    .AddSingleton(linkOf?.Invoke(link) ?? link);
            },
            typeof(SiteGrain).Assembly);
        SiteProcess.Open(random.Next());
    }

    protected Random Chance { get; }

    protected SimulatedChain Chain { get; }

    protected MemoryMarketStore MarketStore { get; } = new();

    protected MemorySiteStore SiteStore { get; } = new();

    protected SimulatedProcess MarketProcess { get; }

    protected SimulatedProcess SiteProcess { get; }

    /// <summary>All that passed from the site to the market.</summary>
    protected List<byte[]> Wire { get; } = [];

    protected ISiteGrain Site => SiteProcess.Grains.GetGrain<ISiteGrain>(SiteName);

    /// <summary>Does something with a market whose awaits go on when it says so, and looks at what came of it.</summary>
    protected static T In<TMarket, T>(Func<TMarket> open, Action<TMarket> go, Func<TMarket, T> look)
        where TMarket : SmallMarket
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SteppedContext context = new();
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            using TMarket market = open();
            market._context = context;
            go(market);
            SynchronizationContext.SetSynchronizationContext(null);
            return look(market);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public void Dispose()
    {
        MarketProcess.Dispose();
        SiteProcess.Dispose();
        _audit.Dispose();
    }

    // ---- driving --------------------------------------------------------------------------------------------------------------

    protected T Do<T>(Func<Task<T>> work)
    {
        Task<T> task = work();
        for (int step = 0; !task.IsCompleted && step < MostSteps; step++)
        {
            Turn();
            Chain.Mine();
        }

        return task.IsCompleted ? task.GetAwaiter().GetResult() : throw new InvalidOperationException("a call was never answered");
    }

    protected void Do(Func<Task> work) => Do(async () =>
    {
        await work();
        return true;
    });

    /// <summary>Lets roles, blocks and time go on until something holds and nothing is under way.</summary>
    protected void Drive(Func<bool> isOver, string[] requests)
    {
        for (int step = 0; step < MostSteps; step++)
        {
            Advance[] answers = [.. Workers(requests).Select(work => Do(work))];
            bool isQuiet = !answers.Any(answer => answer.Progressed) && Chain.PoolSize == 0 && Chain.QuietBlocks > 4;
            if (!isQuiet)
            {
                Chain.Mine();
                continue;
            }

            if (isOver())
            {
                return;
            }

            long now = (long)Chain.Now;
            long[] due = [.. answers.Select(answer => answer.DueSeconds).OfType<long>().Where(time => time > now)];
            if (due.Length > 0)
            {
                Chain.Wait((ulong)(due.Min() - now));
            }

            Chain.Mine();
        }

        throw new InvalidOperationException("the flow did not come to its end");
    }

    private IEnumerable<Func<Task<Advance>>> Workers(string[] requests) =>
    [
        () => Site.AdvanceAsync(), () => SiteProcess.Grains.GetGrain<ILedgerGrain>(SiteProcess.LedgerKey).AdvanceAsync(),
        () => MarketProcess.Grains.GetGrain<IMarketGrain>(MarketWorld.Schema.Id).AdvanceAsync(),
        .. requests.Select(key => (Func<Task<Advance>>)(() => MarketProcess.Grains.GetGrain<IRequestGrain>(key).AdvanceAsync())),
        () => MarketProcess.Grains.GetGrain<ILedgerGrain>(MarketProcess.LedgerKey).AdvanceAsync(),
    ];

    private void Turn()
    {
        while (_context.Step() || SiteProcess.Turns.Step() || MarketProcess.Turns.Step())
        {
        }
    }

    protected LedgerReadModel Ledger()
    {
        _audit.SyncAsync().GetAwaiter().GetResult();
        return _audit;
    }

    // ---- what is done ---------------------------------------------------------------------------------------------------------

    protected void Decide(Schema schema)
    {
        SiteEpoch decided = Do(() => Site.DecideEpochAsync(schema.Id));
        Drive(() => Ledger().Epochs().Any(epoch => epoch.Header.SchemaId == schema.LedgerId() && epoch.Header.Epoch == decided.Epoch
            && epoch.Status == BatchStatus.Final), []);
    }

    protected ulong SecondsToNextDay => 86_400 - (Chain.Now % 86_400);

    protected void Pass(ulong seconds)
    {
        Chain.Wait(seconds);
        Chain.Mine();
    }

    /// <summary>Hands in and funds a request.</summary>
    /// <returns>Its key.</returns>
    protected string Open(uint records)
    {
        TermsDocument terms = Terms(records);
        FundingCall call = Do(() => MarketProcess.Grains.GetGrain<IRequesterGrain>(terms.Researcher).OpenAsync(terms.Write()));
        Chain.Send(Address.Parse(terms.Researcher), new ContractCall(new Address(call.To), call.Data));
        return MarketContext.Name(terms.Hash());
    }

    protected static ulong PersonKey(int person) => (ulong)person + 1_000;

    protected static LoadRecords Records(Schema schema) => new()
    {
        Id = schema.Id,
        SchemaJson = schema.ToJson(),
        RecordKeys = [.. Enumerable.Range(0, Persons).Select(person => (ulong)person + 1)],
        PersonKeys = [.. Enumerable.Range(0, Persons).Select(PersonKey)],
        Codes = [[.. Enumerable.Range(0, Persons).Select(person => (ushort)(person / 2 % 2))],
            [.. Enumerable.Range(0, Persons).Select(person => (ushort)(person / 2 % 3))]],
        Fractions = [[], []],
    };

    protected static SetPolicies Policies(Schema schema) => new()
    {
        SchemaId = schema.Id,
        PersonKeys = [.. Enumerable.Range(0, Persons).Select(PersonKey)],
        Profiles = [.. Enumerable.Repeat((byte)3, Persons)],
        Rates = new byte[Persons],
        Quotas = [.. Enumerable.Repeat((ushort)2, Persons)],
        Purposes = [.. Enumerable.Repeat((byte)1, Persons)],
        ExpirySeconds = [.. Enumerable.Repeat(MarketWorld.Expiry, Persons)],
        Participation = new Participation[Persons],
    };

    private TermsDocument Terms(uint records) => new()
    {
        SchemaId = MarketWorld.Schema.Id,
        Researcher = MarketWorld.Researchers[0].ToString().ToLowerInvariant(),
        Statistics = ["frequency:ill"],
        Grades = TermsDocument.GradesFor(
            MarketWorld.Schema, [StatisticRequest.Parse("frequency:ill")], MarketWorld.Schema.DefaultGrade),
        Bid = "4000",
        Budget = "10000000",
        TargetRecords = records,
        MinimumRecords = 0,
        Purpose = 2,
        Deadline = (long)Chain.Now + 200_000,
        Title = "What is it?",
        Why = "To know.",
        Nonce = Chance.Next().ToString("x32", CultureInfo.InvariantCulture),
    };

    /// <summary>The wire, with all that passes from the site.</summary>
    private sealed class RecordedLink(SimulatedProcess market, List<byte[]> passed) : ISiteMarketLink
    {
        private ISiteMarketLink Link => market.Get<ISiteMarketLink>();

        public Task<MarketDescription> DescribeAsync(CancellationToken cancellationToken) => Link.DescribeAsync(cancellationToken);

        public Task PublishEpochAsync(EpochPublication publication, CancellationToken cancellationToken)
        {
            passed.Add(publication.LeafFile);
            return Link.PublishEpochAsync(publication, cancellationToken);
        }

        public Task<DeliveryOrder[]> GetOrdersAsync(uint site, long afterSequence, CancellationToken cancellationToken) =>
            Link.GetOrdersAsync(site, afterSequence, cancellationToken);

        public Task<byte[]?> FindFileAsync(uint site, string sha256, CancellationToken cancellationToken) =>
            Link.FindFileAsync(site, sha256, cancellationToken);

        public Task<DeliveryReceipt> DeliverAsync(DeliveryMessage message, CancellationToken cancellationToken)
        {
            passed.Add(message.DeliveryFile);
            return Link.DeliverAsync(message, cancellationToken);
        }
    }
}
