using EmrMarket.Grains.Abstractions;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Roles;

/// <summary>A role cannot go on until somebody does something; the message says what, and quotes nothing that does not belong into a
/// log.</summary>
internal sealed class RoleProblemException(string message) : Exception(message);

/// <summary>Tells a role to go on, at once while something happens and once a second otherwise. A failure is noted and tried again; only
/// the loss of its store ends a role.</summary>
internal sealed class RoleLoop(string name, Func<Task<Advance>> advance)
{
    private static readonly TimeSpan IdlePause = TimeSpan.FromSeconds(1);

    private volatile string? _problem = "the first pass is not over";

    /// <summary>What went wrong in the last pass; null when the role went on.</summary>
    public string? Problem => _problem is { } problem ? $"{name}: {problem}" : null;

    /// <summary>Goes on until it is told to stop.</summary>
    /// <exception cref="StoreLostException">Another process has taken the role's store.</exception>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            bool progressed = false;
            string? problem = null;
            try
            {
                progressed = (await advance()).Progressed;
            }
            catch (RoleProblemException e)
            {
                problem = e.Message;
            }
            catch (Exception e) when (e is not (OutOfMemoryException or StoreLostException))
            {
                // Its message may quote what does not belong into a log: the type tells where to look.
                problem = $"the last pass failed with {e.GetBaseException().GetType().Name} and is tried again";
            }

            if (problem is not null && !string.Equals(problem, _problem, StringComparison.Ordinal))
            {
                await Console.Error.WriteLineAsync($"emr: {name}: {problem}.");
            }

            _problem = problem;
            if (!progressed)
            {
                await Task.Delay(IdlePause, stopping)
                    .ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
    }
}
