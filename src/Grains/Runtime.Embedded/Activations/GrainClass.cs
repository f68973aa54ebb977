using System.Collections.Concurrent;
using EmrMarket.Grains.Embedded.Calls;
using EmrMarket.Grains.Embedded.Hosting;
using Orleans.Core;
using Orleans.Serialization.Invocation;

namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>A grain class in one runtime, with the directory of its activations.</summary>
internal sealed class GrainClass(EmbeddedGrainRuntime runtime, GrainShape shape)
{
    private readonly ConcurrentDictionary<string, Activation> _activations = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StatelessWorkers> _workers = new(StringComparer.Ordinal);

    internal GrainShape Shape => shape;

    internal string Name => shape.Name;

    /// <summary>How long an activation may be idle; null for ever.</summary>
    internal TimeSpan? CollectionAge { get; } = shape.IsKeptAlive ? null : shape.CollectionAge ?? runtime.Options.CollectionAge;

    internal IEnumerable<Activation> Activations =>
        _activations.Select(each => each.Value).Concat(_workers.SelectMany(each => each.Value.Snapshot()));

    /// <summary>Hands a message to the grain's activation, making one when there is none.</summary>
    internal void Deliver(string key, Message message)
    {
        while (!runtime.WasKilled)
        {
            if (shape.MostWorkers is { } most)
            {
                var workers = _workers.GetOrAdd(key, static (key, args) => new(args.Runtime, new GrainId(args.Class, key), args.Most),
                    (Runtime: runtime, Class: this, Most: most));
                if (workers.TryEnqueue(message))
                {
                    return;
                }
            }
            else
            {
                var activation = _activations.GetOrAdd(
                    key, static (key, args) => new(args.Runtime, new(args.Class, key), null), (Runtime: runtime, Class: this));
                if (activation.TryEnqueue(message))
                {
                    return;
                }

                Remove(activation);
            }
        }

        message.Reject(EmbeddedGrainRuntime.HasEnded(message.ToString()!));
    }

    /// <summary>Whether the class lets a request interleave with every other.</summary>
    internal bool MayInterleave(Message message)
    {
        if (shape.MayInterleave is not { } predicate || message is not IInvokable request)
        {
            return false;
        }

        try
        {
            return predicate(request);
        }
#pragma warning disable CA1031 // A faulty predicate must not stop its grain; without its word a request does not interleave.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            runtime.Log.PredicateFailed(shape.Name, exception);
            return false;
        }
    }

    internal IStorage[] CreateStates(Activation activation)
    {
        var states = shape.States;
        if (states.Count == 0)
        {
            return [];
        }

        var storages = new IStorage[states.Count];
        for (var i = 0; i < storages.Length; i++)
        {
            storages[i] = states[i].Create(activation, runtime.StoreOf(states[i].StorageName, shape.Type));
        }

        return storages;
    }

    internal void Remove(Activation activation)
    {
        if (activation.Workers is { } workers)
        {
            if (workers.Remove(activation))
            {
                _workers.TryRemove(KeyValuePair.Create(activation.Id.Key, workers));
            }
        }
        else
        {
            _activations.TryRemove(KeyValuePair.Create(activation.Id.Key, activation));
        }
    }
}
