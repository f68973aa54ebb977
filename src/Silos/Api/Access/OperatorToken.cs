using System.Security.Cryptography;
using System.Text;
using EmrMarket.Silos.Commands;

namespace EmrMarket.Silos.Api.Access;

/// <summary>The token in <c>.emr/keys/operator.token</c>: whoever can read the file has this machine, and may do what the operator
/// may.</summary>
internal sealed class OperatorToken
{
    /// <summary>What it begins with, by which it is told from session tokens.</summary>
    public const string Prefix = "emr-operator-";

    /// <summary>The file's name in the folder of keys.</summary>
    public const string FileName = "operator.token";

    private readonly byte[] _hash;

    private OperatorToken(string text) => _hash = SHA256.HashData(Encoding.ASCII.GetBytes(text));

    /// <summary>Reads the file, and makes it with a new token when it is missing.</summary>
    /// <param name="keys">The folder of keys.</param>
    /// <exception cref="CommandException">The file is open to others, or holds something else.</exception>
    public static OperatorToken LoadOrCreate(string keys)
    {
        KeyFolder.Create(keys);
        string path = Path.Combine(keys, FileName);
        if (!File.Exists(path))
        {
            FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using FileStream file = new(path, options);
            file.Write(Encoding.ASCII.GetBytes(Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)) + "\n"));
        }

        if (!OperatingSystem.IsWindows()
            && (File.GetUnixFileMode(path) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)) != UnixFileMode.None)
        {
            throw new CommandException(ExitCode.Failure, $"{path} is open to others: run chmod 600 {path}");
        }

        string text = File.ReadAllText(path, Encoding.ASCII).Trim();
        return text.StartsWith(Prefix, StringComparison.Ordinal) && text.Length == Prefix.Length + 64 ? new OperatorToken(text)
            : throw new CommandException(
                ExitCode.Failure, $"{path} holds no operator token: remove it, and the next start makes a new one");
    }

    /// <summary>Whether a text is the token; takes the same time whatever it is.</summary>
    public bool Is(string text) => CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(text)), _hash);
}

/// <summary>The folder of keys.</summary>
internal static class KeyFolder
{
    /// <summary>Makes it where it is missing, readable by its owner alone.</summary>
    public static void Create(string path)
    {
        _ = OperatingSystem.IsWindows()
            ? Directory.CreateDirectory(path)
            : Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
