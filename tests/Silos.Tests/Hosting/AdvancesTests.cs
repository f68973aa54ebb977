using EmrMarket.Grains.Abstractions;
using EmrMarket.Silos.Roles;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Tests.Hosting;

public sealed class AdvancesTests
{
    private readonly List<string> _told = [];

    [Fact]
    public async Task Worker_that_fails_keeps_none_behind_it_from_its_work()
    {
        InvalidOperationException failure = await Assert.ThrowsAsync<InvalidOperationException>(() => Advances.AllAsync(
            [Tell("first"), Fails("second", new InvalidOperationException("one")), Fails("third", new IOException("two")), Tell("last")]));
        Assert.Equal(("one", "first second third last"), (failure.Message, string.Join(' ', _told)));
    }

    [Fact]
    public async Task Loss_of_a_store_ends_the_pass()
    {
        await Assert.ThrowsAsync<StoreLostException>(() => Advances.AllAsync(
            [Fails("first", new StoreLostException("it is another's")), Tell("last")]));
        Assert.Equal(["first"], _told);
    }

    [Fact]
    public async Task Answer_of_all_is_progress_of_any_and_the_earliest_time()
    {
        Advance answer = await Advances.AllAsync(
            [Tell("a"), () => Task.FromResult(new Advance { Progressed = true, DueSeconds = 9, WaitsFor = "b" })]);
        Assert.Equal((true, 9L, "b"), (answer.Progressed, answer.DueSeconds, answer.WaitsFor));
    }

    private Func<Task<Advance>> Tell(string name) => () =>
    {
        _told.Add(name);
        return Task.FromResult(new Advance { Progressed = false });
    };

    private Func<Task<Advance>> Fails(string name, Exception failure) => () =>
    {
        _told.Add(name);
        return Task.FromException<Advance>(failure);
    };
}
