using System.Diagnostics;
using EmrMarket.Silos.Storage.Postgres;
using EmrMarket.Silos.Tests.Commands;
using Npgsql;

namespace EmrMarket.Silos.Tests.Storage;

/// <summary>The embedded database where it is not at home: as a normal user, on disks that are full or read-only, where user namespaces are
/// forbidden, on a folder that somebody has.</summary>
public sealed class EmbeddedPostgresPlacesTests : IDisposable
{
    // The database is the first that 'serve' starts; where it runs, the next thing that is missed is the deployment.
    private const string Started = "there is no deployment file";

    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-place-").FullName;

    private string Database => Path.Combine(_folder, "database");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [AllowedFact(Right.NormalUser, Tool.PostgreSQL)]
    public async Task Normal_user_gets_a_database_and_finds_it_again()
    {
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync("chown", "65534:65534", _folder);
        }

        for (int start = 0; start < 2; start++)
        {
            (int code, string error) = await ServeAsync(AllowedFactAttribute.AsNormalUser);
            Assert.True(code == 2 && error.Contains(Started, StringComparison.Ordinal), error);
            Assert.True(Directory.Exists(Path.Combine(Database, "data")));
        }
    }

    [AllowedFact(Right.NormalUser, Tool.PostgreSQL)]
    public async Task Folder_of_somebody_else_is_refused_with_what_to_do()
    {
        await RunAsync("chmod", "500", _folder);
        try
        {
            (int code, string error) = await ServeAsync(AllowedFactAttribute.AsNormalUser);
            Assert.True(code == 1 && error.Contains("cannot be made", StringComparison.Ordinal)
                && error.Contains("Name another one", StringComparison.Ordinal), error);
        }
        finally
        {
            await RunAsync("chmod", "700", _folder);
        }
    }

    [AllowedFact(Right.Mounts, Tool.PostgreSQL)]
    public async Task Disk_without_room_is_refused_with_what_to_do()
    {
        (int code, string error) = await ServeAsync(Mounted("size=16m", ""));
        Assert.True(code == 1 && error.Contains("Free or change the disk", StringComparison.Ordinal), error);
    }

    [AllowedFact(Right.Mounts, Tool.PostgreSQL)]
    public async Task Read_only_disk_is_refused_with_what_to_do()
    {
        // Once with nothing on it, and once with the folder that a start before has made.
        foreach (string before in new[] { "", "mkdir -m 700 -p \"$1/database/run\" \"$1/database/keys\" && " })
        {
            (int code, string error) = await ServeAsync(Mounted("size=16m", before + "mount -o remount,ro \"$1\" && "));
            Assert.True(code == 1 && error.Contains("ead-only", StringComparison.Ordinal)
                && error.Contains("another", StringComparison.Ordinal), error);
        }
    }

    [AllowedFact(Right.Mounts, Tool.PostgreSQL)]
    public async Task Disk_that_fills_refuses_what_has_no_room_and_goes_on_when_there_is_some()
    {
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", _folder);
        try
        {
            await using (EmbeddedPostgres postgres = await StartAsync())
            {
                await ExecuteAsync(postgres, "CREATE TABLE t (x text); INSERT INTO t VALUES ('kept')");
                string ballast = Path.Combine(_folder, "ballast");
                await RunAsync("sh", "-c", $"cat /dev/zero >'{ballast}' 2>/dev/null; true");
                PostgresException full = await Assert.ThrowsAsync<PostgresException>(
                    () => ExecuteAsync(postgres, "INSERT INTO t SELECT repeat(md5(i::text), 100) FROM generate_series(1, 60000) AS i"));
                Assert.Equal(PostgresErrorCodes.DiskFull, full.SqlState);
                File.Delete(ballast);
            }

            await using EmbeddedPostgres again = await StartAsync();
            await ExecuteAsync(again, "INSERT INTO t VALUES ('and on')");
            Assert.Equal(2L, await ExecuteAsync(again, "SELECT count(*) FROM t"));
        }
        finally
        {
            // The shell that watched over the server may still be on its way out.
            await RunAsync("umount", "--lazy", _folder);
        }
    }

    [AllowedFact(Right.NamespaceLimits, Tool.PostgreSQL)]
    public async Task Root_without_user_namespaces_is_told_to_start_as_somebody_else()
    {
        (int code, string error) = await ServeAsync(
            ["unshare", "--user", "--map-root-user", "sh", "-c", "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"", "sh"]);
        Assert.True(code == 1 && error.Contains("start ./emr as a normal user", StringComparison.Ordinal), error);
        Assert.False(Directory.Exists(Path.Combine(Database, "data")));
    }

    [RequiresFact(Tool.PostgreSQL)]
    public async Task Second_process_on_a_folder_is_told_who_has_it()
    {
        await using EmbeddedPostgres owner = await StartAsync();
        (int code, string error) = await ServeAsync([]);
        Assert.True(code == 1 && error.Contains($"is in use by process {Environment.ProcessId} ", StringComparison.Ordinal)
            && error.Contains("end it first", StringComparison.Ordinal), error);
        Assert.Equal(1, await ExecuteAsync(owner, "SELECT 1"));
    }

    private string[] Mounted(string options, string then) =>
        ["unshare", "--mount", "sh", "-c", $"mount -t tmpfs -o {options} tmpfs \"$1\" && {then}shift && exec \"$@\"", "sh", _folder];

    private Task<EmbeddedPostgres> StartAsync() =>
        EmbeddedPostgres.StartAsync(Database, TestDatabases.EmbeddedTools, CancellationToken.None);

    /// <summary>Runs <c>serve</c> as far as its database, behind another command.</summary>
    private async Task<(int Code, string Error)> ServeAsync(IReadOnlyList<string> behind)
    {
        await TestDatabases.EmbeddedTools.GetPostgresAsync(CancellationToken.None);
        string[] command =
        [
            .. behind, "dotnet", CommandProcess.Program, "serve", "--roles", "market", "--folder", Path.Combine(_folder, "chain"),
            "--chain", "http://127.0.0.1:9", "--deployment", "none.json",
        ];
        ProcessStartInfo start = new(command[0], command[1..])
        {
            WorkingDirectory = "/", UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true,
            Environment = { ["EMR_ROOT"] = Tools.RepositoryRoot, ["HOME"] = _folder },
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await error + await output);
    }

    private static async Task RunAsync(params string[] command)
    {
        using Process process = Process.Start(command[0], command[1..]);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    private static async Task<object?> ExecuteAsync(EmbeddedPostgres postgres, string sql)
    {
        await using NpgsqlConnection connection = new(postgres.MarketConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
