using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Tests.Runtime.Driving;
using Orleans.Storage;

namespace EmrMarket.Grains.Tests.Runtime.State;

public sealed class PersistentStateTests
{
    [Fact]
    public void State_is_read_before_on_activate_and_new_when_nothing_is_stored()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IAccountGrain>("a");

        Assert.Equal("0 False none", runtime.Answer(grain.ShowAsync()));
        runtime.Answer(grain.AddAsync(5));
        runtime.Answer(grain.EndAsync());

        Assert.Equal("5 True 1", runtime.Answer(grain.SeenOnActivateAsync()));
    }

    [Fact]
    public void Unwritten_change_is_lost_with_the_activation_and_a_written_one_is_not()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IAccountGrain>("a");
        runtime.Answer(grain.AddAsync(5));
        runtime.Answer(grain.AddWithoutWritingAsync(100));
        runtime.Answer(grain.EndAsync());

        Assert.Equal("5 True 1", runtime.Answer(grain.ShowAsync()));
    }

    [Fact]
    public void Runtime_that_was_killed_is_found_again_on_the_same_store()
    {
        var store = new MemoryGrainStateStore();
        using (var first = new TestRuntime(store: store))
        {
            first.Answer(first.Grains.GetGrain<IAccountGrain>("a").AddAsync(5));
            first.Grains.Kill();
        }

        using var second = new TestRuntime(store: store);
        Assert.Equal("5 True 1", second.Answer(second.Grains.GetGrain<IAccountGrain>("a").ShowAsync()));
    }

    [Fact]
    public void Write_against_a_newer_version_changes_nothing_and_ends_the_activation()
    {
        var store = new MemoryGrainStateStore();
        using var one = new TestRuntime(store: store);
        using var other = new TestRuntime(store: store);
        one.Answer(one.Grains.GetGrain<IAccountGrain>("a").AddAsync(5));
        other.Answer(other.Grains.GetGrain<IAccountGrain>("a").ShowAsync());
        one.Answer(one.Grains.GetGrain<IAccountGrain>("a").AddAsync(1));

        var conflict = Assert.Throws<InconsistentStateException>(
            () => other.Answer(other.Grains.GetGrain<IAccountGrain>("a").AddAsync(100)));

        Assert.Equal(("2", "1"), (conflict.StoredEtag, conflict.CurrentEtag));
        Assert.Equal(0, other.Grains.ActivationCount);
        Assert.Equal("6 True 2", other.Answer(other.Grains.GetGrain<IAccountGrain>("a").ShowAsync()));
    }

    [Fact]
    public void Conflict_that_a_caller_lets_pass_does_not_end_the_caller()
    {
        var store = new MemoryGrainStateStore();
        using var one = new TestRuntime(store: store);
        using var other = new TestRuntime(store: store);
        other.Answer(other.Grains.GetGrain<IAccountGrain>("a").ShowAsync());
        one.Answer(one.Grains.GetGrain<IAccountGrain>("a").AddAsync(1));
        other.Script["pass on"] = async (grain, _) =>
        {
            await grain.Factory.GetGrain<IAccountGrain>("a").AddAsync(1);
            return "";
        };

        Assert.Throws<InconsistentStateException>(() => other.Answer(other.Grains.GetGrain<IPlainGrain>("p").RunAsync("pass on")));
        Assert.Equal(1, other.Grains.ActivationCount);
    }

    [Fact]
    public void Conflict_that_the_grain_handles_itself_keeps_its_activation()
    {
        var store = new MemoryGrainStateStore();
        using var one = new TestRuntime(store: store);
        using var other = new TestRuntime(store: store);
        other.Answer(other.Grains.GetGrain<IAccountGrain>("a").ShowAsync());
        one.Answer(one.Grains.GetGrain<IAccountGrain>("a").AddAsync(1));

        Assert.StartsWith("3 True ", other.Answer(other.Grains.GetGrain<IAccountGrain>("a").AddAfterReadingAgainAsync(2)),
            StringComparison.Ordinal);
        Assert.Equal(1, other.Grains.ActivationCount);
    }

    [Fact]
    public void Cleared_state_is_new_and_gone_from_the_store()
    {
        using var runtime = new TestRuntime();
        var grain = runtime.Grains.GetGrain<IAccountGrain>("a");
        runtime.Answer(grain.AddAsync(5));

        runtime.Answer(grain.ClearAsync());

        Assert.Equal("0 False none", runtime.Answer(grain.ShowAsync()));
        Assert.Empty(((MemoryGrainStateStore)runtime.Store).Snapshot());
        runtime.Answer(grain.AddAsync(1));
        Assert.Equal("1 True 2", runtime.Answer(grain.ShowAsync()));
    }

    [Fact]
    public void Two_states_of_a_grain_go_to_the_stores_that_they_name()
    {
        using var runtime = new TestRuntime();

        runtime.Answer(runtime.Grains.GetGrain<IAccountGrain>("a").NoteAsync("hello"));

        Assert.Equal("account/a/notes", Assert.Single(runtime.SecondStore.Snapshot()).Key.ToString());
        Assert.Empty(((MemoryGrainStateStore)runtime.Store).Snapshot());
    }

    [Fact]
    public void Writes_that_interleave_are_stored_one_after_the_other()
    {
        var store = new SlowStore();
        using var runtime = new TestRuntime(store: store);
        var grain = runtime.Grains.GetGrain<IBusyAccountGrain>("a");
        runtime.Answer(grain.WriteAsync(0));
        store.Gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

        var first = grain.WriteAsync(1);
        var second = grain.WriteAsync(2);
        runtime.Settle();
        Assert.Equal(2, store.Writes);
        store.Gate.SetResult();

        runtime.Answers([first, second]);
        Assert.Equal(3, store.Writes);
    }

    [Fact]
    public void Fault_of_the_store_reaches_the_caller_as_one_type_with_the_cause_in_it()
    {
        using var runtime = new TestRuntime(store: new BrokenStore());

        var fault = Assert.Throws<OrleansException>(() => runtime.Answer(runtime.Grains.GetGrain<IAccountGrain>("a").ShowAsync()));

        Assert.Contains("account/a/account", fault.Message, StringComparison.Ordinal);
        Assert.IsType<IOException>(fault.InnerException);
    }

    [Fact]
    public void Unknown_store_is_named_with_those_that_there_are()
    {
        using var runtime = new TestRuntime(configure: options => options.StateStores.Remove("second"));

        var fault = Assert.Throws<InvalidOperationException>(() => runtime.Answer(runtime.Grains.GetGrain<IAccountGrain>("a").ShowAsync()));

        Assert.Contains("'second'", fault.Message, StringComparison.Ordinal);
        Assert.Contains("it has Default", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void State_used_outside_a_turn_is_refused()
    {
        using var runtime = new TestRuntime();
        runtime.Answer(runtime.Grains.GetGrain<IAccountGrain>("a").ShowAsync());

        Assert.Throws<InvalidOperationException>(() => AccountGrain.Last!.State);
    }

    private sealed class SlowStore : IGrainStateStore
    {
        private readonly MemoryGrainStateStore _memory = new();

        internal TaskCompletionSource? Gate { get; set; }

        internal int Writes { get; private set; }

        public Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) =>
            _memory.ReadAsync(key, cancellationToken);

        public async Task<string> WriteAsync(
            GrainStateKey key, ReadOnlyMemory<byte> payload, string? expectedEtag, CancellationToken cancellationToken)
        {
            Writes++;
            await (Gate?.Task ?? Task.CompletedTask);
            return await _memory.WriteAsync(key, payload, expectedEtag, cancellationToken);
        }

        public Task ClearAsync(GrainStateKey key, string? expectedEtag, CancellationToken cancellationToken) =>
            _memory.ClearAsync(key, expectedEtag, cancellationToken);
    }

    private sealed class BrokenStore : IGrainStateStore
    {
        public Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) =>
            throw new IOException("disk is full");

        public Task<string> WriteAsync(
            GrainStateKey key, ReadOnlyMemory<byte> payload, string? expectedEtag, CancellationToken cancellationToken) =>
            throw new IOException("disk is full");

        public Task ClearAsync(GrainStateKey key, string? expectedEtag, CancellationToken cancellationToken) =>
            throw new IOException("disk is full");
    }
}

