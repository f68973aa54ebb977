using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Records;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Grains.Tests.Site;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using EmrMarket.Silos.Tests.Records;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

/// <summary>The contract of a site's store on PostgreSQL, and what whoever has the database alone can learn and do.</summary>
public sealed class PostgresSiteStoreTests : SiteStoreContract, IDisposable
{
    private readonly TestFolder _folder = new();
    private NpgsqlDataSource _database = null!;

    private string KeyFile => _folder.Place("keys/storage.key");

    public void Dispose() => _folder.Dispose();

    protected override async Task<ISiteStore> CreateAsync()
    {
        _database = await TestDatabases.CreateAsync(DatabaseRole.Site);
        return await OpenAsync();
    }

    protected override Task<ISiteStore> ReopenAsync(ISiteStore store) => OpenAsync();

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Nothing_that_is_kept_stands_in_the_database_in_the_clear()
    {
        ISiteStore store = await CreateAsync();
        byte[] file = RandomNumberGenerator.GetBytes(1_000);
        await store.KeepRecordsAsync(Batch("a", 400), "5c", CancellationToken.None);
        await store.SavePoliciesAsync(Policies((0x1122334455667788, 9)), CancellationToken.None);
        await store.KeepFileAsync("aa", file, CancellationToken.None);
        await store.SaveOrderAsync(Order(1) with { RecordKeys = [0x0102030405060708, 1, 2] }, CancellationToken.None);

        List<byte[]> stored = [];
        await using (
            NpgsqlCommand command = _database.CreateCommand("SELECT sealed FROM site_sealed UNION ALL SELECT wrapped FROM site_key"))
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                stored.Add(reader.GetFieldValue<byte[]>(0));
            }
        }

        Assert.Equal(5, stored.Count);
        byte[][] secrets = [BitConverter.GetBytes(0x1122334455667788), BitConverter.GetBytes(0x0102030405060708), file[..16],
            Encoding.UTF8.GetBytes("größe"), Convert.FromHexString((await File.ReadAllTextAsync(KeyFile)).Trim())];
        Assert.DoesNotContain(stored, row => secrets.Any(secret => row.AsSpan().IndexOf(secret) >= 0));
        Assert.Equal(5, stored.Select(row => Convert.ToHexString(row.AsSpan(row.Length < 70 ? 0 : 4, 12))).Distinct().Count());
    }

    [RequiresTheory(Tool.PostgreSQL)]
    [InlineData(
        "UPDATE site_sealed SET sealed = set_byte(sealed, octet_length(sealed) - 1, get_byte(sealed, octet_length(sealed) - 1) # 1) "
            + "WHERE place = 'file/aa'")]
    [InlineData("UPDATE site_sealed SET sealed = set_byte(sealed, 5, get_byte(sealed, 5) # 128) WHERE place = 'file/aa'")]
    [InlineData("UPDATE site_sealed SET sealed = (SELECT sealed FROM site_sealed WHERE place = 'file/bb') WHERE place = 'file/aa'")]
    [InlineData("INSERT INTO site_sealed (place, part, sealed) SELECT place, 1, sealed FROM site_sealed WHERE place = 'file/aa'")]
    [InlineData("UPDATE site_sealed SET sealed = substring(sealed, 1, 20) WHERE place = 'file/aa'")]
    public async Task Altered_moved_or_repeated_content_is_refused_and_never_answered(string attack)
    {
        ISiteStore store = await CreateAsync();
        await store.KeepFileAsync("aa", new byte[100], CancellationToken.None);
        await store.KeepFileAsync("bb", new byte[100], CancellationToken.None);
        await using (NpgsqlCommand command = _database.CreateCommand(attack))
        {
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }

        SealException refused = await Assert.ThrowsAsync<SealException>(() => store.FindFileAsync("aa", CancellationToken.None));
        Assert.Contains("file/aa", refused.Message, StringComparison.Ordinal);
        Assert.NotNull(await store.FindFileAsync("bb", CancellationToken.None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Part_that_is_missing_is_found()
    {
        ISiteStore store = await CreateAsync();
        await store.KeepFileAsync("aa", new byte[33 << 20], CancellationToken.None);
        await using (NpgsqlCommand command = _database.CreateCommand("DELETE FROM site_sealed WHERE part = 2"))
        {
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }

        await Assert.ThrowsAsync<SealException>(() => store.FindFileAsync("aa", CancellationToken.None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Database_is_closed_without_its_key_and_to_another_one()
    {
        await CreateAsync();
        string key = await File.ReadAllTextAsync(KeyFile);
        File.Delete(KeyFile);
        SealException missing = await Assert.ThrowsAsync<SealException>(OpenAsync);
        Assert.Contains(KeyFile, missing.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(KeyFile));

        StorageKey.Create(KeyFile);
        SealException other = await Assert.ThrowsAsync<SealException>(OpenAsync);
        Assert.Contains("another key", other.Message, StringComparison.Ordinal);
        Assert.DoesNotContain((await File.ReadAllTextAsync(KeyFile)).Trim(), other.Message, StringComparison.Ordinal);

        await File.WriteAllTextAsync(KeyFile, key);
        await OpenAsync();
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
            Assert.Equal("key-readable", Assert.Single((await Assert.ThrowsAsync<InputException>(OpenAsync)).Problems).Code);
        }
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Write_that_the_database_breaks_off_leaves_nothing_and_can_be_repeated()
    {
        ISiteStore store = await CreateAsync();
        await store.SaveOrderAsync(Order(1), CancellationToken.None);
        await ExecuteAsync(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$; CREATE TRIGGER broken "
                + "BEFORE INSERT ON site_sealed FOR EACH ROW EXECUTE FUNCTION broken()");
        SiteOrderRow read = (await store.ReadOrdersAsync(CancellationToken.None))[0];
        Func<Task>[] writes =
        [
            () => store.KeepRecordsAsync(Batch("a", 1), "5c", CancellationToken.None),
            () => store.SavePoliciesAsync(Policies((1, 1)), CancellationToken.None),
            () => store.KeepFileAsync("aa", new byte[1], CancellationToken.None),
            () => store.SaveOrderAsync(read with { State = SiteOrderState.Refused }, CancellationToken.None),
            () => store.SaveOrderAsync(Order(2), CancellationToken.None),
        ];
        foreach (Func<Task> write in writes)
        {
            await Assert.ThrowsAsync<PostgresException>(write);
        }

        ISiteStore after = await OpenAsync();
        Assert.Empty(await after.ReadSchemasAsync(CancellationToken.None));
        Assert.Empty((await after.ReadPoliciesAsync("5c", CancellationToken.None)).PersonKeys);
        Assert.Null(await after.FindFileAsync("aa", CancellationToken.None));
        Assert.Equal((1, SiteOrderState.Reserved),
            (Assert.Single(await after.ReadOrdersAsync(CancellationToken.None)).Version, SiteOrderState.Reserved));

        await ExecuteAsync("DROP TRIGGER broken ON site_sealed");
        foreach (Func<Task> write in writes)
        {
            await write();
        }

        Assert.Equal([SiteOrderState.Refused, SiteOrderState.Reserved],
            (await after.ReadOrdersAsync(CancellationToken.None)).Select(row => row.State));
    }

    private async Task<ISiteStore> OpenAsync() =>
        new PostgresSiteStore(_database, await SiteVault.OpenAsync(_database, KeyFile, CancellationToken.None));

    private async Task ExecuteAsync(string sql)
    {
        await using NpgsqlCommand command = _database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
