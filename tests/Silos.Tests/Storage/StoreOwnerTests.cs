using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Market.Storage;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

/// <summary>A process that lost its store: what it may still do, and what whoever takes the store waits for.</summary>
public sealed class StoreOwnerTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-owner-");

    private string KeyFile => Path.Combine(_folder.FullName, "storage.key");

    public void Dispose() => _folder.Delete(recursive: true);

    [RequiresTheory(Tool.PostgreSQL)]
    [InlineData(nameof(DatabaseRole.Market))]
    [InlineData(nameof(DatabaseRole.Site))]
    public async Task Every_table_is_fenced(string role)
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateAsync(Enum.Parse<DatabaseRole>(role));
        await using NpgsqlCommand command = database.CreateCommand(
            """
            SELECT relname, EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'fence' AND tgenabled = 'O')
            FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY relname
            """);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        List<string> fenced = [], open = [];
        while (await reader.ReadAsync())
        {
            (reader.GetBoolean(1) ? fenced : open).Add(reader.GetString(0));
        }

        Assert.Equal(["store_owner"], open);
        Assert.Contains("grain_state", fenced);
        Assert.True(fenced.Count > 6, string.Join(", ", fenced));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Former_owner_is_refused_whatever_it_writes_and_told_to_end()
    {
        (NpgsqlDataSource admin, string connection) = await EmptyAsync();
        await using MarketStorage first = await MarketStorage.OpenAsync(connection, CancellationToken.None);
        await first.Owner.HoldAsync(CancellationToken.None);
        PostgresMarketStore before = new(first.Database);
        await before.KeepFileAsync("aa", new byte[] { 1 }, CancellationToken.None);
        await CutAsync(admin);
        await using MarketStorage second = await MarketStorage.OpenAsync(connection, CancellationToken.None);
        await second.Owner.HoldAsync(CancellationToken.None);

        // One statement, several in a transaction, and the state of a grain; a former owner may still read.
        await RefusedAsync(() => before.KeepFileAsync("bb", new byte[] { 1 }, CancellationToken.None));
        await RefusedAsync(() => before.PlaceOrdersAsync(
            [new OrderRow { Site = 1, RequestId = 1, RequestKey = "a", RoundFileHash = "b", Attempt = 0 }], CancellationToken.None));
        await RefusedAsync(() => new PostgresGrainStateStore(first.Database).WriteAsync(
            new("a", "b", "c"), new byte[] { 1 }, null, CancellationToken.None));
        await RefusedAsync(() => first.Ledger.AppendAsync(null, [], [], CancellationToken.None));
        Assert.NotNull(await before.FindFileAsync("aa", CancellationToken.None));
        Assert.Null(await before.FindFileAsync("bb", CancellationToken.None));
        StoreLostException lost = await Assert.ThrowsAsync<StoreLostException>(() => first.Owner.HoldAsync(CancellationToken.None));
        Assert.Contains("was taken over by emr, process ", lost.Message, StringComparison.Ordinal);

        await new PostgresMarketStore(second.Database).KeepFileAsync("cc", new byte[] { 1 }, CancellationToken.None);
        await second.Ledger.AppendAsync(null, [], [], CancellationToken.None);
        await using NpgsqlDataSource nameless = NpgsqlDataSource.Create(connection);
        await RefusedAsync(() => new PostgresMarketStore(nameless).KeepFileAsync("dd", new byte[] { 1 }, CancellationToken.None));
        await admin.DisposeAsync();
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Owner_that_lost_its_connection_goes_on_where_nobody_took_the_store()
    {
        (NpgsqlDataSource admin, string connection) = await EmptyAsync();
        await using MarketStorage storage = await MarketStorage.OpenAsync(connection, CancellationToken.None);
        await CutAsync(admin);
        await new PostgresMarketStore(storage.Database).KeepFileAsync("aa", new byte[] { 1 }, CancellationToken.None);
        await storage.Owner.HoldAsync(CancellationToken.None);
        await new PostgresMarketStore(storage.Database).KeepFileAsync("bb", new byte[] { 1 }, CancellationToken.None);
        await Assert.ThrowsAsync<StoreInUseException>(() => MarketStorage.OpenAsync(connection, CancellationToken.None));
        await admin.DisposeAsync();
    }

    /// <summary>What is about to leave a site is allowed by what the process knows: nobody can take the store, and hear of a withdrawal,
    /// before it has left.</summary>
    [RequiresFact(Tool.PostgreSQL)]
    public async Task Store_is_not_taken_while_its_owner_holds_it_and_not_held_by_a_former_one()
    {
        (NpgsqlDataSource admin, string connection) = await EmptyAsync();
        await using SiteStorage first = await SiteStorage.OpenAsync(connection, KeyFile, CancellationToken.None);
        PostgresSiteStore store = new(first.Database, first.Vault);
        IAsyncDisposable hold = await store.HoldAsync(CancellationToken.None);
        await CutAsync(admin);
        Task<SiteStorage> taking = SiteStorage.OpenAsync(connection, KeyFile, CancellationToken.None);
        while (!await WaitsAsync(admin))
        {
            Assert.False(taking.IsCompleted, "the store was taken while it was held");
        }

        // It still writes as long as it holds; a site says that something leaves before it does.
        await store.SavePoliciesAsync(Nobody, CancellationToken.None);
        Assert.False(taking.IsCompleted, "the store was taken while it was held");
        await hold.DisposeAsync();
        await using SiteStorage second = await taking;
        await RefusedAsync(() => store.HoldAsync(CancellationToken.None));
        await RefusedAsync(() => store.SavePoliciesAsync(Nobody, CancellationToken.None));
        await using (await new PostgresSiteStore(second.Database, second.Vault).HoldAsync(CancellationToken.None))
        {
            await new PostgresSiteStore(second.Database, second.Vault).SavePoliciesAsync(Nobody, CancellationToken.None);
        }

        await admin.DisposeAsync();
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Cluster_shares_a_store_until_one_process_takes_it_for_itself()
    {
        (NpgsqlDataSource admin, string connection) = await EmptyAsync();
        await using NpgsqlDataSource silo = NpgsqlDataSource.Create(connection);
        await Migrations.ApplyAsync(silo, DatabaseRole.Market, CancellationToken.None);
        await new PostgresMarketStore(silo).KeepFileAsync("aa", new byte[] { 1 }, CancellationToken.None);
        await using (MarketStorage alone = await MarketStorage.OpenAsync(connection, CancellationToken.None))
        {
            await RefusedAsync(() => new PostgresMarketStore(silo).KeepFileAsync("bb", new byte[] { 1 }, CancellationToken.None));
            await using (NpgsqlConnection another = await silo.OpenConnectionAsync())
            {
                Assert.Equal("", await StoreFence.TakeAsync(another, isShared: true, CancellationToken.None));
            }

            await new PostgresMarketStore(silo).KeepFileAsync("bb", new byte[] { 1 }, CancellationToken.None);
            await RefusedAsync(() => new PostgresMarketStore(alone.Database).KeepFileAsync("cc", new byte[] { 1 }, CancellationToken.None));
        }

        await admin.DisposeAsync();
    }

    private static SetPolicies Nobody => new()
    {
        SchemaId = "ward", PersonKeys = [], Profiles = [], Rates = [], Quotas = [], Purposes = [], ExpirySeconds = [], Participation = [],
    };

    private static async Task RefusedAsync(Func<Task> write) =>
        Assert.Equal(StoreFence.Refused, (await Assert.ThrowsAsync<PostgresException>(write)).SqlState);

    private static async Task<(NpgsqlDataSource Admin, string Connection)> EmptyAsync()
    {
        NpgsqlDataSource admin = await TestDatabases.CreateEmptyAsync();
        return (admin, await TestDatabases.ConnectionStringOfAsync(admin));
    }

    /// <summary>Ends the connections that hold the lock, as a failover or a network does.</summary>
    private static async Task CutAsync(NpgsqlDataSource admin)
    {
        await using NpgsqlCommand command = admin.CreateCommand(
            """
            SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
            WHERE application_name LIKE 'emr, process %' AND datname = current_database()
            """);
        Assert.Equal(1L, await command.ExecuteScalarAsync());
    }

    private static async Task<bool> WaitsAsync(NpgsqlDataSource admin)
    {
        await using NpgsqlCommand command = admin.CreateCommand(
            """
            SELECT EXISTS (SELECT FROM pg_stat_activity
            WHERE application_name LIKE 'emr, process %' AND datname = current_database() AND wait_event_type = 'Lock'
              AND query LIKE 'UPDATE store_owner%')
            """);
        return await command.ExecuteScalarAsync() is true;
    }
}
