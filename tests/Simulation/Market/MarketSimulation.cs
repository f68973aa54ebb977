using System.Globalization;
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
using EmrMarket.Grains.Market.Requests;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Publishers;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Simulation.Chain;
using EmrMarket.Simulation.Driving;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using DeliveryRow = EmrMarket.Grains.Ledger.View.DeliveryRow;
using LedgerRequest = EmrMarket.Grains.Ledger.View.RequestRow;

namespace EmrMarket.Simulation.Market;

/// <summary>
/// The whole market in one thread: a market's process and two sites' on a simulated chain with the model of the contracts, people who ask,
/// command and change their minds, faults at every touch of the outside, and rules that are held against what the people wanted, what left
/// the sites, and the chain.
/// </summary>
internal sealed partial class MarketSimulation : IDisposable
{
    private const int Steps = 1_000;
    private const int LongestEnd = 1_500;
    private const ulong Confirmations = 6;
    private const int DeepestReorganisation = 5;
    private const int QuietBlocks = 10;
    private const double FaultRate = 0.003;
    private static readonly string SchemaId = MarketWorld.Schema.Id;

    private readonly MarketScenario _scenario;
    private readonly SteppedContext _context;
    private readonly Random _random;
    private readonly List<string> _passed = [];
    private readonly List<string> _journal = [];
    private readonly List<object> _said = [];
    private readonly SimulatedChain _chain;
    private readonly FakeClock _clock = new();
    private readonly ILoggerFactory _logs;
    private MemoryMarketStore _marketStore = new();
    private readonly MemorySiteStore[] _siteStores = [.. Enumerable.Range(0, MarketWorld.Sites).Select(_ => new MemorySiteStore())];
    private readonly MarketTruth[] _truths = [.. Enumerable.Range(0, MarketWorld.Sites).Select(site => new MarketTruth(site))];
    private readonly MarketWire[] _wires;
    private readonly List<(SimulatedProcess Process, int Site)> _sites = [];
    private SimulatedProcess _market;
    private readonly LedgerReadModel _audit;
    private readonly Dictionary<string, Task> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Advance> _answers = new(StringComparer.Ordinal);
    private readonly List<Wanted> _wanted = [];
    private readonly List<Patient> _patients = [];
    private readonly int[] _operator = new int[MarketWorld.Sites];
    private readonly HashSet<Bytes32> _demanded = [];
    private bool _isCalm;
    private bool _hasFailed;
    private MarketInvariantException? _broken;

    private MarketSimulation(MarketScenario scenario, SteppedContext context)
    {
        (_scenario, _context, _random) = (scenario, context, new Random(scenario.Seed));
        _chain = MarketWorld.Chain(scenario.RefusesPayees);
        _logs = LoggerFactory.Create(builder => builder.AddProvider(new Hearing(_said)));
        _audit = new LedgerReadModel(_chain, MarketWorld.Deployment, new MemoryLedgerStore(), 0);
        _market = MarketProcess("market/", NewDisk());
        _wires = [.. Enumerable.Range(0, MarketWorld.Sites).Select(site => new MarketWire(
            site, ConductOf(site), () => _market, message => Leaves(site, message),
            () => _isCalm && _chain.Now > SimulatedChain.FirstSecond + 250_000,
            () => _wires![1 - site].LastDelivery, _random, context))];
        for (int site = 0; site < MarketWorld.Sites; site++)
        {
            Disk disk = NewDisk();
            for (int copy = 0; copy < (scenario.HasTwin && site == 0 ? 2 : 1); copy++)
            {
                _sites.Add((SiteProcess($"site{site + 1}{(copy > 0 ? "twin" : "")}/", site, disk), site));
            }
        }

        foreach (SimulatedProcess process in Processes)
        {
            process.Open(_random.Next());
        }

        MakePeople();
    }

    private IEnumerable<SimulatedProcess> Processes =>
        [_market, .. _sites.Select(site => site.Process), .. _formers.Select(former => former.Process)];

    private SiteConduct ConductOf(int site) => site == 1 || _scenario.BothSites ? _scenario.Conduct : SiteConduct.Honest;

    private LedgerModel Model => ((ModelContracts)_chain.Contracts).Model;

    private static MatchingDecision Matching => new(null!, MarketWorld.Contracts.Matching);

    /// <summary>A request that a researcher wants.</summary>
    private sealed class Wanted(TermsDocument terms, Address researcher, Funding funding)
    {
        public TermsDocument Terms { get; } = terms;

        public Address Researcher { get; } = researcher;

        public string Key { get; } = MarketContext.Name(terms.Hash());

        public bool IsDrafted { get; set; }

        public int Funded { get; set; }

        public bool IsCancelled { get; set; }

        /// <summary>The market would not have it.</summary>
        public bool IsRefused { get; set; }

        public bool IsUnheard { get; } = funding == Funding.Unheard;

        public bool IsOtherwise { get; } = funding == Funding.Otherwise;

        public bool IsNeverFunded { get; } = funding == Funding.Never;

        public bool IsCopied { get; } = funding == Funding.Copied;

        public bool IsFundedTwice { get; } = funding == Funding.Twice;
    }


