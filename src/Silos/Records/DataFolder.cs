using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Records.Synthetic;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Silos.Records;

/// <summary>The schemas and parameters that travel with the program (the repository's folder <c>data/</c>).</summary>
public static class DataFolder
{
    private static string Root => Path.Combine(AppContext.BaseDirectory, "data");

    /// <summary>The names of the built-in schemas, sorted.</summary>
    public static IReadOnlyList<string> SchemaNames { get; } =
        [.. Directory.EnumerateFiles(Path.Combine(Root, "schemas"), "*.json").Select(f => Path.GetFileNameWithoutExtension(f))
            .Order(StringComparer.Ordinal)];

    /// <summary>A built-in schema by name, or a schema file by path.</summary>
    /// <exception cref="InputException">There is no such schema, or it is not valid.</exception>
    public static Schema LoadSchema(string nameOrFile)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrFile);
        string file = SchemaNames.Contains(nameOrFile) ? Path.Combine(Root, "schemas", nameOrFile + ".json") : nameOrFile;
        return Schema.Parse(ReadText(file, $"Name a file, or one of the built-in schemas: {string.Join(", ", SchemaNames)}."), nameOrFile);
    }

    /// <summary>The names of the built-in mappings, sorted.</summary>
    internal static IReadOnlyList<string> MappingNames { get; } =
        [.. Directory.EnumerateFiles(Path.Combine(Root, "mappings"), "*.json").Select(f => Path.GetFileNameWithoutExtension(f))
            .Order(StringComparer.Ordinal)];

    /// <summary>A built-in mapping by name, or a mapping file by path.</summary>
    /// <exception cref="InputException">There is no such mapping, or it is not valid.</exception>
    internal static Mapping.RecordMapping LoadMapping(string nameOrFile)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrFile);
        string file = MappingNames.Contains(nameOrFile) ? Path.Combine(Root, "mappings", nameOrFile + ".json") : nameOrFile;
        return Mapping.RecordMapping.Parse(
            ReadText(file, $"Name a file, or one of the built-in mappings: {string.Join(", ", MappingNames)}."), nameOrFile);
    }

    /// <summary>The seed of the built-in synthetic set, which is always the same, or of another set with a number of its own.</summary>
    public static byte[] SyntheticSeed(ulong? number = null) => SHA256.HashData(Encoding.UTF8.GetBytes(
        "emrmarket synthetic records v1" + (number is { } n ? string.Create(CultureInfo.InvariantCulture, $" {n}") : "")));

    /// <summary>The published files that <c>data verify</c> knows: data/sources.json.</summary>
    internal static IReadOnlyList<SourceFile> Sources() =>
        JsonSerializer.Deserialize<IReadOnlyList<SourceFile>>(
            File.ReadAllText(Path.Combine(Root, "sources.json")), JsonSerializerOptions.Web)!;

    /// <summary>A generator of the synthetic records.</summary>
    /// <param name="seed">The seed, 16 bytes or more.</param>
    public static SyntheticGenerator LoadSynthetic(ReadOnlySpan<byte> seed)
    {
        string file = Path.Combine(Root, "synthetic", "parameters.json");
        return new SyntheticGenerator(LoadSchema("synthetic"), SyntheticParameters.Parse(File.ReadAllText(file), file), seed);
    }

    /// <summary>The text of a small file that the user named.</summary>
    /// <exception cref="InputException">It cannot be read.</exception>
    internal static string ReadText(string file, string fix)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InputException(
                new InputProblem("unreadable-file", file, 0, "", e is FileNotFoundException or DirectoryNotFoundException
                    ? "there is no such file"
                    : e.Message, fix));
        }
    }
}

/// <summary>A published file.</summary>
/// <param name="File">Its name.</param>
/// <param name="Title">What it is.</param>
/// <param name="Schema">The built-in schema that reads it; null for none.</param>
/// <param name="Rows">Lines after the header.</param>
/// <param name="Bytes">Bytes, unpacked.</param>
/// <param name="Sha256">SHA-256 of the unpacked bytes, lower-case hexadecimal.</param>
internal sealed record SourceFile(string File, string Title, string? Schema, long Rows, long Bytes, string Sha256);
