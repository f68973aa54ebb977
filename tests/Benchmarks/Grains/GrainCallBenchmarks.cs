using System.Diagnostics.CodeAnalysis;
using BenchmarkDotNet.Attributes;
using EmrMarket.Grains.Embedded.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Benchmarks.Grains;

/// <summary>One call and its answer, beside the same through an actor written by hand.</summary>
[MemoryDiagnoser]
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "BenchmarkDotNet calls the cleanup.")]
public class GrainCallBenchmarks
{
    private readonly EmbeddedGrainRuntime _runtime =
        new(new() { GrainAssemblies = { typeof(CounterGrain).Assembly } }, new ServiceCollection().BuildServiceProvider(),
            TimeProvider.System);

    private readonly ChannelCounter _actor = new();
    private ICounterGrain _grain = null!;

    /// <summary>Activates the grain and checks that both ways count alike.</summary>
    [GlobalSetup]
    public async Task SetupAsync()
    {
        _grain = _runtime.GetGrain<ICounterGrain>(1);
        if (await _grain.AddAsync(2) != await _actor.AddAsync(2))
        {
            throw new InvalidOperationException("The grain and the actor count differently.");
        }
    }

    /// <summary>Ends both.</summary>
    [GlobalCleanup]
    public async Task CleanupAsync()
    {
        await _runtime.DisposeAsync();
        await _actor.DisposeAsync();
    }

    /// <summary>A loop that reads a channel.</summary>
    [Benchmark(Baseline = true)]
    public Task<long> ChannelActor() => _actor.AddAsync(1);

    /// <summary>The embedded runtime.</summary>
    [Benchmark]
    public Task<long> EmbeddedGrain() => _grain.AddAsync(1);
}
