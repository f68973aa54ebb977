using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EmrMarket.Contracts.Ethereum;
using Org.BouncyCastle.Crypto.Generators;

namespace EmrMarket.Grains.Site.Wallet;

/// <summary>A patient's pseudonym at a site.</summary>
/// <param name="Site">The site's number on the ledger.</param>
/// <param name="SchemaId">The schema.</param>
/// <param name="Pseudonym">The pseudonym.</param>
public sealed record WalletEntry(uint Site, Bytes32 SchemaId, Bytes32 Pseudonym);

/// <summary>
/// What a patient keeps: the seed of all keys, and which pseudonyms are theirs. On disk it is sealed by AES-256-GCM under a key that scrypt
/// (RFC 7914) derives from a passphrase (docs/WIRE.md, "Wallet").
/// </summary>
public sealed class WalletFile
{
    /// <summary>The version that is written.</summary>
    public const int Version = 1;

    private const string Format = "emr-wallet";
    private const int Cost = 1 << 17;
    private const int LeastCost = 1 << 14;
    private const int MostCost = 1 << 20;
    private const int BlockSize = 8;
    private const int SaltBytes = 16;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int MostEntries = 10_000;
    private const int LongestFile = 4_000_000;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    private readonly byte[] _seed;

    /// <summary>A wallet.</summary>
    /// <param name="seed">The seed, <see cref="PatientKeys.Length"/> bytes.</param>
    /// <param name="entries">The pseudonyms.</param>
    /// <exception cref="ArgumentException">The seed has another length, or there are too many entries.</exception>
    public WalletFile(ReadOnlySpan<byte> seed, IReadOnlyList<WalletEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (seed.Length != PatientKeys.Length || entries.Count > MostEntries)
        {
            throw new ArgumentException(
                $"a wallet has a seed of {PatientKeys.Length} bytes and at most {MostEntries} entries", nameof(seed));
        }

        (_seed, Entries) = (seed.ToArray(), entries);
    }

    /// <summary>The pseudonyms.</summary>
    public IReadOnlyList<WalletEntry> Entries { get; }

    /// <summary>The seed. Whoever has it commands the pseudonyms and spends what they were paid.</summary>
    public ReadOnlySpan<byte> Seed => _seed;

    /// <summary>Seals the wallet; salt and nonce are new in every file.</summary>
    /// <exception cref="WalletException">The passphrase is empty.</exception>
    public byte[] Write(string passphrase) =>
        Write(passphrase, Cost, RandomNumberGenerator.GetBytes(SaltBytes), RandomNumberGenerator.GetBytes(NonceBytes));

