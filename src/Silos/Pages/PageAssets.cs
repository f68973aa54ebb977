using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;
using EmrMarket.Silos.Api.Access;

namespace EmrMarket.Silos.Pages;

/// <summary>
/// The style sheet, scripts and icon of the pages, out of the program itself. Their address holds a hash over all of them, so that a
/// browser may keep them for ever and never mixes two versions; scripts find their parts beside them.
/// </summary>
internal sealed class PageAssets
{
    private const string Prefix = "EmrMarket.Assets/";

    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        [".css"] = "text/css; charset=utf-8", [".js"] = "text/javascript; charset=utf-8", [".svg"] = "image/svg+xml",
        [".txt"] = "text/plain; charset=utf-8",
    };

    private readonly Dictionary<string, (byte[] Plain, byte[] Packed)> _files = new(StringComparer.Ordinal);

    /// <summary>Reads them.</summary>
    public PageAssets()
    {
        Assembly assembly = typeof(PageAssets).Assembly;
        using IncrementalHash all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal))
        {
            using Stream stream = assembly.GetManifestResourceStream(resource)!;
            byte[] plain = new byte[stream.Length];
            stream.ReadExactly(plain);
            using MemoryStream packed = new();
            using (BrotliStream brotli = new(packed, CompressionLevel.Optimal))
            {
                brotli.Write(plain);
            }

            all.AppendData(plain);
            _files.Add(resource[Prefix.Length..], (plain, packed.ToArray()));
        }

        Version = Convert.ToHexStringLower(all.GetHashAndReset().AsSpan(0, 8));
    }

    /// <summary>Names the files together.</summary>
    public string Version { get; }

    /// <summary>Where a file is served.</summary>
    /// <exception cref="ArgumentException">There is no such file.</exception>
    public string Url(string name) => _files.ContainsKey(name)
        ? $"/assets/{Version}/{name}" : throw new ArgumentException($"the program holds no asset '{name}'", nameof(name));

    /// <summary>Serves <c>GET /assets/{version}/{name}</c>.</summary>
    public IEndpointConventionBuilder Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/assets/{version}/{name}", (string version, string name, HttpContext context) =>
    {
        if (version != Version || !_files.TryGetValue(name, out (byte[] Plain, byte[] Packed) file))
        {
            return Results.NotFound();
        }

        context.Response.Headers.CacheControl = "public, max-age=31536000, immutable";
        context.Response.Headers.Vary = "Accept-Encoding";
        bool packs = context.Request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.OrdinalIgnoreCase);
        if (packs)
        {
            context.Response.Headers.ContentEncoding = "br";
        }

        return Results.Bytes(packs ? file.Packed : file.Plain,
            Types.GetValueOrDefault(Path.GetExtension(name), "application/octet-stream"));
    }).RequireAuthorization(Policies.Anyone).ExcludeFromDescription();
}
