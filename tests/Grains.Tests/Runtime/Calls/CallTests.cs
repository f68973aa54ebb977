using EmrMarket.Grains.Embedded.Calls;
using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Calls;

public sealed class CallTests
{
    [Fact]
    public void Value_tasks_answer_like_tasks()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        runtime.Answer(grain.TouchAsync().AsTask());
        Assert.Equal(2, runtime.Answer(grain.CountAsync().AsTask()));
    }

    [Fact]
    public void Arguments_of_every_number_arrive_in_their_places()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IManyArgumentsGrain>(1);

        Assert.Equal("1 2 3 4 5 6 7", runtime.Answer(grain.SevenAsync(1, "2", 3.0, '4', 5L, 6m, 7)));
        Assert.Equal("1 2", runtime.Answer(grain.TwoAsync(1, "2")));
        Assert.Equal(" ", runtime.Answer(grain.TwoAsync(null, null)));
    }

    [Fact]
    public void Exception_reaches_the_caller_as_its_type_with_its_message_and_where_it_was_thrown()
    {
        using var runtime = new TestRuntime();
        runtime.Script["throw at once"] = (_, token) => throw new ArgumentException("at once", nameof(token));
        runtime.Script["throw later"] = async (_, _) =>
        {
            await Task.Yield();
            throw new KeyNotFoundException("later");
        };
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var first = Assert.Throws<ArgumentException>(() => runtime.Answer(grain.RunAsync("throw at once")));
        Assert.Equal("token", first.ParamName);
        Assert.Contains(nameof(CallTests), first.StackTrace, StringComparison.Ordinal);
        Assert.Equal("later", Assert.Throws<KeyNotFoundException>(() => runtime.Answer(grain.RunAsync("throw later"))).Message);
    }

    [Fact]
    public void Exception_passes_through_a_chain_of_grains()
    {
        using var runtime = new TestRuntime();
        runtime.Script["outer"] = (grain, _) => grain.Factory.GetGrain<IPlainGrain>("b").RunAsync("inner");
        runtime.Script["inner"] = (_, _) => throw new FormatException("inner");

        Assert.Throws<FormatException>(() => runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("outer")));
    }

    [Fact]
    public void Null_instead_of_a_task_is_a_fault_of_the_call()
    {
        using var runtime = new TestRuntime();
        Task<string>? nothing = null;
        runtime.Script["null"] = (_, _) => nothing!;

        var fault = Assert.Throws<InvalidOperationException>(
            () => runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("null")));
        Assert.Contains("RunAsync", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_way_call_returns_before_the_grain_has_run_and_swallows_its_fault()
    {
        using var runtime = new TestRuntime();
        runtime.Script["fail"] = (grain, _) =>
        {
            grain.Script.Note("ran");
            throw new InvalidOperationException("nobody hears it");
        };
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var call = grain.NotifyAsync("fail");
        Assert.True(call.IsCompletedSuccessfully);
        Assert.Empty(runtime.Journal);
        runtime.Settle();

        Assert.Equal(["ran"], runtime.Journal);
    }

    [Fact]
    public void Unanswered_call_times_out_by_the_default_and_by_its_own_attribute()
    {
        using var runtime = new TestRuntime(configure: options => options.ResponseTimeout = TimeSpan.FromSeconds(20));
        runtime.Script.Gated("slow");
        var plain = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("slow");
        var quick = runtime.Grains.GetGrain<IPlainGrain>("b").RunWithinFiveSecondsAsync("slow");

        runtime.Advance(TimeSpan.FromSeconds(4.999));
        Assert.False(quick.IsCompleted);
        runtime.Advance(TimeSpan.FromSeconds(0.001));
        Assert.Throws<TimeoutException>(() => runtime.Answer(quick));
        runtime.Advance(TimeSpan.FromSeconds(14.999));
        Assert.False(plain.IsCompleted);
        runtime.Advance(TimeSpan.FromSeconds(0.001));
        Assert.Throws<TimeoutException>(() => runtime.Answer(plain));
    }

    [Fact]
    public void Timeout_tells_whether_the_call_had_begun_and_one_that_had_not_never_does()
    {
        using var runtime = new TestRuntime();
        var gate = runtime.Script.Gated("slow");
        runtime.Script.Do("waiting", grain => { grain.Script.Note("ran"); return ""; });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        var running = grain.RunAsync("slow");
        var waiting = grain.RunAsync("waiting");

        runtime.Advance(TimeSpan.FromSeconds(30));
        Assert.Contains("has begun", Assert.Throws<TimeoutException>(() => runtime.Answer(running)).Message, StringComparison.Ordinal);
        Assert.Contains("has not begun", Assert.Throws<TimeoutException>(() => runtime.Answer(waiting)).Message, StringComparison.Ordinal);

        gate.SetResult();
        runtime.Settle();
        Assert.Equal(["slow begins", "slow ends"], runtime.Journal);
    }

    [Fact]
    public void Answer_in_time_stops_the_clock()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("step", _ => "done");
        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step");

        Assert.Equal("done", runtime.Answer(call));
        runtime.Advance(TimeSpan.FromMinutes(2));
        Assert.True(call.IsCompletedSuccessfully);
    }

    [Fact]
    public void References_are_equal_by_grain_and_can_be_passed_on()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<ICollectingGrain>("a");
        var other = runtime.Grains.GetGrain<ICollectingGrain>("b");

        Assert.Equal(grain, runtime.Grains.GetGrain<ICollectingGrain>("a"));
        Assert.NotEqual(grain, other);
        Assert.Equal("b", runtime.Answer(grain.NameOfAsync(other)));
        Assert.Equal("a", runtime.Answer(grain.NameOfItselfThroughAsync(other)));
        Assert.Equal(other, runtime.Answer(grain.BackAsync(other)));
    }

    [Fact]
    public void Grain_passed_as_itself_is_refused_with_the_way_to_do_it()
    {
        using var runtime = new TestRuntime();

        var fault = Assert.Throws<Orleans.Serialization.CodecNotFoundException>(
            () => runtime.Answer(
                runtime.Grains.GetGrain<ICollectingGrain>("a").PassItselfAsync(runtime.Grains.GetGrain<ICollectingGrain>("b"))));
        Assert.Contains("AsReference", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(IGenericMethod), "generic")]
    [InlineData(typeof(IByReference), "reference")]
    [InlineData(typeof(IEightParameters), "8 parameters")]
    [InlineData(typeof(IReturnsValue), "System.Int32")]
    public void Interface_that_could_not_be_called_is_refused_by_member(Type type, string reason)
    {
        var fault = Assert.Throws<NotSupportedException>(() => ProxyFactory.For(type));

        Assert.Contains(type.Name, fault.Message, StringComparison.Ordinal);
        Assert.Contains(reason, fault.Message, StringComparison.Ordinal);
    }

    internal interface IGenericMethod : IGrainWithStringKey
    {
        Task DoAsync<T>(T value);
    }

    internal interface IByReference : IGrainWithStringKey
    {
        Task DoAsync(ref int value);
    }

    internal interface IEightParameters : IGrainWithStringKey
    {
        Task DoAsync(int a, int b, int c, int d, int e, int f, int g, int h);
    }

    internal interface IReturnsValue : IGrainWithStringKey
    {
        int Do();
    }
}