    /// <summary>Runs a scenario to its end.</summary>
    /// <returns>The fault points that its processes passed.</returns>
    /// <exception cref="MarketInvariantException">A rule was broken; the message holds what replays it.</exception>
    public static MarketRun Run(MarketScenario scenario)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SteppedContext context = new();
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            using MarketSimulation simulation = new(scenario, context);
            return simulation.Run();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public void Dispose()
    {
        foreach (SimulatedProcess process in Processes)
        {
            process.Dispose();
        }

        _audit.Dispose();
        _logs.Dispose();
    }

    private MarketRun Run()
    {
        for (int step = 0; step < Steps && (step % 50 > 0 || !IsOver()); step++)
        {
            Step(step);
            CheckAlways();
        }

        _isCalm = true;
        _chain.DearerPercent = 0;
        for (int step = 0; step < LongestEnd && !IsOver(); step++)
        {
            Calm(step);
            CheckAlways();
            Skip();
        }

        Hold("every-request-ends", IsOver(), Standing());
        if (!_scenario.HasRandomFaults && !_scenario.RefusesPayees && !_scenario.HasRestores)
        {
            CheckUses();
            CheckWithdrawalsReachTheLedger();
        }

        CheckEnd();
        RequestStatus[] ended = [.. _wanted.Select(Status).OfType<RequestStatus>()];
        return new MarketRun(_passed, [.. ended.Select(status => status.Steps[^1])], ended.Sum(status => status.Delivered))
        {
            Moments = _moments,
            Statuses = ended,
            Evidence = (_audit, _marketStore, _chain),
            Uses = _uses,
            PaidToOwnSeeds = _paidToOwnSeeds,
            Takeovers = _takeovers,
            Restores = _restores,
            LostRounds = _lostRounds,
            ForgottenDeliveries = _forgottenDeliveries,
            Refusals =
                [.. _siteStores.SelectMany(store => store.ReadOrdersAsync(CancellationToken.None).Result)
                    .Select(order => order.Delivery.Refusal).Where(refusal => refusal.Length > 0)],
        };
    }

    // ---- what happens -------------------------------------------------------------------------------------------------------

    private void Step(int step)
    {
        switch (_random.Next(20))
        {
            case <= 7:
                Advance();
                break;
            case 8 or 9:
                Operate();
                break;
            case 10:
                Ask();
                break;
            case 11:
                Command(step);
                break;
            case 12 or 13 or 14:
                Mine();
                break;
            case 15 when _scenario.HasRandomFaults:
                Disturb();
                break;
            case 16:
                foreach (SimulatedProcess process in Processes)
                {
                    process.Points.ReleaseOne(_random);
                }

                break;
            case 17:
                Skip();
                break;
            case 18 when _scenario.HasRandomFaults:
                _ = _wires[_random.Next(_wires.Length)].RepeatAsync();
                break;
            default:
                Turn(_random.Next(1, 60));
                break;
        }

        if (_scenario.CancelAt is { } at && step >= at)
        {
            foreach (Wanted wanted in _wanted.Where(wanted => !wanted.IsCancelled))
            {
                Cancel(wanted);
            }
        }

        if (Withholds || (_scenario.HasDemands && _random.Next(12) == 0))
        {
            Demand();
        }

        if (_scenario.HasTakeovers)
        {
            TakeOver();
        }

        if (_scenario.HasRestores)
        {
            BackUpAndRestore();
        }

        Turn(_random.Next(24));
        Revive();
    }

    private void Calm(int step)
    {
        EndFormers();
        foreach (SimulatedProcess process in Processes)
        {
            while (process.Points.ReleaseOne(_random))
            {
                Turn(50);
            }
        }

        Revive();
        for (int site = 0; site < MarketWorld.Sites; site++)
        {
            Operate(site);
        }

        Ask();
        Command(int.MaxValue);
        foreach ((string name, Func<Task<Advance>> work) in Workers())
        {
            Start(name, work);
            Turn(40);
        }

        Turn(400);
        Mine();
        Demand();
        if (step % 40 == 39)
        {
            // A call whose answer a kill took is given up by its caller.
            _clock.Advance(TimeSpan.FromMinutes(11), () => Turn(200));
        }
    }

    private void Advance()
    {
        (string Name, Func<Task<Advance>> Work)[] workers = Workers();
        if (workers.Length == 0)
        {
            return;
        }

        (string name, Func<Task<Advance>> work) = workers[_random.Next(workers.Length)];
        Start(name, work, _scenario.HasRandomFaults && _random.Next(10) == 0);
    }

    /// <summary>Those who are there now: while they work, others may come.</summary>
    private (string Name, Func<Task<Advance>> Work)[] Workers() => [.. AllWorkers()];

    private IEnumerable<(string Name, Func<Task<Advance>> Work)> AllWorkers()
    {
        foreach ((string Name, Func<Task<Advance>> Work) worker in WorkersOf(_market, Market, ""))
        {
            yield return worker;
        }

        foreach ((int i, (SimulatedProcess process, int site)) in _sites.Index())
        {
            string name = string.Create(CultureInfo.InvariantCulture, $" {i}");
            foreach ((string Name, Func<Task<Advance>> Work) worker in WorkersOf(process, site, name))
            {
                yield return worker;
            }
        }

        foreach ((SimulatedProcess process, int site, string name) in _formers)
        {
            foreach ((string Name, Func<Task<Advance>> Work) worker in WorkersOf(process, site, name))
            {
                yield return worker;
            }
        }
    }

