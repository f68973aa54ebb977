using EmrMarket.Grains.Embedded.State;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using EmrMarket.Silos.Tests.Records;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

/// <summary>Rotation of a site's keys, broken off at every step that a whole one is seen to take.</summary>
public sealed class KeyRotationTests : IDisposable
{
    private const int Files = 18;
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly GrainStateKey State = new("publisher", "a/b", "s");
    private static readonly SiteAccountRow Account = new() { PersonKey = 7, PublicKey = new byte[33], ChainCode = new byte[32] };
    private readonly TestFolder _folder = new();

    private string KeyFile => _folder.Place("storage.key");

    public void Dispose() => _folder.Dispose();

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Everything_is_under_new_keys_and_the_earlier_ones_open_nothing()
    {
        NpgsqlDataSource database = await FilledAsync();
        string before = await File.ReadAllTextAsync(KeyFile, None);
        Assert.Equal(Files + 4, await KeyRotation.RunAsync(database, KeyFile, null, None));
        Assert.NotEqual(before, await File.ReadAllTextAsync(KeyFile, None));
        Assert.False(File.Exists(StorageKey.NextFile(KeyFile)));
        await HoldsAsync(database, newest: 2);
        await File.WriteAllTextAsync(KeyFile, before, None);
        await Assert.ThrowsAsync<SealException>(() => SiteVault.OpenAsync(database, KeyFile, None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Rotation_that_is_broken_off_anywhere_loses_nothing_and_goes_on()
    {
        List<string> steps = [];
        await KeyRotation.RunAsync(await FilledAsync(), KeyFile, steps.Add, None);
        Assert.True(steps.Count >= 6, string.Join(", ", steps));
        for (int killed = 0; killed < steps.Count; killed++)
        {
            foreach (string file in Directory.GetFiles(_folder.Path))
            {
                File.Delete(file);
            }

            NpgsqlDataSource database = await FilledAsync();
            int step = 0;
            await Assert.ThrowsAsync<OperationCanceledException>(() => KeyRotation.RunAsync(
                database, KeyFile, _ => step = step == killed ? throw new OperationCanceledException() : step + 1, None));

            // What serves in between reads everything.
            await HoldsAsync(database, newest: null);
            await KeyRotation.RunAsync(database, KeyFile, null, None);
            await HoldsAsync(database, newest: 2);
            Assert.False(File.Exists(StorageKey.NextFile(KeyFile)));
        }
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Process_that_has_the_earlier_keys_can_write_nothing_that_nobody_could_open()
    {
        NpgsqlDataSource database = await FilledAsync();
        PostgresSiteStore late = new(database, await SiteVault.OpenAsync(database, KeyFile, None));
        await KeyRotation.RunAsync(database, KeyFile, null, None);
        PostgresException refused = await Assert.ThrowsAsync<PostgresException>(() => late.KeepFileAsync("late", new byte[1], None));
        Assert.Equal(PostgresErrorCodes.ForeignKeyViolation, refused.SqlState);
        SealException told = await Assert.ThrowsAsync<SealException>(() => late.FindFileAsync("f0", None));
        Assert.Contains("rotated", told.Message, StringComparison.Ordinal);
        Assert.Null(await new PostgresSiteStore(database, await SiteVault.OpenAsync(database, KeyFile, None)).FindFileAsync("late", None));
    }

    private async Task<NpgsqlDataSource> FilledAsync()
    {
        NpgsqlDataSource database = await TestDatabases.CreateAsync(DatabaseRole.Site);
        SiteVault vault = await SiteVault.OpenAsync(database, KeyFile, None);
        PostgresSiteStore store = new(database, vault);
        for (int i = 0; i < Files; i++)
        {
            await store.KeepFileAsync($"f{i}", new[] { (byte)i }, None);
        }

        await store.KeepFileAsync("large", new byte[17 << 20], None);
        await store.KeepAccountAsync(Account, None);
        await new SealedGrainStateStore(new PostgresGrainStateStore(database), vault).WriteAsync(State, new byte[] { 7 }, null, None);
        return database;
    }

    private async Task HoldsAsync(NpgsqlDataSource database, int? newest)
    {
        SiteVault vault = await SiteVault.OpenAsync(database, KeyFile, None);
        if (newest is { } only)
        {
            Assert.Equal([only], vault.Numbers);
        }

        PostgresSiteStore store = new(database, vault);
        for (int i = 0; i < Files; i++)
        {
            Assert.Equal([(byte)i], (await store.FindFileAsync($"f{i}", None))!);
        }

        SiteAccountRow account = Assert.Single(await store.ReadAccountsAsync(None));
        Assert.Equal((Account.PersonKey, Convert.ToHexString(Account.PublicKey), Convert.ToHexString(Account.ChainCode)),
            (account.PersonKey, Convert.ToHexString(account.PublicKey), Convert.ToHexString(account.ChainCode)));
        Assert.Equal(17 << 20, (await store.FindFileAsync("large", None))!.Length);
        Assert.Equal([7],
            (await new SealedGrainStateStore(new PostgresGrainStateStore(database), vault).ReadAsync(State, None))!.Payload.ToArray());
    }
}
