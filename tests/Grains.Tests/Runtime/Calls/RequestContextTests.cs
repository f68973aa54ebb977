using EmrMarket.Grains.Tests.Runtime.Driving;

namespace EmrMarket.Grains.Tests.Runtime.Calls;

public sealed class RequestContextTests : IDisposable
{
    public void Dispose() => RequestContext.Clear();

    [Fact]
    public void Value_travels_with_a_call_and_those_that_it_makes_but_not_back()
    {
        using var runtime = new TestRuntime();
        runtime.Script["outer"] = async (grain, _) =>
        {
            var before = RequestContext.Get("trace");
            RequestContext.Set("trace", "inner");
            var inner = await grain.Factory.GetGrain<IPlainGrain>("b").RunAsync("inner");
            return $"{before} {inner} {RequestContext.Get("trace")}";
        };
        runtime.Script["inner"] = async (_, _) =>
        {
            await Task.Yield();
            var value = (string?)RequestContext.Get("trace");
            RequestContext.Set("trace", "lost");
            return value!;
        };
        RequestContext.Set("trace", "outer");

        Assert.Equal("outer inner inner", runtime.Answer(runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("outer")));
        Assert.Equal("outer", RequestContext.Get("trace"));
    }

    [Fact]
    public void Value_of_one_call_is_not_seen_by_the_next()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("get", _ => $"{RequestContext.Get("trace") ?? "none"}");
        runtime.Script.Do("set", _ => { RequestContext.Set("trace", "left behind"); return ""; });
        var grain = runtime.Grains.GetGrain<IPlainGrain>("a");

        RequestContext.Set("trace", "first");
        Assert.Equal("first", runtime.Answer(grain.RunAsync("get")));
        RequestContext.Clear();
        Assert.Equal("none", runtime.Answer(grain.RunAsync("get")));
        runtime.Answer(grain.RunAsync("set"));
        Assert.Equal("none", runtime.Answer(grain.RunAsync("get")));
    }

    [Fact]
    public void Value_is_copied_into_the_call()
    {
        using var runtime = new TestRuntime();
        runtime.Script.Do("get", _ => $"{((List<int>)RequestContext.Get("list")!)[0]}");
        var list = new List<int> { 1 };
        RequestContext.Set("list", list);
        var call = runtime.Grains.GetGrain<IPlainGrain>("a").RunAsync("get");

        list[0] = 2;

        Assert.Equal("1", runtime.Answer(call));
    }

    [Fact]
    public async Task Changes_stay_in_the_flow_that_made_them()
    {
        RequestContext.Set("a", 1);
        await Task.Run(() =>
        {
            RequestContext.Set("b", 2);
            Assert.Equal(["a", "b"], RequestContext.Keys);
            Assert.True(RequestContext.Remove("a"));
            Assert.False(RequestContext.Remove("a"));
        });

        Assert.Equal([KeyValuePair.Create("a", (object)1)], RequestContext.Entries);
        Assert.True(RequestContext.Remove("a"));
        Assert.Empty(RequestContext.Keys);
    }
}
