using EmrMarket.Grains.Embedded.Calls;
using EmrMarket.Grains.Embedded.Hosting;

namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>The activations of one key of a stateless worker: a call goes to one that is free, or to a new one while there may be
/// more.</summary>
internal sealed class StatelessWorkers(EmbeddedGrainRuntime runtime, GrainId id, int most)
{
    private readonly Lock _gate = new();
    private readonly List<Activation> _activations = [];
    private int _turn;
    private bool _hasEnded;

    /// <summary>False when the last activation has gone, and with it this.</summary>
    internal bool TryEnqueue(Message message)
    {
        lock (_gate)
        {
            while (!_hasEnded && !runtime.WasKilled)
            {
                var activation = Choose();
                if (activation.TryEnqueue(message))
                {
                    return true;
                }

                _activations.Remove(activation);
            }

            return false;
        }
    }

    /// <summary>Takes an activation out; true when it was the last.</summary>
    internal bool Remove(Activation activation)
    {
        lock (_gate)
        {
            _activations.Remove(activation);
            return _hasEnded = _activations.Count == 0;
        }
    }

    internal IReadOnlyList<Activation> Snapshot()
    {
        lock (_gate)
        {
            return [.. _activations];
        }
    }

    private Activation Choose()
    {
        if (_activations.Find(static activation => !activation.IsBusy) is { } free)
        {
            return free;
        }

        if (_activations.Count < most)
        {
            var added = new Activation(runtime, id, this);
            _activations.Add(added);
            return added;
        }

        _turn = (_turn + 1) % _activations.Count;
        return _activations[_turn];
    }
}
