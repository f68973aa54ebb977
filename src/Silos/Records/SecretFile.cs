using System.Security.Cryptography;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>A file of a secret key: 64 hexadecimal digits that only its owner may read.</summary>
internal static class SecretFile
{
    /// <summary>Bytes of a key.</summary>
    public const int Bytes = 32;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a new random key. A file that exists is never overwritten, and one that is there is whole and on the disk.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What the key is called.</param>
    /// <exception cref="InputException">The file exists or cannot be written.</exception>
    public static void Create(string path, string what)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            string full = Path.GetFullPath(path), folder = Path.GetDirectoryName(full)!, unfinished = full + ".part";
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(folder);
            }
            else
            {
                Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);
            }

            if (File.Exists(full))
            {
                throw Exists(path, what);
            }

            File.Delete(unfinished);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = OwnerOnly;
            }

            using (var stream = new FileStream(unfinished, options))
            {
                using var writer = new StreamWriter(stream) { NewLine = "\n" };
                writer.WriteLine(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes)));
                writer.Flush();
                stream.Flush(flushToDisk: true);
            }

            File.Move(unfinished, full, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw Exists(path, what);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refuse(path, "unwritable-file", e.Message, "Check the folder and its permissions.");
        }
    }

    /// <summary>Reads a key.</summary>
    /// <param name="path">The file.</param>
    /// <param name="whenMissing">What to do when there is no such file.</param>
    /// <exception cref="InputException">There is no such file, others may read it, or it holds no key.</exception>
    public static byte[] Read(string path, string whenMissing)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string text = DataFolder.ReadText(path, whenMissing).Trim();
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~OwnerOnly & ~UnixFileMode.UserExecute) != UnixFileMode.None)
        {
            throw Refuse(path, "key-readable", "others than its owner may read or change the file", $"chmod 600 {path}");
        }

        if (text.Length != 2 * Bytes || !text.All(char.IsAsciiHexDigit))
        {
            throw Refuse(path, "malformed-key", $"expected {2 * Bytes} hexadecimal digits", "Restore the key file from its backup.");
        }

        return Convert.FromHexString(text);
    }

    private static InputException Exists(string path, string what) =>
        Refuse(
            path, "key-exists", $"the file exists, and a {what} is never overwritten", "Keep the key that is there, or name another file.");

    private static InputException Refuse(string path, string code, string message, string fix) =>
        new(new InputProblem(code, path, 0, "", message, fix));
}
