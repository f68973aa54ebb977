using System.Globalization;
using EmrMarket.Grains.Abstractions.Market;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Backup;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using EmrMarket.Silos.Tests.Storage;
using Npgsql;

namespace EmrMarket.Silos.Tests.Upgrades;

/// <summary>
/// Databases of earlier forms, kept beside this file as text, are opened by today's program, which migrates them and works on. A
/// migration that is added without the form before it fails here: run these tests once with EMR_WRITE_UPGRADE=1 before it is added, and
/// commit the file that appears.
/// </summary>
public sealed class UpgradeTests : IDisposable
{
    private const string Schema = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    private const string StorageKeyDigits = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";
    private static readonly string Folder = Path.Combine(Tools.RepositoryRoot, "tests", "Silos.Tests", "Upgrades");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-upgrade-");

    public void Dispose() => _folder.Delete(recursive: true);

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Newest_form_can_be_written_down_for_the_next_one()
    {
        // Written where somebody asks for it, and in any case of a form that can be read again.
        foreach (DatabaseRole role in Enum.GetValues<DatabaseRole>())
        {
            bool isWanted = Environment.GetEnvironmentVariable("EMR_WRITE_UPGRADE") is { Length: > 0 };
            Migration[] all = Migrations.Of(role);
            foreach (int level in isWanted ? new[] { all[^2].Number, all[^1].Number } : [all[^1].Number])
            {
                string text = await WriteAsync(role, level);
                await OpenAsync(role, text);
                string file = FileOf(role, level);
                if (isWanted && !File.Exists(file))
                {
                    await File.WriteAllTextAsync(file, text);
                }
            }
        }
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Database_of_every_earlier_form_is_migrated_and_worked_with()
    {
        foreach (DatabaseRole role in Enum.GetValues<DatabaseRole>())
        {
            foreach (string file in Directory.GetFiles(Folder, role.ToString().ToLowerInvariant() + "-*.sql"))
            {
                await OpenAsync(role, await File.ReadAllTextAsync(file));
            }
        }
    }

    [Fact]
    public void Form_before_the_newest_migration_is_kept()
    {
        foreach (DatabaseRole role in Enum.GetValues<DatabaseRole>())
        {
            Migration[] all = Migrations.Of(role);
            Assert.True(File.Exists(FileOf(role, all[^2].Number)),
                $"migration {all[^1].Number:0000} ({all[^1].Name}) has no database of the form before it: take it out, run UpgradeTests "
                    + $"with EMR_WRITE_UPGRADE=1, put it back, and commit {FileOf(role, all[^2].Number)}");
        }
    }

    /// <summary>Loads a database of an earlier form, opens it as the program does, and works with it.</summary>
    private async Task OpenAsync(DatabaseRole role, string text)
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateEmptyAsync();
        await DatabaseText.LoadAsync(database, role, text);
        string connection = await TestDatabases.ConnectionStringOfAsync(database);
        if (role == DatabaseRole.Market)
        {
            await using MarketStorage market = await MarketStorage.OpenAsync(connection, CancellationToken.None);
            PostgresMarketStore store = new(market.Database);
            RequestRow request = (await store.FindRequestAsync("aa", CancellationToken.None))!;
            Assert.Equal(("aa", "0xab", 1L), (request.Key, request.Researcher, request.Version));
            await store.SaveRequestAsync(request with { Sold = 3 }, CancellationToken.None);
            Assert.Equal(3, Assert.Single(await store.FindOpenRequestsAsync(CancellationToken.None)).Sold);
            Assert.Equal("file"u8.ToArray(), await store.FindFileAsync("f", CancellationToken.None));
            await store.PlaceOrdersAsync([Ordered(2), Ordered(1)], CancellationToken.None);
            OrderRow[] orders = await store.FindOrdersAsync(7, 0, 10, CancellationToken.None);
            Assert.Equal([(1L, 1UL), (2L, 2UL)], orders.Select(order => (order.Sequence, order.RequestId)));
            Assert.Equal("{}", await store.FindResultsAsync("aa", CancellationToken.None));
            return;
        }

        await using SiteStorage site = await SiteStorage.OpenAsync(connection, KeyFile(), CancellationToken.None);
        PostgresSiteStore sealedStore = new(site.Database, site.Vault);
        LoadRecords batch = Assert.Single(await sealedStore.ReadRecordsAsync(Schema, CancellationToken.None));
        Assert.Equal(("batch", "{}"), (batch.Id, batch.SchemaJson));
        byte[] profiles = (await sealedStore.ReadPoliciesAsync(Schema, CancellationToken.None)).Profiles;
        Assert.Equal([7, 7], profiles);
        SiteOrderRow order = Assert.Single(await sealedStore.ReadOrdersAsync(CancellationToken.None));
        Assert.Equal((1L, SiteOrderState.Sending), (order.Sequence, order.State));
        await sealedStore.SaveOrderAsync(order with { State = SiteOrderState.Released }, CancellationToken.None);
        Assert.Equal(SiteOrderState.Released, Assert.Single(await sealedStore.ReadOrdersAsync(CancellationToken.None)).State);
        Assert.Equal("leaves"u8.ToArray(), await sealedStore.FindFileAsync(new string('a', 64), CancellationToken.None));
        Assert.Single(await sealedStore.ReadAccountsAsync(CancellationToken.None));
        Assert.Single(await sealedStore.ReadRevocationsAsync(Schema, CancellationToken.None));
        ulong[] withdrawn = await sealedStore.KeepWithdrawnAsync(Schema, 3, [], CancellationToken.None);
        Assert.Equal([2], withdrawn);
        Assert.Equal(1u, Assert.Single(await sealedStore.ReadEpochsAsync(Schema, CancellationToken.None)).Epoch.Epoch);
        Assert.Null(await sealedStore.FindRestoreAsync(CancellationToken.None));
    }