    private IEnumerable<(string Name, Func<Task<Advance>> Work)> WorkersOf(SimulatedProcess process, int site, string name)
    {
        if (process.Points.IsDead)
        {
            yield break;
        }

        if (site == Market)
        {
            if (_scenario.MarketConduct != MarketConduct.DecidesNothing)
            {
                yield return ("market" + name, () => process.Grains.GetGrain<IMarketGrain>(SchemaId).AdvanceAsync());
            }

            yield return ("market's sender" + name, () => process.Grains.GetGrain<ILedgerGrain>(process.LedgerKey).AdvanceAsync());
            foreach (Wanted wanted in _wanted.Where(wanted => wanted.IsDrafted))
            {
                yield return ($"request {wanted.Key[..8]}{name}", () => process.Grains.GetGrain<IRequestGrain>(wanted.Key).AdvanceAsync());
            }
        }
        else
        {
            yield return ("site" + name, () => process.Grains.GetGrain<ISiteGrain>(SiteName(site)).AdvanceAsync());
            yield return ("sender of site" + name, () => process.Grains.GetGrain<ILedgerGrain>(process.LedgerKey).AdvanceAsync());
        }
    }

    private void Start(string name, Func<Task<Advance>> work, bool again = false)
    {
        if (again || !_running.TryGetValue(name, out Task? running) || running.IsCompleted)
        {
            _running[name] = WorkAsync(name, work);
        }
    }

    private async Task WorkAsync(string name, Func<Task<Advance>> work)
    {
        try
        {
            _answers[name] = await work();
        }
        catch (Exception e) when (e is not MarketInvariantException)
        {
            _said.Add(e.ToString());
            _hasFailed = true;
            _answers[name] = new Advance { Progressed = false, WaitsFor = e.GetType().Name + " " + e.Message };
        }
    }

    /// <summary>Whoever runs a site loads it, sets its defaults, and decides its epochs.</summary>
    private void Operate() => Operate(_random.Next(MarketWorld.Sites));

    private void Operate(int site)
    {
        SimulatedProcess process = _sites.First(s => s.Site == site).Process;
        if (process.Points.IsDead || (_running.TryGetValue("operator " + site, out Task? running) && !running.IsCompleted))
        {
            return;
        }

        _running["operator " + site] = OperateAsync(process, site);
    }

    private async Task OperateAsync(SimulatedProcess process, int site)
    {
        try
        {
            ISiteGrain grain = process.Grains.GetGrain<ISiteGrain>(SiteName(site));
            if (await ReconcileAsync(grain, site))
            {
                return;
            }

            switch (_operator[site])
            {
                case 0:
                    await grain.LoadAsync(MarketWorld.RecordsOf(site));
                    _operator[site] = 1;
                    break;
                case 1:
                    await grain.SetPoliciesAsync(MarketWorld.PoliciesOf(site));
                    _operator[site] = 2;
                    break;
                case 2 when IsSeedAwaited(site):
                    break;
                case 2:
                    await DecideEpochAsync(process, grain, site);
                    _operator[site] = 3;
                    break;
                default:
                    // A new one now and then, and always when the last one was voided.
                    EpochRow? last = Audited().Epochs().LastOrDefault(epoch => epoch.Header.Site == site + 1);
                    if (last?.Status == BatchStatus.Void || (!_isCalm && _random.Next(60) == 0))
                    {
                        await DecideEpochAsync(process, grain, site);
                    }

                    break;
            }
        }
        catch (Exception e) when (e is not MarketInvariantException)
        {
            _said.Add(e.ToString());
        }
    }

    /// <summary>A researcher hands in, funds or withdraws something.</summary>
    private void Ask()
    {
        foreach (Wanted wanted in _wanted.Where(wanted => _isCalm || _random.Next(_wanted.Count) == 0))
        {
            string name = "researcher " + wanted.Key;
            if (_operator.All(step => step > 2) && !_market.Points.IsDead
                && !(_running.TryGetValue(name, out Task? running) && !running.IsCompleted))
            {
                _running[name] = AskAsync(wanted);
            }
        }
    }

    private async Task AskAsync(Wanted wanted)
    {
        try
        {
            if (wanted.IsUnheard)
            {
                Fund(wanted, Matching.OpenRequest(wanted.Terms.ToLedger(MarketWorld.Schema)));
            }
            else if (!wanted.IsCancelled && !wanted.IsRefused && (wanted.Funded == 0 || !wanted.IsDrafted))
            {
                FundingCall call = await _market.Grains.GetGrain<IRequesterGrain>(wanted.Terms.Researcher).OpenAsync(wanted.Terms.Write());
                wanted.IsDrafted = true;
                if (wanted.IsNeverFunded)
                {
                    return;
                }

                Fund(wanted,
                    wanted.IsOtherwise ? Matching.OpenRequest(wanted.Terms.ToLedger(MarketWorld.Schema) with { Bid = 1_001 })
                        : new ContractCall(new Address(call.To), call.Data));
            }
        }
        catch (Exception e) when (e is not MarketInvariantException)
        {
            _said.Add(e.ToString());
            wanted.IsRefused |= e is RequestRefusedException && !wanted.IsDrafted;
        }
    }

