using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Backup;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage.Backup;

/// <summary>A site's database that is copied while it is written to, put back elsewhere, and whatever can be wrong with the copy.</summary>
public sealed class BackupTests : IDisposable
{
    private const string Schema = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-backup-");
    private readonly EthereumAccount _account = EthereumAccount.Generate();

    private string Place(string name) => Path.Combine(_folder.FullName, name);

    private string KeyFile => Place("storage.key");

    public void Dispose() => _folder.Delete(recursive: true);

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Database_comes_back_as_it_was_when_the_snapshot_was_taken()
    {
        await using NpgsqlDataSource source = await TestDatabases.CreateAsync(DatabaseRole.Site);
        PostgresSiteStore store = await FillAsync(source);
        string from = await TestDatabases.ConnectionStringOfAsync(source);
        await using DatabaseSnapshot snapshot = await DatabaseSnapshot.TakeAsync(from, DatabaseRole.Site, CancellationToken.None);
        Dictionary<string, string> then = await DigestsAsync(source);

        // What is written from here on is in the next backup.
        await store.SavePoliciesAsync(Policies(9), CancellationToken.None);
        await store.SaveOrderAsync(Order(2), CancellationToken.None);
        BackupReader backup = await WriteAsync(snapshot, "one");
        Assert.NotEqual(then, await DigestsAsync(source));

        await using NpgsqlDataSource target = await TestDatabases.CreateEmptyAsync();
        string to = await TestDatabases.ConnectionStringOfAsync(target);
        await DatabaseRestore.RunAsync(to, backup, backup.Manifest.Databases[0], replaces: false, null, CancellationToken.None);
        Dictionary<string, string> now = await DigestsAsync(target);
        Assert.Equal(then.Keys.Order(), now.Keys.Order());
        Assert.All(then.Keys.Except(["site_restore"]), table => Assert.Equal((table, then[table]), (table, now[table])));

        // It opens with its key, goes on, and knows that it was restored.
        await using SiteStorage opened = await SiteStorage.OpenAsync(to, KeyFile, CancellationToken.None);
        PostgresSiteStore restored = new(opened.Database, opened.Vault);
        ulong[] persons = (await restored.ReadPoliciesAsync(Schema, CancellationToken.None)).PersonKeys;
        Assert.Equal([1, 2], persons);
        Assert.Equal(1, Assert.Single(await restored.ReadOrdersAsync(CancellationToken.None)).Sequence);
        Assert.Equal(new SiteRestoreRow(backup.Manifest.Seconds, 0, IsConfirmed: false),
            await restored.FindRestoreAsync(CancellationToken.None));
        await restored.SavePoliciesAsync(Policies(2), CancellationToken.None);
        Assert.Equal(7, (await restored.ReadPoliciesAsync(Schema, CancellationToken.None)).Profiles[1]);
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Database_of_an_earlier_form_is_migrated_while_it_is_put_back()
    {
        await using NpgsqlDataSource source = await TestDatabases.CreateEmptyAsync();
        Migration[] all = Migrations.Of(DatabaseRole.Market);
        await Migrations.ApplyAsync(source, all[..^1], CancellationToken.None);
        await using (NpgsqlCommand insert = source.CreateCommand(
            "INSERT INTO market_order (site, sequence, request_id, attempt, body) VALUES (1, 3, 18446744073709551615, 0, '{}'), "
                + "(1, 4, 5, 0, '{}'); INSERT INTO market_delivery (request_id, site, attempt, file_hash, body) "
                + "VALUES (18446744073709551615, 1, 0, 'f', '{}')"))
        {
            await insert.ExecuteNonQueryAsync();
        }

        await using DatabaseSnapshot snapshot = await DatabaseSnapshot.TakeAsync(
            await TestDatabases.ConnectionStringOfAsync(source), DatabaseRole.Market, CancellationToken.None);
        BackupReader backup = await WriteAsync(snapshot, "earlier", BackupDatabase.Market);
        await using NpgsqlDataSource target = await TestDatabases.CreateEmptyAsync();
        string to = await TestDatabases.ConnectionStringOfAsync(target);
        await DatabaseRestore.RunAsync(to, backup, backup.Manifest.Databases[0], replaces: false, null, CancellationToken.None);
        Assert.Equal(0, await Migrations.ApplyAsync(target, DatabaseRole.Market, CancellationToken.None));

        // What had not come is ordered again, under numbers above all that a site may have seen since.
        await using MarketStorage opened = await MarketStorage.OpenAsync(to, CancellationToken.None);
        await new PostgresMarketStore(opened.Database).PlaceOrdersAsync(
            [new() { Site = 1, RequestId = 5, RequestKey = "k", RoundFileHash = "f", Attempt = 0 }], CancellationToken.None);
        long[] numbers = [.. (await NumbersAsync(target))];
        Assert.Equal(3, numbers[0]);
        Assert.True(numbers[1] > backup.Manifest.Seconds, "an order was numbered as if nothing had been forgotten");
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Database_that_holds_something_is_left_alone_unless_it_is_to_be_replaced_and_its_former_owner_loses_it()
    {
        await using NpgsqlDataSource source = await TestDatabases.CreateAsync(DatabaseRole.Site);
        await FillAsync(source);
        await using DatabaseSnapshot snapshot = await DatabaseSnapshot.TakeAsync(
            await TestDatabases.ConnectionStringOfAsync(source), DatabaseRole.Site, CancellationToken.None);
        BackupReader backup = await WriteAsync(snapshot, "one");
        await using NpgsqlDataSource target = await TestDatabases.CreateAsync(DatabaseRole.Market);
        string to = await TestDatabases.ConnectionStringOfAsync(target);
        string former;
        await using (StoreOwner owner = await StoreOwner.TakeAsync(to, CancellationToken.None))
        {
            await Assert.ThrowsAsync<StoreInUseException>(
                () => DatabaseRestore.RunAsync(to, backup, backup.Manifest.Databases[0], replaces: true, null, CancellationToken.None));
            former = owner.ConnectionString;
        }

        Dictionary<string, string> before = await DigestsAsync(target);
        BackupException refused = await Assert.ThrowsAsync<BackupException>(
            () => DatabaseRestore.RunAsync(to, backup, backup.Manifest.Databases[0], replaces: false, null, CancellationToken.None));
        Assert.Contains("--replace", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await DigestsAsync(target));

        await DatabaseRestore.RunAsync(to, backup, backup.Manifest.Databases[0], replaces: true, null, CancellationToken.None);
        await using NpgsqlDataSource left = NpgsqlDataSource.Create(former);
        await using NpgsqlCommand write = left.CreateCommand("DELETE FROM site_policies");
        Assert.Equal(StoreFence.Refused, (await Assert.ThrowsAsync<PostgresException>(() => write.ExecuteNonQueryAsync())).SqlState);
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Every_flipped_cut_missing_or_added_byte_is_found_before_anything_is_used()
    {
        await using NpgsqlDataSource source = await TestDatabases.CreateAsync(DatabaseRole.Site);
        await FillAsync(source);
        await using DatabaseSnapshot snapshot = await DatabaseSnapshot.TakeAsync(
            await TestDatabases.ConnectionStringOfAsync(source), DatabaseRole.Site, CancellationToken.None);
        await WriteAsync(snapshot, "one");
        string[] files = Directory.GetFiles(Place("one"), "*", SearchOption.AllDirectories);
        Assert.True(files.Length > 15, "the backup has too few files to be one");
        foreach (string file in files)
        {
            byte[] whole = await File.ReadAllBytesAsync(file);
            byte[] flipped = [.. whole];
            flipped[RandomNumberGenerator.GetInt32(whole.Length)] ^= (byte)(1 << RandomNumberGenerator.GetInt32(8));
            foreach (byte[]? wrong in (byte[]?[])[flipped, whole[..^1], [.. whole, 0], [], null])
            {
                if (wrong is null)
                {
                    File.Delete(file);
                }
                else
                {
                    await File.WriteAllBytesAsync(file, wrong);
                }

                Exception? found = await Record.ExceptionAsync(() => BackupReader.OpenAsync(Place("one"), null, CancellationToken.None));
                Assert.True(found is BackupException, $"{file} with {wrong?.Length.ToString() ?? "no"} of {whole.Length} bytes: {found}");
            }

            await File.WriteAllBytesAsync(file, whole);
        }

        await BackupReader.OpenAsync(Place("one"), null, CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(Place("one"), "sites", "stranger"), "");
        await Assert.ThrowsAsync<BackupException>(() => BackupReader.OpenAsync(Place("one"), null, CancellationToken.None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Manifest_of_somebody_else_or_of_a_later_program_is_refused()
    {
        await using NpgsqlDataSource source = await TestDatabases.CreateAsync(DatabaseRole.Site);
        await FillAsync(source);
        await using DatabaseSnapshot snapshot = await DatabaseSnapshot.TakeAsync(
            await TestDatabases.ConnectionStringOfAsync(source), DatabaseRole.Site, CancellationToken.None);
        BackupReader backup = await WriteAsync(snapshot, "one");
        Assert.Equal([_account.Address], backup.Signers);
        BackupDatabase database = backup.Manifest.Databases[0];

        // Whoever alters the manifest has to sign it, and then it is theirs.
        EthereumAccount other = EthereumAccount.Generate();
        await AlteredAsync(backup.Manifest with { Seconds = 1 }, other);
        Assert.Equal([other.Address], (await BackupReader.OpenAsync(Place("one"), null, CancellationToken.None)).Signers);

        await AlteredAsync(backup.Manifest with { Version = 2 }, _account);
        await RefusedAsync("version 2");
        await AlteredAsync(backup.Manifest with { Databases = [database with
            { Migrations = [.. database.Migrations, new BackupMigration(9_999, "later", "00")] }] }, _account);
        await RefusedAsync("9999 (later)");
        await AlteredAsync(backup.Manifest with { Databases = [database with
            { Migrations = [.. database.Migrations[..^1], database.Migrations[^1] with { Sha256 = "00" }] }] }, _account);
        await RefusedAsync("another form");

        async Task RefusedAsync(string says) => Assert.Contains(
            says, (await Assert.ThrowsAsync<BackupException>(
                () => BackupReader.OpenAsync(Place("one"), null, CancellationToken.None))).Message,
            StringComparison.Ordinal);

        async Task AlteredAsync(BackupManifest manifest, EthereumAccount account)
        {
            byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(manifest, BackupReader.Json);
            await File.WriteAllBytesAsync(Path.Combine(Place("one"), BackupReader.ManifestName), bytes);
            await File.WriteAllBytesAsync(Path.Combine(Place("one"), BackupReader.SignaturesName), JsonSerializer.SerializeToUtf8Bytes(
                new BackupSignatures(Convert.ToHexStringLower(SHA256.HashData(bytes)), [new BackupSignature(account.Address.ToString(),
                    Convert.ToHexStringLower(account.Sign(BackupReader.Digest(bytes)).ToBytes()))]), BackupReader.Json));
        }
    }

    [Fact]
    public async Task Backup_is_its_owners_alone_and_an_attempt_that_fails_leaves_nothing()
    {
        using (BackupWriter writer = new(Place("failed")))
        {
            await writer.AddAsync("a/b", stream => stream.WriteAsync("content"u8.ToArray()).AsTask());
            if (!OperatingSystem.IsWindows())
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite,
                    File.GetUnixFileMode(Path.Combine(Place("failed.part"), "a", "b")));
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
                    File.GetUnixFileMode(Path.Combine(Place("failed.part"), "a")));
            }

            BackupException full = await Assert.ThrowsAsync<BackupException>(
                () => writer.AddAsync("c", _ => throw new IOException("No space left on device")));
            Assert.Contains("No space left on device", full.Message, StringComparison.Ordinal);
        }

        Assert.Empty(_folder.EnumerateFileSystemInfos());
        Directory.CreateDirectory(Place("there"));
        Assert.Contains("never written over", Assert.Throws<BackupException>(() => new BackupWriter(Place("there"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_open_with_their_passphrase_and_with_nothing_else()
    {
        Dictionary<string, byte[]> keys = new(StringComparer.Ordinal)
        {
            ["sites/hospital/site.key"] = RandomNumberGenerator.GetBytes(65), ["market.key"] = RandomNumberGenerator.GetBytes(67),
        };
        byte[] file = SealedKeys.Write(keys, "one good passphrase", SealedKeys.LeastCost);
        string text = Encoding.UTF8.GetString(file);
        Assert.DoesNotContain("site.key", text, StringComparison.Ordinal);
        Assert.All(keys.Values, key => Assert.DoesNotContain(Convert.ToBase64String(key), text, StringComparison.Ordinal));
        Dictionary<string, byte[]> opened = SealedKeys.Read(file, "one good passphrase");
        Assert.Equal(keys.Keys.Order(), opened.Keys.Order());
        Assert.All(keys, key => Assert.Equal(key.Value, opened[key.Key]));
        Assert.Throws<BackupException>(() => SealedKeys.Read(file, "one good passphrasf"));
        Assert.Throws<BackupException>(() => SealedKeys.Read("{}"u8.ToArray(), "one good passphrase"));
        Assert.Throws<BackupException>(() => SealedKeys.Write(keys, ""));

        // A byte of the sealed content, and the cost that is sealed with it.
        int at = text.IndexOf("\"content\": \"", StringComparison.Ordinal) + 20;
        byte[] altered = [.. file];
        altered[at] = altered[at] == (byte)'A' ? (byte)'B' : (byte)'A';
        Assert.Throws<BackupException>(() => SealedKeys.Read(altered, "one good passphrase"));
        Assert.Throws<BackupException>(() => SealedKeys.Read(
            Encoding.UTF8.GetBytes(text.Replace("16384", "32768", StringComparison.Ordinal)), "one good passphrase"));
    }

    private async Task<PostgresSiteStore> FillAsync(NpgsqlDataSource database)
    {
        PostgresSiteStore store = new(database, await SiteVault.OpenAsync(database, KeyFile, CancellationToken.None));
        await store.KeepRecordsAsync(new LoadRecords
        {
            Id = "batch", SchemaJson = "{}", RecordKeys = [1, 2], PersonKeys = [1, 2], Codes = [[1, 2]], Fractions = [[]],
        }, Schema, CancellationToken.None);
        await store.SavePoliciesAsync(Policies(1, 2), CancellationToken.None);
        await store.KeepFileAsync(new string('a', 64), RandomNumberGenerator.GetBytes(100_000), CancellationToken.None);
        await store.SaveOrderAsync(Order(1), CancellationToken.None);
        await store.KeepWithdrawnAsync(Schema, 3, [1], CancellationToken.None);
        return store;
    }

    private async Task<BackupReader> WriteAsync(DatabaseSnapshot snapshot, string name, string database = "hospital")
    {
        using BackupWriter writer = new(Place(name));
        BackupDatabase copied = new()
        {
            Name = database, Account = _account.Address.ToString(), Migrations = snapshot.Migrations,
            Block = await snapshot.BlockAsync(CancellationToken.None),
            Tables = [], Sequences = [], Keys = await snapshot.KeysAsync(CancellationToken.None), SiteKeyMark = "",
        };
        copied = copied with
        {
            Tables = await snapshot.CopyAsync(copied.Folder, writer, null, CancellationToken.None),
            Sequences = await snapshot.SequencesAsync(CancellationToken.None),
        };
        await writer.CompleteAsync(new BackupManifest
        {
            Format = BackupManifest.FormatName, Version = BackupManifest.CurrentVersion, Program = "test", Seconds = 1_700_000_000,
            ChainId = 1, Contracts = [], HasChain = false, Databases = [copied], Files = [.. writer.Files],
        }, [_account]);
        return await BackupReader.OpenAsync(Place(name), null, CancellationToken.None);
    }

    /// <summary>Per table what is in it, and where its sequences stand.</summary>
    private static async Task<Dictionary<string, string>> DigestsAsync(NpgsqlDataSource database)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync();
        Dictionary<string, string> digests = new(StringComparer.Ordinal);
        foreach (string table in await DatabaseSnapshot.TablesAsync(connection, CancellationToken.None))
        {
            await using NpgsqlCommand command = new(
                $"SELECT coalesce(md5(string_agg(md5(t::text), '' ORDER BY t::text)), '') || count(*) FROM {table} t", connection);
            digests.Add(table, (string)(await command.ExecuteScalarAsync())!);
        }

        return digests;
    }

    private static Task<long[]> NumbersAsync(NpgsqlDataSource database) => Task.Run(async () =>
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync();
        return await DatabaseSnapshot.RowsAsync(
            connection, "SELECT sequence FROM market_order ORDER BY sequence", row => row.GetInt64(0), CancellationToken.None);
    });

    private static SetPolicies Policies(params ulong[] persons) => new()
    {
        SchemaId = Schema, PersonKeys = persons, Profiles = [.. persons.Select(_ => (byte)7)], Rates = [.. persons.Select(_ => (byte)0)],
        Quotas = [.. persons.Select(_ => (ushort)1)], Purposes = [.. persons.Select(_ => (byte)0)],
        ExpirySeconds = [.. persons.Select(_ => 5L)], Participation = [.. persons.Select(_ => Participation.Active)],
    };

    private static SiteOrderRow Order(long sequence) => new()
    {
        Sequence = sequence, SchemaId = Schema, Attempt = 0, State = SiteOrderState.Released, FileHash = new string('a', 64),
        RecordKeys = [1], Attributes = [0], Grades = [1],
        Delivery = new SiteDelivery { Sequence = sequence, RequestId = 1, Sold = 1, Delivered = 1, OverCap = 0, NotAllowed = 0 },
    };
}
