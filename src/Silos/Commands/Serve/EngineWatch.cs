using EmrMarket.Contracts.DevChain;
using EmrMarket.Silos.Telemetry.Logs;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>
/// Looks after the embedded engines while their process works. One that dies is started again by its supervisor, which is said; when that
/// fails for good, nothing that needs it can go on, so the work is ended and the loss is the outcome.
/// </summary>
internal static class EngineWatch
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    /// <summary>Does work until it ends or an engine is lost.</summary>
    /// <param name="engines">The engines: what each is called, a task that fails when it is lost, and how often it was started
    /// again.</param>
    /// <param name="log">Where it is said.</param>
    /// <param name="work">The work; its token asks it to end.</param>
    /// <param name="cancellationToken">Asks it to end.</param>
    /// <exception cref="ProcessFailedException">An engine is lost.</exception>
    public static async Task<int> RunAsync(IReadOnlyList<(string Name, Task Completion, Func<int> Restarts)> engines, ILogger log,
        Func<CancellationToken, Task<int>> work, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using CancellationTokenSource over = new();
        Task<int> working = work(stopping.Token);
        Task looking = LookAsync(engines, log, over.Token);
        Task? lost = null;
        if (engines.Count > 0)
        {
            Task first = await Task.WhenAny(engines.Select(engine => engine.Completion).Append(working));
            if (first != working && first.IsFaulted)
            {
                lost = first;
                log.EngineLost(engines.First(engine => engine.Completion == first).Name);
                await stopping.CancelAsync();
            }
        }

        try
        {
            int code = await working;
            await (lost ?? Task.CompletedTask);
            return code;
        }
        catch when (lost is not null)
        {
            // Whatever the work met without its engine, the loss is what explains it.
            await lost;
            throw;
        }
        finally
        {
            await over.CancelAsync();
            await looking;
        }
    }

    private static async Task LookAsync(
        IReadOnlyList<(string Name, Task Completion, Func<int> Restarts)> engines, ILogger log, CancellationToken cancellationToken)
    {
        int[] known = new int[engines.Count];
        using PeriodicTimer timer = new(Look);
        try
        {
            while (engines.Count > 0 && await timer.WaitForNextTickAsync(cancellationToken))
            {
                for (int i = 0; i < known.Length; i++)
                {
                    int restarts = engines[i].Restarts();
                    if (restarts > known[i])
                    {
                        log.EngineRestarted(engines[i].Name, restarts);
                        known[i] = restarts;
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The work is over.
        }
    }
}
