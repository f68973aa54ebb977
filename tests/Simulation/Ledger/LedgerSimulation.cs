using System.Globalization;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Ledger;
using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Simulation.Chain;
using EmrMarket.Simulation.Driving;
using EmrMarket.Simulation.Market;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Simulation.Ledger;

/// <summary>What a run is to do.</summary>
/// <param name="Seed">Decides everything that is not named here.</param>
internal sealed record LedgerScenario(int Seed)
{
    /// <summary>The fault point at which the process is killed; none when null.</summary>
    public int? KillAt { get; init; }

    /// <summary>Faults strike at random points, and the chain is reorganised, forgets its pool and raises its price.</summary>
    public bool HasRandomFaults { get; init; }

    /// <summary>A defect that is built in on purpose.</summary>
    public Plant Plant { get; init; }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"new LedgerScenario({Seed}) {{ KillAt = {(KillAt is { } at ? at.ToString(CultureInfo.InvariantCulture) : "null")}, "
            + $"HasRandomFaults = {(HasRandomFaults ? "true" : "false")}, Plant = Plant.{Plant} }}");
}

/// <summary>A named rule that a run broke.</summary>
internal sealed class InvariantBrokenException(string invariant, string what, LedgerScenario scenario, IReadOnlyList<string> journal)
    : Exception($"{invariant}: {what}. Replay: {scenario}. Last steps: {string.Join("; ", journal.TakeLast(12))}")
{
    public string Invariant { get; } = invariant;
}

/// <summary>
/// One account's grain and one read model on a simulated chain and store: commands are given in any order and more than once, the process
/// is killed and opened again, and after every step the invariants are held against the chain itself.
/// </summary>
internal sealed class LedgerSimulation : IDisposable
{
    private const int Steps = 60;
    private const int LongestEnd = 400;
    private const int DeepestReorganisation = 5;
    private const double FaultRate = 0.03;

    private static readonly EthereumAccount Account = new(Keccak256.Hash("the account of the simulation").ToArray());
    private static readonly string Key = LedgerGrain.KeyOf(SimulatedChain.ChainId, Account.Address);

    private readonly LedgerScenario _scenario;
    private readonly SteppedContext _context;
    private readonly Random _random;
    private readonly FaultPoints _points;
    private readonly SimulatedChain _chain = new(_ => new FindingContract());
    private readonly MemoryLedgerStore _disk = new();
    private readonly Holder _holder = new();
    private readonly FakeClock _clock = new();
    private readonly List<string> _journal = [];
    private readonly List<LedgerCommand[]> _ungiven = [];
    private readonly HashSet<string> _acknowledged = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LedgerOutcome> _ended = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte> _kinds = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Bytes32> _hashes = new(StringComparer.Ordinal);
    private readonly List<Task> _calls = [];
    private bool _isCalm;
    private InvariantBrokenException? _broken;
    private ServiceProvider? _services;
    private EmbeddedGrainRuntime _runtime = null!;
    private SteppedTurns _turns = null!;
    private ILedgerGrain _ledger = null!;
    private LedgerReadModel _view = null!;
    private Task _sync = Task.CompletedTask;
    private Task _advance = Task.CompletedTask;

    private LedgerSimulation(LedgerScenario scenario, SteppedContext context)
    {
        _context = context;
        _scenario = scenario;
        _random = new Random(scenario.Seed);
        _points = new FaultPoints(Decide);
        _chain.Offered = transaction =>
        {
            bool isKept = _disk.OutboxOf(Key).LoadFromNonceAsync(0, CancellationToken.None).Result
                .Any(entry => entry.Hash == transaction.Hash && entry.Raw.Span.SequenceEqual(transaction.Raw.Span));
            Hold("kept-before-sent", isKept, $"transaction {transaction.Hash} was offered and is not in the outbox");
        };
        MakeCommands();
        Open();
    }

    /// <summary>Runs a scenario to its end.</summary>
    /// <returns>The fault points that it passed.</returns>
    /// <exception cref="InvariantBrokenException">A rule was broken; the message holds what replays it.</exception>
    public static IReadOnlyList<string> Run(LedgerScenario scenario)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SteppedContext context = new();
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            using LedgerSimulation simulation = new(scenario, context);
            simulation.Run();
            return simulation._points.Passed;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public void Dispose()
    {
        _runtime.Kill();
        _services?.Dispose();
        _view.Dispose();
    }

