using System.Diagnostics;
using System.Globalization;
using EmrMarket.Grains.Abstractions.Site;
using EmrMarket.Grains.Site.Storage;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Storage.Site;
using Npgsql;
using NpgsqlTypes;

namespace EmrMarket.Benchmarks.Storage;

/// <summary>
/// Policies and budgets of 200,000 patients in a site's store, written and read back by a process that has nothing in memory. The baseline
/// writes the same numbers with plain COPY into two tables, a row per policy and a row per record and attribute, in the clear. And what the
/// fence costs, which looks at the database's holder in every transaction, where that is dearest: in many small ones.
/// </summary>
public static class StoresBench
{
    private const int Rounds = 3;
    private const int Patients = 200_000;
    private const int Attributes = 5;
    private const string Schema = "bench";
    private const int SmallOrders = 1_000;

    /// <summary>Measures and prints the table.</summary>
    public static async Task RunAsync(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("emr-bench-");
        try
        {
            await using EmbeddedPostgres server = await EmbeddedPostgres.StartAsync(
                Path.Combine(folder.FullName, "database"), ChainFolders.Tools, CancellationToken.None);
            SetPolicies policies = Policies();
            SiteOrderRow order = Order();
            Dictionary<string, double> best = [];
            for (int round = 0; round < Rounds; round++)
            {
                await using NpgsqlDataSource database = NpgsqlDataSource.Create(
                    await server.GetSiteConnectionStringAsync($"round{round}", CancellationToken.None));
                await Migrations.ApplyAsync(database, DatabaseRole.Site, CancellationToken.None);
                string key = Path.Combine(folder.FullName, $"{round}.key");
                await BaselineAsync(database, policies, order, best);
                PostgresSiteStore store = new(database, await SiteVault.OpenAsync(database, key, CancellationToken.None));
                await MeasureAsync(best, "write", async () =>
                {
                    await store.SavePoliciesAsync(policies, CancellationToken.None);
                    await store.SaveOrderAsync(order, CancellationToken.None);
                });
                await MeasureAsync(best, "read", async () =>
                {
                    PostgresSiteStore fresh = new(database, await SiteVault.OpenAsync(database, key, CancellationToken.None));
                    SetPolicies read = await fresh.ReadPoliciesAsync(Schema, CancellationToken.None);
                    SiteOrderRow kept = (await fresh.ReadOrdersAsync(CancellationToken.None))[0];
                    if (!read.PersonKeys.AsSpan().SequenceEqual(policies.PersonKeys)
                        || !read.Quotas.AsSpan().SequenceEqual(policies.Quotas) || !kept.Grades.AsSpan().SequenceEqual(order.Grades))
                    {
                        throw new InvalidOperationException("What was read is not what was written.");
                    }
                });
                foreach ((string step, string fence) in new[] { ("unfenced", "DISABLE"), ("fenced", "ENABLE") })
                {
                    await using NpgsqlCommand set = database.CreateCommand(
                        $"ALTER TABLE site_order {fence} TRIGGER fence; ALTER TABLE site_sealed {fence} TRIGGER fence");
                    await set.ExecuteNonQueryAsync();
                    await MeasureAsync(best, step, () => SmallAsync(store, order));
                }
            }

            await output.WriteLineAsync(
                string.Create(CultureInfo.InvariantCulture,
                    $"stores: policies of {Patients:N0} patients and their budgets over {Attributes} attributes; seconds, best of "
                        + $"{Rounds}; embedded PostgreSQL"));
            await output.WriteLineAsync("step       sealed store  plain COPY  ratio   aim");
            foreach ((string step, double aim) in new[] { ("write", 5.0), ("read", 3.0) })
            {
                await output.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{step,-11}{best[step],12:N2}{best["plain " + step],12:N2}{best[step] / best["plain " + step],7:N2}{aim,6:N0}"));
            }

            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"fence: {SmallOrders:N0} orders of one record, a transaction each; {best["fenced"]:N2} s, without it "
                    + $"{best["unfenced"]:N2} s, ratio {best["fenced"] / best["unfenced"]:N2}"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task BaselineAsync(
        NpgsqlDataSource database, SetPolicies policies, SiteOrderRow order, Dictionary<string, double> best)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync();
        await using (NpgsqlCommand make = new(
            """
            CREATE TABLE plain_policy (person bigint PRIMARY KEY, profile smallint, rate smallint, quota int, purpose smallint, expiry bigint, participation smallint);
            CREATE TABLE plain_budget (record bigint, attribute smallint, grade smallint, PRIMARY KEY (record, attribute));
            """,
            connection))
        {
            await make.ExecuteNonQueryAsync();
        }

        await MeasureAsync(best, "plain write", async () =>
        {
            await using (
                NpgsqlBinaryImporter rows = await connection.BeginBinaryImportAsync("COPY plain_policy FROM STDIN (FORMAT BINARY)"))
            {
                for (int i = 0; i < Patients; i++)
                {
                    await rows.StartRowAsync();
                    await rows.WriteAsync((long)policies.PersonKeys[i], NpgsqlDbType.Bigint);
                    await rows.WriteAsync((short)policies.Profiles[i], NpgsqlDbType.Smallint);
                    await rows.WriteAsync((short)policies.Rates[i], NpgsqlDbType.Smallint);
                    await rows.WriteAsync((int)policies.Quotas[i], NpgsqlDbType.Integer);
                    await rows.WriteAsync((short)policies.Purposes[i], NpgsqlDbType.Smallint);
                    await rows.WriteAsync(policies.ExpirySeconds[i], NpgsqlDbType.Bigint);
                    await rows.WriteAsync((short)policies.Participation[i], NpgsqlDbType.Smallint);
                }

                await rows.CompleteAsync();
            }

            await using NpgsqlBinaryImporter budgets = await connection.BeginBinaryImportAsync(
                "COPY plain_budget FROM STDIN (FORMAT BINARY)");
            for (int i = 0; i < Patients * Attributes; i++)
            {
                await budgets.StartRowAsync();
                await budgets.WriteAsync((long)order.RecordKeys[i / Attributes], NpgsqlDbType.Bigint);
                await budgets.WriteAsync((short)(i % Attributes), NpgsqlDbType.Smallint);
                await budgets.WriteAsync((short)order.Grades[i], NpgsqlDbType.Smallint);
            }

            await budgets.CompleteAsync();
        });
        await MeasureAsync(best, "plain read", async () =>
        {
            long rows = 0;
            foreach ((string table, int columns) in new[] { ("plain_policy", 7), ("plain_budget", 3) })
            {
                await using NpgsqlBinaryExporter reader = await connection.BeginBinaryExportAsync(
                    $"COPY {table} TO STDOUT (FORMAT BINARY)");
                while (await reader.StartRowAsync() >= 0)
                {
                    await reader.ReadAsync<long>(NpgsqlDbType.Bigint);
                    rows += await reader.ReadAsync<short>(NpgsqlDbType.Smallint) >= 0 ? 1 : 0;
                    for (int column = 2; column < columns; column++)
                    {
                        await reader.SkipAsync();
                    }
                }
            }

            if (rows != Patients * (Attributes + 1))
            {
                throw new InvalidOperationException($"The baseline read {rows} rows.");
            }
        });
    }

    private static async Task SmallAsync(PostgresSiteStore store, SiteOrderRow order)
    {
        long first = (await store.ReadOrdersAsync(CancellationToken.None))[^1].Sequence + 1;
        for (int i = 0; i < SmallOrders; i++)
        {
            await store.SaveOrderAsync(
                order with { Sequence = first + i, RecordKeys = order.RecordKeys[..1], Grades = order.Grades[..Attributes] },
                CancellationToken.None);
        }
    }

    private static async Task MeasureAsync(Dictionary<string, double> best, string step, Func<Task> work)
    {
        GC.Collect();
        long started = Stopwatch.GetTimestamp();
        await work();
        best[step] = Math.Min(best.GetValueOrDefault(step, double.MaxValue), Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    private static SetPolicies Policies() => new()
    {
        SchemaId = Schema,
        PersonKeys = [.. Enumerable.Range(0, Patients).Select(i => (ulong)i * 7)],
        Profiles = [.. Enumerable.Range(0, Patients).Select(i => (byte)(i % 4))],
        Rates = [.. Enumerable.Range(0, Patients).Select(i => (byte)(i % 3))],
        Quotas = [.. Enumerable.Range(0, Patients).Select(i => (ushort)(1 + (i % 5)))],
        Purposes = new byte[Patients],
        ExpirySeconds = [.. Enumerable.Range(0, Patients).Select(i => 1_900_000_000L + i)],
        Participation = new Participation[Patients],
    };

    private static SiteOrderRow Order() => new()
    {
        Sequence = 1,
        SchemaId = Schema,
        Attempt = 0,
        State = SiteOrderState.Released,
        FileHash = "",
        RecordKeys = [.. Enumerable.Range(0, Patients).Select(i => (ulong)i)],
        Attributes = [.. Enumerable.Range(0, Attributes)],
        Grades = [.. Enumerable.Range(0, Patients * Attributes).Select(i => (byte)(1 + (i % 6)))],
        Delivery = new SiteDelivery { Sequence = 1, RequestId = 1, Sold = Patients, Delivered = Patients, OverCap = 0, NotAllowed = 0 },
    };
}