    private void Fund(Wanted wanted, ContractCall call)
    {
        if (wanted.Funded++ > 0)
        {
            return;
        }

        _journal.Add($"fund {wanted.Key[..8]}");
        RequestTerms terms = wanted.Terms.ToLedger(MarketWorld.Schema);
        if (wanted.IsCopied)
        {
            _chain.Send(MarketWorld.Researchers.First(other => other != wanted.Researcher), Matching.OpenRequest(terms));
            _chain.Mine();
        }

        _chain.Send(wanted.Researcher, call);
        if (wanted.IsFundedTwice)
        {
            _chain.Mine();
            _chain.Send(wanted.Researcher, Matching.OpenRequest(terms with { ClientReference = Keccak256.Hash("another") }));
        }
    }

    private void Cancel(Wanted wanted)
    {
        string name = "cancel " + wanted.Key;
        if (!wanted.IsDrafted || _market.Points.IsDead || (_running.TryGetValue(name, out Task? running) && !running.IsCompleted))
        {
            return;
        }

        _running[name] = CancelAsync(wanted);
    }

    private async Task CancelAsync(Wanted wanted)
    {
        try
        {
            CancelAnswer answer = await _market.Grains.GetGrain<IRequesterGrain>(wanted.Terms.Researcher).CancelAsync(wanted.Key);
            wanted.IsCancelled = true;
            _journal.Add($"cancel {wanted.Key[..8]} {(answer.Data is { Length: > 0 } ? "on the ledger" : "here")}");
            if (answer.Data is { Length: > 0 } data)
            {
                _chain.Send(wanted.Researcher, new ContractCall(new Address(answer.To), data));
            }
        }
        catch (RequestRefusedException)
        {
            wanted.IsCancelled = true;
        }
        catch (Exception e) when (e is not MarketInvariantException)
        {
            _said.Add(e.ToString());
        }
    }

    /// <summary>An auditor demands leaves of what was just posted, and ends what was not opened in time.</summary>
    private void Demand()
    {
        if (!_scenario.HasDemands && !Withholds)
        {
            return;
        }

        LedgerReadModel view = Audited();
        foreach (DemandRow late in view.OpenDemands().Where(demand => _chain.Now > demand.AnswerBySeconds))
        {
            if (BatchCall(late.BatchId, (d, r, e) => d is not null
                ? new DataEvaluation(null!, MarketWorld.Contracts.Evaluation).VoidUnanswered(d, late.Kind, late.Position)
                : r is not null
                ? Matching.VoidUnanswered(r, late.Kind, late.Position)
                : new DynamicAccessControl(null!, MarketWorld.Contracts.AccessControl).VoidUnanswered(e!, late.Kind, late.Position))
                is { } call)
            {
                _journal.Add("void for a withheld leaf");
                _chain.Send(MarketWorld.Auditor, call);
            }
        }

        foreach (Bytes32 id in Posted(view)
            .Where(id => (IsWithheld(view, id) || (_scenario.HasDemands && _demanded.Count < 6)) && _demanded.Add(id)))
        {
            byte kind = (byte)(view.Delivery(id) is not null ? 7 : view.Round(id) is not null ? _random.Next(3, 7) : _random.Next(1, 3));
            if (BatchCall(id,
                (d, r, e) => d is not null ? new DataEvaluation(null!, MarketWorld.Contracts.Evaluation).DemandLeaf(d, kind, 0)
                : r is not null ? Matching.DemandLeaf(r, kind, 0) : new DynamicAccessControl(null!, MarketWorld.Contracts.AccessControl)
                .DemandLeaf(e!, kind, 0)) is { } call)
            {
                _journal.Add($"demand a leaf of kind {kind}");
                _chain.Send(MarketWorld.Auditor, call);
            }
        }
    }

    private static IEnumerable<Bytes32> Posted(LedgerReadModel view) =>
        [.. view.Epochs().Where(row => row.Status == BatchStatus.Posted).Select(row => row.Id),
            .. view.Rounds(MarketWorld.Schema.LedgerId()).Where(row => row.Status == BatchStatus.Posted).Select(row => row.Id),
            .. view.Requests().SelectMany(request => view.Deliveries(request.RequestId)).Where(row => row.Status == BatchStatus.Posted)
            .Select(row => row.Id)];

    private ContractCall? BatchCall(Bytes32 id, Func<Delivery?, Round?, Epoch?, ContractCall> call)
    {
        LedgerReadModel view = Audited();
        return view.Delivery(id) is { } delivery ? call(new Delivery(delivery.Header, delivery.Posting), null, null)
            : view.Round(id) is { } round ? call(null, new Round(round.Header, round.Posting), null)
            : view.Epoch(id) is { } epoch ? call(null, null, new Epoch(epoch.Header, epoch.Posting)) : null;
    }

    private bool Withholds => _scenario.Conduct == SiteConduct.WithholdsLeaves || _scenario.MarketConduct == MarketConduct.WithholdsLeaves;

    private bool IsWithheld(LedgerReadModel view, Bytes32 id) =>
        view.Delivery(id) is { } delivery ? ConductOf((int)delivery.Header.Site - 1) == SiteConduct.WithholdsLeaves
        : view.Round(id) is not null && _scenario.MarketConduct == MarketConduct.WithholdsLeaves;

    private void Mine()
    {
        _chain.Mine();
        IsMoment();
        Strike();
    }

