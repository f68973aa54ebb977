using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Org.BouncyCastle.Crypto.Generators;

namespace EmrMarket.Silos.Storage.Backup;

/// <summary>
/// Key files in one file, sealed by AES-256-GCM (NIST SP 800-38D) under a key that scrypt (RFC 7914) derives from a passphrase
/// (docs/BACKUP.md). It goes to another place than the backups that its keys open.
/// </summary>
internal static class SealedKeys
{
    private const string Format = "emr-keys";
    private const int Version = 1;
    private const int Cost = 1 << 17;
    internal const int LeastCost = 1 << 14;
    private const int MostCost = 1 << 20;
    private const int BlockSize = 8;
    private const int SaltBytes = 16;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int KeyBytes = 32;

    /// <summary>Seals files; salt and nonce are new each time.</summary>
    /// <param name="files">The files by name.</param>
    /// <param name="passphrase">Not empty.</param>
    public static byte[] Write(IReadOnlyDictionary<string, byte[]> files, string passphrase) => Write(files, passphrase, Cost);

    /// <summary>The same at another cost: a test would spend its time on the usual one.</summary>
    internal static byte[] Write(IReadOnlyDictionary<string, byte[]> files, string passphrase, int cost)
    {
        if (passphrase.Length == 0)
        {
            throw new BackupException("a passphrase is needed: whoever finds the file would have every key in it");
        }

        byte[] salt = RandomNumberGenerator.GetBytes(SaltBytes), nonce = RandomNumberGenerator.GetBytes(NonceBytes);
        byte[] plain = JsonSerializer.SerializeToUtf8Bytes(files), content = new byte[plain.Length], tag = new byte[TagBytes];
        byte[] key = KeyOf(passphrase, salt, cost);
        try
        {
            using AesGcm cipher = new(key, TagBytes);
            cipher.Encrypt(nonce, plain, content, tag, Header(cost, salt));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
            CryptographicOperations.ZeroMemory(plain);
        }

        return JsonSerializer.SerializeToUtf8Bytes(new Box(Format, Version, cost, salt, nonce, tag, content), BackupReader.Json);
    }

    /// <summary>Opens them.</summary>
    /// <exception cref="BackupException">It is no such file, or another passphrase, or it was altered.</exception>
    public static Dictionary<string, byte[]> Read(byte[] file, string passphrase)
    {
        Box box;
        try
        {
            box = JsonSerializer.Deserialize<Box>(file, BackupReader.Json) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            // Its text might repeat what it read.
            throw new BackupException("the file of keys is none: './emr backup keys' makes one");
        }

        if (box.Format != Format || box.Version != Version || box.Cost is < LeastCost or > MostCost || !int.IsPow2(box.Cost)
            || box.Salt.Length != SaltBytes || box.Nonce.Length != NonceBytes || box.Tag.Length != TagBytes)
        {
            throw new BackupException(
                $"the file of keys is not of format '{Format}' {Version}, or its parameters are none that this program takes");
        }

        byte[] key = KeyOf(passphrase, box.Salt, box.Cost), plain = new byte[box.Content.Length];
        try
        {
            using AesGcm cipher = new(key, TagBytes);
            cipher.Decrypt(box.Nonce, box.Content, box.Tag, plain, Header(box.Cost, box.Salt));
            return JsonSerializer.Deserialize<Dictionary<string, byte[]>>(plain)!;
        }
        catch (AuthenticationTagMismatchException)
        {
            throw new BackupException(
                "the file of keys does not open: the passphrase is another one, or the file was altered. Nothing was restored");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    // Normalised, since the same passphrase typed on another machine may be other code points.
    private static byte[] KeyOf(string passphrase, byte[] salt, int cost) => SCrypt.Generate(
        Encoding.UTF8.GetBytes(passphrase.Normalize(NormalizationForm.FormKC)), salt, cost, BlockSize, 1, KeyBytes);

    private static byte[] Header(int cost, byte[] salt) => Encoding.ASCII.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"{Format} {Version} {cost} {Convert.ToHexStringLower(salt)}"));

    private sealed record Box(string Format, int Version, int Cost, byte[] Salt, byte[] Nonce, byte[] Tag, byte[] Content);
}
