using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Calls;

public sealed class CancellationTests
{
    [Fact]
    public void Cancellation_reaches_the_grain_in_a_turn_and_ends_the_caller_s_wait_at_once()
    {
        using var runtime = new TestRuntime();
        using var source = new CancellationTokenSource();
        TaskScheduler? turn = null;
        runtime.Script["step"] = async (grain, token) =>
        {
            var cancelled = new TaskCompletionSource();
            var own = TaskScheduler.Current;
            using var registration = token.Register(() =>
            {
                turn = ReferenceEquals(TaskScheduler.Current, own) ? own : null;
                cancelled.SetResult();
            });
            grain.Script.Note("waits");
            await cancelled.Task;
            grain.Script.Note("was told");
            return "";
        };
        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunCancellablyAsync("step", source.Token);
        runtime.Settle();
        Assert.Equal(["waits"], runtime.Journal);

        source.Cancel();
        Assert.True(call.IsCanceled);
        Assert.Equal(["waits"], runtime.Journal);
        runtime.Settle();

        Assert.Equal(["waits", "was told"], runtime.Journal);
        Assert.NotNull(turn);
    }

    [Fact]
    public void Call_cancelled_before_it_begins_never_begins()
    {
        using var runtime = new TestRuntime();
        using var source = new CancellationTokenSource();
        var gate = runtime.Script.Gated("slow");
        runtime.Script.Do("step", grain => { grain.Script.Note("ran"); return ""; });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        _ = grain.RunAsync("slow");
        var waiting = grain.RunCancellablyAsync("step", source.Token);
        runtime.Settle();

        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => runtime.Answer(waiting));
        Assert.ThrowsAny<OperationCanceledException>(() => runtime.Answer(grain.RunCancellablyAsync("step", source.Token)));
        gate.SetResult();
        runtime.Settle();

        Assert.Equal(["slow begins", "slow ends"], runtime.Journal);
    }

    [Fact]
    public void Token_that_nobody_cancels_changes_nothing()
    {
        using var runtime = new TestRuntime();
        using var source = new CancellationTokenSource();
        runtime.Script["step"] = (_, token) => Task.FromResult($"{token.CanBeCanceled} {token.IsCancellationRequested}");
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        Assert.Equal("True False", runtime.Answer(grain.RunCancellablyAsync("step", source.Token)));
        Assert.Equal("False False", runtime.Answer(grain.RunCancellablyAsync("step", CancellationToken.None)));
    }

    [Fact]
    public void Grain_that_cancels_itself_cancels_the_call()
    {
        using var runtime = new TestRuntime();
        runtime.Script["step"] = (_, _) => throw new OperationCanceledException();

        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step");
        runtime.Settle();

        Assert.True(call.IsCanceled);
    }

    [Fact]
    public void Cancellation_travels_along_a_chain_of_calls()
    {
        using var runtime = new TestRuntime();
        using var source = new CancellationTokenSource();
        runtime.Script["outer"] = (grain, token) => grain.Factory.GetGrain<IPlainGrain>("b").RunCancellablyAsync("inner", token);
        runtime.Script["inner"] = async (grain, token) =>
        {
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, token);
                return "";
            }
            finally
            {
                grain.Script.Note("inner ends");
            }
        };
        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunCancellablyAsync("outer", source.Token);
        runtime.Settle();

        source.Cancel();
        runtime.Settle();

        Assert.True(call.IsCanceled);
        Assert.Equal(["inner ends"], runtime.Journal);
    }
}