    /// <summary>Time passes, to the next time that somebody waits for.</summary>
    private void Skip()
    {
        // All others wait for blocks first; and what somebody has to send is sent before.
        if (_chain.QuietBlocks < QuietBlocks)
        {
            return;
        }

        _hasFailed = Processes.Any(process => process.Points.IsDead);
        for (int pass = 0; pass < 2; pass++)
        {
            foreach ((string name, Func<Task<Advance>> work) in Workers())
            {
                Start(name, work);
                Turn(60);
            }

            Turn(400);
        }

        if (_hasFailed || _chain.PoolSize > 0 || _running.Values.Any(task => !task.IsCompleted))
        {
            return;
        }

        long now = (long)_chain.Now;
        long[] due = [.. _answers.Values.Select(answer => answer.DueSeconds).OfType<long>().Where(time => time > now)];
        if (due.Length > 0)
        {
            long next = due.Min();
            _chain.Wait((ulong)(next - now));
            Mine();
        }
    }

    private void Disturb()
    {
        switch (_random.Next(6))
        {
            case 0:
                int depth = _random.Next(1, DeepestReorganisation + 1);
                _journal.Add(string.Create(CultureInfo.InvariantCulture, $"reorganise {depth}"));
                _chain.Reorganise(depth, _random.Next(4) > 0);
                break;
            case 1:
                _chain.DropPool();
                break;
            case 2:
                _chain.BaseFee = _chain.BaseFee * _random.Next(80, 200) / 100;
                break;
            case 3:
                _chain.DearerPercent = (ulong)_random.Next(2) * 60;
                break;
            case 4:
                SimulatedProcess[] processes = [.. Processes];
                SimulatedProcess process = processes[_random.Next(processes.Length)];
                if (!process.Points.IsDead)
                {
                    _journal.Add("kill");
                    process.Points.Kill();
                }

                break;
            default:
                _clock.Advance(TimeSpan.FromSeconds(_random.Next(5, 90)), () => Turn(20));
                break;
        }
    }

    private void Turn(int most)
    {
        SimulatedProcess[] processes = [.. Processes];
        for (int i = 0; i < most; i++)
        {
            int first = _random.Next(processes.Length);
            Strike();
            bool moved = _context.Step();
            for (int p = 0; p < processes.Length && !moved; p++)
            {
                SimulatedProcess process = processes[(first + p) % processes.Length];
                moved = !process.Points.IsDead && process.Turns.Step();
            }

            if (!moved)
            {
                return;
            }

            IsMoment();
        }
    }

    private void Revive()
    {
        EndFormersThatDied();
        foreach (SimulatedProcess process in Processes.Where(process => process.Points.IsDead && (_isCalm || _random.Next(4) == 0)))
        {
            _journal.Add($"killed at {_passed.LastOrDefault() ?? "the start"}, opened again");
            process.Dispose();
            process.Points.Revive();
            process.Open(_random.Next());
            _running.Clear();
        }
    }

    // ---- what holds ---------------------------------------------------------------------------------------------------------

    private void CheckAlways()
    {
        if (_broken is not null)
        {
            throw _broken;
        }
    }

    /// <summary>A delivery leaves an honest site.</summary>
    private void Leaves(int site, DeliveryMessage message)
    {
        DeliveryFile file = DeliveryFile.Read(message.DeliveryFile, MarketWorld.Schema);
        LedgerReadModel view = Audited();
        LedgerRequest request = view.Request(file.RequestId)!;
        ulong closed = view.Books(request.Terms.SchemaId).First(book => book.Ordinal == request.Book).ClosedBlock;
        EpochRow row = view.FinalEpoch((uint)site + 1, request.Terms.SchemaId, closed)!;
        EpochFile epoch = EpochFile.Read(
            _siteStores[site].FindFileAsync(MarketContext.Name(row.Header.DataHash), CancellationToken.None).Result!);
        string? wrong = _truths[site].Leaves(file, epoch, request.Terms.Purpose);
        Hold("nothing-leaves-unallowed", wrong is null, wrong ?? "");
        foreach (ulong person in _truths[site].Persons)
        {
            long loss = _truths[site].LossOf(person);
            Hold("cap-holds", loss <= MarketWorld.Cap.Micro,
                $"person {person:x} lost {loss} micro-epsilon, at most {MarketWorld.Cap.Micro}");
        }
    }

    private bool IsOver() => _operator.All(step => step > 2) && _patients.TrueForAll(patient => patient.Pending is null)
        && _wanted.TrueForAll(wanted =>
        wanted.IsUnheard || wanted.IsRefused
            || _marketStore.FindRequestAsync(wanted.Key, CancellationToken.None).Result is { HasEnded: true } && IsPaidBack(wanted));

    /// <summary>Whether nothing of a request's money is left where nobody comes for it.</summary>
    private bool IsPaidBack(Wanted wanted)
    {
        LedgerRequest? request = OnLedger(wanted);
        return request is null ? Status(wanted)!.RequestId == 0 : Audited().Escrow(request.RequestId)!.IsClosed
            && Audited().Deliveries(request.RequestId)
            .All(delivery => delivery.Status == BatchStatus.Void || !Audited().Escrow(request.RequestId)!.Expired.IsZero
                || (delivery.Status == BatchStatus.Final && delivery.Claimed == delivery.Header.Count));
    }

