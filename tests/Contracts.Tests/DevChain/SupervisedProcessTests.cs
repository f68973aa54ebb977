using System.Diagnostics;
using System.Globalization;
using EmrMarket.Contracts.DevChain;

namespace EmrMarket.Contracts.Tests.DevChain;

public sealed class SupervisedProcessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emrmarket-process-").FullName;

    [Fact]
    public async Task Child_that_dies_is_started_again_and_prepared_again()
    {
        int prepared = 0;
        SupervisedProcessOptions options = Sleeper() with
        {
            PrepareAsync = _ =>
            {
                prepared++;
                return Task.CompletedTask;
            },
        };
        await using SupervisedProcess process = await SupervisedProcess.StartAsync(options, CancellationToken.None);
        int first = process.ProcessId;
        Assert.True(IsAlive(first));
        Kill(first);
        await UntilAsync(() => process.Restarts == 1);
        Assert.NotEqual(first, process.ProcessId);
        Assert.True(IsAlive(process.ProcessId));
        Assert.Equal(2, prepared);
        Assert.Equal(process.ProcessId, SupervisedProcess.FindRunning(_folder, "sleeper")!.ProcessId);
    }

    [Fact]
    public async Task Dispose_ends_the_child_and_frees_the_folder()
    {
        int id;
        await using (SupervisedProcess process = await SupervisedProcess.StartAsync(Sleeper(), CancellationToken.None))
        {
            id = process.ProcessId;
            ProcessFolderInUseException inUse = await Assert.ThrowsAsync<ProcessFolderInUseException>(
                () => SupervisedProcess.StartAsync(Sleeper(), CancellationToken.None));
            Assert.Equal(Environment.ProcessId, inUse.Owner!.SupervisorId);
            Assert.Contains("nowhere:1", inUse.Message, StringComparison.Ordinal);
        }

        Assert.False(IsAlive(id));
        Assert.Null(SupervisedProcess.FindRunning(_folder, "sleeper"));
        await using SupervisedProcess again = await SupervisedProcess.StartAsync(Sleeper(), CancellationToken.None);
    }

    [Fact]
    public async Task Child_of_a_killed_owner_ends_before_the_next_one_starts()
    {
        // What an owner leaves behind that was killed: a free lock, and a child that is still ending.
        using Process earlier = Process.Start(
            new ProcessStartInfo("/bin/sh", ["-c", "read -r _"]) { RedirectStandardInput = true, UseShellExecute = false })!;
        File.WriteAllText(Path.Combine(_folder, "sleeper.pid"), earlier.Id.ToString(CultureInfo.InvariantCulture) + "\n");
        bool overlapped = true;
        Task<SupervisedProcess> next = SupervisedProcess.StartAsync(
            Sleeper() with
            {
                BeforeFirstStartAsync = _ =>
                {
                    overlapped = IsAlive(earlier.Id);
                    return Task.CompletedTask;
                },
            },
            CancellationToken.None);
        earlier.StandardInput.Close();
        await using SupervisedProcess process = await next;
        Assert.False(overlapped);
    }

    [Fact]
    public async Task Child_that_ignores_the_signal_is_killed()
    {
        SupervisedProcessOptions deaf = Sleeper() with { Arguments = ["-c", "trap '' TERM; while :; do sleep 1; done"], StopSeconds = 1 };
        SupervisedProcess process = await SupervisedProcess.StartAsync(deaf, CancellationToken.None);
        int id = process.ProcessId;
        await process.DisposeAsync();
        Assert.False(IsAlive(id));
    }

    [Fact]
    public async Task Child_that_ends_at_once_is_an_error_with_its_log()
    {
        SupervisedProcessOptions broken = Sleeper() with
        {
            Arguments = ["-c", "echo the reason; exit 3"], IsReadyAsync = _ => Task.FromResult(false),
        };
        ProcessFailedException failed = await Assert.ThrowsAsync<ProcessFailedException>(
            () => SupervisedProcess.StartAsync(broken, CancellationToken.None));
        Assert.Contains("exit code 3", failed.Message, StringComparison.Ordinal);
        Assert.Contains("the reason", failed.Message, StringComparison.Ordinal);
        Assert.Null(SupervisedProcess.FindRunning(_folder, "sleeper"));
    }

    [Fact]
    public async Task Child_that_never_answers_is_an_error_and_ends()
    {
        SupervisedProcessOptions mute = Sleeper() with
        {
            IsReadyAsync = _ => Task.FromResult(false), StartTimeout = TimeSpan.FromMilliseconds(200),
        };
        ProcessFailedException failed = await Assert.ThrowsAsync<ProcessFailedException>(
            () => SupervisedProcess.StartAsync(mute, CancellationToken.None));
        Assert.Contains("not ready within", failed.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_folder, "sleeper.pid")));
    }

    [Fact]
    public async Task Child_that_cannot_be_started_again_ends_the_supervision()
    {
        bool works = true;
        SupervisedProcessOptions options = Sleeper() with
        {
            IsReadyAsync = _ => works ? Task.FromResult(true) : throw new ProcessFailedException("sleeper", "broken", ""),
            LargestNumberOfFailedStarts = 2,
        };
        await using SupervisedProcess process = await SupervisedProcess.StartAsync(options, CancellationToken.None);
        works = false;
        Kill(process.ProcessId);
        await Assert.ThrowsAsync<ProcessFailedException>(() => process.Completion);
    }

    [Fact]
    public async Task State_that_a_killed_owner_left_is_not_taken_for_its_successor_s()
    {
        int gone;
        using (Process owner = Process.Start("/bin/true"))
        {
            await owner.WaitForExitAsync();
            gone = owner.Id;
        }

        File.WriteAllText(
            Path.Combine(_folder, "sleeper.json"),
            System.Text.Json.JsonSerializer.Serialize(new SupervisedState(gone, DateTimeOffset.UnixEpoch, gone, "nowhere:0")));
        File.WriteAllText(Path.Combine(_folder, "sleeper.lock"), "");
        Assert.Null(SupervisedProcess.FindRunning(_folder, "sleeper"));

        // While the successor starts, nothing runs; neither by what it has removed nor, in the moment before that, by what it has not.
        TaskCompletionSource<bool> ready = new();
        Task<SupervisedProcess> starting = SupervisedProcess.StartAsync(
            Sleeper() with { IsReadyAsync = _ => ready.Task }, CancellationToken.None);
        Assert.Null(SupervisedProcess.FindRunning(_folder, "sleeper"));
        File.WriteAllText(
            Path.Combine(_folder, "sleeper.json"),
            System.Text.Json.JsonSerializer.Serialize(new SupervisedState(gone, DateTimeOffset.UnixEpoch, gone, "nowhere:0")));
        Assert.Null(SupervisedProcess.FindRunning(_folder, "sleeper"));
        ready.SetResult(true);
        await using SupervisedProcess process = await starting;
        Assert.Equal("nowhere:1", SupervisedProcess.FindRunning(_folder, "sleeper")!.Endpoint);
    }

    [Fact]
    public async Task Child_ends_when_its_shell_is_killed()
    {
        await using SupervisedProcess process = await SupervisedProcess.StartAsync(Sleeper(), CancellationToken.None);
        int first = process.ProcessId;
        Kill(ParentOf(first));
        await UntilAsync(() => process.Restarts == 1);
        Assert.False(IsAlive(first));
        Assert.True(IsAlive(process.ProcessId));
    }

    private SupervisedProcessOptions Sleeper() => new()
    {
        Name = "sleeper",
        Program = "/bin/sh",
        Arguments = ["-c", "exec sleep 1000"],
        Folder = _folder,
        Endpoint = "nowhere:1",
        IsReadyAsync = _ => Task.FromResult(true),
    };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    internal static bool IsAlive(int id)
    {
        try
        {
            using Process process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    internal static void Kill(int id)
    {
        using Process process = Process.GetProcessById(id);
        process.Kill();
    }

    internal static async Task UntilAsync(Func<bool> condition)
    {
        for (int i = 0; !condition(); i++)
        {
            Assert.True(i < 3_000, "the condition did not come true within 30 seconds");
            await Task.Delay(10);
        }
    }

    private static int ParentOf(int id) => int.Parse(
        File.ReadAllLines($"/proc/{id}/status").Single(line => line.StartsWith("PPid:", StringComparison.Ordinal))[5..].Trim(),
        CultureInfo.InvariantCulture);
}
