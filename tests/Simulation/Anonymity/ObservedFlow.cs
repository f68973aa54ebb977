using System.Globalization;
using System.Text;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
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
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Simulation.Chain;
using EmrMarket.Simulation.Driving;
using EmrMarket.Simulation.Market;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace EmrMarket.Simulation.Anonymity;

/// <summary>
/// The whole way of two patients with equal records through a site, a market and the ledger: a schema with two epochs, another schema, two
/// requests of which the second does not buy everybody, claims, and both withdraw on one day. What is kept of it is what somebody has who
/// holds the market's database, the ledger and the wire.
/// </summary>
internal sealed class ObservedFlow : IDisposable
{
    private const int Persons = 24;
    private const int MostSteps = 4_000;
    private const string SiteName = "site-1";
    private static readonly Address Evaluation = MarketWorld.Contracts.Evaluation;

    private readonly Random _random;
    private readonly SteppedContext _context;
    private readonly FakeClock _clock = new();
    private readonly SimulatedChain _chain;
    private readonly MemoryMarketStore _marketStore = new();
    private readonly MemorySiteStore _siteStore = new();
    private readonly SimulatedProcess _market;
    private readonly SimulatedProcess _site;
    private readonly LedgerReadModel _audit;
    private readonly byte[] _siteKey = new byte[SiteOptions.KeyBytes];
    private readonly List<byte[]> _wire = [];
    private readonly Dictionary<string, Task<Advance>> _running = new(StringComparer.Ordinal);
    private readonly bool _hasCoins;
    private readonly bool _hasOwnSeeds;
    private readonly Dictionary<int, byte[]> _ownSeeds = [];

    private ObservedFlow(int seed, bool hasCoins, bool hasOwnSeeds, SteppedContext context)
    {
        (_random, _context, _hasCoins, _hasOwnSeeds, _chain) =
            (new Random(seed), context, hasCoins, hasOwnSeeds, MarketWorld.Chain());
        _random.NextBytes(_siteKey);
        SchemaPublication other = Other.ToPublication(BudgetBook.DefaultCap);
        _chain.Send(MarketWorld.Consortium, new DataEvaluation(null!, Evaluation).PublishSchema(
            other.SchemaId, other.Tiers, other.CapMicro, other.LadderMicro, other.Quality));

        // Blocks differ from run to run, and with them the seeds of the draws.
        _chain.Wait((ulong)_random.Next(1, 1_000_000));
        _chain.Mine();
        _audit = new LedgerReadModel(_chain, MarketWorld.Deployment, new MemoryLedgerStore(), 0);
        FaultPoints none = new((_, _) => Fault.None);
        _market = new SimulatedProcess(
            none, _chain, MarketWorld.Deployment, MarketWorld.Market, new Disk(), 1, _clock, NullLoggerFactory.Instance,
            (services, process) =>
            {
                MarketContext market = new(
                    [MarketWorld.Schema, Other], MarketWorld.Market, process.View, _marketStore, _chain,
                    new MarketWorld.Coins(_random.Next()));
                services.AddSingleton<IMarketStore>(_marketStore).AddSingleton(market)
                    .AddSingleton<ISiteMarketLink>(new MarketLink(market));
            },
            typeof(MarketGrain).Assembly);
        _market.Open(_random.Next());
        _site = new SimulatedProcess(
            none, _chain, MarketWorld.Deployment, MarketWorld.SiteAccounts[0], new Disk(), 1, _clock, NullLoggerFactory.Instance,
            (services, _) =>
            {
                services.AddSingleton<ISiteStore>(_siteStore).AddSingleton<ISiteMarketLink>(new Wire(_market, _wire));
                services.AddSingleton(new SiteOptions(_siteKey, MarketWorld.SiteAccounts[0].Address, MarketWorld.Rates)
                {
                    PayoutDepth = 1, Coins = _hasCoins ? new MarketWorld.Coins(_random.Next()) : new NoCoins(),
                });
            },
            typeof(SiteGrain).Assembly);
        _site.Open(_random.Next());
    }

