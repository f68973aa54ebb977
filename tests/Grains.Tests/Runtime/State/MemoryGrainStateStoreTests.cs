using EmrMarket.Grains.Embedded.State;
using Orleans.Storage;

namespace EmrMarket.Grains.Tests.Runtime.State;

public sealed class MemoryGrainStateStoreTests
{
    private static readonly GrainStateKey Key = new("account", "a", "state");

    [Fact]
    public async Task Write_answers_with_a_version_that_the_next_write_must_know()
    {
        var store = new MemoryGrainStateStore();
        var first = await store.WriteAsync(Key, new byte[] { 1 }, null, CancellationToken.None);

        await Assert.ThrowsAsync<InconsistentStateException>(() => store.WriteAsync(Key, new byte[] { 2 }, null, CancellationToken.None));
        await Assert.ThrowsAsync<InconsistentStateException>(() => store.WriteAsync(Key, new byte[] { 2 }, "other", CancellationToken.None));
        Assert.Equal([1], (await store.ReadAsync(Key, CancellationToken.None))!.Payload.ToArray());

        var second = await store.WriteAsync(Key, new byte[] { 2 }, first, CancellationToken.None);
        Assert.NotEqual(first, second, StringComparer.Ordinal);
        Assert.Equal(second, (await store.ReadAsync(Key, CancellationToken.None))!.Etag);
    }

    [Fact]
    public async Task Clearing_needs_the_version_too_and_of_nothing_is_no_fault()
    {
        var store = new MemoryGrainStateStore();
        await store.ClearAsync(Key, null, CancellationToken.None);
        var etag = await store.WriteAsync(Key, new byte[] { 1 }, null, CancellationToken.None);

        await Assert.ThrowsAsync<InconsistentStateException>(() => store.ClearAsync(Key, null, CancellationToken.None));
        await store.ClearAsync(Key, etag, CancellationToken.None);
        await Assert.ThrowsAsync<InconsistentStateException>(() => store.ClearAsync(Key, etag, CancellationToken.None));

        Assert.Null(await store.ReadAsync(Key, CancellationToken.None));
    }

    [Fact]
    public async Task Stored_bytes_are_the_store_s_own()
    {
        var store = new MemoryGrainStateStore();
        var bytes = new byte[] { 1 };
        await store.WriteAsync(Key, bytes, null, CancellationToken.None);

        bytes[0] = 2;

        Assert.Equal([1], (await store.ReadAsync(Key, CancellationToken.None))!.Payload.ToArray());
    }

    [Fact]
    public async Task Of_concurrent_writers_with_one_version_one_wins()
    {
        var store = new MemoryGrainStateStore();
        for (var round = 0; round < 100; round++)
        {
            var etag = (await store.ReadAsync(Key, CancellationToken.None))?.Etag;
            using var start = new Barrier(4);
            var writers = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                async () =>
                {
                    start.SignalAndWait();
                    try
                    {
                        await store.WriteAsync(Key, new byte[] { 1 }, etag, CancellationToken.None);
                        return 1;
                    }
                    catch (InconsistentStateException)
                    {
                        return 0;
                    }
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default).Unwrap());
            Assert.Equal(1, (await Task.WhenAll(writers)).Sum());
        }
    }
}
