using System.Diagnostics;
using System.Text.Json;
using EmrMarket.Silos.Storage;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using EmrMarket.Silos.Tests.Records;
using EmrMarket.Silos.Tests.Storage;
using Npgsql;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary><c>emr site rotate-key</c> on the store of a real server: refused while it runs, killed half-way, served in between, resumed,
/// and the earlier key opens nothing.</summary>
public sealed class RotateKeyTests
{
    private const int Records = 240;
    private const string Schema = "synthetic";

    // What a site of years has, in parts of 16 MiB: enough that a rotation is met half-way.
    private const int LargeFiles = 4;
    private const int LargeFileBytes = 16 << 20;

    [RequiresFact(Tool.Anvil, Tool.PostgreSQL)]
    [Trait("Duration", "Long")]
    public async Task Rotation_of_a_served_site_is_killed_half_way_resumed_and_loses_nothing()
    {
        await using ServedMarket market = new();
        string keyFile = market.Place("sites/hospital/storage.key"), next = keyFile + ".next", rotate = market.Chain;
        string file = market.Place("records.csv");
        Assert.Equal(0, (await CommandProcess.RunAsync(market.Folder, "data", "generate", "--records", $"{Records}", "--out", file)).Code);
        Assert.Equal(2, (await CommandProcess.RunAsync(market.Folder, "site", "rotate-key", "--folder", rotate)).Code);
        await market.StartAsync();
        await market.JsonAsync("site", "load", file, "--schema", Schema);
        await market.JsonAsync("site", "policies", "--schema", Schema, "--profile", "generous", "--rate", "1", "--purpose", "2",
            "--quota", "2");
        string before = await StatusAsync(market);
        (int refused, _, string told) = await CommandProcess.RunAsync(market.Folder, "site", "rotate-key", "--folder", rotate);
        Assert.Equal(1, refused);
        Assert.Contains("is in use by process", told, StringComparison.Ordinal);
        Assert.False(File.Exists(next));
        await market.KillAsync();
        await FillAsync(market, keyFile);
        string first = await File.ReadAllTextAsync(keyFile);

        // Killed as soon as there is a next key, and then again whenever it is met at work.
        using (Process rotation = CommandProcess.Start(market.Folder, ["site", "rotate-key", "--folder", rotate]))
        {
            while (!File.Exists(next))
            {
                Assert.False(rotation.HasExited, "it ended before it began");
                await Task.Delay(2);
            }

            rotation.Kill(entireProcessTree: false);
            await rotation.WaitForExitAsync();
        }

        Assert.True(File.Exists(next));
        Assert.Equal(first, await File.ReadAllTextAsync(keyFile));
        await market.StartAsync();
        Assert.Equal(before, await StatusAsync(market));
        await market.KillAsync();

        (int code, string output, string error) = await CommandProcess.RunAsync(market.Folder, "site", "rotate-key", "--folder", rotate);
        Assert.True(code == 0, error);
        Assert.Contains("parts are sealed again", output, StringComparison.Ordinal);
        Assert.False(File.Exists(next));
        string second = await File.ReadAllTextAsync(keyFile);
        Assert.NotEqual(first, second);

        // The earlier key opens nothing any more; the new one everything.
        await File.WriteAllTextAsync(keyFile, first);
        Assert.Contains("does not open the site's database",
            (await Assert.ThrowsAsync<InvalidOperationException>(market.ListenAsync)).Message, StringComparison.Ordinal);
        await File.WriteAllTextAsync(keyFile, second);
        await market.StartAsync();
        Assert.Equal(before, await StatusAsync(market));
        await market.KillAsync();
        await OpenAsync(market, keyFile, async store =>
        {
            for (int i = 0; i < LargeFiles; i++)
            {
                Assert.Equal(Content(i), await store.FindFileAsync($"large-{i}", CancellationToken.None));
            }
        });
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Rotation_by_keys_of_the_environment_works_on_a_database_of_ones_own_that_nobody_uses()
    {
        using TestFolder folder = new();
        string first = folder.Place("first.key"), second = folder.Place("second.key"), third = folder.Place("third.key");
        await using NpgsqlDataSource database = await TestDatabases.CreateAsync(DatabaseRole.Site);
        string connection = await TestDatabases.ConnectionStringOfAsync(database);
        await new PostgresSiteStore(database, await SiteVault.OpenAsync(database, first, CancellationToken.None))
            .KeepFileAsync("kept", new byte[] { 5 }, CancellationToken.None);
        StorageKey.Create(second);
        StorageKey.Create(third);
        Dictionary<string, string> variables = new(StringComparer.Ordinal)
        {
            ["EMR__SITE__DATABASE"] = connection, [StorageKey.Variable] = (await File.ReadAllTextAsync(third)).Trim(),
            [StorageKey.NextVariable] = (await File.ReadAllTextAsync(second)).Trim(),
        };
        async Task RefusedAsync(string says)
        {
            (int code, string output, string error) = await CommandProcess.RunAsync(
                folder.Path, ["site", "rotate-key", "--folder", folder.Place("chain")], variables);
            Assert.True(code == 1 && error.Contains(says, StringComparison.Ordinal), error);
            Assert.DoesNotContain(variables[StorageKey.Variable], output + error, StringComparison.Ordinal);
        }

        await RefusedAsync("does not open the site's database");
        variables[StorageKey.Variable] = (await File.ReadAllTextAsync(first)).Trim();
        await using (await StoreOwner.TakeAsync(connection, CancellationToken.None))
        {
            await RefusedAsync("is in use by emr, process " + Environment.ProcessId);
        }

        (int code, string output, string error) = await CommandProcess.RunAsync(
            folder.Path, ["site", "rotate-key", "--folder", folder.Place("chain")], variables);
        Assert.True(code == 0, error);
        Assert.Contains($"move it to {StorageKey.Variable}", output, StringComparison.Ordinal);
        await Assert.ThrowsAsync<SealException>(() => SiteVault.OpenAsync(database, first, CancellationToken.None));
        Assert.Equal([5],
            (await new PostgresSiteStore(database, await SiteVault.OpenAsync(database, second, CancellationToken.None))
                .FindFileAsync("kept", CancellationToken.None))!);
        Assert.False(Directory.Exists(folder.Place("database")));
    }

    private static async Task<string> StatusAsync(ServedMarket market)
    {
        JsonElement status = await market.JsonAsync("site", "status", "--schema", Schema);
        JsonElement menu = await market.JsonAsync("patient", "policy", "--schema", Schema);
        return $"{status.GetProperty("records")} {status.GetProperty("persons")} {status.GetProperty("highestLossMicro")} "
            + $"{menu.GetProperty("persons")}";
    }

    private static Task FillAsync(ServedMarket market, string keyFile) => OpenAsync(market, keyFile, async store =>
    {
        for (int i = 0; i < LargeFiles; i++)
        {
            await store.KeepFileAsync($"large-{i}", Content(i), CancellationToken.None);
        }
    });

    private static async Task OpenAsync(ServedMarket market, string keyFile, Func<PostgresSiteStore, Task> work)
    {
        await using EmbeddedPostgres server = await EmbeddedPostgres.StartAsync(
            market.Place("database"), TestDatabases.EmbeddedTools, CancellationToken.None);
        await using SiteStorage storage = await SiteStorage.OpenAsync(
            await server.GetSiteConnectionStringAsync("hospital", CancellationToken.None), keyFile, CancellationToken.None);
        await work(new PostgresSiteStore(storage.Database, storage.Vault));
    }

    private static byte[] Content(int of)
    {
        byte[] content = new byte[LargeFileBytes];
        Array.Fill(content, (byte)(of + 1));
        return content;
    }
}