    /// <summary>A second schema of the same patients.</summary>
    public static Schema Other { get; } = Schema.Parse(
        MarketWorld.Schema.ToJson().Replace("\"A ward\"", "\"Another ward\"", StringComparison.Ordinal), "other.json");

    /// <summary>Runs it.</summary>
    /// <param name="seed">Decides all that is drawn.</param>
    /// <param name="hasCoins">False for a site whose order and salts are not drawn: a planted leak.</param>
    /// <param name="hasOwnSeeds">Whether both patients take over with seeds of their own before the second epoch.</param>
    /// <returns>What belongs to the patient who was loaded first, and to the other one.</returns>
    public static TwinViews Run(int seed, bool hasCoins = true, bool hasOwnSeeds = false)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SteppedContext context = new();
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            using ObservedFlow flow = new(seed, hasCoins, hasOwnSeeds, context);
            flow.Go();
            SynchronizationContext.SetSynchronizationContext(null);
            return flow.Views();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public void Dispose()
    {
        _market.Dispose();
        _site.Dispose();
        _audit.Dispose();
    }

    private ISiteGrain Site => _site.Grains.GetGrain<ISiteGrain>(SiteName);

    private void Go()
    {
        foreach (Schema schema in (Schema[])[MarketWorld.Schema, Other])
        {
            Do(() => Site.LoadAsync(Records(schema)));
            Do(() => Site.SetPoliciesAsync(Policies(schema)));
            Decide(schema);
        }

        for (int person = 0; person < 2 && _hasOwnSeeds; person++)
        {
            TakeOver(person);
        }

        Decide(MarketWorld.Schema);
        string[] keys = [.. ((uint[])[1_000, 12]).Select(records =>
        {
            TermsDocument terms = Terms(records);
            FundingCall call = Do(() => _market.Grains.GetGrain<IRequesterGrain>(terms.Researcher).OpenAsync(terms.Write()));
            _chain.Send(Address.Parse(terms.Researcher), new ContractCall(new Address(call.To), call.Data));
            return MarketContext.Name(terms.Hash());
        })];
        Drive(() => keys.All(key => _marketStore.FindRequestAsync(key, CancellationToken.None).Result is { HasEnded: true }), keys);

        // The first one withdraws in the middle of a day, the other an hour later.
        Pass(SecondsToNextDay + 40_000);
        Drive(() => true, keys);
        Withdraw(0);
        Drive(() => true, keys);
        Pass(3_600);
        Drive(() => true, keys);
        Withdraw(1);
        Drive(() => true, keys);
        if (Ledger().Revocations(1).Any())
        {
            throw new InvalidOperationException("a withdrawal was told on the day on which it was made");
        }

        Pass(SecondsToNextDay);
        Drive(() => Ledger().Revocations(1).Any(), keys);
    }

    private void Decide(Schema schema)
    {
        SiteEpoch decided = Do(() => Site.DecideEpochAsync(schema.Id));
        Drive(() => Ledger().Epochs().Any(epoch => epoch.Header.SchemaId == schema.LedgerId() && epoch.Header.Epoch == decided.Epoch
            && epoch.Status == BatchStatus.Final), []);
    }

    private ulong SecondsToNextDay => 86_400 - (_chain.Now % 86_400);

    private void Pass(ulong seconds)
    {
        _chain.Wait(seconds);
        _chain.Mine();
    }

    /// <summary>The patient makes a seed of the own, and hands in its account.</summary>
    private void TakeOver(int person)
    {
        byte[] own = new byte[PatientKeys.Length];
        _random.NextBytes(own);
        PublisherTakeOver signed = PublisherMessages.TakeOver(DomainOf(person), 1, own, ControllerOf(person));
        Do(() => PublisherOf(person).TakeOverAsync(signed));
        _ownSeeds.Add(person, own);
    }