internal interface IAccountGrain : IGrainWithStringKey
{
    Task<string> ShowAsync();

    Task<string> SeenOnActivateAsync();

    Task AddAsync(int amount);

    Task AddWithoutWritingAsync(int amount);

    Task<string> AddAfterReadingAgainAsync(int amount);

    Task NoteAsync(string note);

    Task ClearAsync();

    Task EndAsync();
}

[GenerateSerializer, Alias("test.account")]
internal sealed class AccountState
{
    [Id(0)]
    public int Balance { get; set; }
}

[GenerateSerializer, Alias("test.notes")]
internal sealed class NotesState
{
    [Id(0)]
    public List<string> Notes { get; set; } = [];
}

internal sealed class AccountGrain(
    [PersistentState("account")] IPersistentState<AccountState> account,
    [PersistentState("notes", "second")] IPersistentState<NotesState> notes) : Grain, IAccountGrain
{
    private string _seen = "";

    internal static IPersistentState<AccountState>? Last { get; private set; }

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        Last = account;
        _seen = Show();
        return Task.CompletedTask;
    }

    public Task<string> ShowAsync() => Task.FromResult(Show());

    public Task<string> SeenOnActivateAsync() => Task.FromResult(_seen);

    public Task AddAsync(int amount)
    {
        account.State.Balance += amount;
        return account.WriteStateAsync();
    }

    public Task AddWithoutWritingAsync(int amount)
    {
        account.State.Balance += amount;
        return Task.CompletedTask;
    }

    public async Task<string> AddAfterReadingAgainAsync(int amount)
    {
        try
        {
            await AddAsync(amount);
        }
        catch (InconsistentStateException)
        {
            await account.ReadStateAsync();
            await AddAsync(amount);
        }

        return Show();
    }

    public Task NoteAsync(string note)
    {
        notes.State.Notes.Add(note);
        return notes.WriteStateAsync();
    }

    public Task ClearAsync() => account.ClearStateAsync();

    public Task EndAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    private string Show() => $"{account.State.Balance} {account.RecordExists} {account.Etag ?? "none"}";
}

internal interface IBusyAccountGrain : IGrainWithStringKey
{
    Task<int> WriteAsync(int balance);
}

[Orleans.Concurrency.Reentrant]
internal sealed class BusyAccountGrain([PersistentState("account")] IPersistentState<AccountState> account) : Grain, IBusyAccountGrain
{
    public async Task<int> WriteAsync(int balance)
    {
        account.State.Balance = balance;
        await account.WriteStateAsync();
        return balance;
    }
}
