using EmrMarket.Grains.Tests.Runtime.Driving;
using Orleans.Serialization;

namespace EmrMarket.Grains.Tests.Runtime.Calls;

public sealed class IsolationTests
{
    [Fact]
    public void Caller_that_changes_an_argument_after_the_call_changes_nothing_in_the_grain()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IKeepingGrain>("a");
        var list = new List<int> { 1 };

        var keep = grain.KeepAsync(list);
        list[0] = 2;
        runtime.Answer(keep);
        list[0] = 3;

        Assert.Equal([1], runtime.Answer(grain.GiveAsync()));
    }

    [Fact]
    public void Caller_that_changes_a_result_changes_nothing_in_the_grain()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IKeepingGrain>("a");
        runtime.Answer(grain.KeepAsync([1]));

        runtime.Answer(grain.GiveAsync())[0] = 2;

        Assert.Equal([1], runtime.Answer(grain.GiveAsync()));
    }

    [Fact]
    public void Immutable_arguments_and_results_are_handed_over_without_a_copy()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IKeepingGrain>("a");
        var array = new[] { 1 };

        Assert.Same(array, runtime.Answer(grain.ShareAsync(array)));
        Assert.NotSame(array, runtime.Answer(grain.CopyAsync(array)));
    }

    [Fact]
    public void Forbidden_argument_and_result_are_refused_before_the_method_runs()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IForbiddenGrain>("a");

        Assert.Throws<CodecNotFoundException>(() => runtime.Answer(grain.TakeAsync(null)));
        Assert.Throws<CodecNotFoundException>(() => runtime.Answer(grain.GiveAsync()));
        Assert.Equal(0, runtime.Answer(grain.RunsAsync()));
    }

    [Fact]
    public void Forbidden_value_behind_a_permitted_declaration_is_refused_when_it_is_met()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IForbiddenGrain>("a");

        var fault = Assert.Throws<CodecNotFoundException>(() => runtime.Answer(grain.GiveHiddenAsync()));

        Assert.Contains("MemoryStream", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forbidden_exception_becomes_one_that_names_it_and_says_what_it_said()
    {
        using var runtime = new TestRuntime();
        runtime.Script["step"] = (_, _) => throw new HomeMadeException("the reason");

        var fault = Assert.Throws<CodecNotFoundException>(() => runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step")));

        Assert.Contains(nameof(HomeMadeException), fault.Message, StringComparison.Ordinal);
        Assert.Contains("the reason", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Thrown_exception_is_not_the_caller_s_object()
    {
        using var runtime = new TestRuntime();
        var thrown = new InvalidOperationException("mine");
        runtime.Script["step"] = (_, _) => throw thrown;

        Assert.NotSame(thrown,
            Assert.Throws<InvalidOperationException>(() => runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("step"))));
    }

    private sealed class HomeMadeException(string message) : Exception(message);
}

internal interface IKeepingGrain : IGrainWithStringKey
{
    Task KeepAsync(List<int> list);

    Task<List<int>> GiveAsync();

    [return: Immutable]
    Task<int[]> ShareAsync([Immutable] int[] array);

    Task<int[]> CopyAsync(int[] array);
}

internal sealed class KeepingGrain : Grain, IKeepingGrain
{
    private List<int> _list = [];

    public Task KeepAsync(List<int> list)
    {
        _list = list;
        return Task.CompletedTask;
    }

    public Task<List<int>> GiveAsync() => Task.FromResult(_list);

    public Task<int[]> ShareAsync(int[] array) => Task.FromResult(array);

    public Task<int[]> CopyAsync(int[] array) => Task.FromResult(array);
}

internal interface IForbiddenGrain : IGrainWithStringKey
{
    Task TakeAsync(Lazy<int>? forbidden);

    Task<Lazy<int>> GiveAsync();

    Task<object> GiveHiddenAsync();

    Task<int> RunsAsync();
}

internal sealed class ForbiddenGrain : Grain, IForbiddenGrain
{
    private int _runs;

    public Task TakeAsync(Lazy<int>? forbidden)
    {
        _runs++;
        return Task.CompletedTask;
    }

    public Task<Lazy<int>> GiveAsync()
    {
        _runs++;
        return Task.FromResult(new Lazy<int>(1));
    }

    public Task<object> GiveHiddenAsync() => Task.FromResult<object>(new MemoryStream());

    public Task<int> RunsAsync() => Task.FromResult(_runs);
}