    private void Withdraw(int person)
    {
        Bytes32 pseudonym = PseudonymOf(MarketWorld.Schema, person);
        PublisherRevocation[] revocations = !_ownSeeds.ContainsKey(person) ? [] :
        [
            new PublisherRevocation
            {
                Pseudonym = MarketContext.Name(pseudonym),
                Signature = ControllerOf(person).Sign(
                    SignedMessages.Revocation(SimulatedChain.ChainId, MarketWorld.Contracts.AccessControl, 1, pseudonym)).ToBytes(),
            },
        ];
        PublisherCommand command = new PublisherCommand
        {
            Nonce = _ownSeeds.ContainsKey(person) ? 2ul : 1, Kind = PublisherCommandKind.Withdraw, Signature = [],
            Revocations = revocations,
        }.Sign(DomainOf(person), ControllerOf(person));
        Do(() => PublisherOf(person).CommandAsync(command));
    }

    private IPublisherGrain PublisherOf(int person) => _site.Grains.GetGrain<IPublisherGrain>(
        PublisherKey.Of(SiteName, MarketWorld.Schema.Id, MarketContext.Name(PseudonymOf(MarketWorld.Schema, person))));

    private PublisherDomain DomainOf(int person) => new(
        SimulatedChain.ChainId, MarketWorld.Contracts.AccessControl, MarketWorld.Schema.LedgerId(),
        PseudonymOf(MarketWorld.Schema, person));

    /// <summary>Whoever commands now: the patient's own seed, or the one that is with the site.</summary>
    private EthereumAccount ControllerOf(int person) => new(PatientKeys.Controller(
        _ownSeeds.TryGetValue(person, out byte[]? own) ? own : PatientKeys.SeedAtSite(_siteKey, PersonKey(person)),
        PseudonymOf(MarketWorld.Schema, person)));

    // ---- driving --------------------------------------------------------------------------------------------------------------

    private T Do<T>(Func<Task<T>> work)
    {
        Task<T> task = work();
        for (int step = 0; !task.IsCompleted && step < MostSteps; step++)
        {
            Turn();
            _chain.Mine();
        }

        return task.IsCompleted ? task.GetAwaiter().GetResult() : throw new InvalidOperationException("a call was never answered");
    }

    private void Do(Func<Task> work) => Do(async () =>
    {
        await work();
        return true;
    });

    /// <summary>Lets roles, blocks and time go on until something holds and nothing is under way.</summary>
    private void Drive(Func<bool> isOver, string[] requests)
    {
        for (int step = 0; step < MostSteps; step++)
        {
            Advance[] answers = [.. Workers(requests).Select(work => Do(work))];
            bool isQuiet = !answers.Any(answer => answer.Progressed) && _chain.PoolSize == 0 && _chain.QuietBlocks > 4;
            if (!isQuiet)
            {
                _chain.Mine();
                continue;
            }

            if (isOver())
            {
                return;
            }

            long now = (long)_chain.Now;
            long[] due = [.. answers.Select(answer => answer.DueSeconds).OfType<long>().Where(time => time > now)];
            if (due.Length > 0)
            {
                _chain.Wait((ulong)(due.Min() - now));
            }

            _chain.Mine();
        }

        throw new InvalidOperationException("the flow did not come to its end");
    }

    private IEnumerable<Func<Task<Advance>>> Workers(string[] requests) =>
    [
        () => Site.AdvanceAsync(), () => _site.Grains.GetGrain<ILedgerGrain>(_site.LedgerKey).AdvanceAsync(),
        () => _market.Grains.GetGrain<IMarketGrain>(MarketWorld.Schema.Id).AdvanceAsync(),
        .. requests.Select(key => (Func<Task<Advance>>)(() => _market.Grains.GetGrain<IRequestGrain>(key).AdvanceAsync())),
        () => _market.Grains.GetGrain<ILedgerGrain>(_market.LedgerKey).AdvanceAsync(),
    ];

    private void Turn()
    {
        while (_context.Step() || _site.Turns.Step() || _market.Turns.Step())
        {
        }
    }

    private LedgerReadModel Ledger()
    {
        _audit.SyncAsync().GetAwaiter().GetResult();
        return _audit;
    }

