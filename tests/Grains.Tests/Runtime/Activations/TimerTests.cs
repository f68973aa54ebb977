using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Activations;

public sealed class TimerTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Timer_ticks_at_its_due_time_and_then_one_period_after_the_end_of_each_tick()
    {
        using var runtime = new TestRuntime();
        Start(runtime, 3 * Second, 5 * Second, (grain, _) => { grain.Script.Note("tick"); return Task.CompletedTask; });

        runtime.Advance(2 * Second);
        Assert.Empty(runtime.Journal);
        runtime.Advance(Second);
        Assert.Single(runtime.Journal);
        runtime.Advance(4 * Second);
        Assert.Single(runtime.Journal);
        runtime.Advance(11 * Second);
        Assert.Equal(4, runtime.Journal.Count);
    }

    [Fact]
    public void Tick_waits_for_a_running_call_and_a_call_for_a_running_tick()
    {
        using var runtime = new TestRuntime();
        var call = runtime.Script.Gated("call");
        var tick = runtime.Script.Gated("tick");
        Start(runtime, Second, Timeout.InfiniteTimeSpan, (grain, token) => grain.Script["tick"](grain, token));
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var first = grain.RunAsync("call");
        runtime.Advance(Second);
        Assert.Equal(["call begins"], runtime.Journal);

        call.SetResult();
        runtime.Answer(first);
        var second = grain.RunAsync("call");
        runtime.Settle();
        Assert.Equal(["call begins", "call ends", "tick begins"], runtime.Journal);

        tick.SetResult();
        runtime.Answer(second);
        Assert.Equal(["call begins", "call ends", "tick begins", "tick ends", "call begins", "call ends"], runtime.Journal);
    }

    [Fact]
    public void Interleaving_timer_ticks_while_a_call_awaits()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Gated("call");
        runtime.Script.Do("start", grain =>
        {
            grain.RegisterGrainTimer(
                _ => { grain.Script.Note("tick"); return Task.CompletedTask; },
                new GrainTimerCreationOptions { DueTime = Second, Period = Timeout.InfiniteTimeSpan, Interleave = true });
            return "";
        });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Answer(grain.RunAsync("start"));

        _ = grain.RunAsync("call");
        runtime.Advance(Second);

        Assert.Equal(["call begins", "tick"], runtime.Journal);
    }

    [Fact]
    public void Ticks_do_not_overlap_when_one_takes_longer_than_the_period()
    {
        using var runtime = new TestRuntime();
        var gate = runtime.Script.Gated("tick");
        Start(runtime, Second, Second, (grain, token) => grain.Script["tick"](grain, token));

        runtime.Advance(60 * Second);
        Assert.Equal(["tick begins"], runtime.Journal);
        gate.SetResult();
        runtime.Settle();
        Assert.Equal(["tick begins", "tick ends"], runtime.Journal);
        runtime.Advance(Second);
        Assert.Equal(4, runtime.Journal.Count);
    }

    [Fact]
    public void Failing_tick_is_followed_by_the_next()
    {
        using var runtime = new TestRuntime();
        Start(runtime, Second, Second, (grain, _) =>
        {
            grain.Script.Note("tick");
            throw new InvalidOperationException("tick fails");
        });

        runtime.Advance(3 * Second);

        Assert.Equal(3, runtime.Journal.Count);
    }

    [Fact]
    public void Disposed_timer_does_not_tick_again_and_its_token_is_cancelled()
    {
        using var runtime = new TestRuntime();
        IGrainTimer? timer = null;
        CancellationToken token = default;
        runtime.Script.Do("start", grain =>
        {
            timer = grain.RegisterGrainTimer(
                given =>
                {
                    token = given;
                    grain.Script.Note("tick");
                    return Task.CompletedTask;
                },
                Second,
                Second);
            return "";
        });
        runtime.Script.Do("stop", _ => { timer!.Dispose(); return ""; });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Answer(grain.RunAsync("start"));
        runtime.Advance(2 * Second);

        runtime.Answer(grain.RunAsync("stop"));
        runtime.Advance(10 * Second);

        Assert.Equal(2, runtime.Journal.Count);
        Assert.True(token.IsCancellationRequested);
    }

    [Fact]
    public void Change_sets_the_next_tick_and_during_a_tick_takes_effect_at_its_end()
    {
        using var runtime = new TestRuntime();
        IGrainTimer? timer = null;
        var start = runtime.Clock.GetUtcNow();
        runtime.Script.Do("start", grain =>
        {
            timer = grain.RegisterGrainTimer(
                () =>
                {
                    grain.Script.Note($"{(runtime.Clock.GetUtcNow() - start).TotalSeconds}");
                    if (grain.Script.Journal.Count == 1)
                    {
                        timer!.Change(10 * Second, 2 * Second);
                    }

                    return Task.CompletedTask;
                },
                5 * Second,
                Second);
            return "";
        });
        runtime.Script.Do("sooner", _ => { timer!.Change(Second, Timeout.InfiniteTimeSpan); return ""; });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Answer(grain.RunAsync("start"));

        runtime.Advance(20 * Second);
        Assert.Equal(["5", "15", "17", "19"], runtime.Journal);
        runtime.Answer(grain.RunAsync("sooner"));
        runtime.Advance(20 * Second);
        Assert.Equal(["5", "15", "17", "19", "21"], runtime.Journal);
    }

    [Fact]
    public void Timer_ends_with_its_activation()
    {
        using var runtime = new TestRuntime();
        Start(runtime, Second, Second, (grain, _) => { grain.Script.Note("tick"); return Task.CompletedTask; });
        runtime.Script.Do("end", grain => { grain.EndWhenIdle(); return ""; });
        runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("end"));

        runtime.Advance(60 * Second);

        Assert.Empty(runtime.Journal);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void Tick_counts_as_use_only_when_asked(bool keepAlive, int activations)
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("start", grain =>
        {
            grain.RegisterGrainTimer(
                _ => Task.CompletedTask, new GrainTimerCreationOptions { DueTime = Second, Period = Second, KeepAlive = keepAlive });
            return "";
        });
        runtime.Answer(runtime.Grains.GetGrain<IShortLivedGrain>("a").RunAsync("start"));

        runtime.Advance(TimeSpan.FromMinutes(10));

        Assert.Equal(activations, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Timer_may_be_started_in_on_activate_and_ticks_after_it()
    {
        using var runtime = new TestRuntime();
        var gate = new TaskCompletionSource();
        runtime.Script.OnActivate = async grain =>
        {
            grain.RegisterGrainTimer(
                () => { grain.Script.Note("tick"); return Task.CompletedTask; }, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            await gate.Task;
            grain.Script.Note("activated");
        };
        runtime.Script.Do("step", _ => "");
        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step");
        runtime.Advance(Second);
        Assert.Empty(runtime.Journal);

        gate.SetResult();
        runtime.Answer(call);

        Assert.Equal(["activated", "tick"], runtime.Journal);
    }

    [Fact]
    public void Timer_outside_a_turn_or_with_an_impossible_time_is_refused()
    {
        using var runtime = new TestRuntime();
        ScriptedGrain? kept = null;
        runtime.Script.Do("keep", grain => { kept = grain; return ""; });
        runtime.Script.Do("start", grain =>
        {
            Assert.Throws<ArgumentOutOfRangeException>(
                () => grain.RegisterGrainTimer(() => Task.CompletedTask, TimeSpan.FromSeconds(-2), Second));
            Assert.Throws<ArgumentOutOfRangeException>(() => grain.RegisterGrainTimer(() => Task.CompletedTask, Second, TimeSpan.MaxValue));
            return "refused";
        });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Answer(grain.RunAsync("keep"));

        Assert.Throws<InvalidOperationException>(() => kept!.RegisterGrainTimer(() => Task.CompletedTask, Second, Second));
        Assert.Equal("refused", runtime.Answer(grain.RunAsync("start")));
    }

    private static void Start(TestRuntime runtime, TimeSpan due, TimeSpan period, Func<ScriptedGrain, CancellationToken, Task> tick)
    {
        runtime.Script.Do("start", grain => { grain.RegisterGrainTimer(token => tick(grain, token), due, period); return ""; });
        runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("start"));
    }
}