    private LedgerRequest? OnLedger(Wanted wanted) =>
        Audited().Requests()
            .FirstOrDefault(request => request.Terms.TermsHash == wanted.Terms.Hash() && request.Researcher == wanted.Researcher);

    private RequestStatus? Status(Wanted wanted)
    {
        Grains.Market.Storage.RequestRow? row = _marketStore.FindRequestAsync(wanted.Key, CancellationToken.None).Result;
        return row is null ? null : new RequestStatus
        {
            Key = row.Key, RequestId = row.RequestId, Researcher = row.Researcher, TermsJson = row.TermsJson, Steps = row.Steps,
            Sold = row.Sold, Delivered = row.Delivered, Paid = row.Paid,
            Refunded = row.Refunded, EffectivePpb = row.EffectivePpb,
        };
    }

    private string Standing() => string.Join("; ", _wanted.Select(wanted =>
        $"{wanted.Key[..8]} {(Status(wanted) is { } status ? status.Steps[^1].State + " " + status.Steps[^1].Reason : "unknown")} "
            + $"{(OnLedger(wanted) is { } row ? "on the ledger" : "")} paid {OnLedger(wanted) is not null && IsPaidBack(wanted)}"))
        + " | " + string.Join("; ", _answers.Where(a => a.Value.WaitsFor.Length > 0).Select(a => $"{a.Key} waits for {a.Value.WaitsFor}"))
        + $" | operators {string.Join(',', _operator)}, pending {_patients.Count(p => p.Pending is not null)}, now "
        + $"{_chain.Now - SimulatedChain.FirstSecond}";

    private void CheckEnd()
    {
        SynchronizationContext.SetSynchronizationContext(null);
        LedgerReadModel view = Audited();
        MarketContext auditor = new([MarketWorld.Schema], MarketWorld.Market, view, _marketStore, _chain);
        foreach (Wanted wanted in _wanted.Where(wanted => !wanted.IsUnheard))
        {
            if (Status(wanted) is { } status)
            {
                CheckRequest(wanted, status, view, auditor);
            }
        }

        CheckLeaves(view);
        CheckForeign(view);

        // Money: what was made at the beginning is all there is, and whoever was to be paid was.
        Address[] payees =
            [.. view.Requests().SelectMany(request => view.Deliveries(request.RequestId)).SelectMany(delivery => view.Claims(delivery.Id))
                .Select(claim => claim.Payee).Distinct()];
        System.Numerics.BigInteger held =
            ((Address[])[MarketWorld.Consortium, MarketWorld.Market.Address, MarketWorld.Auditor, MarketWorld.Contracts.Payments,
                .. MarketWorld.SiteAccounts.Select(a => a.Address), .. MarketWorld.Researchers, .. payees])
            .Aggregate(System.Numerics.BigInteger.Zero, (sum, account) => sum + Model.TokensOf(account));
        Hold("money-is-conserved", held == 7 * (System.Numerics.BigInteger)MarketWorld.Wealth,
            $"{held} token units are held, {7L * MarketWorld.Wealth} were made");

        for (int i = 0; i < _sites.Count; i++)
        {
            CheckBudgets(_sites[i].Process, _sites[i].Site);
        }

        object[] outside = [.. _said.Select(said => (object)said), .. _wires.SelectMany(wire => wire.Passed), .. _chain.Data,
            .. MarketTruth.ContentOf(_marketStore)];
        foreach (MarketTruth truth in _truths)
        {
            string? found = truth.FindIn(outside);
            Hold("raw-values-stay", found is null, found ?? "");
        }
    }

    /// <summary>What is funded under terms that no stored request follows is never served: nobody would compute it, pay for it and give
    /// back the rest.</summary>
    private void CheckForeign(LedgerReadModel view)
    {
        HashSet<ulong> followed = [.. _wanted.Select(Status).OfType<RequestStatus>().Select(status => status.RequestId)];
        foreach (LedgerRequest request in view.Requests().Where(request => !followed.Contains(request.RequestId) && !IsForgotten(request)))
        {
            Hold("foreign-requests-are-not-served", view.Deliveries(request.RequestId).Count == 0,
                $"request {request.RequestId} of nobody known here was delivered to");
        }
    }

