using System.Diagnostics;
using System.Globalization;
using EmrMarket.Grains.Embedded.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Benchmarks.Grains;

/// <summary>
/// Calls per second in one process, one at a time and with several in flight, beside an actor written by hand; and what activations cost.
/// Every run checks its sums, so that a call that was lost or run twice shows.
/// </summary>
public static class GrainBench
{
    private const int Calls = 400_000;
    private const int Activations = 200_000;
    private const int Rounds = 3;

    /// <summary>Measures and prints the table.</summary>
    public static async Task RunAsync(TextWriter output)
    {
        await output.WriteLineAsync("grains: calls per second, best of 3                    embedded   channel actor   ratio");
        foreach (var (callers, inFlight) in new[] { (1, 1), (4, 1), (1, 100), (4, 100) })
        {
            var grain = await BestAsync(() => CallsPerSecondAsync(callers, inFlight, OnGrainsAsync));
            var actor = await BestAsync(() => CallsPerSecondAsync(callers, inFlight, OnChannelsAsync));
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"  {callers} callers, {inFlight,3} in flight each, a target each        {grain,12:N0}   {actor,13:N0}   "
                    + $"{grain / actor,5:F2}"));
        }

        var (time, megabytes) = await ActivateAsync();
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"  {Activations:N0} activations, one call each: {time.TotalSeconds:F2} s, {megabytes:F0} MB"));
    }

    /// <summary>Calls per second of callers that each keep some calls to a target of their own in flight.</summary>
    private static async Task<double> CallsPerSecondAsync(
        int callers, int inFlight, Func<int, Func<Func<long, Task<long>>[], Task>, Task> with)
    {
        var elapsed = TimeSpan.Zero;
        await with(callers, async targets =>
        {
            var clock = Stopwatch.StartNew();
            await Task.WhenAll(targets.SelectMany(target => Enumerable.Range(0, inFlight).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < Calls / (callers * inFlight); i++)
                {
                    await target(1);
                }
            }))));
            elapsed = clock.Elapsed;
            var sums = await Task.WhenAll(targets.Select(target => target(0)));
            var expected = (long)(Calls / (callers * inFlight)) * inFlight;
            if (Array.Exists(sums, sum => sum != expected))
            {
                throw new InvalidOperationException(
                    $"Calls were lost or run twice: sums {string.Join(", ", sums)}, expected {expected} each.");
            }
        });
        return Calls / elapsed.TotalSeconds;
    }

    private static async Task OnGrainsAsync(int callers, Func<Func<long, Task<long>>[], Task> use)
    {
        await using var runtime = Runtime();
        await use([.. Enumerable.Range(0, callers).Select(key => (Func<long, Task<long>>)runtime.GetGrain<ICounterGrain>(key).AddAsync)]);
    }

    private static async Task OnChannelsAsync(int callers, Func<Func<long, Task<long>>[], Task> use)
    {
        var actors = Enumerable.Range(0, callers).Select(_ => new ChannelCounter()).ToArray();
        await use([.. actors.Select(actor => (Func<long, Task<long>>)actor.AddAsync)]);
        foreach (var actor in actors)
        {
            await actor.DisposeAsync();
        }
    }

    private static async Task<(TimeSpan Time, double Megabytes)> ActivateAsync()
    {
        await using var runtime = Runtime();
        await runtime.GetGrain<ICounterGrain>(-1).AddAsync(1);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var clock = Stopwatch.StartNew();
        var calls = new Task<long>[Activations];
        for (var key = 0; key < Activations; key++)
        {
            calls[key] = runtime.GetGrain<ICounterGrain>(key).AddAsync(key);
        }

        var sums = await Task.WhenAll(calls);
        var elapsed = clock.Elapsed;
        if (runtime.ActivationCount != Activations + 1 || sums.Where((sum, key) => sum != key).Any())
        {
            throw new InvalidOperationException("Not every grain was activated once and answered.");
        }

        calls = [];
        return (elapsed, (GC.GetTotalMemory(forceFullCollection: true) - before) / 1e6);
    }

    private static EmbeddedGrainRuntime Runtime() =>
        new(new() { GrainAssemblies = { typeof(CounterGrain).Assembly } }, new ServiceCollection().BuildServiceProvider(),
            TimeProvider.System);

    private static async Task<double> BestAsync(Func<Task<double>> measure)
    {
        var best = 0.0;
        for (var round = 0; round < Rounds; round++)
        {
            best = Math.Max(best, await measure());
        }

        return best;
    }
}