    private void Run()
    {
        for (int step = 0; step < Steps; step++)
        {
            Step();
            Check();
        }

        _isCalm = true;
        for (int step = 0; step < LongestEnd && !IsOver(); step++)
        {
            Calm(step);
            Check();
        }

        Hold("every-command-ends", IsOver(),
            $"{_kinds.Keys.Count(id => !_ended.ContainsKey(id))} commands have no outcome; pool {_chain.PoolSize}, head {_chain.Head}");
        CheckEnd();
    }

    private void Step()
    {
        switch (_random.Next(12))
        {
            case 0 or 1:
                Submit();
                break;
            case 2 or 3 or 4:
                Advance();
                break;
            case 5 or 6:
                Sync();
                break;
            case 7 or 8:
                Mine();
                break;
            case 9 when _scenario.HasRandomFaults:
                Disturb();
                break;
            case 10:
                _points.ReleaseOne(_random);
                break;
            default:
                Turn(_random.Next(1, 30));
                break;
        }

        Turn(_random.Next(8));
        ReviveIfDead();
    }

    /// <summary>No faults any more: everything has to come to its end.</summary>
    private void Calm(int step)
    {
        while (_points.ReleaseOne(_random))
        {
            Turn(50);
        }

        ReviveIfDead();
        Submit();
        Advance();
        Sync();
        Turn(200);
        Ask();
        Turn(200);
        if (step % 2 == 0)
        {
            Mine();
        }

        ReviveIfDead();
        if (step % 50 == 49)
        {
            // A call whose answer a kill took is given up by its caller.
            _clock.Advance(TimeSpan.FromMinutes(2), () => Turn(200));
        }
    }

    private void Submit()
    {
        bool isAgain = _ungiven.Count == 0 || _random.Next(4) == 0;
        LedgerCommand[] commands = isAgain && _acknowledged.Count > 0 ? [Again(_acknowledged.ElementAt(_random.Next(_acknowledged.Count)))]
            : _ungiven.Count > 0 ? _ungiven[_random.Next(_ungiven.Count)] : [];
        if (commands.Length == 0)
        {
            return;
        }

        _journal.Add("submit " + string.Join(',', commands.Select(command => command.Id)));
        _calls.Add(TakeAsync(commands, _ledger));
    }

    private async Task TakeAsync(LedgerCommand[] commands, ILedgerGrain ledger)
    {
        try
        {
            LedgerOutcome[] outcomes = await ledger.SubmitAsync(commands);
            foreach (LedgerCommand command in commands)
            {
                Hold("acknowledged-is-known", outcomes.Any(outcome => string.Equals(outcome.Id, command.Id, StringComparison.Ordinal)),
                    $"{command.Id} was taken and is not known");
                _acknowledged.Add(command.Id);
            }

            _ungiven.RemoveAll(ungiven => ungiven.All(command => _acknowledged.Contains(command.Id)));
            Note(outcomes);
        }
        catch (Exception e) when (e is not InvariantBrokenException)
        {
            // Not known whether it was taken: the caller gives the same command again.
        }
    }

    private void Ask() => _calls.Add(AskAsync(_ledger));

    private async Task AskAsync(ILedgerGrain ledger)
    {
        try
        {
            Note(await ledger.OutcomesAsync([.. _acknowledged]));
        }
        catch (Exception e) when (e is not InvariantBrokenException)
        {
            // Asked again later.
        }
    }

    private void Note(LedgerOutcome[] outcomes)
    {
        foreach (LedgerOutcome outcome in outcomes.Where(outcome => outcome.State != LedgerState.Pending))
        {
            if (_ended.TryGetValue(outcome.Id, out LedgerOutcome? earlier))
            {
                Hold("outcome-stands",
                    earlier.State == outcome.State && earlier.TransactionHash.AsSpan().SequenceEqual(outcome.TransactionHash)
                        && earlier.BlockNumber == outcome.BlockNumber,
                    $"{outcome.Id} ended as {earlier.State} in block {earlier.BlockNumber} and now as {outcome.State} in "
                        + $"{outcome.BlockNumber}");
            }

            _ended[outcome.Id] = outcome;
        }
    }