    /// <summary>Opens a wallet.</summary>
    /// <exception cref="WalletException">
    /// <c>not-a-wallet</c>, <c>future-version</c>, <c>wallet-parameters</c>, or <c>wallet-locked</c>: the passphrase is another, or the
    /// file was altered, which cannot be told apart.
    /// </exception>
    public static WalletFile Read(ReadOnlySpan<byte> file, string passphrase)
    {
        ArgumentNullException.ThrowIfNull(passphrase);
        Sealed box = Parse<Sealed>(file, "not-a-wallet", "the file is no wallet");
        if (box.Format != Format)
        {
            throw new WalletException("not-a-wallet", $"the file is no wallet: its format is not '{Format}'");
        }

        if (box.Version != Version)
        {
            throw new WalletException("future-version",
                string.Create(CultureInfo.InvariantCulture,
                    $"the wallet has version {box.Version}, and this program reads {Version}: use a newer one"));
        }

        (byte[] salt, byte[] nonce, byte[] tag, byte[] content) = (Bytes(box.Salt), Bytes(box.Nonce), Bytes(box.Tag), Bytes(box.Content));
        if (box.Cost is < LeastCost or > MostCost || !int.IsPow2(box.Cost) || salt.Length != SaltBytes || nonce.Length != NonceBytes
            || tag.Length != TagBytes)
        {
            throw new WalletException("wallet-parameters",
                $"the wallet's cost is no power of two from {LeastCost} to {MostCost}, or salt, nonce or tag have not {SaltBytes}, "
                    + $"{NonceBytes} and {TagBytes} bytes");
        }

        byte[] key = KeyOf(passphrase, salt, box.Cost);
        byte[] plain = new byte[content.Length];
        try
        {
            using AesGcm cipher = new(key, TagBytes);
            cipher.Decrypt(nonce, content, tag, plain, Header(box.Cost, box.Salt));
            Opened opened = Parse<Opened>(plain, "wallet-content", "the wallet opened, but its content is none");
            byte[] seed = Bytes(opened.Seed);
            return seed.Length == PatientKeys.Length && opened.Entries.Length <= MostEntries
                ? new WalletFile(seed,
                    [.. opened.Entries.Select(entry => new WalletEntry(entry.Site, Hash(entry.SchemaId), Hash(entry.Pseudonym)))])
                : throw new WalletException(
                    "wallet-content", "the wallet opened, but its seed or its list of pseudonyms has a wrong length");
        }
        catch (AuthenticationTagMismatchException)
        {
            throw new WalletException("wallet-locked",
                "the wallet does not open: the passphrase is another one, or the file was altered; try again, or restore it from its "
                    + "recovery phrase");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    internal byte[] Write(string passphrase, int cost, byte[] salt, byte[] nonce)
    {
        ArgumentNullException.ThrowIfNull(passphrase);
        if (passphrase.Length == 0)
        {
            throw new WalletException("passphrase-empty",
                "a wallet needs a passphrase: whoever finds the file would have the patient's money and records' policy");
        }

        byte[] plain = JsonSerializer.SerializeToUtf8Bytes(
            new Opened(
                Convert.ToHexStringLower(_seed),
                [.. Entries.Select(entry => new OpenedEntry(entry.Site, entry.SchemaId.ToDigits(), entry.Pseudonym.ToDigits()))]),
                    Json);
        byte[] content = new byte[plain.Length], tag = new byte[TagBytes];
        byte[] key = KeyOf(passphrase, salt, cost);
        string saltText = Convert.ToHexStringLower(salt);
        using (AesGcm cipher = new(key, TagBytes))
        {
            cipher.Encrypt(nonce, plain, content, tag, Header(cost, saltText));
        }

        CryptographicOperations.ZeroMemory(key);
        CryptographicOperations.ZeroMemory(plain);
        return JsonSerializer.SerializeToUtf8Bytes(
            new Sealed(Format, Version, cost, saltText, Convert.ToHexStringLower(nonce), Convert.ToHexStringLower(tag),
                Convert.ToHexStringLower(content)), Json);
    }

    /// <summary>What is sealed with the content, so that nobody weakens it unnoticed.</summary>
    private static byte[] Header(int cost, string salt) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Format} {Version} {cost} {salt}"));

    // Normalised, since the same passphrase typed on another machine may be other code points.
    private static byte[] KeyOf(string passphrase, byte[] salt, int cost) =>
        SCrypt.Generate(Encoding.UTF8.GetBytes(passphrase.Normalize(NormalizationForm.FormKC)), salt, cost, BlockSize, 1, 32);

    private static T Parse<T>(ReadOnlySpan<byte> json, string code, string fault)
    {
        try
        {
            return json.Length <= LongestFile && JsonSerializer.Deserialize<T>(json, Json) is { } value
                ? value : throw new WalletException(code, fault);
        }
        catch (JsonException)
        {
            // Its text might repeat what it read.
            throw new WalletException(code, fault);
        }
    }

    private static byte[] Bytes(string hex)
    {
        try
        {
            return Convert.FromHexString(hex);
        }
        catch (FormatException)
        {
            throw new WalletException("not-a-wallet", "the wallet has a field that is not hexadecimal");
        }
    }

    private static Bytes32 Hash(string hex) => Bytes(hex) is { Length: Bytes32.Length } bytes ? new Bytes32(bytes)
        : throw new WalletException("wallet-content", "the wallet opened, but a schema or pseudonym has not 32 bytes");

    private sealed record Sealed(string Format, int Version, int Cost, string Salt, string Nonce, string Tag, string Content);

    private sealed record Opened(string Seed, OpenedEntry[] Entries);

    private sealed record OpenedEntry(uint Site, string SchemaId, string Pseudonym);
}

/// <summary>A wallet or a recovery phrase cannot be read. Its text never holds words, passphrase, seed or pseudonyms.</summary>
/// <param name="code">A stable code for programs.</param>
/// <param name="message">What is wrong and how to mend it.</param>
[GenerateSerializer]
[Alias("emr.WalletException")]
public sealed class WalletException(string code, string message) : Exception(message)
{
    /// <summary>The code.</summary>
    [Id(0)]
    public string Code { get; init; } = code;
}
