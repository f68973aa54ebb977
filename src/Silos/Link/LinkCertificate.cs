using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EmrMarket.Silos.Link;

/// <summary>The market's certificate for TLS where no public authority gives it one: signed by itself, and known to the sites by its public
/// key.</summary>
internal static class LinkCertificate
{
    private const int Years = 10;

    /// <summary>SHA-256 of the public key (SubjectPublicKeyInfo), 64 hexadecimal digits: what a site is told about its market.</summary>
    public static string PinOf(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        return Convert.ToHexStringLower(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
    }

    /// <summary>Loads a certificate with its key from a PEM file of mode 0600; makes one when there is none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="clock">The time.</param>
    public static X509Certificate2 LoadOrCreate(string path, TimeProvider clock)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(clock);
        if (!File.Exists(path))
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            CertificateRequest request = new("CN=emrmarket", key, HashAlgorithmName.SHA256);
            SubjectAlternativeNameBuilder names = new();
            names.AddDnsName("localhost");
            names.AddIpAddress(System.Net.IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
            using X509Certificate2 made = request.CreateSelfSigned(clock.GetUtcNow().AddDays(-1), clock.GetUtcNow().AddYears(Years));
            string unfinished = path + ".part";
            File.Delete(unfinished);
            FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using (StreamWriter writer = new(new FileStream(unfinished, options)))
            {
                writer.Write(made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
            }

            File.Move(unfinished, path);
        }

        return X509Certificate2.CreateFromPemFile(path);
    }
}