    private void CheckRequest(Wanted wanted, RequestStatus status, LedgerReadModel view, MarketContext auditor)
    {
        string name = $"request {status.RequestId} ended {status.Steps[^1].State} ({status.Steps[^1].Reason})";
        Hold("steps-have-reasons", status.Steps.All(step => step.Reason.Length > 0 && step.Seconds > 0)
            && status.Steps.Zip(status.Steps.Skip(1)).All(pair => pair.First.Seconds <= pair.Second.Seconds), name);
        if (OnLedger(wanted) is not { } request)
        {
            Hold("end-is-the-ledgers", status.Delivered == 0 && status.Steps[^1].State is RequestState.Expired or RequestState.Cancelled,
                name + ", and the ledger never had it");
            return;
        }

        EscrowRow escrow = view.Escrow(request.RequestId)!;
        DeliveryRow[] final = [.. view.Deliveries(request.RequestId).Where(delivery => delivery.Status == BatchStatus.Final)];
        long delivered = final.Sum(delivery => (long)delivery.Header.Count);
        UInt128 paid = final.Aggregate(UInt128.Zero,
            (sum, delivery) =>
                sum + delivery.Header.Amount + ((UInt128)delivery.Header.Count * MarketWorld.Deployment.Terms.RelayFeeUnits));
        Hold("row-is-the-ledgers", status.Delivered == delivered && status.Paid == paid && status.Refunded == (UInt128)escrow.Refunded
            && paid + (UInt128)escrow.Refunded == request.Terms.Budget,
            $"{name}: {status.Delivered} delivered, {status.Paid} paid, {status.Refunded} back; on the ledger {delivered}, {paid}, "
                + $"{escrow.Refunded} of {request.Terms.Budget}");
        if (status.Sold > 0)
        {
            RoundBatch round =
                auditor.RoundAsync(view.Rounds(request.Terms.SchemaId)
                    .First(one => one.Header.Ordinal == request.Book && one.Status == BatchStatus.Final).Header.DataHash)
                .GetAwaiter().GetResult()!.Batch;
            Hold("sites-have-their-orders",
                Enumerable.Range(0, MarketWorld.Sites).All(site => round.OpenSiteRow(request.Index, (uint)site + 1).Sum == 0
                || _siteStores[site].ReadOrdersAsync(CancellationToken.None).Result.Any(
                    order => order.Delivery.RequestId == request.RequestId)), $"{name}: a site never had the order");
        }

        RequestState end = status.Steps[^1].State;
        bool isRight = end switch
        {
            RequestState.Settled => delivered > 0 && !wanted.IsOtherwise,
            RequestState.Failed => wanted.IsOtherwise,
            RequestState.Cancelled => delivered == 0,
            _ => delivered == 0,
        } && request.Cancelled == (end == RequestState.Cancelled);
        foreach (DeliveryRow delivery in final)
        {
            CheckRevoked(delivery, request, view);
        }

        Hold("end-is-the-ledgers", isRight, $"{name} with {delivered} delivered, cancelled {request.Cancelled}");
        string? results = _marketStore.FindResultsAsync(status.Key, CancellationToken.None).Result;
        bool hasFiles = final.All(delivery => delivery.Header.Count == 0 || DeliveredFile(delivery) is not null);
        Hold("results-of-what-was-delivered", (results is not null) == (delivered > 0 && hasFiles),
            $"{name}: results {results is not null}, {delivered} delivered, files {hasFiles}");
        if (delivered > 0 && hasFiles && !wanted.IsOtherwise)
        {
            string? fault = RequestReplay.FindFaultAsync(auditor, request.RequestId, status.TermsJson, results).GetAwaiter().GetResult();
            Hold("replay-finds-nothing", fault is null, $"{name}: {fault}");
        }
    }

    private void CheckBudgets(SimulatedProcess process, int site)
    {
        SiteOrderRow[] orders = _siteStores[site].ReadOrdersAsync(CancellationToken.None).Result;
        if (ConductOf(site) is not (SiteConduct.Honest or SiteConduct.WithholdsLeaves))
        {
            return;
        }

        Hold("no-order-is-left", orders.All(order => order.State != SiteOrderState.Reserved), "an order was drawn and never handed over");
        SiteBook book = SiteBook.ReadAsync(_siteStores[site], SchemaId, process.Get<SiteOptions>(), CancellationToken.None).GetAwaiter()
            .GetResult();
        foreach (ulong person in _truths[site].Persons)
        {
            long charged = book.Budgets.LossOf(book.PersonOf(person)).Micro;
            long released = _truths[site].LossOf(person);
            Hold("charged-is-released", _restoredSites.Contains(site) ? charged >= released : charged == released,
                $"person {person:x} of site {site + 1} is charged {charged} micro-epsilon, and {released} left");
        }
    }

    private void Hold(string invariant, bool holds, string what)
    {
        if (!holds)
        {
            // Kept as well, since whoever is called may catch what it does not know.
            _broken ??= new MarketInvariantException(invariant, what, _scenario, _journal);
            throw _broken;
        }
    }

    // ---- how it begins ------------------------------------------------------------------------------------------------------

    private void ConfigureMarket(IServiceCollection services, SimulatedProcess process)
    {
        IMarketStore store = Faulty.Of(process.Fenced(PlantedStores.Market(_marketStore, _scenario.Plant)), "store/", process.Points);
        ILedgerView view = _scenario.MarketConduct == MarketConduct.WithholdsLeaves
            ? Blind(process.View, demand => process.View.Round(demand.BatchId) is null) : process.View;
        MarketContext context = new([MarketWorld.Schema], MarketWorld.Market, view, store, _chain, new MarketWorld.Coins(_random.Next()));
        services.AddSingleton(store).AddSingleton(context);
        services.AddSingleton<ISiteMarketLink>(new MarketLink(context));
    }

    private void ConfigureSite(IServiceCollection services, SimulatedProcess process, int site)
    {
        services.AddSingleton(Faulty.Of(process.Fenced(PlantedStores.Site(_siteStores[site], _scenario.Plant)), "store/", process.Points));
        if (ConductOf(site) == SiteConduct.WithholdsLeaves)
        {
            services.AddSingleton(Blind(process.View, demand => process.View.Delivery(demand.BatchId) is null));
        }

        services.AddSingleton(Faulty.Of<ISiteMarketLink>(_wires[site], "link/", process.Points));
        services.AddSingleton(new SiteOptions(MarketWorld.KeyOf(site), MarketWorld.SiteAccounts[site].Address, MarketWorld.Rates)
        {
            Cap = _scenario.Plant == MarketPlant.CapIgnored ? new Analytics.Budgets.EpsilonMicro(20_000_000) : MarketWorld.Cap,
            Coins = new MarketWorld.Coins(_random.Next()), PayoutDepth = _scenario.PayoutDepth,
        });
    }

