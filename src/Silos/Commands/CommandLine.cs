using System.CommandLine;
using System.CommandLine.Parsing;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Commands;

/// <summary>What every command shares: the root, the exit codes, and how a failure is told.</summary>
internal static class CommandLine
{
    private const string Description = "EmrMarket: statistics from electronic medical records that never leave their site in the clear.";

    /// <summary>Parses and runs; returns the exit code (<see cref="ExitCode"/>).</summary>
    public static async Task<int> RunAsync(string[] args, params Command[] commands)
    {
        var root = new RootCommand(Description);
        foreach (Command command in commands)
        {
            root.Subcommands.Add(command);
        }

        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (ParseError error in parsed.Errors)
            {
                await Console.Error.WriteLineAsync($"emr: {error.Message}");
            }

            await Console.Error.WriteLineAsync($"emr: '{CommandPath(parsed)} --help' lists the options, with examples.");
            return ExitCode.Usage;
        }

        using var interrupted = new CancellationTokenSource();
        ConsoleCancelEventHandler onCancel = (_, e) =>
        {
            // The first Ctrl-C asks the command to stop at its next safe point; a second one ends the process at once.
            e.Cancel = !interrupted.IsCancellationRequested;
            interrupted.Cancel();
        };
        Console.CancelKeyPress += onCancel;
        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interrupted.Token);
        }
        catch (CommandException failure)
        {
            await Console.Error.WriteLineAsync($"emr: {failure.Message}");
            return failure.Code;
        }
        catch (InputException refused)
        {
            foreach (InputProblem problem in refused.Problems)
            {
                await Console.Error.WriteLineAsync($"emr: {problem}");
            }

            if (refused.Total > refused.Problems.Count)
            {
                await Console.Error.WriteLineAsync($"emr: {refused.Total - refused.Problems.Count} more problems.");
            }

            return ExitCode.Usage;
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync(
                "emr: interrupted; nothing was published. Finished parts were kept where the command keeps any: the same command goes on "
                    + "from there.");
            return ExitCode.Failure;
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            // A fault of the program itself. Its trace names methods, not values; the message of a foreign exception might quote one, so
            // only its type is shown.
            await Console.Error.WriteLineAsync(
                $"emr: the program failed ({fault.GetBaseException().GetType().Name}); this is a defect, please report it with the lines "
                    + "below.");
            await Console.Error.WriteLineAsync(fault.GetBaseException().StackTrace);
            return ExitCode.Failure;
        }
        finally
        {
            Console.CancelKeyPress -= onCancel;
        }
    }

    private static string CommandPath(ParseResult parsed)
    {
        string path = "";
        for (SymbolResult? result = parsed.CommandResult; result is CommandResult command; result = result.Parent)
        {
            path = (command.Command is RootCommand ? "emr" : command.Command.Name) + (path.Length == 0 ? "" : " " + path);
        }

        return path;
    }
}

/// <summary>The exit codes of every command.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>The work failed, or the answer to a check is no.</summary>
    public const int Failure = 1;

    /// <summary>The command or its input is wrong; nothing was written.</summary>
    public const int Usage = 2;

    /// <summary>Not ready: the same command will work later (EX_TEMPFAIL of sysexits.h).</summary>
    public const int NotReady = 75;
}

/// <summary>A failure whose message is written for the person at the terminal: what failed, where, expected against got, how to fix
/// it.</summary>
internal sealed class CommandException : Exception
{
    /// <summary>A failure with the exit code that it ends the process with.</summary>
    public CommandException(int code, string message)
        : base(message) => Code = code;

    /// <summary>A failure with its cause.</summary>
    public CommandException(int code, string message, Exception cause)
        : base(message, cause) => Code = code;

    /// <summary>The exit code, one of <see cref="ExitCode"/>.</summary>
    public int Code { get; }

    /// <summary>The code of the server's problem that it tells, for commands that go on after some; empty otherwise.</summary>
    public string Problem { get; init; } = "";
}
