using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace EmrMarket.Contracts.DevChain;

/// <summary>The engines that npm brings (the chain, the database): installed into one folder at first use, from the committed manifest and
/// lock.</summary>
public sealed class EmbeddedTools
{
    private readonly TextWriter _progress;

    /// <param name="folder">Where they are installed, such as .emr/tools.</param>
    /// <param name="progress">Told what takes time.</param>
    public EmbeddedTools(string folder, TextWriter progress)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(progress);
        Folder = Path.GetFullPath(folder);
        _progress = progress;
    }

    /// <summary>Where the tools are.</summary>
    public string Folder { get; }

    /// <summary>npm's name of this platform, such as linux-x64; Foundry's packages say amd64 for x64.</summary>
    public static string Platform { get; } = (OperatingSystem.IsMacOS() ? "darwin-" : OperatingSystem.IsWindows() ? "win32-" : "linux-")
        + (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64");

    /// <summary>The embedded chain's binary.</summary>
    public Task<string> GetAnvilAsync(CancellationToken cancellationToken) =>
        GetAsync(Path.Combine("@foundry-rs", "anvil-" + Platform.Replace("x64", "amd64", StringComparison.Ordinal), "bin", "anvil"),
            cancellationToken);

    /// <summary>The folder of the embedded database's programs, with the links among its libraries that the package's install script makes
    /// where npm runs such scripts.</summary>
    public async Task<string> GetPostgresAsync(CancellationToken cancellationToken)
    {
        string package = Path.Combine("@embedded-postgres", Platform);
        string programs = Path.GetDirectoryName(await GetAsync(Path.Combine(package, "native", "bin", "postgres"), cancellationToken))!;
        string root = Path.GetFullPath(Path.Combine(programs, "..", ".."));
        foreach (System.Text.Json.JsonElement link in System.Text.Json.JsonDocument.Parse(
            await File.ReadAllBytesAsync(Path.Combine(root, "native", "pg-symlinks.json"), cancellationToken)).RootElement.EnumerateArray())
        {
            string target = Path.Combine(root, link.GetProperty("target").GetString()!);
            if (!File.Exists(target))
            {
                File.CreateSymbolicLink(target, Path.GetFileName(link.GetProperty("source").GetString()!));
            }
        }

        return programs;
    }

    /// <summary>The path of a file of an installed package; installs what the manifest names when it is missing or the manifest has
    /// changed.</summary>
    /// <param name="file">The path below node_modules.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ToolMissingException">Node or npm is missing, the registry is out of reach, or there is no package for this
    /// platform.</exception>
    public async Task<string> GetAsync(string file, CancellationToken cancellationToken)
    {
        string path = Path.Combine(Folder, "node_modules", file);
        string manifest = ReadResource("package.json");
        string lockFile = ReadResource("package-lock.json");
        string stamp = Path.Combine(Folder, "installed");
        string wanted = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(manifest + lockFile)));
        if (IsCurrent())
        {
            return path;
        }

        Directory.CreateDirectory(Folder);
        using FileStream held = await HoldAsync(Path.Combine(Folder, ".lock"), cancellationToken);
        if (!IsCurrent())
        {
            await _progress.WriteLineAsync($"installing the embedded chain and database into {Folder} (once) ...");
            await File.WriteAllTextAsync(Path.Combine(Folder, "package.json"), manifest, cancellationToken);
            await File.WriteAllTextAsync(Path.Combine(Folder, "package-lock.json"), lockFile, cancellationToken);
            await NpmAsync(["ci", "--no-audit", "--no-fund"], cancellationToken);
            if (!File.Exists(path))
            {
                throw new ToolMissingException(
                    $"npm installed no {file}: there is no package for {Platform}. Point to an engine of your own instead: "
                    + "--chain URL for the chain, a connection string for the database");
            }

            await File.WriteAllTextAsync(stamp, wanted, cancellationToken);
        }

        return path;

        bool IsCurrent() =>
            File.Exists(path) && File.Exists(stamp) && string.Equals(File.ReadAllText(stamp), wanted, StringComparison.Ordinal);
    }

    private async Task NpmAsync(string[] arguments, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(OperatingSystem.IsWindows() ? "npm.cmd" : "npm", arguments)
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        Process npm;
        try
        {
            npm = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new ToolMissingException(
                "npm is missing, which brings the embedded chain and database: install Node 20 or later with npm, https://nodejs.org/", e);
        }

        using (npm)
        {
            Task<string> output = npm.StandardOutput.ReadToEndAsync(cancellationToken);
            Task<string> errors = npm.StandardError.ReadToEndAsync(cancellationToken);
            await npm.WaitForExitAsync(cancellationToken);
            if (npm.ExitCode != 0)
            {
                // npm goes on with a page of its options; what went wrong stands above them.
                IEnumerable<string> words = (await output + await errors).Split('\n')
                    .Where(line => !line.Contains("npm warn", StringComparison.Ordinal)).Take(12);
                throw new ToolMissingException(
                    $"npm {string.Join(' ', arguments)} failed in {Folder} with exit code {npm.ExitCode}: it needs Node 20 or later and "
                        + $"npm's registry. Mend the cause below and start again:\n{string.Join('\n', words)}");
            }
        }
    }

    // Several processes may start their engines for the first time together.
    private static async Task<FileStream> HoldAsync(string path, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(200, cancellationToken);
            }
        }
    }

    private static string ReadResource(string name)
    {
        using Stream stream = typeof(EmbeddedTools).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not part of {typeof(EmbeddedTools).Assembly}");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}

/// <summary>A program that an embedded engine needs is missing; the message says how to get it.</summary>
public sealed class ToolMissingException(string message, Exception? inner = null) : Exception(message, inner);
