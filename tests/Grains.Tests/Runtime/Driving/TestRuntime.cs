using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Embedded.State;
using Microsoft.Extensions.DependencyInjection;

namespace EmrMarket.Grains.Tests.Runtime.Driving;

/// <summary>A runtime of the grains of this assembly whose turns and time the test drives.</summary>
internal sealed class TestRuntime : IDisposable
{
    private readonly ServiceProvider _services;

    internal TestRuntime(int? seed = null, IGrainStateStore? store = null, FakeClock? clock = null,
        Action<EmbeddedGrainOptions>? configure = null)
    {
        Clock = clock ?? new();
        Turns = new(seed);
        Store = store ?? new MemoryGrainStateStore();
        _services = new ServiceCollection().AddSingleton(Script).AddScoped<ScopedService>().BuildServiceProvider();
        var options = new EmbeddedGrainOptions
        {
            GrainAssemblies = { typeof(TestRuntime).Assembly },
            StateStores = { [EmbeddedGrainOptions.DefaultStore] = _ => Store, ["second"] = _ => SecondStore },
            Turns = Turns,
        };
        configure?.Invoke(options);
        Grains = new EmbeddedGrainRuntime(options, _services, Clock);
    }

    internal FakeClock Clock { get; }

    internal SteppedTurns Turns { get; }

    internal IGrainStateStore Store { get; }

    internal MemoryGrainStateStore SecondStore { get; } = new();

    internal Script Script { get; } = new();

    internal EmbeddedGrainRuntime Grains { get; }

    internal IReadOnlyList<string> Journal => Script.Journal;

    /// <summary>Runs every turn that can run.</summary>
    internal void Settle() => Turns.RunAll();

    internal void Advance(TimeSpan time) => Clock.Advance(time, Settle);

    /// <summary>Runs turns until none is left, then tells the answer.</summary>
    internal T Answer<T>(Task<T> call)
    {
        Settle();
        Assert.True(call.IsCompleted, "The call waits although no turn is left.");
        return call.GetAwaiter().GetResult();
    }

    internal void Answer(Task call)
    {
        Settle();
        Assert.True(call.IsCompleted, "The call waits although no turn is left.");
        call.GetAwaiter().GetResult();
    }

    /// <summary>Runs turns until none is left, then tells the answers.</summary>
    internal IReadOnlyList<T> Answers<T>(IReadOnlyList<Task<T>> calls)
    {
        Settle();
        return [.. calls.Select(Answer)];
    }

    public void Dispose()
    {
        Grains.Kill();
        _services.Dispose();
    }
}

/// <summary>A service with the lifetime of an activation.</summary>
internal sealed class ScopedService : IDisposable
{
    internal bool IsDisposed { get; private set; }

    public void Dispose() => IsDisposed = true;
}
