using System.Diagnostics;
using System.Globalization;
using EmrMarket.Contracts.DevChain;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Chain;

/// <summary>How the embedded chain is to run.</summary>
internal sealed record ChainStart(string Folder, int Port, TimeSpan BlockTime, TimeSpan IdleBlockTime, bool Foreground);

/// <summary>Starts and ends the process that owns the embedded chain.</summary>
internal static class ChainProcess
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(30);

    public static Task<int> StartAsync(ChainStart start, CancellationToken cancellationToken) =>
        start.Foreground ? OwnAsync(start, cancellationToken) : LaunchAsync(start, cancellationToken);

    public static async Task<int> StopAsync(string folder, CancellationToken cancellationToken)
    {
        if (EmbeddedChain.FindRunning(folder) is not { } running)
        {
            AnsiConsole.WriteLine($"no embedded chain runs in {folder}");
            return ExitCode.Success;
        }

        if (!IsOwnedByStart(folder, running))
        {
            throw new CommandException(ExitCode.Failure,
                $"the chain in {folder} belongs to process {running.SupervisorId}, which was not started by 'chain start': end that "
                    + "process instead");
        }

        // SIGTERM: the owner goes, its pipe to the node closes, and the node saves its state and ends.
        using (Process kill = Process.Start("kill", ["-s", "TERM", running.SupervisorId.ToString(CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync(cancellationToken);
        }

        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(LongestStop);
        try
        {
            while (EmbeddedChain.FindRunning(folder) is not null || IsAlive(running.ProcessId))
            {
                await Task.Delay(50, late.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.Failure,
                $"the chain in {folder} did not end within {LongestStop.TotalSeconds:0} s: look at {Path.Combine(folder, "anvil.log")}, "
                    + $"then end process {running.ProcessId}", e);
        }

        AnsiConsole.WriteLine($"the embedded chain in {folder} has ended; its state stays");
        return ExitCode.Success;
    }

    /// <summary>Starts a process that outlives this one and owns the chain, and waits until the chain answers.</summary>
    private static async Task<int> LaunchAsync(ChainStart start, CancellationToken cancellationToken)
    {
        if (EmbeddedChain.FindRunning(start.Folder) is { } already)
        {
            AnsiConsole.WriteLine($"the embedded chain runs already: {already.Endpoint}");
            return ExitCode.Success;
        }

        // What a person has to wait for or mend happens here, in sight, not in the process behind.
        await ToolsAsync(cancellationToken);
        string folder = Path.GetFullPath(start.Folder);
        Directory.CreateDirectory(folder);
        string log = Path.Combine(folder, "owner.log");
        ProcessStartInfo info = new("/bin/sh")
        {
            ArgumentList =
            {
                "-c", "log=$1; shift; if command -v setsid >/dev/null 2>&1; then exec setsid \"$@\" >\"$log\" 2>&1 </dev/null; else exec "
                    + "nohup \"$@\" >\"$log\" 2>&1 </dev/null; fi",
                "start", log, Environment.ProcessPath!,
            },
        };
        foreach (string argument in (string[])[.. IsDotnet() ? [typeof(ChainProcess).Assembly.Location] : Array.Empty<string>(), "chain",
            "start", "--foreground", "--folder", folder,
            "--port", start.Port.ToString(CultureInfo.InvariantCulture), "--block-time",
            start.BlockTime.TotalSeconds.ToString(CultureInfo.InvariantCulture), "--idle-block-time",
            start.IdleBlockTime.TotalSeconds.ToString(CultureInfo.InvariantCulture)])
        {
            info.ArgumentList.Add(argument);
        }

        using Process owner = Process.Start(info)!;
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(LongestStart);
        try
        {
            SupervisedState? running;
            while ((running = EmbeddedChain.FindRunning(folder)) is null || !IsOwnedByStart(folder, running))
            {
                if (owner.HasExited)
                {
                    throw new CommandException(ExitCode.Failure,
                        $"the embedded chain did not start: {(await File.ReadAllTextAsync(log, cancellationToken)).Trim()}");
                }

                await Task.Delay(20, late.Token);
            }

            AnsiConsole.WriteLine($"the embedded chain answers at {running.Endpoint}");
            await Console.Error.WriteLineAsync("emr: it runs until './emr chain stop'; './emr chain deploy' puts the contracts on it.");
            return ExitCode.Success;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(
                ExitCode.NotReady, $"the embedded chain has not answered for {LongestStart.TotalMinutes:0} minutes: its log is {log}", e);
        }
    }

    private static async Task<int> OwnAsync(ChainStart start, CancellationToken cancellationToken)
    {
        EmbeddedChain chain;
        try
        {
            chain = await EmbeddedChain.StartAsync(
                new EmbeddedChainOptions
                {
                    Folder = start.Folder, Tools = ChainFolders.Tools, Port = start.Port, BlockTime = start.BlockTime,
                    IdleBlockTime = start.IdleBlockTime,
                }, cancellationToken);
        }
        catch (Exception e) when (e is ToolMissingException or ProcessFolderInUseException or ProcessFailedException)
        {
            throw new CommandException(ExitCode.Failure, e.Message, e);
        }

        await using (chain)
        {
            await File.WriteAllTextAsync(
                OwnerFile(start.Folder), Environment.ProcessId.ToString(CultureInfo.InvariantCulture), cancellationToken);
            AnsiConsole.WriteLine($"the embedded chain answers at {chain.Endpoint}");
            try
            {
                await chain.Completion.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                // Ctrl-C is how it ends in the foreground.
            }
            catch (ProcessFailedException e)
            {
                throw new CommandException(ExitCode.Failure, e.Message, e);
            }
            finally
            {
                File.Delete(OwnerFile(start.Folder));
            }
        }

        return ExitCode.Success;
    }

    private static async Task ToolsAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ChainFolders.Tools.GetAnvilAsync(cancellationToken);
        }
        catch (ToolMissingException e)
        {
            throw new CommandException(ExitCode.Failure, e.Message, e);
        }
    }

    private static bool IsOwnedByStart(string folder, SupervisedState running) =>
        File.Exists(OwnerFile(folder))
        && int.TryParse(File.ReadAllText(OwnerFile(folder)), NumberStyles.None, CultureInfo.InvariantCulture, out int owner)
        && owner == running.SupervisorId;

    private static string OwnerFile(string folder) => Path.Combine(folder, "owner.pid");

    private static bool IsDotnet() => Path.GetFileNameWithoutExtension(Environment.ProcessPath) is "dotnet";

    private static bool IsAlive(int id)
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
}
