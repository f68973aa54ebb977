using EmrMarket.Silos.Api.Access;
using EmrMarket.Silos.Api.Access.Accounts;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Tests.Storage;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>What every store of accounts does.</summary>
public abstract class AccountStoreContract
{
    [RequiresFact(Tool.PostgreSQL)]
    public async Task Account_is_read_as_it_was_saved_and_lists_are_in_order()
    {
        IAccountStore store = await CreateAsync();
        Account account = new()
        {
            Name = "b", Role = Role.Staff, Site = "hospital", PasswordHash = "hash", SecurityStamp = "stamp", FailedCount = 2,
            LockedUntilSeconds = 77, AuthenticatorKey = "KEY", LastCodeStep = 5,
        };
        Assert.True(await store.TrySaveAsync(account, CancellationToken.None));
        Assert.True(await store.TrySaveAsync(new Account { Name = "a", Role = Role.Auditor, Site = "" }, CancellationToken.None));
        Assert.Equal(account with { Version = 1 }, await store.FindAsync("b", CancellationToken.None));
        Assert.Equal(["a", "b"], (await store.ListAsync(CancellationToken.None)).Select(one => one.Name));
        Assert.Null(await store.FindAsync("B", CancellationToken.None));
        Assert.True(await store.RemoveAsync("b", CancellationToken.None));
        Assert.False(await store.RemoveAsync("b", CancellationToken.None));
        Assert.Null(await store.FindAsync("b", CancellationToken.None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Of_two_writers_of_one_version_one_wins()
    {
        IAccountStore store = await CreateAsync();
        Assert.True(await store.TrySaveAsync(new Account { Name = "a", Role = Role.Auditor, Site = "" }, CancellationToken.None));
        Account[] readers = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(async _ => (await store.FindAsync("a", CancellationToken.None))!));
        bool[] saved = await Task.WhenAll(readers.Select(async reader =>
        {
            reader.FailedCount++;
            return await store.TrySaveAsync(reader, CancellationToken.None);
        }));
        Assert.Single(saved, won => won);
        Assert.Equal((1, 2),
            ((await store.FindAsync("a", CancellationToken.None))!.FailedCount,
                (await store.FindAsync("a", CancellationToken.None))!.Version));
        Assert.False(await store.TrySaveAsync(new Account { Name = "a", Role = Role.Auditor, Site = "" }, CancellationToken.None));
        Assert.False(
            await store.TrySaveAsync(new Account { Name = "gone", Role = Role.Auditor, Site = "", Version = 3 }, CancellationToken.None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Ended_sessions_are_known_until_they_would_have_ended()
    {
        IAccountStore store = await CreateAsync();
        await store.EndSessionAsync("one", 100, 50, CancellationToken.None);
        await store.EndSessionAsync("one", 110, 50, CancellationToken.None);
        await store.EndSessionAsync("two", 200, 50, CancellationToken.None);
        Assert.Equal(["one", "two"], (await store.EndedSessionsAsync(CancellationToken.None)).Order(StringComparer.Ordinal));
        await store.EndSessionAsync("three", 300, 150, CancellationToken.None);
        Assert.Equal(["three", "two"], (await store.EndedSessionsAsync(CancellationToken.None)).Order(StringComparer.Ordinal));
    }

    // Not seen by the runner as the type is internal.
    private protected abstract Task<IAccountStore> CreateAsync();
}

public sealed class MemoryAccountStoreTests : AccountStoreContract
{
    private protected override Task<IAccountStore> CreateAsync() => Task.FromResult<IAccountStore>(new MemoryAccountStore());
}

public sealed class PostgresAccountStoreTests : AccountStoreContract
{
    private protected override async Task<IAccountStore> CreateAsync() =>
        new PostgresAccountStore(await TestDatabases.CreateAsync(DatabaseRole.Site));
}
