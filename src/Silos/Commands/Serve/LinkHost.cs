using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EmrMarket.Silos.Link;

namespace EmrMarket.Silos.Commands.Serve;

/// <summary>The market's end of the link on an address of its own: nothing else is answered there, and the pages' rules do not
/// apply.</summary>
internal static class LinkHost
{
    // Far more than sites: a stranger costs the check of a signature per message, and no more than these at once.
    private const long MostConnections = 256;

    /// <summary>The certificate of a file, which is made where there is none.</summary>
    /// <exception cref="CommandException">The file cannot be read, or others can read it.</exception>
    public static X509Certificate2 Certificate(string file)
    {
        try
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(folder);
                return LinkCertificate.LoadOrCreate(file, TimeProvider.System);
            }

            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return !File.Exists(file)
                || (File.GetUnixFileMode(file) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)) == UnixFileMode.None
                ? LinkCertificate.LoadOrCreate(file, TimeProvider.System)
                : throw new CommandException(ExitCode.Usage, $"{file} holds a private key and is open to others: run chmod 600 {file}");
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"{file} cannot be read as a certificate with its key in PEM: {e.Message}", e);
        }
    }

    /// <summary>Builds it; nothing listens yet.</summary>
    public static WebApplication Build(Uri url, X509Certificate2 certificate, LinkServer server)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate = certificate);
        });
        builder.WebHost.UseUrls(url.GetLeftPart(UriPartial.Authority));
        WebApplication web = builder.Build();
        web.MapSiteLink(server);
        return web;
    }
}