    private async Task<string> WriteAsync(DatabaseRole role, int level)
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateEmptyAsync();
        Migration[] applied = [.. Migrations.Of(role).Where(migration => migration.Number <= level)];
        await Migrations.ApplyAsync(database, applied, CancellationToken.None);
        await FillAsync(database, role);
        return await DatabaseText.WriteAsync(database);
    }

    private async Task FillAsync(NpgsqlDataSource database, DatabaseRole role)
    {
        if (role == DatabaseRole.Market)
        {
            PostgresMarketStore store = new(database);
            await store.KeepFileAsync("f", "file"u8.ToArray(), CancellationToken.None);
            await store.SaveRequestAsync(
                new RequestRow
                {
                    Key = "aa", Researcher = "0xab", SchemaId = Schema, TermsJson = "{}",
                    Steps = [new RequestStep { State = RequestState.Planned, Seconds = 1, Reason = "a test" }],
                }, CancellationToken.None);
            await using NpgsqlConnection connection = await database.OpenConnectionAsync();
            await DatabaseSnapshot.ExecuteAsync(connection,
                "INSERT INTO market_order (site, sequence, request_id, attempt, body) VALUES (7, 1, 1, 0, $1)", CancellationToken.None,
                System.Text.Json.JsonSerializer.Serialize(Ordered(1)));
            await store.KeepResultsAsync("aa", "{}", CancellationToken.None);
            return;
        }

        PostgresSiteStore site = new(database, await SiteVault.OpenAsync(database, KeyFile(), CancellationToken.None));
        await site.KeepRecordsAsync(new LoadRecords
        {
            Id = "batch", SchemaJson = "{}", RecordKeys = [1, 2], PersonKeys = [1, 2], Codes = [[1, 2]], Fractions = [[]],
        }, Schema, CancellationToken.None);
        await site.SavePoliciesAsync(new SetPolicies
        {
            SchemaId = Schema, PersonKeys = [1, 2], Profiles = [7, 7], Rates = [0, 0], Quotas = [1, 1], Purposes = [0, 0],
            ExpirySeconds = [5, 5], Participation = [Participation.Active, Participation.Withdrawn],
        }, CancellationToken.None);
        await site.KeepFileAsync(new string('a', 64), "leaves"u8.ToArray(), CancellationToken.None);
        await site.KeepAccountAsync(
            new SiteAccountRow { PersonKey = 1, PublicKey = new byte[33], ChainCode = new byte[32] }, CancellationToken.None);
        await site.SaveRevocationAsync(
            new SiteRevocationRow { SchemaId = Schema, Pseudonym = "ab", Signature = new byte[65] }, CancellationToken.None);
        await site.KeepWithdrawnAsync(Schema, 3, [2], CancellationToken.None);
        await site.KeepEpochAsync(new SiteEpochRow(Schema, new SiteEpoch
        {
            Epoch = 1, Members = 2, Classes = 1, Withheld = 0, FileHash = new string('a', 64),
        }), CancellationToken.None);
        await site.SaveOrderAsync(new SiteOrderRow
        {
            Sequence = 1, SchemaId = Schema, Attempt = 0, State = SiteOrderState.Sending, FileHash = new string('a', 64), RecordKeys = [1],
            Attributes = [0], Grades = [1],
            Delivery = new SiteDelivery { Sequence = 1, RequestId = 1, Sold = 1, Delivered = 1, OverCap = 0, NotAllowed = 0 },
        }, CancellationToken.None);
    }

    private static OrderRow Ordered(ulong request) =>
        new() { Site = 7, RequestId = request, RequestKey = "aa", RoundFileHash = "f", Attempt = 0 };

    private string KeyFile() => Commands.CommandProcess.Secret(_folder.FullName, "storage.key", StorageKeyDigits);

    private static string FileOf(DatabaseRole role, int level) => Path.Combine(Folder, string.Create(
        CultureInfo.InvariantCulture, $"{role.ToString().ToLowerInvariant()}-{level:0000}.sql"));
}