internal interface IManyArgumentsGrain : IGrainWithIntegerKey
{
    Task<string> TwoAsync(int? first, string? second);

    Task<string> SevenAsync(int first, string second, double third, char fourth, long fifth, decimal sixth, byte seventh);
}

internal sealed class ManyArgumentsGrain : Grain, IManyArgumentsGrain
{
    public Task<string> TwoAsync(int? first, string? second) => Task.FromResult($"{first} {second}");

    public Task<string> SevenAsync(int first, string second, double third, char fourth, long fifth, decimal sixth, byte seventh) =>
        Task.FromResult(FormattableString.Invariant($"{first} {second} {third} {fourth} {fifth} {sixth} {seventh}"));
}

internal interface ICollectingGrain : IGrainWithStringKey
{
    Task<string> NameAsync();

    Task<string> NameOfAsync(ICollectingGrain other);

    Task<string> NameOfItselfThroughAsync(ICollectingGrain other);

    Task<ICollectingGrain> BackAsync(ICollectingGrain other);

    Task PassItselfAsync(ICollectingGrain other);
}

internal sealed class CollectingGrain : Grain, ICollectingGrain
{
    public Task<string> NameAsync() => Task.FromResult(this.GetPrimaryKeyString());

    public Task<string> NameOfAsync(ICollectingGrain other) => other.NameAsync();

    // The name is asked of a reference, which needs no turn of this grain.
    public async Task<string> NameOfItselfThroughAsync(ICollectingGrain other) =>
        (await other.BackAsync(this.AsReference<ICollectingGrain>())).GetPrimaryKeyString();

    public Task<ICollectingGrain> BackAsync(ICollectingGrain other) => Task.FromResult(other);

    public Task PassItselfAsync(ICollectingGrain other) => other.BackAsync(this);
}
