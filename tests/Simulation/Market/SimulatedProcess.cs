using System.Reflection;
using EmrMarket.Contracts.Deployment;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Sending;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Contracts.Ethereum.Transactions;
using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Ledger.Sending;
using EmrMarket.Grains.Ledger.Storage;
using EmrMarket.Grains.Ledger.View;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Simulation.Chain;
using EmrMarket.Simulation.Driving;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EmrMarket.Simulation.Market;

/// <summary>What outlives a process: its stores.</summary>
internal sealed class Disk
{
    public MemoryLedgerStore Ledger { get; init; } = new();

    public MemoryGrainStateStore States { get; init; } = new();

    /// <summary>Which process has it.</summary>
    public Holder Holder { get; init; } = new();
}

/// <summary>A process of the market with its grains, its account and its view of the ledger; everything that it reaches outside itself
/// passes its fault points.</summary>
internal sealed class SimulatedProcess : IDisposable
{
    private readonly SimulatedChain _chain;
    private readonly ContractDeployment _deployment;
    private readonly EthereumAccount _account;
    private readonly ulong _confirmations;
    private readonly TimeProvider _clock;
    private readonly ILoggerFactory _logs;
    private readonly Action<IServiceCollection, SimulatedProcess> _configure;
    private readonly Assembly[] _grains;
    private ServiceProvider? _services;
    private int _taken;

    public SimulatedProcess(
        FaultPoints points, SimulatedChain chain, ContractDeployment deployment, EthereumAccount account, Disk disk, ulong confirmations,
        TimeProvider clock, ILoggerFactory logs, Action<IServiceCollection, SimulatedProcess> configure, params Assembly[] grains)
    {
        (Points, _chain, _deployment, _account, Disk, _confirmations, _clock, _logs, _configure) = (
            points, chain, deployment, account, disk, confirmations, clock, logs, configure);
        _grains = [typeof(LedgerGrain).Assembly, .. grains];
        points.Died = () => Death.TrySetException(new IOException("the other process died"));
    }

    public FaultPoints Points { get; }

    public Disk Disk { get; }

    public EmbeddedGrainRuntime Grains { get; private set; } = null!;

    public SteppedTurns Turns { get; private set; } = null!;

    public LedgerReadModel View { get; private set; } = null!;

    /// <summary>Ends with an error when the process dies.</summary>
    public TaskCompletionSource Death { get; private set; } = new();

    public string LedgerKey => LedgerGrain.KeyOf(_deployment.ChainId, _account.Address);

    public T Get<T>()
        where T : notnull => _services!.GetRequiredService<T>();

    /// <summary>A store of its role, as long as the process has it.</summary>
    public T Fenced<T>(T store)
        where T : class => Disk.Holder.Of(store, _taken);

    /// <summary>Starts the process on its disk, which is its own from now on.</summary>
    public void Open(int seed)
    {
        _taken = Disk.Holder.Take();
        Death = new TaskCompletionSource();
        _ = Death.Task.Exception;
        ILedgerStore store = Faulty.Of(Fenced<ILedgerStore>(Disk.Ledger), "store/", Points);
        IEthereumClient node = Planted.Of<IEthereumClient>(
            _chain, (method, args, call) => method.Name == nameof(IEthereumClient.SendRawAsync)
            ? _chain.SendRawAsync((IReadOnlyList<SignedTransaction>)args[0]!, _account.Address) : call());
        IEthereumClient chain = Faulty.Of(node, "chain/", Points);
        View = new LedgerReadModel(chain, _deployment, store, _confirmations);
        ServiceCollection services = new();
        services.AddSingleton(store).AddSingleton(chain).AddSingleton<ILedgerView>(View)
            .AddSingleton<ILedgerAccounts>(new LedgerAccounts([_account])).AddSingleton(new LedgerGrainOptions
        {
            ChainId = _deployment.ChainId,
            Sending = new TransactionSenderOptions
            {
                Confirmations = _confirmations, LargestNumberInFlight = 16, BlocksBetweenOffers = 2, Clock = _clock,
            },
        });
        _configure(services, this);
        _services = services.BuildServiceProvider();
        Turns = new SteppedTurns(seed);
        EmbeddedGrainOptions options = new() { Turns = Turns };
        options.StateStores[EmbeddedGrainOptions.DefaultStore] = _ => Faulty.Of(Fenced<IGrainStateStore>(Disk.States), "state/", Points);
        foreach (Assembly assembly in _grains)
        {
            options.GrainAssemblies.Add(assembly);
        }

        Grains = new EmbeddedGrainRuntime(options, _services, _clock, _logs);
    }

    /// <summary>Ends it as a crash does.</summary>
    public void Dispose()
    {
        Grains.Kill();
        _services?.Dispose();
        View.Dispose();
    }
}
