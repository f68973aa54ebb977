using EmrMarket.Grains.Embedded.Activations;
using EmrMarket.Grains.Embedded.Hosting;
using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Activations;

public sealed class ActivationTests
{
    [Fact]
    public void Reference_activates_nothing_and_its_first_call_does()
    {
        using var runtime = new TestRuntime();
        runtime.Script.OnActivate = grain => { grain.Script.Note("activated"); return Task.CompletedTask; };
        runtime.Script.Do("step", grain => { grain.Script.Note("called"); return "done"; });

        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Settle();
        Assert.Equal((0, 0), (runtime.Journal.Count, runtime.Grains.ActivationCount));

        runtime.Answer(grain.RunAsync("step"));
        Assert.Equal(["activated", "called"], runtime.Journal);
        Assert.Equal(1, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Call_waits_until_on_activate_has_ended()
    {
        using var runtime = new TestRuntime();
        var gate = new TaskCompletionSource();
        runtime.Script.OnActivate = _ => gate.Task;
        runtime.Script.Do("step", _ => "done");

        var call = runtime.Grains.GetGrain<IPlainGrain>("a").InterleaveAsync("step");
        runtime.Settle();
        Assert.False(call.IsCompleted);

        gate.SetResult();
        Assert.Equal("done", runtime.Answer(call));
    }

    [Fact]
    public async Task Concurrent_first_calls_share_one_activation()
    {
        using var runtime = new TestRuntime(configure: options => options.Turns = new EmbeddedGrainOptions().Turns);
        var activated = 0;
        runtime.Script.OnActivate = async _ =>
        {
            Interlocked.Increment(ref activated);
            await Task.Yield();
        };
        runtime.Script.Do("step", grain => $"{grain.Incarnation}");

        for (var round = 0; round < 200; round++)
        {
            using var start = new Barrier(4);
            var key = $"{round}";
            var callers = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    return runtime.Grains.GetGrain<IPlainGrain>(key).RunAsync("step");
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default).Unwrap());
            Assert.Single((await Task.WhenAll(callers)).Distinct(StringComparer.Ordinal));
        }

        Assert.Equal(200, activated);
    }

    [Fact]
    public void Failing_on_activate_reaches_every_waiting_caller_and_the_next_call_tries_again()
    {
        using var runtime = new TestRuntime();
        var attempts = 0;
        runtime.Script.OnActivate = _ => ++attempts == 1 ? throw new InvalidOperationException("not today") : Task.CompletedTask;
        runtime.Script.OnDeactivate = (grain, _) => { grain.Script.Note("deactivated"); return Task.CompletedTask; };
        runtime.Script.Do("step", _ => "done");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var first = grain.RunAsync("step");
        var second = grain.RunAsync("step");
        runtime.Settle();
        Assert.Equal("not today", Assert.Throws<InvalidOperationException>(() => runtime.Answer(first)).Message);

        // The second was in the queue of the failed activation: it met its end and goes to the next one.
        Assert.Equal("done", runtime.Answer(second));
        Assert.Equal("done", runtime.Answer(grain.RunAsync("step")));
        Assert.Equal((2, 0), (attempts, runtime.Journal.Count));
    }

