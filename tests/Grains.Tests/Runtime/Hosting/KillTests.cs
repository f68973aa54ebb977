using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Tests.Runtime.Driving;
using EmrMarket.Grains.Tests.Runtime.State;

namespace EmrMarket.Grains.Tests.Runtime.Hosting;

/// <summary>A runtime is killed between every two turns of a run and opened again on the same store: what was answered is there, and
/// nothing is there twice.</summary>
public sealed class KillTests
{
    private const int Transfers = 4;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Answered_work_survives_a_kill_between_any_two_turns_and_unanswered_work_is_whole_or_absent(int seed)
    {
        var turns = CountTurns(seed);
        Assert.True(turns > Transfers, $"The run has {turns} turns only.");
        var unanswered = 0;
        for (var killAfter = 0; killAfter <= turns; killAfter++)
        {
            var store = new MemoryGrainStateStore();
            var answered = 0;
            using (var first = new TestRuntime(seed, store))
            {
                var calls = Begin(first);
                for (var turn = 0; turn < killAfter && first.Turns.Step(); turn++)
                {
                }

                answered = calls.Count(call => call.IsCompletedSuccessfully);
                unanswered += calls.Count - answered;
                first.Grains.Kill();
                first.Settle();
                Assert.All(calls, call => Assert.True(call.IsCompleted));
            }

            using var second = new TestRuntime(seed, store);
            var balance = int.Parse(second.Answer(second.Grains.GetGrain<IAccountGrain>("a").ShowAsync()).Split(' ')[0],
                System.Globalization.CultureInfo.InvariantCulture);
            Assert.InRange(balance, answered, Transfers);
        }

        Assert.True(unanswered > Transfers, "No kill fell into the middle of the run.");
    }

    private static int CountTurns(int seed)
    {
        using var runtime = new TestRuntime(seed, new MemoryGrainStateStore());
        var calls = Begin(runtime);
        var turns = 0;
        while (runtime.Turns.Step())
        {
            turns++;
        }

        Assert.All(calls, call => Assert.True(call.IsCompletedSuccessfully));
        return turns;
    }

    private static List<Task<string>> Begin(TestRuntime runtime)
    {
        runtime.Script["transfer"] = async (grain, _) =>
        {
            await Task.Yield();
            await grain.Factory.GetGrain<IAccountGrain>("a").AddAsync(1);
            return "done";
        };
        return [.. Enumerable.Range(0, Transfers).Select(i => runtime.Grains.GetGrain<IPlainGrain>($"{i}").RunAsync("transfer"))];
    }
}
