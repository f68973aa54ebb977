using EmrMarket.Silos.Storage.Postgres;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

public sealed class MigrationsTests
{
    private static readonly Migration[] Two = [new(1, "one", "CREATE TABLE one (x int)"), new(2, "two", "CREATE TABLE two (x int)")];

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Missing_ones_are_applied_once_also_when_two_programs_begin_together()
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateEmptyAsync();
        int[] applied = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => Migrations.ApplyAsync(database, Two, CancellationToken.None)));
        Assert.Equal([0, 0, 0, 2], applied.Order());
        Assert.Equal(1,
            await Migrations.ApplyAsync(
                database, [.. Two, new Migration(3, "three", "CREATE TABLE three (x int)")], CancellationToken.None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Newer_database_or_another_past_is_refused_and_left_alone()
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateEmptyAsync();
        await Migrations.ApplyAsync(database, Two, CancellationToken.None);
        MigrationException newer = await Assert.ThrowsAsync<MigrationException>(
            () => Migrations.ApplyAsync(database, Two[..1], CancellationToken.None));
        Assert.Contains("0002 (two)", newer.Message, StringComparison.Ordinal);
        MigrationException other = await Assert.ThrowsAsync<MigrationException>(
            () => Migrations.ApplyAsync(database,
                [Two[0] with { Sql = "CREATE TABLE zero (x int)" }, Two[1], new Migration(3, "three", "CREATE TABLE three (x int)")],
                CancellationToken.None));
        Assert.Contains("0001 (one)", other.Message, StringComparison.Ordinal);
        Assert.Null(await ScalarAsync(database, "SELECT to_regclass('three')::text"));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Failing_file_leaves_nothing_of_itself()
    {
        await using NpgsqlDataSource database = await TestDatabases.CreateEmptyAsync();
        await Assert.ThrowsAsync<PostgresException>(
            () => Migrations.ApplyAsync(
                database, [Two[0], new Migration(2, "half", "CREATE TABLE half (x int); SELECT 1/0")], CancellationToken.None));
        Assert.Equal("one", await ScalarAsync(database, "SELECT to_regclass('one')::text"));
        Assert.Null(await ScalarAsync(database, "SELECT to_regclass('half')::text"));
        Assert.Equal(1, await Migrations.ApplyAsync(database, Two, CancellationToken.None));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Each_role_gets_its_own_tables_and_none_of_the_other_ones()
    {
        await using NpgsqlDataSource site = await TestDatabases.CreateAsync(DatabaseRole.Site);
        await using NpgsqlDataSource market = await TestDatabases.CreateAsync(DatabaseRole.Market);
        foreach ((NpgsqlDataSource own, string other) in new[] { (site, "market"), (market, "site") })
        {
            Assert.Equal(2L, await ScalarAsync(own, "SELECT count(*) FROM pg_tables WHERE tablename IN ('grain_state', 'ledger_event')"));
            Assert.Equal(0L, await ScalarAsync(own, $"SELECT count(*) FROM pg_tables WHERE tablename LIKE '{other}%'"));
        }

        int[] numbers =
            [.. new[] { DatabaseRole.Site, DatabaseRole.Market }.SelectMany(Migrations.Of).DistinctBy(one => one.Name)
                .Select(one => one.Number)];
        Assert.Distinct(numbers);
    }

    private static async Task<object?> ScalarAsync(NpgsqlDataSource database, string sql)
    {
        await using NpgsqlCommand command = database.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is var value and not DBNull ? value : null;
    }
}
