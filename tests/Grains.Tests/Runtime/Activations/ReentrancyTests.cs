using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Activations;

public sealed class ReentrancyTests
{
    [Fact]
    public void Reentrant_grain_begins_a_call_while_another_awaits()
    {
        using var runtime = new TestRuntime();
        var gate = runtime.Script.Gated("first");
        runtime.Script.Do("second", _ => "second");
        var grain = runtime.Grains.GetGrain<IReentrantGrain>("a");

        var first = grain.RunAsync("first");
        Assert.Equal("second", runtime.Answer(grain.RunAsync("second")));
        Assert.False(first.IsCompleted);

        gate.SetResult();
        Assert.Equal("first", runtime.Answer(first));
    }

    [Fact]
    public void Always_interleaved_method_runs_beside_a_call_that_awaits()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Gated("first");
        runtime.Script.Do("second", _ => "second");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var first = grain.RunAsync("first");

        Assert.Equal("second", runtime.Answer(grain.InterleaveAsync("second")));
        Assert.False(first.IsCompleted);
    }

    [Fact]
    public void Plain_call_begins_while_only_always_interleaved_ones_run()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Gated("first");
        runtime.Script.Do("second", _ => "second");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        _ = grain.InterleaveAsync("first");

        Assert.Equal("second", runtime.Answer(grain.RunAsync("second")));
    }

    [Fact]
    public void Read_only_calls_run_beside_each_other()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Gated("first");
        runtime.Script.Do("second", _ => "second");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        _ = grain.ReadAsync("first");

        Assert.Equal("second", runtime.Answer(grain.ReadAsync("second")));
    }

    [Fact]
    public void Writing_call_waits_for_every_read_only_one()
    {
        using var runtime = new TestRuntime();
        var first = runtime.Script.Gated("first");
        var second = runtime.Script.Gated("second");
        runtime.Script.Do("write", _ => "written");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        _ = grain.ReadAsync("first");
        _ = grain.ReadAsync("second");
        var write = grain.RunAsync("write");
        first.SetResult();
        runtime.Settle();
        Assert.False(write.IsCompleted);

        second.SetResult();
        Assert.Equal("written", runtime.Answer(write));
    }

    [Fact]
    public void Read_only_call_waits_for_a_writing_one()
    {
        using var runtime = new TestRuntime();
        var gate = runtime.Script.Gated("write");
        runtime.Script.Do("read", _ => "read");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        _ = grain.RunAsync("write");
        var read = grain.ReadAsync("read");
        runtime.Settle();
        Assert.False(read.IsCompleted);

        gate.SetResult();
        Assert.Equal("read", runtime.Answer(read));
    }

    [Fact]
    public void May_interleave_predicate_admits_the_calls_that_it_accepts_and_no_other()
    {
        using var runtime = new TestRuntime();
        var gate = runtime.Script.Gated("rude");
        runtime.Script.Do("polite", _ => "polite");
        runtime.Script.Do("other", _ => "other");
        var grain = runtime.Grains.GetGrain<IChoosyGrain>("a");

        _ = grain.RunAsync("rude");
        var other = grain.RunAsync("other");
        Assert.Equal("polite", runtime.Answer(grain.RunAsync("polite")));
        Assert.False(other.IsCompleted);

        gate.SetResult();
        Assert.Equal("other", runtime.Answer(other));
    }

    [Fact]
    public void Any_call_runs_beside_one_that_the_predicate_accepts()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Gated("polite");
        runtime.Script.Do("other", _ => "other");
        var grain = runtime.Grains.GetGrain<IChoosyGrain>("a");

        _ = grain.RunAsync("polite");

        Assert.Equal("other", runtime.Answer(grain.RunAsync("other")));
    }

    [Fact]
    public void Grain_that_calls_itself_times_out_unless_it_is_reentrant()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("inner", _ => "inner");
        runtime.Script["outer"] = (grain, _) => grain.AsReference<IReentrantGrain>().RunAsync("inner");
        runtime.Script["outer of plain"] = (grain, _) => grain.AsReference<IPlainGrain>().RunAsync("inner");

        Assert.Equal("inner", runtime.Answer(runtime.Grains.GetGrain<IReentrantGrain>("a").RunAsync("outer")));
        var plain = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("outer of plain");
        runtime.Settle();
        Assert.False(plain.IsCompleted);
        runtime.Advance(TimeSpan.FromSeconds(30));
        Assert.Throws<TimeoutException>(() => runtime.Answer(plain));
    }

    [Fact]
    public void Cycle_of_calls_between_two_grains_ends_in_a_timeout_and_leaves_both_usable()
    {
        using var runtime = new TestRuntime();
        runtime.Script["ping"] = (grain, _) => grain.Factory.GetGrain<IPlainGrain>("b").RunAsync("pong");
        runtime.Script["pong"] = (grain, _) => grain.Factory.GetGrain<IPlainGrain>("a").RunAsync("end");
        runtime.Script.Do("end", _ => "end");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var cycle = grain.RunAsync("ping");
        runtime.Settle();
        Assert.False(cycle.IsCompleted);
        runtime.Advance(TimeSpan.FromSeconds(30));

        var fault = Assert.Throws<TimeoutException>(() => runtime.Answer(cycle));
        Assert.Contains("RunAsync", fault.Message, StringComparison.Ordinal);
        Assert.Equal("end", runtime.Answer(grain.RunAsync("end")));
        Assert.Equal("end", runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("b").RunAsync("end")));
    }
}
