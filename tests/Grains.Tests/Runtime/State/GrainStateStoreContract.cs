using EmrMarket.Grains.Embedded.State;
using Orleans.Storage;

namespace EmrMarket.Grains.Tests.Runtime.State;

/// <summary>What every store of grain state must do; a store's tests derive from it.</summary>
public abstract class GrainStateStoreContract
{
    private static readonly GrainStateKey Key = new("account", "a", "state");

    /// <summary>An empty store.</summary>
    protected abstract Task<IGrainStateStore> CreateAsync();

    [Fact]
    public async Task Nothing_is_read_where_nothing_was_written() =>
        Assert.Null(await (await CreateAsync()).ReadAsync(Key, CancellationToken.None));

    [Fact]
    public async Task Write_answers_with_a_version_that_the_next_write_must_know()
    {
        var store = await CreateAsync();
        var first = await store.WriteAsync(Key, new byte[] { 1 }, null, CancellationToken.None);

        await Assert.ThrowsAsync<InconsistentStateException>(() => store.WriteAsync(Key, new byte[] { 2 }, null, CancellationToken.None));
        var conflict = await Assert.ThrowsAsync<InconsistentStateException>(
            () => store.WriteAsync(Key, new byte[] { 2 }, "999", CancellationToken.None));
        Assert.Equal((first, "999"), (conflict.StoredEtag, conflict.CurrentEtag));
        Assert.Equal([1], (await store.ReadAsync(Key, CancellationToken.None))!.Payload.ToArray());

        var second = await store.WriteAsync(Key, new byte[] { 2 }, first, CancellationToken.None);
        Assert.NotEqual(first, second, StringComparer.Ordinal);
        Assert.Equal(second, (await store.ReadAsync(Key, CancellationToken.None))!.Etag);
    }

    [Fact]
    public async Task Version_known_to_a_writer_is_of_no_use_where_nothing_is_stored()
    {
        var store = await CreateAsync();

        var conflict = await Assert.ThrowsAsync<InconsistentStateException>(
            () => store.WriteAsync(Key, new byte[] { 1 }, "1", CancellationToken.None));

        Assert.Null(conflict.StoredEtag);
        Assert.Null(await store.ReadAsync(Key, CancellationToken.None));
    }

    [Fact]
    public async Task Clearing_needs_the_version_too_and_of_nothing_is_no_fault()
    {
        var store = await CreateAsync();
        await store.ClearAsync(Key, null, CancellationToken.None);
        var etag = await store.WriteAsync(Key, new byte[] { 1 }, null, CancellationToken.None);

        await Assert.ThrowsAsync<InconsistentStateException>(() => store.ClearAsync(Key, null, CancellationToken.None));
        await store.ClearAsync(Key, etag, CancellationToken.None);
        await Assert.ThrowsAsync<InconsistentStateException>(() => store.ClearAsync(Key, etag, CancellationToken.None));

        Assert.Null(await store.ReadAsync(Key, CancellationToken.None));
    }

    [Fact]
    public async Task Version_of_a_cleared_state_does_not_come_back()
    {
        var store = await CreateAsync();
        var before = await store.WriteAsync(Key, new byte[] { 1 }, null, CancellationToken.None);
        await store.ClearAsync(Key, before, CancellationToken.None);
        await store.WriteAsync(Key, new byte[] { 2 }, null, CancellationToken.None);

        // A writer that slept through the clearing and a new beginning must not take the new state for the one it knew.
        await Assert.ThrowsAsync<InconsistentStateException>(() => store.WriteAsync(Key, new byte[] { 3 }, before, CancellationToken.None));
    }

    [Fact]
    public async Task Every_part_of_the_key_tells_states_apart()
    {
        var store = await CreateAsync();
        GrainStateKey[] keys = [Key, Key with { GrainType = "other" }, Key with { GrainKey = "A" }, Key with { GrainKey = "a/state" },
            Key with { StateName = "other" }];
        for (byte i = 0; i < keys.Length; i++)
        {
            await store.WriteAsync(keys[i], new[] { i }, null, CancellationToken.None);
        }

        for (byte i = 0; i < keys.Length; i++)
        {
            Assert.Equal([i], (await store.ReadAsync(keys[i], CancellationToken.None))!.Payload.ToArray());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_000_000)]
    public async Task Payload_of_any_length_comes_back_as_it_was(int length)
    {
        var store = await CreateAsync();
        var payload = new byte[length];
        new Random(length).NextBytes(payload);

        await store.WriteAsync(Key, payload, null, CancellationToken.None);

        Assert.Equal(payload, (await store.ReadAsync(Key, CancellationToken.None))!.Payload.ToArray());
    }

    [Fact]
    public async Task Stored_bytes_are_the_store_s_own()
    {
        var store = await CreateAsync();
        var bytes = new byte[] { 1 };
        await store.WriteAsync(Key, bytes, null, CancellationToken.None);

        bytes[0] = 2;

        Assert.Equal([1], (await store.ReadAsync(Key, CancellationToken.None))!.Payload.ToArray());
    }

    [Fact]
    public async Task Cancelled_operations_do_nothing()
    {
        var store = await CreateAsync();
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.WriteAsync(Key, new byte[] { 1 }, null, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.ReadAsync(Key, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.ClearAsync(Key, null, cancelled));

        Assert.Null(await store.ReadAsync(Key, CancellationToken.None));
    }

    [Fact]
    public async Task Of_concurrent_writers_with_one_version_one_wins()
    {
        var store = await CreateAsync();
        for (var round = 0; round < 50; round++)
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
