using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using EmrMarket.Grains.Embedded.Activations;
using Orleans.Core;
using Orleans.Runtime;

namespace EmrMarket.Grains.Embedded.State;

/// <summary>A constructor's parameter that receives state.</summary>
internal sealed record PersistentStates(
    Type ParameterType, string StateName, string? StorageName, Func<Activation, IGrainStateStore, string, IStorage> Make)
{
    internal static PersistentStates Of(ParameterInfo parameter)
    {
        var type = parameter.ParameterType;
        if (!type.IsGenericType || type.GetGenericTypeDefinition() != typeof(IPersistentState<>))
        {
            throw new NotSupportedException(
                $"[PersistentState] stands on parameter {parameter.Name} of {parameter.Member.DeclaringType!.FullName}, which is no "
                    + "IPersistentState<T>.");
        }

        var make = typeof(PersistentStates).GetMethod(nameof(New), BindingFlags.Static | BindingFlags.NonPublic)!
            .MakeGenericMethod(type.GenericTypeArguments)
            .CreateDelegate<Func<Activation, IGrainStateStore, string, IStorage>>();
        var attribute = parameter.GetCustomAttribute<PersistentStateAttribute>()!;
        return new(type, attribute.StateName, attribute.StorageName, make);
    }

    internal IStorage Create(Activation activation, IGrainStateStore store) => Make(activation, store, StateName);

    private static PersistentState<T> New<T>(Activation activation, IGrainStateStore store, string name) => new(activation, store, name);
}

/// <summary>State of one activation. What it holds and what is stored never share an object, since the store holds bytes.</summary>
internal sealed class PersistentState<T>(Activation activation, IGrainStateStore store, string name) : IPersistentState<T>
{
    private Task _last = Task.CompletedTask;
    private T _state = GrainStateFormat<T>.New();
    private bool _wasRead;

    public T State
    {
        get
        {
            activation.RequireTurn("State");
            return _state;
        }

        set
        {
            activation.RequireTurn("State");
            _state = value;
        }
    }

    public string? Etag { get; private set; }

    public bool RecordExists =>
        _wasRead ? Etag is not null : throw new InvalidOperationException($"State '{name}' of {activation.Id} has not been read yet.");

    private GrainStateKey Key => new(activation.Id.Class.Name, activation.Id.Key, name);

    public Task ReadStateAsync() => ReadStateAsync(CancellationToken.None);

    public Task ReadStateAsync(CancellationToken cancellationToken) => InOrderAsync("read", async () =>
    {
        var stored = await store.ReadAsync(Key, cancellationToken);
        _state = stored is null ? GrainStateFormat<T>.New() : GrainStateFormat<T>.Read(stored.Payload.Span);
        Etag = stored?.Etag;
        _wasRead = true;
    });

    public Task WriteStateAsync() => WriteStateAsync(CancellationToken.None);

    public Task WriteStateAsync(CancellationToken cancellationToken) => InOrderAsync("write", async () =>
        Etag = await store.WriteAsync(Key, GrainStateFormat<T>.Write(_state), Etag, cancellationToken));

    public Task ClearStateAsync() => ClearStateAsync(CancellationToken.None);

    public Task ClearStateAsync(CancellationToken cancellationToken) => InOrderAsync("clear", async () =>
    {
        await store.ClearAsync(Key, Etag, cancellationToken);
        Etag = null;
        _state = GrainStateFormat<T>.New();
    });

    /// <summary>One operation at a time, since two that interleaved would both go against the same version and one would fail.</summary>
    [SuppressMessage("Design", "CA1031:Do not catch general exception types",
        Justification = "What a store throws reaches callers as one known type, as Orleans does it.")]
    private async Task InOrderAsync(string operation, Func<Task> run)
    {
        activation.RequireTurn("State");
        var earlier = _last;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _last = done.Task;
        try
        {
            await earlier;
            await run();
        }
        catch (Exception exception) when (exception is not (OrleansException or OperationCanceledException))
        {
            throw new OrleansException($"The store could not {operation} state {Key}: {exception.Message}", exception);
        }
        finally
        {
            done.SetResult();
        }
    }
}
