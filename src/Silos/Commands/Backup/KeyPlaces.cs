using System.Security.Cryptography;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Commands.Chain;
using EmrMarket.Silos.Commands.Serve;
using EmrMarket.Silos.Records;
using EmrMarket.Silos.Storage.Backup;
using EmrMarket.Silos.Storage.Site;

namespace EmrMarket.Silos.Commands.Backup;

/// <summary>Where a process keeps its keys, and which name each has in a file of keys. Sign-ins are not among them: people sign in
/// again.</summary>
internal sealed class KeyPlaces(ServeOptions options)
{
    private const string MarketName = "market.key";
    private const string CertificateName = "link.pem";
    private static readonly string[] SiteFiles = ["site.key", "account.key", "storage.key", "storage.key.next"];

    /// <summary>The file of the market's account.</summary>
    public string Market => options.MarketKey ?? Path.Combine(options.Folder, "keys", "market.key");

    /// <summary>The key files that there are, by name.</summary>
    public IReadOnlyDictionary<string, string> Existing()
    {
        Dictionary<string, string> found = new(StringComparer.Ordinal);
        foreach (string folder in (string[])["keys", "people"])
        {
            AddAll(folder, Path.Combine(options.Root, folder), folder == "people" ? "*.key" : "*");
        }

        AddAll("chain", Path.Combine(options.Folder, "keys"), "*");
        foreach (string site in options.Sites)
        {
            AddAll("sites/" + site, options.SiteFolder(site), "*.key*");
        }

        if (options.HasMarket)
        {
            Add(MarketName, Market);
            Add(CertificateName, options.LinkCertificate);
        }

        return found;

        void AddAll(string name, string folder, string pattern)
        {
            foreach (string path in Directory.Exists(folder) ? Directory.EnumerateFiles(folder, pattern).Where(IsKey) : [])
            {
                found.Add(name + "/" + Path.GetFileName(path), path);
            }
        }

        void Add(string name, string path)
        {
            if (File.Exists(path) && !found.ContainsValue(path))
            {
                found.Add(name, path);
            }
        }
    }

    /// <summary>Where a key of a file of keys belongs.</summary>
    /// <exception cref="BackupException">This process has no place for it.</exception>
    public string PlaceOf(string name)
    {
        string[] parts = name.Split('/');
        return name switch
        {
            MarketName => Market,
            CertificateName => options.LinkCertificate,
            _ when parts.Any(part => part is "" or "." or ".." || part.Contains('\\', StringComparison.Ordinal)) => throw Unknown(),
            _ when parts is ["keys" or "people", _] => Path.Combine(options.Root, parts[0], parts[1]),
            _ when parts is ["chain", _] => Path.Combine(options.Folder, "keys", parts[1]),
            _ when parts is ["sites", _, _] && options.Sites.Contains(parts[1]) && SiteFiles.Contains(parts[2]) =>
                Path.Combine(options.SiteFolder(parts[1]), parts[2]),
            _ => throw Unknown(),
        };

        BackupException Unknown() => new(
            $"the file of keys has a key '{name}', for which this configuration has no place: name the roles and sites that it was made "
                + "of");
    }

    /// <summary>Reads the account of a role.</summary>
    /// <param name="database">A site's name, or <see cref="BackupDatabase.Market"/>.</param>
    /// <param name="read">The content of a key file by its place; null when there is none.</param>
    public EthereumAccount Account(string database, Func<string, byte[]?> read)
    {
        string place = database == BackupDatabase.Market ? Market : Path.Combine(options.SiteFolder(database), "account.key");
        string text = System.Text.Encoding.ASCII.GetString(read(place) ?? throw Missing(place)).Trim();
        try
        {
            return new EthereumAccount(Convert.FromHexString(text.StartsWith("0x", StringComparison.Ordinal) ? text[2..] : text));
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw new BackupException($"{place} holds no key of an account: put the right one there, or name a file of keys with --keys");
        }
    }

    /// <summary>Reads a site's key.</summary>
    public byte[] SiteKey(string site, Func<string, byte[]?> read) => Secret(Path.Combine(options.SiteFolder(site), "site.key"), read);

    /// <summary>What may open a site's database.</summary>
    public StorageKey[] StorageKeys(string site, Func<string, byte[]?> read)
    {
        string place = Path.Combine(options.SiteFolder(site), "storage.key");
        return [.. ((string[])[StorageKey.Variable, StorageKey.NextVariable]).Select(StorageKey.FromEnvironment).OfType<StorageKey>(),
            .. ((string[])[place, StorageKey.NextFile(place)]).Where(one => read(one) is not null)
                .Select(one => new StorageKey(Secret(one, read)))];
    }

    /// <summary>What tells a site key from another one, and nobody who lacks it anything.</summary>
    public static string MarkOf(byte[] siteKey) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(siteKey, "emr-backup 1 site key"u8));

    private static byte[] Secret(string place, Func<string, byte[]?> read)
    {
        string text = System.Text.Encoding.ASCII.GetString(read(place) ?? throw Missing(place)).Trim();
        return text.Length == 2 * SiteKeyFile.Bytes && text.All(char.IsAsciiHexDigit) ? Convert.FromHexString(text)
            : throw new BackupException($"{place} holds no key: expected {2 * SiteKeyFile.Bytes} hexadecimal digits");
    }

    private static BackupException Missing(string place) => new(
        $"there is no key file {place}: keys are never in a backup. Put it there, or name the file that './emr backup keys' made with "
            + "--keys");

    private static bool IsKey(string path) =>
        Path.GetFileName(path) is var name && !name.StartsWith("token-", StringComparison.Ordinal)
        && !name.EndsWith(".token", StringComparison.Ordinal) && !name.EndsWith(".part", StringComparison.Ordinal);
}
