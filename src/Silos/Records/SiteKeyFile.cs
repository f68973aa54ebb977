using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records;

/// <summary>
/// The file of a site's secret key: 64 hexadecimal digits that only its owner may read. All coins and pseudonyms derive from it: whoever
/// has it undoes every report, and a site that loses it would draw second, independent reports of the same facts.
/// </summary>
public static class SiteKeyFile
{
    /// <summary>Bytes of a site key.</summary>
    public const int Bytes = SecretFile.Bytes;

    /// <summary>Makes a new random key. A file that exists is never overwritten.</summary>
    /// <exception cref="InputException">The file exists or cannot be written.</exception>
    public static void Create(string path) => SecretFile.Create(path, "site key");

    /// <summary>Reads a key.</summary>
    /// <exception cref="InputException">There is no such file, others may read it, or it holds no key.</exception>
    public static byte[] Read(string path) => SecretFile.Read(path, "Make one with './emr site-key new FILE', once per site.");
}
