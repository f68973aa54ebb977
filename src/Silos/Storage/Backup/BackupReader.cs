using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Silos.Storage.Postgres;

namespace EmrMarket.Silos.Storage.Backup;

/// <summary>A backup whose every byte was held against its manifest, and whose manifest was held against this program. Nothing of it is
/// used before.</summary>
internal sealed class BackupReader
{
    /// <summary>The manifest's file.</summary>
    public const string ManifestName = "manifest.json";

    /// <summary>The file of its hash and signatures.</summary>
    public const string SignaturesName = "signatures.json";

    private readonly string _folder;

    private BackupReader(string folder, BackupManifest manifest, Address[] signers) =>
        (_folder, Manifest, Signers) = (folder, manifest, signers);

    /// <summary>How manifests are written.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
        IgnoreReadOnlyProperties = true,
    };

    /// <summary>What it says of itself.</summary>
    public BackupManifest Manifest { get; }

    /// <summary>Who signed it.</summary>
    public IReadOnlyList<Address> Signers { get; }

    /// <summary>What the roles' accounts sign.</summary>
    public static Bytes32 Digest(ReadOnlySpan<byte> manifest) =>
        Keccak256.Hash(Encoding.ASCII.GetBytes("emr-backup 1 " + Convert.ToHexStringLower(SHA256.HashData(manifest))));

    /// <summary>Reads and checks a backup.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="progress">Told every file that was checked.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BackupException">It is none, damaged, incomplete, or of a later program.</exception>
    public static async Task<BackupReader> OpenAsync(string folder, Action<string>? progress, CancellationToken cancellationToken)
    {
        string full = Path.GetFullPath(folder);
        try
        {
            byte[] bytes = await File.ReadAllBytesAsync(Path.Combine(full, ManifestName), cancellationToken);
            byte[] signed = await File.ReadAllBytesAsync(Path.Combine(full, SignaturesName), cancellationToken);
            BackupSignatures signatures = Parse<BackupSignatures>(signed, SignaturesName);
            if (!JsonSerializer.SerializeToUtf8Bytes(signatures, Json).AsSpan().SequenceEqual(signed))
            {
                throw Damaged(SignaturesName, "it is not in the form in which it is written");
            }

            if (!string.Equals(signatures.Manifest, Convert.ToHexStringLower(SHA256.HashData(bytes)), StringComparison.Ordinal))
            {
                throw Damaged(ManifestName, "it is not the one that was signed");
            }

            CheckVersion(bytes);
            BackupManifest manifest = Parse<BackupManifest>(bytes, ManifestName);
            BackupReader backup = new(full, manifest, [.. signatures.Signatures.Select(one => Signer(bytes, one))]);
            backup.CheckKnown();
            await backup.CheckFilesAsync(progress, cancellationToken);
            return backup;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"{full} cannot be read as a backup: {e.Message}", e);
        }
    }

    /// <summary>A file's content.</summary>
    public Stream OpenFile(string name) => File.OpenRead(Path.Combine(_folder, name));

    /// <summary>Whether there is such a file.</summary>
    public bool Has(string name) => Manifest.Files.Any(file => string.Equals(file.Name, name, StringComparison.Ordinal));

    private static void CheckVersion(byte[] bytes)
    {
        // Before the rest is read: a later version may have other members.
        (string format, int version) = Parse(bytes);
        if (format != BackupManifest.FormatName)
        {
            throw new BackupException($"{ManifestName} is of the format '{format}', expected '{BackupManifest.FormatName}'");
        }

        if (version != BackupManifest.CurrentVersion)
        {
            throw new BackupException(
                $"the backup has version {version}, and this program reads version {BackupManifest.CurrentVersion}: restore it with the "
                    + "program that made it, or a later one");
        }

        static (string, int) Parse(byte[] json)
        {
            try
            {
                using JsonDocument document = JsonDocument.Parse(json);
                return (document.RootElement.GetProperty("format").GetString() ?? "",
                    document.RootElement.GetProperty("version").GetInt32());
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw Damaged(ManifestName, "it has no format and version");
            }
        }
    }

    /// <summary>That this program knows the past of every database.</summary>
    private void CheckKnown()
    {
        foreach (BackupDatabase database in Manifest.Databases)
        {
            Migration[] known = Migrations.Of(database.Role);
            foreach (BackupMigration applied in database.Migrations)
            {
                Migration? same = known.FirstOrDefault(one => one.Number == applied.Number);
                if (same?.Sha256 != applied.Sha256)
                {
                    throw new BackupException(same is null
                        ? $"the backup of {database.Folder} has migration {applied.Number:0000} ({applied.Name}), which this program does "
                            + "not know: it was made by a later version. Restore it with that one"
                        : $"the backup of {database.Folder} has migration {applied.Number:0000} in another form than this program's: "
                            + "restore it with the program that made it");
                }
            }
        }
    }

    private async Task CheckFilesAsync(Action<string>? progress, CancellationToken cancellationToken)
    {
        string[] there = [.. Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(_folder, path).Replace('\\', '/'))
            .Where(name => name is not (ManifestName or SignaturesName))];
        string[] named = [.. Manifest.Files.Select(file => file.Name)];
        if (there.Except(named, StringComparer.Ordinal).FirstOrDefault() is { } strange)
        {
            throw Damaged(strange, "the manifest does not name it");
        }

        if (named.Except(there, StringComparer.Ordinal).FirstOrDefault() is { } missing)
        {
            throw Damaged(missing, "it is missing");
        }

        if (Manifest.Databases.SelectMany(database => database.Tables).FirstOrDefault(table => !named.Contains(table.File)) is { } table)
        {
            throw Damaged(ManifestName, $"it names table {table.Name} and not its file");
        }

        foreach (BackupFile file in Manifest.Files)
        {
            await using Stream stream = OpenFile(file.Name);
            if (stream.Length != file.Bytes)
            {
                throw Damaged(file.Name, $"it has {stream.Length} bytes, expected {file.Bytes}");
            }

            if (Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken)) != file.Sha256)
            {
                throw Damaged(file.Name, "its content is not the one that was written");
            }

            progress?.Invoke(file.Name);
        }
    }

    private static Address Signer(byte[] manifest, BackupSignature signature)
    {
        try
        {
            Address signer = EthereumAccount.Recover(Digest(manifest), Signature.FromBytes(Convert.FromHexString(signature.Signature)));
            return signer.ToString() == signature.Account && signature.Signature.All(c => !char.IsAsciiLetterUpper(c)) ? signer
                : throw Damaged(SignaturesName, $"{signature.Account} has not signed the manifest");
        }
        catch (Exception e) when (e is InvalidSignatureException or FormatException or ArgumentException)
        {
            throw Damaged(SignaturesName, $"the signature of {signature.Account} is none");
        }
    }

    private static T Parse<T>(byte[] json, string name)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, Json) ?? throw Damaged(name, "it is empty");
        }
        catch (JsonException e)
        {
            throw Damaged(name, $"line {e.LineNumber + 1} is not what belongs there");
        }
    }

    private static BackupException Damaged(string name, string what) => new(
        $"the backup is damaged: {name}: {what}. Nothing was restored; take another copy of it, or an earlier backup");
}
