using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace EmrMarket.Contracts.DevChain;

/// <summary>What to run and how to know that it is ready.</summary>
public sealed record SupervisedProcessOptions
{
    /// <summary>A short name for its files and messages, such as anvil.</summary>
    public required string Name { get; init; }

    /// <summary>The program.</summary>
    public required string Program { get; init; }

    /// <summary>Its arguments.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Variables beside the inherited ones.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Its working folder, which also gets the lock, the log and the state file.</summary>
    public required string Folder { get; init; }

    /// <summary>Where it answers; written to the state file for other processes.</summary>
    public required string Endpoint { get; init; }

    /// <summary>True as soon as it answers; asked every few milliseconds after a start.</summary>
    public required Func<CancellationToken, Task<bool>> IsReadyAsync { get; init; }

    /// <summary>Run once when the folder is taken, before the first start: what must not run beside another owner's process.</summary>
    public Func<CancellationToken, Task>? BeforeFirstStartAsync { get; init; }

    /// <summary>Run after every start, the first included, before the process counts as ready.</summary>
    public Func<CancellationToken, Task>? PrepareAsync { get; init; }

    /// <summary>The longest wait for readiness.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The signal that asks it to end: TERM, or INT for PostgreSQL's fast shutdown.</summary>
    public string StopSignal { get; init; } = "TERM";

    /// <summary>Whole seconds between that signal and KILL.</summary>
    public int StopSeconds { get; init; } = 15;

    /// <summary>Failed starts in a row after which it is given up.</summary>
    public int LargestNumberOfFailedStarts { get; init; } = 5;
}

/// <summary>What the state file of a running process tells others.</summary>
/// <param name="SupervisorId">The process that supervises.</param>
/// <param name="StartedAt">When that process took the folder.</param>
/// <param name="ProcessId">The process itself.</param>
/// <param name="Endpoint">Where it answers.</param>
public sealed record SupervisedState(int SupervisorId, DateTimeOffset StartedAt, int ProcessId, string Endpoint);

/// <summary>A child process that one process of this machine owns: it is started again when it dies, and ends with its owner however that
/// ends.</summary>
/// <remarks>The child runs under a shell that waits on a pipe from the owner: when the pipe closes, by <see cref="DisposeAsync"/>, a crash
/// or SIGKILL, the shell asks the child to end and, after a while, makes it. An operating system's lock on a file keeps a second owner out
/// and goes with the process that holds it.</remarks>
public sealed class SupervisedProcess : IAsyncDisposable
{
    // $1 pid file, $2 log, $3 signal, $4 seconds until KILL, then the command. The reader of the pipe is a process of its own, because the
    // shell itself waits for the child.
    private const string Shell = """
        pidfile=$1; log=$2; signal=$3; patience=$4; shift 4
        exec 3<&0 </dev/null 2>>"$log"
        "$@" 3<&- >>"$log" 2>&1 &
        child=$!
        echo "$child" >"$pidfile.new" && mv "$pidfile.new" "$pidfile"
        (
            trap '' INT HUP
            read -r _ <&3
            kill -s "$signal" "$child" 2>/dev/null
            while [ "$patience" -gt 0 ] && kill -0 "$child" 2>/dev/null; do sleep 1; patience=$((patience - 1)); done
            kill -s KILL "$child" 2>/dev/null
        ) >/dev/null 2>&1 &
        watcher=$!
        exec 3<&-
        trap '' INT HUP
        trap 'kill -s "$signal" "$child"' TERM
        wait "$child"; status=$?
        while kill -0 "$child" 2>/dev/null; do wait "$child"; status=$?; done
        kill -s KILL "$watcher" 2>/dev/null
        exit "$status"
        """;

    // EWOULDBLOCK, with which a lock that somebody holds is refused; .NET has it as the exception's HResult.
    private const int LinuxWouldBlock = 11;
    private const int DarwinWouldBlock = 35;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(100);

    // The start of a process is told in the system's ticks since a boot time of whole seconds.
    private static readonly TimeSpan ClockSlack = TimeSpan.FromSeconds(2);
    private readonly SupervisedProcessOptions _options;
    private readonly FileStream _lock;
    private readonly DateTimeOffset _startedAt = DateTimeOffset.UtcNow;
    private readonly CancellationTokenSource _stopping = new();
    private Process? _shell;
    private Task _supervision = Task.CompletedTask;

    private SupervisedProcess(SupervisedProcessOptions options, FileStream heldLock) => (_options, _lock) = (options, heldLock);

    /// <summary>The child's id; another one after each restart.</summary>
    public int ProcessId { get; private set; }

    /// <summary>How often the child died and was started again.</summary>
    public int Restarts { get; private set; }

    /// <summary>Ends with the supervision: in success after <see cref="DisposeAsync"/>, with an error when the child cannot be started
    /// again.</summary>
    public Task Completion => _supervision;

