namespace EmrMarket.Grains.Embedded.Hosting;

/// <summary>
/// Decides when, in which order and on which thread activations run their turns. The runtime schedules an activation once and again only
/// after it has run; a scheduler may run different activations at the same time, or one after the other in an order drawn from a seed.
/// </summary>
public interface ITurnScheduler
{
    /// <summary>How many turns an activation runs each time; at least one. One lets a simulation choose before every turn.</summary>
    int TurnsPerSlice { get; }

    /// <summary>Takes an activation that has turns to run; its Execute runs them, must be called once, and not from here.</summary>
    void Schedule(IThreadPoolWorkItem slice);
}

/// <summary>The scheduler for use: any thread of the pool, and enough turns at a time to make a switch cheap but not to starve
/// others.</summary>
internal sealed class ThreadPoolTurns : ITurnScheduler
{
    internal static readonly ThreadPoolTurns Instance = new();

    public int TurnsPerSlice => 64;

    public void Schedule(IThreadPoolWorkItem slice) => ThreadPool.UnsafeQueueUserWorkItem(slice, preferLocal: false);
}
