using System.Collections.Concurrent;
using EmrMarket.Grains.Embedded.Activations;
using EmrMarket.Grains.Embedded.Calls;
using EmrMarket.Grains.Embedded.State;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Orleans.Runtime;

namespace EmrMarket.Grains.Embedded.Hosting;

/// <summary>
/// Runs grains in this process. Cheap to make and to throw away, and many may exist side by side: they share nothing but what reflection
/// found. Disposing it ends every activation in order; <see cref="Kill"/> ends it as a crash would.
/// </summary>
public sealed class EmbeddedGrainRuntime : IGrainFactory, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<IGrainStateStore>> _stores = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(Type Interface, string? Prefix), GrainClass> _found = new();
    private readonly List<GrainClass> _classes = [];
    private readonly ITimer _collection;
    private volatile bool _wasKilled;

    /// <summary>Starts a runtime; it has no activations until the first call.</summary>
    /// <param name="options">How it behaves; not changed afterwards.</param>
    /// <param name="services">What the constructors of grains and the stores take.</param>
    /// <param name="clock">What drives timers, time-outs and collection.</param>
    /// <param name="logs">Where faults go that no caller hears of; null for nowhere.</param>
    /// <exception cref="NotSupportedException">A grain class cannot be activated; the message says which and why.</exception>
    public EmbeddedGrainRuntime(EmbeddedGrainOptions options, IServiceProvider services, TimeProvider clock, ILoggerFactory? logs = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        Services = services;
        Clock = clock;
        Turns = options.Turns;
        Log = (logs ?? NullLoggerFactory.Instance).CreateLogger<EmbeddedGrainRuntime>();
        Pending = new(clock);
        foreach (
            var shape in options.GrainAssemblies.OrderBy(assembly => assembly.FullName, StringComparer.Ordinal).SelectMany(GrainShape.Of))
        {
            if (_classes.Find(known => string.Equals(known.Name, shape.Name, StringComparison.Ordinal)) is { } twin)
            {
                throw new NotSupportedException(
                    $"{shape.Type.FullName} and {twin.Shape.Type.FullName} are both called '{shape.Name}': their state would mix. Give "
                        + "one a [GrainType].");
            }

            _classes.Add(new(this, shape));
        }

        _collection = clock.CreateTimer(
            static runtime => ((EmbeddedGrainRuntime)runtime!).CollectIdle(), this, options.CollectionQuantum, options.CollectionQuantum);
    }

    /// <summary>How many activations are in memory now.</summary>
    public int ActivationCount => _classes.Sum(each => each.Activations.Count());

    internal EmbeddedGrainOptions Options { get; }

    internal IServiceProvider Services { get; }

    internal TimeProvider Clock { get; }

    internal ITurnScheduler Turns { get; }

    internal ILogger Log { get; }

    internal PendingCalls Pending { get; }

    internal bool WasKilled => _wasKilled;

    /// <inheritdoc/>
    public TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithStringKey
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(primaryKey);
        return Reference<TGrainInterface>(primaryKey, grainClassNamePrefix);
    }

    /// <inheritdoc/>
    public TGrainInterface GetGrain<TGrainInterface>(long primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithIntegerKey =>
        Reference<TGrainInterface>(GrainExtensions.IntegerKey(primaryKey), grainClassNamePrefix);

    /// <inheritdoc/>
    public TGrainInterface GetGrain<TGrainInterface>(Guid primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithGuidKey =>
        Reference<TGrainInterface>(GrainExtensions.GuidKey(primaryKey), grainClassNamePrefix);

    /// <summary>
    /// Ends the runtime as a crash of its process would: no OnDeactivateAsync, no further turn, and callers get
    /// <see cref="SiloUnavailableException"/>, not knowing whether their call ran. What was handed to a store before may still be stored.
    /// </summary>
    public void Kill()
    {
        _wasKilled = true;
        _collection.Dispose();
        Pending.Dispose();
        foreach (var activation in _classes.SelectMany(each => each.Activations))
        {
            activation.Kill();
        }

        foreach (var call in Pending.Close())
        {
            call.Reject(HasEnded(call.ToString()!));
        }
    }

    /// <summary>Ends every activation in order, then the runtime. Calls are still answered meanwhile, since grains may need one another to
    /// end.</summary>
    /// <param name="cancellationToken">Stops the wait: what has not ended by then is killed.</param>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var reason = new DeactivationReason(DeactivationReasonCode.ShuttingDown, "The grain runtime stops.");
        try
        {
            while (!_wasKilled && _classes.SelectMany(each => each.Activations).ToList() is { Count: > 0 } activations)
            {
                await Task.WhenAll(activations.Select(activation => activation.DeactivateAsync(reason))).WaitAsync(cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            Log.StopWasCutShort(ActivationCount);
        }
        finally
        {
            Kill();
        }
    }

    /// <summary>As <see cref="StopAsync"/>, but waits no longer than <see cref="EmbeddedGrainOptions.DeactivationTimeout"/> for calls that
    /// do not end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_wasKilled)
        {
            using var limit = new CancellationTokenSource(Options.DeactivationTimeout, Clock);
            await StopAsync(limit.Token);
        }
    }

    internal static SiloUnavailableException HasEnded(string call) =>
        new($"The grain runtime ended before {call} was answered: whether it ran is not known.");

    internal GrainReference Reference(Type grainInterface, GrainId id) =>
        id.Class.Shape.Interfaces.Contains(grainInterface)
            ? ProxyFactory.For(grainInterface)(this, id)
            : throw new ArgumentException(
                $"{id} is a {id.Class.Shape.Type.FullName}, which does not implement {grainInterface.FullName}.", nameof(grainInterface));

    internal IGrainStateStore StoreOf(string? name, Type grainType)
    {
        name ??= EmbeddedGrainOptions.DefaultStore;
        return _stores.GetOrAdd(name, name => new(() => Options.StateStores.TryGetValue(name, out var make)
            ? make(Services)
            : throw new InvalidOperationException(
                $"{grainType.FullName} keeps state in the store '{name}', which {nameof(EmbeddedGrainOptions.StateStores)} does not have: "
                + $"it has {(Options.StateStores.Count == 0 ? "none" : string.Join(", ", Options.StateStores.Keys))}."))).Value;
    }

    private TGrainInterface Reference<TGrainInterface>(string key, string? prefix)
    {
        var grainClass = _found.GetOrAdd((typeof(TGrainInterface), prefix), Find);
        return (TGrainInterface)(object)ProxyFactory.For(typeof(TGrainInterface))(this, new(grainClass, key));
    }

    private GrainClass Find((Type Interface, string? Prefix) wanted)
    {
        var classes = _classes.FindAll(each => each.Shape.Interfaces.Contains(wanted.Interface)
            && (wanted.Prefix is null || each.Shape.Type.FullName!.StartsWith(wanted.Prefix, StringComparison.Ordinal)));
        var which = wanted.Prefix is null
            ? wanted.Interface.FullName! : $"{wanted.Interface.FullName} whose name begins with '{wanted.Prefix}'";
        return classes.Count switch
        {
            1 => classes[0],
            0 => throw new ArgumentException(
                $"No grain class implements {which}: is its assembly among {nameof(EmbeddedGrainOptions.GrainAssemblies)}?",
                nameof(wanted)),
            _ => throw new ArgumentException(
                $"Several grain classes implement {which}: {string.Join(", ", classes.Select(each => each.Shape.Type.FullName))}. Name "
                    + "one by a prefix.", nameof(wanted)),
        };
    }

    private void CollectIdle()
    {
        foreach (var activation in _classes.SelectMany(each => each.Activations))
        {
            activation.CollectIfIdle();
        }
    }
}
