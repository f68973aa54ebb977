using System.Security.Cryptography;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// The file of a site's secret key: 64 hexadecimal digits that only its owner may read. All coins and pseudonyms derive from it: whoever
/// has it undoes every report, and a site that loses it would draw second, independent reports of the same facts.
/// </summary>
public static class SiteKeyFile
{
    /// <summary>Bytes of a site key.</summary>
    public const int Bytes = 32;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a new random key. A file that exists is never overwritten.</summary>
    /// <exception cref="InputException">The file exists or cannot be written.</exception>
    public static void Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(folder);
            }
            else
            {
                Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);
            }

            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = OwnerOnly;
            }

            using var stream = new FileStream(path, options);
            using var writer = new StreamWriter(stream) { NewLine = "\n" };
            writer.WriteLine(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes)));
        }
        catch (IOException) when (File.Exists(path))
        {
            throw Refuse(path, "key-exists", "the file exists, and a site key is never overwritten", "Keep the key that the site has, or name another file for another site.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refuse(path, "unwritable-file", e.Message, "Check the folder and its permissions.");
        }
    }

    /// <summary>Reads a key.</summary>
    /// <exception cref="InputException">There is no such file, others may read it, or it holds no key.</exception>
    public static byte[] Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string text = DataFolder.ReadText(path, "Make one with './emr site-key new FILE', once per site.").Trim();
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~OwnerOnly & ~UnixFileMode.UserExecute) != UnixFileMode.None)
        {
            throw Refuse(path, "key-readable", "others than its owner may read or change the file", $"chmod 600 {path}");
        }

        if (text.Length != 2 * Bytes || !text.All(char.IsAsciiHexDigit))
        {
            throw Refuse(path, "malformed-key", $"expected {2 * Bytes} hexadecimal digits", "Restore the site's key file from its backup.");
        }

        return Convert.FromHexString(text);
    }

    private static InputException Refuse(string path, string code, string message, string fix) => new(new InputProblem(code, path, 0, "", message, fix));
}