    private void Advance()
    {
        if (_advance.IsCompleted)
        {
            _journal.Add("advance");
            _advance = QuietlyAsync(() => _ledger.AdvanceAsync());
        }
    }

    private void Sync()
    {
        if (_sync.IsCompleted)
        {
            _journal.Add("sync");
            _sync = QuietlyAsync(() => _view.SyncAsync());
        }
    }

    private static async Task QuietlyAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (Exception e) when (e is not InvariantBrokenException)
        {
            // A fault that was simulated, or its consequence: what counts is what is true afterwards.
        }
    }

    private void Mine()
    {
        _journal.Add("mine");
        _chain.Mine();
    }

    private void Disturb()
    {
        switch (_random.Next(4))
        {
            case 0:
                int depth = _random.Next(1, DeepestReorganisation + 1);
                _journal.Add(string.Create(CultureInfo.InvariantCulture, $"reorganise {depth}"));
                _chain.Reorganise(depth, _random.Next(2) == 0);
                break;
            case 1:
                _journal.Add("drop pool");
                _chain.DropPool();
                break;
            case 2:
                _journal.Add("base fee");
                _chain.BaseFee = _chain.BaseFee * _random.Next(80, 300) / 100;
                break;
            default:
                _journal.Add("clock");
                _clock.Advance(TimeSpan.FromSeconds(_random.Next(5, 90)), () => Turn(20));
                break;
        }
    }

    private void Turn(int most)
    {
        for (int i = 0; i < most && !_points.IsDead && (_context.Step() || _turns.Step()); i++)
        {
        }
    }

    private void ReviveIfDead()
    {
        if (_points.IsDead)
        {
            _journal.Add("killed at " + _points.Passed[^1]);
            Dispose();
            _points.Revive();
            Open();
        }
    }

    private void Open()
    {
        // What a dead process had under way may come late: the fence refuses it, as the store's does.
        ILedgerStore store = Faulty.Of(
            _holder.Of<ILedgerStore>(new PlantedStore(_disk, _scenario.Plant), _holder.Take()), "store/", _points);
        IEthereumClient chain = Faulty.Of<IEthereumClient>(_chain, "chain/", _points);
        LedgerGrainOptions options = new()
        {
            ChainId = SimulatedChain.ChainId,
            Sending = new TransactionSenderOptions
            {
                Confirmations = _scenario.Plant == Plant.FinalTooEarly ? 0UL : DeepestReorganisation + 1, LargestNumberInFlight = 4,
                BlocksBetweenOffers = 2, Clock = _clock,
            },
        };
        _services = new ServiceCollection().AddSingleton(store).AddSingleton(chain)
            .AddSingleton<ILedgerAccounts>(new LedgerAccounts([Account])).AddSingleton(options)
            .BuildServiceProvider();
        _turns = new SteppedTurns(_random.Next());
        _runtime = new EmbeddedGrainRuntime(
            new EmbeddedGrainOptions { GrainAssemblies = { typeof(LedgerGrain).Assembly }, Turns = _turns }, _services, _clock);
        _ledger = _runtime.GetGrain<ILedgerGrain>(Key);
        _view = new LedgerReadModel(chain, Deployment(), store, 0);
        (_sync, _advance) = (Task.CompletedTask, Task.CompletedTask);
    }

    private Fault Decide(int index, string name)
    {
        if (index == _scenario.KillAt)
        {
            return Fault.Kill;
        }

        if (!_scenario.HasRandomFaults || _isCalm || _random.NextDouble() >= FaultRate)
        {
            return Fault.None;
        }

        Fault fault = (Fault)_random.Next(1, 4);
        _journal.Add($"{fault} at {name}");
        return fault;
    }

    private bool IsOver() => _ungiven.Count == 0 && _kinds.Keys.All(_ended.ContainsKey)
        && _calls.TrueForAll(call => call.IsCompleted || _points.Generation > 0);

    /// <summary>What holds after every step.</summary>
    private void Check()
    {
        if (_broken is not null)
        {
            throw _broken;
        }

        _calls.RemoveAll(call => call.IsCompleted);
        foreach ((string id, Bytes32 hash) in _hashes)
        {
            int count = ((FindingContract)_chain.Contracts).Count(hash);
            Hold("at-most-once", count <= 1, $"{id} took effect {count} times");
        }
    }

    private void CheckEnd()
    {
        foreach ((string id, byte kind) in _kinds)
        {
            LedgerState expected = kind == FindingContract.RefusedKind || id.StartsWith("gas", StringComparison.Ordinal)
                ? LedgerState.Refused : LedgerState.Succeeded;
            Hold("right-outcome", _ended[id].State == expected, $"{id} ended as {_ended[id].State}: {_ended[id].Refusal}");
            Hold("outcome-is-the-chains",
                ((FindingContract)_chain.Contracts).Count(Hash(id)) == (expected == LedgerState.Succeeded ? 1 : 0),
                $"{id} took effect {((FindingContract)_chain.Contracts).Count(Hash(id))} times");
        }

        SynchronizationContext.SetSynchronizationContext(null);
        using LedgerReadModel fresh = new(_chain, Deployment(), new MemoryLedgerStore(), 0);
        fresh.SyncAsync().GetAwaiter().GetResult();
        using LedgerReadModel stored = new(_chain, Deployment(), new PlantedStore(_disk, _scenario.Plant), 0);
        stored.SyncAsync().GetAwaiter().GetResult();
        Hold("tables-are-the-chains", string.Equals(fresh.Dump(), stored.Dump(), StringComparison.Ordinal),
            "the tables differ from those of the chain alone");
        int open = _disk.OutboxOf(Key).LoadOpenAsync(CancellationToken.None).Result.Count;
        Hold("outcomes-are-stored", open == 0, $"{open} transactions have no stored outcome");
    }

    private void Hold(string invariant, bool holds, string what)
    {
        if (!holds)
        {
            // Kept as well, since whoever is called may catch what it does not know.
            _broken ??= new InvariantBrokenException(invariant, what, _scenario, _journal);
            throw _broken;
        }
    }

    private void MakeCommands()
    {
        for (int i = 0; i < 6; i++)
        {
            _ungiven.Add(
                [Command(string.Create(CultureInfo.InvariantCulture, $"plain/{i}"), FindingContract.AcceptedKind,
                    FindingContract.GasOfCall)]);
        }

        _ungiven.Add([Command("pair/0", FindingContract.AcceptedKind, null), Command("pair/1", FindingContract.DependentKind, null)]);
        _ungiven.Add([Command("refused", FindingContract.RefusedKind, null),
            Command("refused-in-block", FindingContract.RefusedKind, FindingContract.GasOfCall)]);
        _ungiven.Add(
            [Command("gas/too-little", FindingContract.AcceptedKind, 30_000), Command("gas/impossible", FindingContract.AcceptedKind, 1)]);
    }

    private LedgerCommand Again(string id) => Command(id, _kinds[id], FindingContract.GasOfCall);

    private LedgerCommand Command(string id, byte kind, ulong? gas)
    {
        _kinds[id] = kind;
        _hashes[id] = Hash(id);
        return new LedgerCommand
        {
            Id = id, To = FindingContract.Address.ToArray(), Data = FindingContract.Call(kind, Hash(id)), GasLimit = gas,
        };
    }

    /// <summary>A command's hash; that of the second of a pair is the first one's with bit 0 of its last byte flipped.</summary>
    private static Bytes32 Hash(string id)
    {
        byte[] hash = Keccak256.Hash(id.StartsWith("pair", StringComparison.Ordinal) ? "pair" : id).ToArray();
        hash[31] = (byte)((hash[31] & ~1) | (id.EndsWith('1') ? 1 : 0));
        return new Bytes32(hash);
    }

    private static ContractDeployment Deployment()
    {
        DeployedContract contract = new(FindingContract.Address.ToString(), null, Bytes32.Zero.ToString());
        return new ContractDeployment
        {
            ChainId = SimulatedChain.ChainId, FirstBlock = 0, Token = contract, AccessControl = contract, Matching = contract,
            Evaluation = contract, Payments = contract, Terms = DeploymentTerms.Default,
        };
    }
}
