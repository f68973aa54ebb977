using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Activations;

public sealed class DeactivationTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public void Deactivate_on_idle_ends_the_activation_after_the_call_and_the_next_call_meets_a_new_one()
    {
        using var runtime = Noting();
        runtime.Script.Do("end", grain => { grain.EndWhenIdle(); grain.Script.Note("called"); return $"{grain.Incarnation}"; });
        runtime.Script.Do("who", grain => $"{grain.Incarnation}");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var ended = runtime.Answer(grain.RunAsync("end"));
        Assert.Equal(["activated", "called", "deactivated ApplicationRequested"], runtime.Journal);
        Assert.Equal(0, runtime.Grains.ActivationCount);

        Assert.NotEqual(ended, runtime.Answer(grain.RunAsync("who")), StringComparer.Ordinal);
    }

    [Fact]
    public void Deactivation_waits_for_running_calls_and_passes_waiting_ones_to_the_next_activation()
    {
        using var runtime = Noting();
        var gate = runtime.Script.Gated("slow");
        runtime.Script.Do("end", grain => { grain.EndWhenIdle(); return $"{grain.Incarnation}"; });
        runtime.Script.Do("who", grain => $"{grain.Incarnation}");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var slow = grain.RunAsync("slow");
        var end = grain.InterleaveAsync("end");
        var waiting = grain.RunAsync("who");
        var late = grain.InterleaveAsync("who");
        runtime.Settle();
        Assert.False(late.IsCompleted);
        Assert.Equal(["activated", "slow begins"], runtime.Journal);

        gate.SetResult();
        runtime.Answer(slow);
        Assert.Equal(["activated", "slow begins", "slow ends", "deactivated ApplicationRequested", "activated"], runtime.Journal);
        Assert.NotEqual(runtime.Answer(end), runtime.Answer(waiting), StringComparer.Ordinal);
        Assert.Equal(runtime.Answer(waiting), runtime.Answer(late));
    }

    [Fact]
    public void Activation_begins_only_after_the_one_before_has_ended()
    {
        using var runtime = Noting();
        var gate = new TaskCompletionSource();
        runtime.Script.OnDeactivate = async (grain, _) =>
        {
            await gate.Task;
            grain.Script.Note("deactivated");
        };
        runtime.Script.Do("end", grain => { grain.EndWhenIdle(); return ""; });
        runtime.Script.Do("step", grain => { grain.Script.Note("called"); return ""; });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Answer(grain.RunAsync("end"));

        var call = grain.RunAsync("step");
        runtime.Settle();
        Assert.False(call.IsCompleted);

        gate.SetResult();
        runtime.Answer(call);
        Assert.Equal(["activated", "deactivated", "activated", "called"], runtime.Journal);
    }

    [Fact]
    public void Failing_on_deactivate_does_not_keep_the_key()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("end", grain => { grain.EndWhenIdle(); return ""; });
        runtime.Script.Do("step", _ => "done");

        runtime.Script.OnDeactivate = (_, _) => throw new InvalidOperationException("cannot end");
        runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("fails").RunAsync("end"));
        Assert.Equal("done", runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("fails").RunAsync("step")));

    }

    [Fact]
    public void Hanging_on_deactivate_is_given_up_after_its_timeout()
    {
        using var runtime = new TestRuntime(configure: options => options.DeactivationTimeout = TimeSpan.FromSeconds(3));
        var never = new TaskCompletionSource();
        runtime.Script.OnDeactivate = (_, _) => never.Task;
        runtime.Script.Do("end", grain => { grain.EndWhenIdle(); return ""; });
        runtime.Script.Do("step", _ => "done");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Answer(grain.RunAsync("end"));

        var call = grain.RunAsync("step");
        runtime.Advance(TimeSpan.FromSeconds(3));

        Assert.Equal("done", runtime.Answer(call));
    }

    [Fact]
    public void Idle_activation_is_collected_at_its_class_limit_and_not_before()
    {
        using var runtime = Noting();
        runtime.Script.Do("step", _ => "");
        runtime.Answer(runtime.Grains.GetGrain<IShortLivedGrain>("a").RunAsync("step"));

        runtime.Advance(2 * Minute - TimeSpan.FromTicks(1));
        Assert.Equal(1, runtime.Grains.ActivationCount);
        runtime.Advance(TimeSpan.FromTicks(1));

        Assert.Equal(["activated", "deactivated ActivationIdle"], runtime.Journal);
        Assert.Equal(0, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Use_puts_collection_off_and_the_default_limit_holds_without_an_attribute()
    {
        using var runtime = Noting();
        runtime.Script.Do("step", _ => "");
        runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step"));
        runtime.Advance(10 * Minute);
        runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step"));
        runtime.Advance(14 * Minute);
        Assert.Equal(1, runtime.Grains.ActivationCount);

        runtime.Advance(Minute);
        Assert.Equal(0, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Running_call_is_use_however_long_it_takes()
    {
        using var runtime = new TestRuntime(configure: options => options.ResponseTimeout = Timeout.InfiniteTimeSpan);
        var gate = runtime.Script.Gated("slow");
        var call = runtime.Grains.GetGrain<IShortLivedGrain>("a").RunAsync("slow");

        runtime.Advance(60 * Minute);
        Assert.Equal(1, runtime.Grains.ActivationCount);
        gate.SetResult();
        runtime.Answer(call);
        runtime.Advance(Minute);
        Assert.Equal(1, runtime.Grains.ActivationCount);
        runtime.Advance(Minute);
        Assert.Equal(0, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Kept_class_is_never_collected_but_can_end_itself()
    {
        using var runtime = Noting();
        runtime.Script.Do("step", _ => "");
        runtime.Script.Do("end", grain => { grain.EndWhenIdle(); return ""; });
        var grain = runtime.Grains.GetGrain<IKeptGrain>("a");
        runtime.Answer(grain.RunAsync("step"));

        runtime.Advance(TimeSpan.FromDays(2));
        Assert.Equal(1, runtime.Grains.ActivationCount);
        runtime.Answer(grain.RunAsync("end"));
        Assert.Equal(0, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Delay_keeps_an_idle_activation_until_it_is_over_or_taken_back()
    {
        using var runtime = Noting();
        runtime.Script.Do("delay", grain => { grain.Delay(10 * Minute); return ""; });
        runtime.Script.Do("take back", grain => { grain.Delay(TimeSpan.Zero); return ""; });
        runtime.Answer(runtime.Grains.GetGrain<IShortLivedGrain>("a").RunAsync("delay"));
        runtime.Answer(runtime.Grains.GetGrain<IShortLivedGrain>("b").RunAsync("delay"));
        runtime.Answer(runtime.Grains.GetGrain<IShortLivedGrain>("b").RunAsync("take back"));

        runtime.Advance(3 * Minute);
        Assert.Equal(1, runtime.Grains.ActivationCount);
        runtime.Advance(6 * Minute);
        Assert.Equal(1, runtime.Grains.ActivationCount);
        runtime.Advance(Minute);
        Assert.Equal(0, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Call_that_finds_every_activation_ending_is_refused_instead_of_passed_on_for_ever()
    {
        using var runtime = new TestRuntime();
        runtime.Script.OnActivate = grain => { grain.EndWhenIdle(); return Task.CompletedTask; };

        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step");

        Assert.Throws<OrleansMessageRejectionException>(() => runtime.Answer(call));
    }

    [Fact]
    public async Task Stop_ends_every_activation_in_order_and_later_calls_are_refused()
    {
        using var runtime = Noting();
        runtime.Script.Do("step", _ => "");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        runtime.Answer(grain.RunAsync("step"));
        runtime.Answer(runtime.Grains.GetGrain<IKeptGrain>("b").RunAsync("step"));

        var stop = runtime.Grains.StopAsync(CancellationToken.None);
        runtime.Settle();
        await stop;

        Assert.Equal(["activated", "activated", "deactivated ShuttingDown", "deactivated ShuttingDown"], runtime.Journal);
        Assert.Throws<SiloUnavailableException>(() => runtime.Answer(grain.RunAsync("step")));
    }

    [Fact]
    public void Kill_runs_nothing_more_and_tells_callers_that_nothing_is_known()
    {
        using var runtime = Noting();
        var gate = runtime.Script.Gated("slow");
        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("slow");
        runtime.Settle();

        runtime.Grains.Kill();
        gate.SetResult();
        runtime.Settle();

        Assert.Equal(["activated", "slow begins"], runtime.Journal);
        Assert.Throws<SiloUnavailableException>(() => runtime.Answer(call));
        Assert.Throws<SiloUnavailableException>(() => runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("b").RunAsync("slow")));
    }

    [Fact]
    public async Task Calls_that_race_with_ends_of_activations_run_exactly_once_each()
    {
        using var runtime = new TestRuntime(configure: options =>
        {
            options.Turns = new Embedded.Hosting.EmbeddedGrainOptions().Turns;

            // Every call may meet many ends in a row here; what is looked for is a call that is lost or run twice.
            options.MostForwards = int.MaxValue;
        });
        var runs = 0;
        runtime.Script["step"] = async (grain, _) =>
        {
            if (Interlocked.Increment(ref runs) % 3 == 0)
            {
                grain.EndWhenIdle();
            }

            await Task.Yield();
            return "";
        };

        await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            for (var i = 0; i < 500; i++)
            {
                var plain = runtime.Grains.GetGrain<IPlainGrain>($"{i % 5}").RunAsync("step");
                var worker = runtime.Grains.GetGrain<IWorkerGrain>($"{i % 3}").RunAsync("step");
                await plain;
                await worker;
            }
        })));

        Assert.Equal(8 * 500 * 2, runs);
    }

    private static TestRuntime Noting()
    {
        var runtime = new TestRuntime();
        runtime.Script.OnActivate = grain => { grain.Script.Note("activated"); return Task.CompletedTask; };
        runtime.Script.OnDeactivate = (grain, reason) =>
            { grain.Script.Note($"deactivated {reason.ReasonCode}"); return Task.CompletedTask; };
        return runtime;
    }
}
