using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Activations;

public sealed class TurnTests
{
    [Fact]
    public void Call_while_another_awaits_begins_after_it_has_ended()
    {
        using var runtime = new TestRuntime();
        var gate = runtime.Script.Gated("first");
        runtime.Script.Gated("second").SetResult();
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        var first = grain.RunAsync("first");
        var second = grain.RunAsync("second");
        runtime.Settle();
        Assert.Equal(["first begins"], runtime.Journal);
        Assert.False(second.IsCompleted);

        gate.SetResult();
        Assert.Equal("first", runtime.Answer(first));
        Assert.Equal("second", runtime.Answer(second));
        Assert.Equal(["first begins", "first ends", "second begins", "second ends"], runtime.Journal);
    }

    [Fact]
    public void Calls_of_one_caller_to_one_grain_run_in_the_order_of_the_calls()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");
        for (var i = 0; i < 20; i++)
        {
            var number = $"{i}";
            runtime.Script.Do(number, each => { each.Script.Note(number); return number; });
        }

        var calls = Enumerable.Range(0, 20).Select(i => grain.RunAsync($"{i}")).ToList();
        runtime.Answers(calls);

        Assert.Equal([.. Enumerable.Range(0, 20).Select(i => $"{i}")], runtime.Journal);
    }

    [Fact]
    public void Continuation_after_an_await_is_a_turn_of_the_same_grain()
    {
        using var runtime = new TestRuntime();
        runtime.Script["step"] = async (_, _) =>
        {
            var before = TaskScheduler.Current;
            await Task.Yield();
            var after = TaskScheduler.Current;
            return $"{ReferenceEquals(before, after)} {ReferenceEquals(after, TaskScheduler.Default)}";
        };

        Assert.Equal("True False", runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step")));
    }

    [Fact]
    public void Task_started_in_a_grain_runs_as_a_turn_of_it()
    {
        using var runtime = new TestRuntime();
        runtime.Script["step"] = async (grain, _) =>
        {
            var scheduler = TaskScheduler.Current;
            var started = await Task.Factory.StartNew(
                () => ReferenceEquals(TaskScheduler.Current, scheduler), CancellationToken.None, TaskCreationOptions.None, scheduler);
            return $"{started}";
        };

        Assert.Equal("True", runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step")));
    }

    [Fact]
    public void Different_grains_interleave()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Gated("first");
        runtime.Script.Do("second", _ => "done");

        _ = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("first");

        Assert.Equal("done", runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("b").RunAsync("second")));
    }

    [Fact]
    public async Task Turns_of_one_grain_never_run_in_parallel_on_the_thread_pool()
    {
        using var runtime = new TestRuntime(configure: options => options.Turns = new Embedded.Hosting.EmbeddedGrainOptions().Turns);
        var inside = 0;
        var most = 0;
        var runs = 0;
        runtime.Script["step"] = async (_, _) =>
        {
            for (var i = 0; i < 20; i++)
            {
                most = Math.Max(most, Interlocked.Increment(ref inside));
                Thread.SpinWait(50);
                runs++;
                Interlocked.Decrement(ref inside);
                await Task.Yield();
            }

            return "done";
        };
        var grain = runtime.Grains.GetGrain<IReentrantGrain>("a");

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () => Task.WhenAll(Enumerable.Range(0, 50).Select(_ => grain.RunAsync("step"))))));

        // runs is incremented without a lock: it is exact only if turns exclude one another and see one another's writes.
        Assert.Equal((1, 8 * 50 * 20), (most, runs));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void Same_seed_gives_the_same_interleaving(int seed)
    {
        Assert.Equal(JournalOf(seed), JournalOf(seed));

        static IReadOnlyList<string> JournalOf(int seed)
        {
            using var runtime = new TestRuntime(seed);
            runtime.Script["step"] = async (grain, _) =>
            {
                for (var i = 0; i < 5; i++)
                {
                    grain.Script.Note($"{grain.GetPrimaryKeyString()}{i}");
                    await Task.Yield();
                }

                return "done";
            };
            var calls = Enumerable.Range(0, 6).Select(i => runtime.Grains.GetGrain<IPlainGrain>($"{(char)('a' + i)}").RunAsync("step"))
                .ToList();
            runtime.Answers(calls);
            return runtime.Journal;
        }
    }

    [Fact]
    public void Different_seeds_give_different_interleavings()
    {
        var journals = Enumerable.Range(0, 20).Select(seed =>
        {
            using var runtime = new TestRuntime(seed);
            runtime.Script["step"] = async (grain, _) =>
            {
                grain.Script.Note(grain.GetPrimaryKeyString());
                await Task.Yield();
                grain.Script.Note(grain.GetPrimaryKeyString());
                return "done";
            };
            var calls = Enumerable.Range(0, 4).Select(i => runtime.Grains.GetGrain<IPlainGrain>($"{i}").RunAsync("step")).ToList();
            runtime.Answers(calls);
            return string.Concat(runtime.Journal);
        });

        Assert.True(journals.Distinct(StringComparer.Ordinal).Count() > 10);
    }
}
