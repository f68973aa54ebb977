using System.Diagnostics;
using EmrMarket.Grains.Abstractions;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Telemetry.Logs;
using EmrMarket.Silos.Telemetry.Metrics;
using EmrMarket.Silos.Telemetry.Traces;

namespace EmrMarket.Silos.Roles;

/// <summary>A role cannot go on until somebody does something; the message says what, and quotes nothing that does not belong into a
/// log.</summary>
internal sealed class RoleProblemException(string message) : Exception(message);

/// <summary>Tells a role to go on, at once while something happens and once a second otherwise. A failure is noted and tried again; only
/// the loss of its store ends a role.</summary>
/// <param name="name">What it is called in sentences.</param>
/// <param name="role">What it is called where it is counted.</param>
/// <param name="log">Where it is said that it waits, fails or goes on.</param>
/// <param name="advance">One pass.</param>
internal sealed class RoleLoop(string name, string role, ILogger log, Func<Task<Advance>> advance)
{
    private static readonly TimeSpan IdlePause = TimeSpan.FromSeconds(1);

    private volatile string? _problem = "the first pass is not over";

    /// <summary>What went wrong in the last pass; null when the role went on.</summary>
    public string? Problem => _problem is { } problem ? $"{name}: {problem}" : null;

    /// <summary>Goes on until it is told to stop.</summary>
    /// <exception cref="StoreLostException">Another process has taken the role's store.</exception>
    public async Task RunAsync(CancellationToken stopping)
    {
        SilosMeter.Begins(role);
        while (!stopping.IsCancellationRequested)
        {
            bool progressed = false;
            string? problem = null;
            string trace = "", fault = "";
            long began = Stopwatch.GetTimestamp();
            using Activity? span = Spans.Begin("pass of " + role);
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
                (fault, trace) = (e.GetBaseException().GetType().Name, e.GetBaseException().StackTrace ?? "");
                problem = $"the last pass failed with {fault} and is tried again";
                SilosMeter.PassFailed(role, e);
            }

            if (!string.Equals(problem, _problem, StringComparison.Ordinal))
            {
                Say(problem, fault, trace);
            }

            span?.SetStatus(problem is null ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
            span?.Dispose();
            SilosMeter.Passed(role, Stopwatch.GetElapsedTime(began), problem is null);
            _problem = problem;
            if (!progressed)
            {
                await Task.Delay(IdlePause, stopping)
                    .ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
    }

    private void Say(string? problem, string fault, string trace)
    {
        if (problem is null)
        {
            log.RoleGoesOn(name);
        }
        else if (fault.Length > 0)
        {
            log.PassFailed(name, fault, trace);
        }
        else
        {
            log.RoleWaits(name, problem);
        }
    }
}
