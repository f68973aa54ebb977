using System.Diagnostics;
using System.Text;

namespace EmrMarket.Silos.Tests.Commands;

/// <summary>Runs the program as people do: a process with arguments, an exit code and two streams. Its standard input is closed, so nothing
/// is asked.</summary>
internal static class CommandProcess
{
    /// <summary>The program.</summary>
    public static readonly string Program = Path.Combine(AppContext.BaseDirectory, "emrmarket.dll");

    /// <summary>Runs to the end.</summary>
    public static Task<(int Code, string Output, string Error)> RunAsync(string folder, params IEnumerable<string> arguments) =>
        RunAsync(folder, arguments, new Dictionary<string, string>(StringComparer.Ordinal));

    /// <summary>Runs to the end with more variables in its environment, or another version of the program.</summary>
    public static async Task<(int Code, string Output, string Error)> RunAsync(
        string folder, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? variables, string? program = null)
    {
        using Process process = Start(folder, arguments, variables, program);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Starts it; engines come from the repository's own folder of tools.</summary>
    public static Process Start(
        string folder, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? variables = null, string? program = null)
    {
        ProcessStartInfo start = new("dotnet", [program ?? Program, .. arguments])
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,

            // Commands live for a moment: profiles for later optimisation are never used.
            Environment = { ["EMR_ROOT"] = Tools.RepositoryRoot, ["DOTNET_TieredPGO"] = "0" },
        };
        foreach ((string name, string value) in variables ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>A file that only its owner can read: a password, a passphrase, a phrase.</summary>
    public static string Secret(string folder, string name, string text)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllText(path, text + "\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return path;
    }
}
