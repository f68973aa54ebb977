using System.Globalization;
using EmrMarket.Contracts.Ethereum.JsonRpc;

namespace EmrMarket.Simulation.Driving;

/// <summary>What a fault does at the point where it strikes.</summary>
internal enum Fault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The process ends: nothing after this point happens.</summary>
    Kill,

    /// <summary>The caller gets an error; before a point the work was not done, after it it was.</summary>
    Error,

    /// <summary>The caller waits until the simulation lets it go on.</summary>
    Delay,
}

/// <summary>
/// The points at which a process touches the world, each before and after it does. A run records the points that it passes, so that a later
/// run under the same seed can strike at each.
/// </summary>
/// <param name="decide">Which fault strikes at a point.</param>
/// <param name="process">How the process is called, before the names of its points.</param>
/// <param name="passed">Where the points of several processes are counted together; its own count when null.</param>
internal sealed class FaultPoints(Func<int, string, Fault> decide, string process = "", List<string>? passed = null)
{
    private readonly List<string> _passed = passed ?? [];
    private readonly List<TaskCompletionSource> _delayed = [];

    /// <summary>The names of the points in the order in which they were passed.</summary>
    public IReadOnlyList<string> Passed => _passed;

    /// <summary>True from a kill until <see cref="Revive"/>.</summary>
    public bool IsDead { get; private set; }

    /// <summary>Called when the process dies.</summary>
    public Action Died { get; set; } = () => { };

    /// <summary>Ends the process where it stands.</summary>
    public void Kill()
    {
        IsDead = true;
        Died();
    }

    /// <summary>Which process lives; what an earlier one still awaits never comes.</summary>
    public int Generation { get; private set; }

    /// <summary>Does work between two points.</summary>
    /// <param name="name">The work, as <c>subject/method</c>.</param>
    /// <param name="generation">The process that does it.</param>
    /// <param name="work">The work.</param>
    public async Task<T> AroundAsync<T>(string name, int generation, Func<Task<T>> work)
    {
        await ReachAsync(name + " before", generation);
        T result = await work();
        await ReachAsync(name + " after", generation);
        return result;
    }

    /// <summary>Lets one delayed call go on; false when none waits.</summary>
    public bool ReleaseOne(Random random)
    {
        if (_delayed.Count == 0)
        {
            return false;
        }

        int index = random.Next(_delayed.Count);
        TaskCompletionSource released = _delayed[index];
        _delayed.RemoveAt(index);
        released.SetResult();
        return true;
    }

    /// <summary>Opens the next process.</summary>
    public void Revive() => (IsDead, Generation) = (false, Generation + 1);

    private Task ReachAsync(string name, int generation)
    {
        if (IsDead || generation != Generation)
        {
            return Never();
        }

        name = process + name;
        int index = _passed.Count;
        _passed.Add(name);
        switch (decide(index, name))
        {
            case Fault.Kill:
                IsDead = true;
                Died();
                return Never();
            case Fault.Error:
                return Task.FromException(name.Contains("chain/", StringComparison.Ordinal)
                    ? new NodeUnreachableException(new Uri("http://127.0.0.1:1/"), "simulated")
                    : new IOException(string.Create(CultureInfo.InvariantCulture, $"simulated at point {index}, {name}")));
            case Fault.Delay:
                TaskCompletionSource delayed = new();
                _delayed.Add(delayed);
                return delayed.Task;
            default:
                return Task.CompletedTask;
        }
    }

    private static Task Never() => new TaskCompletionSource().Task;
}