    // ---- people ---------------------------------------------------------------------------------------------------------------

    private static ulong PersonKey(int person) => (ulong)person + 1_000;

    private Bytes32 PseudonymOf(Schema schema, int person) => PatientKeys.Pseudonym(_siteKey, schema.LedgerId(), (ulong)person + 1);

    private static LoadRecords Records(Schema schema) => new()
    {
        Id = schema.Id,
        SchemaJson = schema.ToJson(),
        RecordKeys = [.. Enumerable.Range(0, Persons).Select(person => (ulong)person + 1)],
        PersonKeys = [.. Enumerable.Range(0, Persons).Select(PersonKey)],
        Codes = [[.. Enumerable.Range(0, Persons).Select(person => (ushort)(person / 2 % 2))],
            [.. Enumerable.Range(0, Persons).Select(person => (ushort)(person / 2 % 3))]],
        Fractions = [[], []],
    };

    private static SetPolicies Policies(Schema schema) => new()
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
        Deadline = (long)_chain.Now + 200_000,
        Title = "What is it?",
        Why = "To know.",
        Nonce = _random.Next().ToString("x32", CultureInfo.InvariantCulture),
    };

    // ---- what is seen ---------------------------------------------------------------------------------------------------------

    private TwinViews Views()
    {
        LedgerReadModel ledger = Ledger();
        List<(string Name, EpochFile File)> epochs = [.. ledger.Epochs().Select(row => (
            $"{(row.Header.SchemaId == Other.LedgerId() ? "other" : "epoch")} {row.Header.Epoch}",
            EpochFile.Read(_marketStore.FindFileAsync(MarketContext.Name(row.Header.DataHash), CancellationToken.None).Result!)))];
        Dictionary<string, byte[][]> streams = new(StringComparer.Ordinal)
        {
            ["market files"] = [.. MarketTruth.ContentOf(_marketStore).OfType<byte[]>()],
            ["market rows"] = [.. MarketTruth.ContentOf(_marketStore).OfType<string>().Select(Encoding.UTF8.GetBytes)],
            ["transactions"] = [.. _chain.Data],
            ["wire"] = [.. _wire],
        };
        Dictionary<string, string>[] twins = [.. Enumerable.Range(0, 2).Select(person => Of(person, ledger, epochs, streams))];
        return new TwinViews(twins[0], twins[1]);
    }

    private Dictionary<string, string> Of(
        int person, LedgerReadModel ledger, List<(string Name, EpochFile File)> epochs, Dictionary<string, byte[][]> streams)
    {
        Dictionary<string, string> seen = new(StringComparer.Ordinal);
        Dictionary<string, byte[]> ids = new(StringComparer.Ordinal);
        foreach ((string name, EpochFile epoch) in epochs)
        {
            Bytes32 pseudonym = PseudonymOf(name.StartsWith("other", StringComparison.Ordinal) ? Other : MarketWorld.Schema, person);
            uint position = (uint)Array.FindIndex(epoch.Members, one => one.Pseudonym == pseudonym);
            MemberLeaf member = epoch.Members[position];
            seen[name + " position"] = Number(position);
            seen[name + " class"] = Number(member.LocalClass);
            seen[name + " payout root"] = member.PayoutRoot.ToString();
            seen[name + " previous"] = Number(member.PreviousEpoch) + Number(member.PreviousPosition);
            seen[name + " salt"] = member.Salt.ToString();
            string schema = name[..^2];
            seen[schema + " pseudonym"] = pseudonym.ToString();
            seen[schema + " controller"] = Hex.Encode(member.Controller.ToArray());
            seen[name + " is commanded by the site"] = member.Controller
                == new EthereumAccount(PatientKeys.Controller(PatientKeys.SeedAtSite(_siteKey, PersonKey(person)), pseudonym)).Address
                ? "1" : "0";
            ids[schema + " pseudonym"] = pseudonym.ToArray();
            ids[schema + " controller"] = member.Controller.ToArray();
        }

        EpochFile sold = epochs.Single(epoch => epoch.Name == "epoch 2").File;
        var deliveries = ledger.Requests().SelectMany(request => ledger.Deliveries(request.RequestId));
        foreach ((int i, Grains.Ledger.View.DeliveryRow delivery) in deliveries.Index())
        {
            DeliveryFile file = DeliveryFile.Read(
                _marketStore.FindFileAsync(MarketContext.Name(delivery.Header.DataHash), CancellationToken.None).Result!,
                MarketWorld.Schema);
            Bytes32 pseudonym = PseudonymOf(MarketWorld.Schema, person);
            int slot = Array.FindIndex(file.Leaves,
                leaf => leaf.PayoutAddress != Address.Zero && sold.Members[leaf.MemberPosition].Pseudonym == pseudonym);
            string name = $"sale {i + 1}";
            seen[name + " is made"] = slot >= 0 ? "1" : "0";
            if (slot < 0)
            {
                continue;
            }

            ClaimRow[] claims = [.. ledger.Claims(delivery.Id)];
            int claimed = Array.FindIndex(claims, claim => claim.Slot == slot);
            seen[name + " slot"] = Number((uint)slot);
            seen[name + " payee"] = Hex.Encode(file.Leaves[slot].PayoutAddress.ToArray());
            seen[name + " reports"] = file.Leaves[slot].ReportHash.ToString();
            seen[name + " amount"] = file.Leaves[slot].Amount.ToString("x32", CultureInfo.InvariantCulture);
            seen[name + " effective"] = file.Leaves[slot].Effective.ToString("x32", CultureInfo.InvariantCulture);
            seen[name + " person"] = Number((uint)file.Persons[slot]);
            seen[name + " claim"] = Number((uint)claimed);
            ids[name + " payee"] = file.Leaves[slot].PayoutAddress.ToArray();
        }

        RevocationRow[] revoked = [.. ledger.Revocations(1)];
        int revocation = Array.FindIndex(revoked, row => row.Pseudonym == PseudonymOf(MarketWorld.Schema, person));
        seen["revocation"] = Number((uint)revocation);
        seen["revocation time"] = Number((uint)revoked[revocation].RevokedSeconds);
        foreach ((string id, byte[] value) in ids)
        {
            foreach ((string stream, byte[][] rows) in streams)
            {
                (int count, string first) = Find(value, rows);
                seen[$"{id} count in {stream}"] = Number((uint)count);
                if (count > 0)
                {
                    seen[$"{id} place in {stream}"] = first;
                }
            }
        }

        return seen;
    }

    /// <summary>How often something stands in rows, in binary or as text, and where first.</summary>
    private static (int Count, string First) Find(byte[] value, byte[][] rows)
    {
        byte[] text = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(value));
        int count = 0;
        string first = "";
        for (int row = 0; row < rows.Length; row++)
        {
            foreach (byte[] form in (byte[][])[value, text])
            {
                for (int at = rows[row].AsSpan().IndexOf(form); at >= 0;)
                {
                    first = count++ == 0 ? Number((uint)row) + Number((uint)at) : first;
                    int next = rows[row].AsSpan(at + 1).IndexOf(form);
                    at = next < 0 ? -1 : at + 1 + next;
                }
            }
        }

        return (count, first);
    }

    private static string Number(uint value) => value.ToString("x8", CultureInfo.InvariantCulture);

    /// <summary>Bytes that are always the same: the order of loading stays, and salts repeat.</summary>
    private sealed class NoCoins : System.Security.Cryptography.RandomNumberGenerator
    {
        public override void GetBytes(byte[] data) => GetBytes(data.AsSpan());

        public override void GetBytes(Span<byte> data)
        {
            // The index of each draw: the shuffle exchanges everybody with themselves.
            for (int i = 0; i < data.Length; i++)
            {
                data[i] = (byte)(i % 8 == 0 ? i / 8 : 0);
            }
        }
    }

    /// <summary>The wire, with all that passes from the site.</summary>
    private sealed class Wire(SimulatedProcess market, List<byte[]> passed) : ISiteMarketLink
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
