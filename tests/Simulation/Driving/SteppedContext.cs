namespace EmrMarket.Simulation.Driving;

/// <summary>Where the simulation's own code goes on after an await: on the simulation's thread, when it says so.</summary>
internal sealed class SteppedContext : SynchronizationContext
{
    private readonly Lock _gate = new();
    private readonly Queue<(SendOrPostCallback Continue, object? State)> _ready = [];

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_gate)
        {
            _ready.Enqueue((d, state));
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => d(state);

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Runs one continuation; false when none is ready.</summary>
    public bool Step()
    {
        (SendOrPostCallback Continue, object? State) next;
        lock (_gate)
        {
            if (!_ready.TryDequeue(out next))
            {
                return false;
            }
        }

        next.Continue(next.State);
        return true;
    }
}
