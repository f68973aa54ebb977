using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Activations;

public sealed class StatelessWorkerTests
{
    [Fact]
    public void Worker_gets_as_many_activations_as_allowed_and_no_more()
    {
        using var runtime = new TestRuntime();
        var gate = runtime.Script.Gated("slow");
        var grain = runtime.Grains.GetGrain<IWorkerGrain>("a");

        var calls = Enumerable.Range(0, 5).Select(_ => grain.RunAsync("slow")).ToList();
        runtime.Settle();
        Assert.Equal(["slow begins", "slow begins"], runtime.Journal);
        Assert.Equal(2, runtime.Grains.ActivationCount);

        gate.SetResult();
        Assert.Equal(5, runtime.Answers(calls).Count);
    }

    [Fact]
    public void Free_worker_is_used_before_a_new_one()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("who", grain => $"{grain.Incarnation}");
        var grain = runtime.Grains.GetGrain<IWorkerGrain>("a");

        Assert.Equal(runtime.Answer(grain.RunAsync("who")), runtime.Answer(grain.RunAsync("who")));
        Assert.Equal(1, runtime.Grains.ActivationCount);
    }

    [Fact]
    public void Idle_workers_are_collected_and_come_back()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("who", grain => $"{grain.Incarnation}");
        var grain = runtime.Grains.GetGrain<IWorkerGrain>("a");
        var first = runtime.Answer(grain.RunAsync("who"));

        runtime.Advance(TimeSpan.FromMinutes(16));
        Assert.Equal(0, runtime.Grains.ActivationCount);

        Assert.NotEqual(first, runtime.Answer(grain.RunAsync("who")), StringComparer.Ordinal);
    }
}