    /// <summary>Takes the folder, starts the child and waits until it is ready.</summary>
    /// <exception cref="ProcessFolderInUseException">Another process owns the folder.</exception>
    /// <exception cref="ProcessFailedException">The child ended or was not ready in time; the message ends with its log.</exception>
    public static async Task<SupervisedProcess> StartAsync(SupervisedProcessOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException(
                "embedded engines run on Linux and macOS: use the Windows Subsystem for Linux, or engines of your own");
        }

        FileStream held = Take(options);
        SupervisedProcess process = new(options, held);
        try
        {
            await process.OutwaitEarlierChildAsync(cancellationToken);
            if (options.BeforeFirstStartAsync is { } prepare)
            {
                await prepare(cancellationToken);
            }

            await process.StartChildAsync(cancellationToken);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }

        process._supervision = process.SuperviseAsync();
        return process;
    }

    /// <summary>The state of the process that runs in a folder, or null when none does.</summary>
    public static SupervisedState? FindRunning(string folder, string name)
    {
        string lockFile = Path.Combine(folder, name + ".lock");
        if (!File.Exists(lockFile))
        {
            return null;
        }

        try
        {
            // Whoever can take the lock proves that nobody holds it.
            using FileStream free = new(lockFile, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return null;
        }
        catch (IOException)
        {
            try
            {
                // An owner that was killed leaves its state behind, which the next one has not written over while it starts.
                SupervisedState? state = JsonSerializer.Deserialize<SupervisedState>(
                    File.ReadAllText(Path.Combine(folder, name + ".json")));
                return state is not null && IsAlive(state.SupervisorId, state.StartedAt.UtcDateTime) ? state : null;
            }
            catch (Exception e) when (e is IOException or JsonException)
            {
                // Its owner has the lock and is about to write where the child answers, or has just removed it.
                return null;
            }
        }
    }

    /// <summary>Asks the child to end, makes it after a while, and frees the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested)
        {
            await _stopping.CancelAsync();
            try
            {
                await _supervision;
            }
            catch (ProcessFailedException)
            {
                // Told by Completion.
            }

            await EndChildAsync();
            File.Delete(StateFile);
            await _lock.DisposeAsync();
            _stopping.Dispose();
        }
    }

    private string PidFile => Path.Combine(_options.Folder, _options.Name + ".pid");

    private string LogFile => Path.Combine(_options.Folder, _options.Name + ".log");

    private string StateFile => Path.Combine(_options.Folder, _options.Name + ".json");

    private static FileStream Take(SupervisedProcessOptions options)
    {
        string path = Path.Combine(options.Folder, options.Name + ".lock");
        FileStream? held = null;
        try
        {
            Directory.CreateDirectory(options.Folder);
            held = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.Delete(Path.Combine(options.Folder, options.Name + ".json"));
            held.SetLength(0);
            held.Write(System.Text.Encoding.ASCII.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"{System.Environment.ProcessId} {DateTimeOffset.UtcNow:O}\n")));
            held.Flush();
            return held;
        }
        catch (IOException e) when (held is null && e.HResult is LinuxWouldBlock or DarwinWouldBlock)
        {
            SupervisedState? owner = FindRunning(options.Folder, options.Name);
            throw new ProcessFolderInUseException(options.Folder, owner, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            held?.Dispose();
            throw new ProcessFailedException(options.Name,
                $"{options.Folder} cannot be written: {e.Message} Free the disk or mount it for writing, let "
                    + $"{System.Environment.UserName} write there, or name another folder", "(it was not started)");
        }
    }

    /// <summary>An owner that was killed frees the folder before its child has ended, which still writes what the next child is to
    /// read.</summary>
    private async Task OutwaitEarlierChildAsync(CancellationToken cancellationToken)
    {
        TimeSpan longest = TimeSpan.FromSeconds(_options.StopSeconds) + _options.StartTimeout;
        if (!File.Exists(PidFile)
            || !int.TryParse(await File.ReadAllTextAsync(PidFile, cancellationToken), NumberStyles.AllowTrailingWhite,
                CultureInfo.InvariantCulture, out int id))
        {
            return;
        }

        DateTime written = File.GetLastWriteTimeUtc(PidFile);
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(longest);
        try
        {
            while (IsAlive(id, written))
            {
                await Task.Delay(20, late.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ProcessFailedException(
                _options.Name,
                string.Create(CultureInfo.InvariantCulture,
                    $"process {id} of an earlier owner of {_options.Folder} did not end within {longest.TotalSeconds:0} s: end it first"),
                        LogTail());
        }
    }

    private async Task StartChildAsync(CancellationToken cancellationToken)
    {
        if (File.Exists(LogFile) && new FileInfo(LogFile).Length > 8 << 20)
        {
            File.Move(LogFile, LogFile + ".old", overwrite: true);
        }

        File.Delete(PidFile);

        // A session of its own keeps a terminal's Ctrl-C from the child: the owner decides when it ends.
        bool hasSetsid = File.Exists("/usr/bin/setsid");
        ProcessStartInfo start = new(hasSetsid ? "/usr/bin/setsid" : "/bin/sh")
        {
            WorkingDirectory = _options.Folder, RedirectStandardInput = true, UseShellExecute = false,
        };
        foreach (string argument in (string[])[
            .. hasSetsid ? ["/bin/sh"] : Array.Empty<string>(), "-c", Shell, "supervise", PidFile, LogFile, _options.StopSignal,
            _options.StopSeconds.ToString(CultureInfo.InvariantCulture), _options.Program, .. _options.Arguments])
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in _options.Environment)
        {
            start.Environment[name] = value;
        }

        _shell = Process.Start(start)!;
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(_options.StartTimeout);
        try
        {
            while (!File.Exists(PidFile) || !await _options.IsReadyAsync(late.Token))
            {
                if (_shell.HasExited)
                {
                    throw new ProcessFailedException(_options.Name, $"it ended at once with exit code {_shell.ExitCode}", LogTail());
                }

                await Task.Delay(10, late.Token);
            }

            if (_options.PrepareAsync is { } prepare)
            {
                await prepare(late.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ProcessFailedException(
                _options.Name,
                string.Create(CultureInfo.InvariantCulture, $"it was not ready within {_options.StartTimeout.TotalSeconds:0} s"),
                LogTail());
        }

        ProcessId = int.Parse(await File.ReadAllTextAsync(PidFile, cancellationToken), CultureInfo.InvariantCulture);
        string state = JsonSerializer.Serialize(
            new SupervisedState(System.Environment.ProcessId, _startedAt, ProcessId, _options.Endpoint));
        await File.WriteAllTextAsync(StateFile + ".new", state, cancellationToken);
        File.Move(StateFile + ".new", StateFile, overwrite: true);
    }

    private async Task SuperviseAsync()
    {
        int failures = 0;
        while (true)
        {
            try
            {
                if (_shell is { } running)
                {
                    await running.WaitForExitAsync(_stopping.Token);
                    await EndChildAsync();
                }

                await Task.Delay(ShortestPause * Math.Pow(2, failures), _stopping.Token);
                await StartChildAsync(_stopping.Token);
                Restarts++;
                failures = 0;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (ProcessFailedException)
            {
                await EndChildAsync();
                failures++;
                if (failures >= _options.LargestNumberOfFailedStarts)
                {
                    throw;
                }
            }
        }
    }

    /// <summary>Closes the pipe, which ends the child, and waits until it is gone, so that what it held (port, files) is free.</summary>
    private async Task EndChildAsync()
    {
        if (_shell is null)
        {
            return;
        }

        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync(CancellationToken.None);
        _shell.Dispose();
        _shell = null;
        if (File.Exists(PidFile)
            && int.TryParse(await File.ReadAllTextAsync(PidFile, CancellationToken.None), NumberStyles.AllowTrailingWhite,
                CultureInfo.InvariantCulture, out int id))
        {
            // Only when somebody killed the shell itself is the child still there; the reader of the pipe then ends it.
            while (IsAlive(id))
            {
                await Task.Delay(20, CancellationToken.None);
            }
        }

        File.Delete(PidFile);
    }

    /// <summary>Whether a process runs; with a time, whether it is one that began before, and not a later one to which the system gave the
    /// same id.</summary>
    private static bool IsAlive(int id, DateTime? beganBefore = null)
    {
        try
        {
            using Process process = Process.GetProcessById(id);
            return !process.HasExited && (beganBefore is not { } time || process.StartTime.ToUniversalTime() < time + ClockSlack);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private string LogTail()
    {
        if (!File.Exists(LogFile))
        {
            return "(it wrote no log)";
        }

        string[] lines = File.ReadAllLines(LogFile);
        return string.Join('\n', lines.TakeLast(15));
    }
}

/// <summary>The folder of an embedded engine belongs to another process.</summary>
public sealed class ProcessFolderInUseException(string folder, SupervisedState? owner, Exception inner) : Exception(
    owner is null
        ? $"{folder} is in use by another process that is starting or stopping: try again in a moment"
        : string.Create(CultureInfo.InvariantCulture,
            $"{folder} is in use by process {owner.SupervisorId} since {owner.StartedAt:u}, answering at {owner.Endpoint}: use that one, "
                + $"or end it first"),
    inner)
{
    /// <summary>Who owns it; null while that process starts or stops.</summary>
    public SupervisedState? Owner { get; } = owner;
}

/// <summary>An embedded engine ended, or was not ready in time.</summary>
public sealed class ProcessFailedException(string name, string problem, string logTail)
    : Exception($"{name} failed: {problem}. The end of its log:\n{logTail}");