    /// <summary>A view that does not show some of the demands.</summary>
    private static ILedgerView Blind(LedgerReadModel view, Func<DemandRow, bool> shows) =>
        Planted.Of<ILedgerView>(view, (method, _, call) =>
        method.Name == nameof(ILedgerView.OpenDemands) ? (DemandRow[])[.. view.OpenDemands().Where(shows)] : call());

    private void MakePeople()
    {
        foreach ((int i, Want want) in (_scenario.Wants ?? []).Index())
        {
            Address researcher = MarketWorld.Researchers[i % 2];
            _wanted.Add(new Wanted(
                new TermsDocument
                {
                    SchemaId = SchemaId,
                    Researcher = researcher.ToString().ToLowerInvariant(),
                    Statistics = [want.Statistic],
                    Grades = TermsDocument.GradesFor(
                        MarketWorld.Schema, [Analytics.Estimation.StatisticRequest.Parse(want.Statistic)], MarketWorld.Schema.DefaultGrade),
                    Bid = want.Bid,
                    Budget = "10000000",
                    TargetRecords = want.Records,
                    MinimumRecords = want.Minimum,
                    Purpose = 2,
                    Deadline = (long)SimulatedChain.FirstSecond + want.Seconds,
                    Title = "What is it?",
                    Why = "To know.",
                    Nonce = _random.Next().ToString("x32", CultureInfo.InvariantCulture),
                },
                researcher, want.Funding));
        }

        for (int i = 0; i < 4 && _scenario.Wants is null; i++)
        {
            Address researcher = MarketWorld.Researchers[i % 2];
            string[] statistics = i % 2 == 0 ? ["frequency:ill"] : ["frequency:sex", "frequency:ill"];
            int above = _random.Next(2);
            _wanted.Add(new Wanted(
                new TermsDocument
                {
                    SchemaId = SchemaId,
                    Researcher = researcher.ToString().ToLowerInvariant(),
                    Statistics = statistics,
                    Grades = TermsDocument.GradesFor(MarketWorld.Schema, statistics.Select(Analytics.Estimation.StatisticRequest.Parse),
                        attribute => Math.Min(MarketWorld.Schema.DefaultGrade(attribute) + above, 4)),
                    Bid = _random.Next(5) == 0 ? "40" : "4000",
                    Budget = "100000",
                    TargetRecords = (uint)_random.Next(4, 22),
                    MinimumRecords = (uint)_random.Next(3),
                    Purpose = (byte)(_random.Next(3) == 0 ? 3 : 2),
                    Deadline = (long)SimulatedChain.FirstSecond + (_random.Next(6) == 0 ? 40_000 : 200_000),
                    Title = "What is it?",
                    Why = "To know.",
                    Nonce = _random.Next().ToString("x32", CultureInfo.InvariantCulture),
                },
                researcher,
                i > 1 && _scenario.HasRandomFaults && _random.Next(3) == 0
                    ? (i == 2 ? Funding.Otherwise : Funding.Unheard) : Funding.Funds));
        }

        for (int site = 0; site < MarketWorld.Sites; site++)
        {
            foreach ((Bytes32 pseudonym, int record) in _truths[site].Records.Where((_, i) => i % 14 == 0))
            {
                ulong person = _truths[site].PersonOf(record);
                _patients.Add(new Patient(site, person, pseudonym));
            }
        }
    }

    private LedgerReadModel Audited()
    {
        _audit.SyncAsync().GetAwaiter().GetResult();
        return _audit;
    }

    private FaultPoints Points(string process) => new(DecideFault, process, _passed);

    private Fault DecideFault(int index, string name)
    {
        if (index == _scenario.KillAt)
        {
            return Fault.Kill;
        }

        if (_scenario.HasNewSite && name.EndsWith("/KeepRound after", StringComparison.Ordinal))
        {
            _chain.Send(MarketWorld.Consortium, new DynamicAccessControl(null!, MarketWorld.Contracts.AccessControl).RegisterSite(
                MarketWorld.Auditor, Keccak256.Hash("a third site")));
            _chain.Mine();
        }

        if (IsMoment())
        {
            // Whoever acts at this moment acts before what comes next.
            return Fault.Delay;
        }

        if (!_scenario.HasRandomFaults || _isCalm || _random.NextDouble() >= FaultRate)
        {
            return Fault.None;
        }

        Fault fault = (Fault)_random.Next(1, 4);
        _journal.Add($"{fault} at {name}");
        return fault;
    }

    private static string SiteName(int site) => string.Create(CultureInfo.InvariantCulture, $"site-{site + 1}");

    /// <summary>Keeps what is logged, to look for what must not be.</summary>
    private sealed class Hearing(List<object> said) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            said.Add(formatter(state, exception) + exception);

        public void Dispose()
        {
        }
    }
}