    [Fact]
    public void Activation_that_takes_too_long_fails_its_callers()
    {
        using var runtime = new TestRuntime(configure: options =>
        {
            options.ActivationTimeout = TimeSpan.FromSeconds(3);
            options.ResponseTimeout = Timeout.InfiniteTimeSpan;
        });
        var never = new TaskCompletionSource();
        runtime.Script.OnActivate = _ => never.Task;

        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step");
        runtime.Advance(TimeSpan.FromSeconds(2));
        Assert.False(call.IsCompleted);
        runtime.Advance(TimeSpan.FromSeconds(1));

        Assert.ThrowsAny<OperationCanceledException>(() => runtime.Answer(call));
        Assert.Equal(0, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Throwing_constructor_reaches_the_caller()
    {
        using var runtime = new TestRuntime();

        var call = runtime.Grains.GetGrain<IFaultyConstructorGrain>("a").RunAsync();

        Assert.Equal("cannot be built", Assert.Throws<NotSupportedException>(() => runtime.Answer(call)).Message);
    }

    [Fact]
    public void Service_of_the_constructor_lives_as_long_as_the_activation()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IServedGrain>("a");
        runtime.Answer(grain.EndAsync());
        var (service, instance) = (ServedGrain.LastService!, ServedGrain.Last!);

        Assert.True(service.IsDisposed);
        Assert.True(instance.IsDisposed);
        runtime.Answer(grain.StayAsync());
        Assert.False(ServedGrain.LastService!.IsDisposed);
        Assert.NotSame(service, ServedGrain.LastService);
    }

    [Fact]
    public void Keys_of_every_kind_reach_the_grain()
    {
        using var runtime = new TestRuntime();
        var guid = Guid.Parse("00000000-0000-0000-0000-00000000002a");

        Assert.Equal("a/b", runtime.Answer(runtime.Grains.GetGrain<INamedGrain>("a/b").KeyAsync()));
        Assert.Equal("-42", runtime.Answer(runtime.Grains.GetGrain<INumberedGrain>(-42).KeyAsync()));
        Assert.Equal($"{guid}", runtime.Answer(runtime.Grains.GetGrain<IGuidGrain>(guid).KeyAsync()));
        Assert.Equal(-42, runtime.Grains.GetGrain<INumberedGrain>(-42).GetPrimaryKeyLong());
        Assert.Throws<InvalidOperationException>(() => runtime.Grains.GetGrain<INamedGrain>("x").GetPrimaryKeyLong());
        Assert.Throws<InvalidOperationException>(() => runtime.Grains.GetGrain<INamedGrain>("x").GetPrimaryKey());
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData(null)]
    public void Blank_key_is_refused(string? key)
    {
        using var runtime = new TestRuntime();

        Assert.ThrowsAny<ArgumentException>(() => runtime.Grains.GetGrain<INamedGrain>(key!));
    }

    [Fact]
    public void Interface_without_a_class_and_with_several_is_refused_by_name()
    {
        using var runtime = new TestRuntime();

        var none = Assert.Throws<ArgumentException>(() => runtime.Grains.GetGrain<IOrphanGrain>("a"));
        Assert.Contains(nameof(IOrphanGrain), none.Message, StringComparison.Ordinal);
        var several = Assert.Throws<ArgumentException>(() => runtime.Grains.GetGrain<IScripted>("a"));
        Assert.Contains(nameof(PlainGrain), several.Message, StringComparison.Ordinal);
        runtime.Script.Do("step", grain => grain.GetType().Name);
        var prefix = typeof(KeptGrain).FullName!;
        Assert.Equal(nameof(KeptGrain), runtime.Answer(runtime.Grains.GetGrain<IScripted>("a", prefix).RunAsync("step")));
    }

    [Fact]
    public void Grain_made_with_new_says_so_when_it_needs_the_runtime()
    {
        var grain = new PlainGrain(new Script());

        var fault = Assert.Throws<InvalidOperationException>(() => grain.GetPrimaryKeyString());
        Assert.Contains("IGrainFactory", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Class_that_cannot_be_activated_is_refused_by_name()
    {
        Assert.Contains(nameof(TwoConstructorsGrain<int>), Refusal(typeof(TwoConstructorsGrain<int>)), StringComparison.Ordinal);
        Assert.Contains("Nowhere", Refusal(typeof(NoPredicateGrain<int>)), StringComparison.Ordinal);
        Assert.Contains("IPersistentState<T>", Refusal(typeof(StateOfWrongTypeGrain<int>)), StringComparison.Ordinal);

        static string Refusal(Type type) => Assert.Throws<NotSupportedException>(() => GrainShape.Of(type)).Message;
    }

    [Theory]
    [InlineData(typeof(PlainGrain), "plain")]
    [InlineData(typeof(RenamedGrain), "old-name")]
    public void Class_is_known_by_its_grain_type_or_its_name(Type type, string name) => Assert.Equal(name, GrainShape.Of(type).Name);
}

internal interface IOrphanGrain : IGrainWithStringKey;

internal interface INamedGrain : IGrainWithStringKey
{
    Task<string> KeyAsync();
}

internal interface INumberedGrain : IGrainWithIntegerKey
{
    Task<string> KeyAsync();
}

internal interface IGuidGrain : IGrainWithGuidKey
{
    Task<string> KeyAsync();
}

internal interface IFaultyConstructorGrain : IGrainWithStringKey
{
    Task RunAsync();
}

internal interface IServedGrain : IGrainWithStringKey
{
    Task EndAsync();

    Task StayAsync();
}

[GrainType("old-name")]
internal sealed class RenamedGrain : Grain, INamedGrain
{
    public Task<string> KeyAsync() => Task.FromResult(this.GetPrimaryKeyString());
}

internal sealed class NumberedGrain : Grain, INumberedGrain
{
    public Task<string> KeyAsync() => Task.FromResult($"{this.GetPrimaryKeyLong()}");
}

internal sealed class GuidGrain : Grain, IGuidGrain
{
    public Task<string> KeyAsync() => Task.FromResult($"{this.GetPrimaryKey()}");
}

internal sealed class FaultyConstructorGrain : Grain, IFaultyConstructorGrain
{
    public FaultyConstructorGrain() => throw new NotSupportedException("cannot be built");

    public Task RunAsync() => Task.CompletedTask;
}

internal sealed class ServedGrain : Grain, IServedGrain, IDisposable
{
    public ServedGrain(ScopedService service)
    {
        LastService = service;
        Last = this;
    }

    internal static ScopedService? LastService { get; private set; }

    internal static ServedGrain? Last { get; private set; }

    internal bool IsDisposed { get; private set; }

    public Task EndAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public Task StayAsync() => Task.CompletedTask;

    public void Dispose() => IsDisposed = true;
}

// Generic, so that no runtime finds them among this assembly's grain classes.
internal sealed class TwoConstructorsGrain<T> : Grain
{
    public TwoConstructorsGrain()
    {
    }

    public TwoConstructorsGrain(T value) => _ = value;
}

[Orleans.Concurrency.MayInterleave("Nowhere")]
internal sealed class NoPredicateGrain<T> : Grain
{
    public static T? Value { get; }
}

internal sealed class StateOfWrongTypeGrain<T> : Grain
{
    public StateOfWrongTypeGrain([PersistentState("state")] List<T> state) => _ = state;
}
