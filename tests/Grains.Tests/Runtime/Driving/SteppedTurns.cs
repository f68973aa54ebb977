using EmrMarket.Grains.Embedded.Hosting;

namespace EmrMarket.Grains.Tests.Runtime.Driving;

/// <summary>
/// Runs turns one at a time on the test's thread, in an order drawn from a seed: what has not happened when no turn is left never will,
/// which makes "nothing happens" something a test can state without waiting.
/// </summary>
internal sealed class SteppedTurns(int? seed = null) : ITurnScheduler
{
    private readonly Lock _gate = new();
    private readonly List<IThreadPoolWorkItem> _ready = [];
    private readonly Random? _random = seed is { } value ? new Random(value) : null;

    public int TurnsPerSlice => 1;

    public void Schedule(IThreadPoolWorkItem slice)
    {
        lock (_gate)
        {
            _ready.Add(slice);
        }
    }

    /// <summary>Runs one turn; false when none is ready.</summary>
    public bool Step()
    {
        IThreadPoolWorkItem slice;
        lock (_gate)
        {
            if (_ready.Count == 0)
            {
                return false;
            }

            var index = _random?.Next(_ready.Count) ?? 0;
            slice = _ready[index];
            _ready.RemoveAt(index);
        }

        slice.Execute();
        return true;
    }

    public void RunAll()
    {
        while (Step())
        {
        }
    }
}
