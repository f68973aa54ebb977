using System.Text;
using Spectre.Console;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>
/// Passphrases, passwords and recovery phrases: asked for at the terminal or read from a file that only its owner can read, never taken
/// from an argument, which every process of the machine may see.
/// </summary>
internal static class Secrets
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Reads a secret.</summary>
    /// <param name="what">What it is, for people: "the wallet's passphrase".</param>
    /// <param name="file">The file that holds it on its first line; asked for at the terminal when null.</param>
    /// <param name="option">The option that names the file, for the error.</param>
    /// <exception cref="CommandException">The file is missing, open to others or empty; or there is neither file nor terminal.</exception>
    public static string Read(string what, string? file, string option) => file is null ? Ask(what, option) : FromFile(what, file, option);

    /// <summary>Reads a secret that is set anew: at a terminal it is asked for twice.</summary>
    public static string ReadNew(string what, string? file, string option)
    {
        string first = Read(what, file, option);
        return file is not null || string.Equals(first, Ask(what + " again", option), StringComparison.Ordinal) ? first
            : throw new CommandException(ExitCode.Usage, $"{what} was typed differently the second time: nothing was changed");
    }

    /// <summary>Writes bytes to a file that only its owner can read: whole under its name, or not at all.</summary>
    /// <exception cref="CommandException">It cannot be written.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, bool replace)
    {
        string full = Path.GetFullPath(path);
        if (!replace && File.Exists(full))
        {
            throw new CommandException(ExitCode.Usage, $"{path} exists: name another file, so that no key is lost");
        }

        string unfinished = full + ".part";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.Delete(unfinished);
            FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = OwnerOnly;
            }

            using (FileStream stream = new(unfinished, options))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }

            File.Move(unfinished, full, replace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Failure, $"{path} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>The text of a file that only its owner can read; null when there is none.</summary>
    /// <exception cref="CommandException">It is open to others, or cannot be read.</exception>
    public static string? FindText(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~OwnerOnly) != UnixFileMode.None)
        {
            throw new CommandException(ExitCode.Usage, $"{path} is open to others: run chmod 600 {path}");
        }

        try
        {
            return File.ReadAllText(path, Encoding.UTF8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Reads a secret from the first line of a file.</summary>
    /// <exception cref="CommandException">The file is missing, open to others or empty.</exception>
    public static string FromFile(string what, string file, string option)
    {
        string text = FindText(file) ?? throw new CommandException(ExitCode.Usage, $"{option}: there is no file {file}");
        string line = text.Split('\n')[0].TrimEnd('\r');
        return line.Length > 0
            ? line : throw new CommandException(ExitCode.Usage, $"{option}: {file} is empty, expected {what} on its first line");
    }

    private static string Ask(string what, string option) => !Console.IsInputRedirected
        ? AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) })
        .Prompt(new TextPrompt<string>($"{Markup.Escape(what)}: ").Secret(null))
        : throw new CommandException(
            ExitCode.Usage, $"{what} is needed, and there is no terminal to ask at: name a file that holds it with {option}");
}
