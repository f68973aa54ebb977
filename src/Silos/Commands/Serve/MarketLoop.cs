using EmrMarket.Grains.Abstractions;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>Tells everybody with work to go on, at once while something happens and once a second otherwise. A failure of one is noted and tried again; it ends nothing.</summary>
internal sealed class MarketLoop(IReadOnlyList<(string Name, Func<Task<Advance>> Advance)> workers)
{
    private static readonly TimeSpan IdlePause = TimeSpan.FromSeconds(1);

    private volatile string? _problem = "the first pass is not over";

    /// <summary>What went wrong in the last pass; null when all went on.</summary>
    public string? Problem => _problem;

    /// <summary>Goes on until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            bool progressed = false;
            string? problem = null;
            foreach ((string name, Func<Task<Advance>> advance) in workers)
            {
                if (stopping.IsCancellationRequested)
                {
                    return;
                }

                try
                {
                    progressed |= (await advance()).Progressed;
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    // Its message may quote what does not belong into a log: the type tells where to look.
                    problem ??= $"{name} failed with {e.GetType().Name}";
                }
            }

            if (problem is not null && !string.Equals(problem, _problem, StringComparison.Ordinal))
            {
                await Console.Error.WriteLineAsync($"emr: {problem}; it is tried again.");
            }

            _problem = problem;
            if (!progressed)
            {
                await Task.Delay(IdlePause, stopping).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
    }
}
