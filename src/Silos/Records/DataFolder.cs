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
        [.. Directory.EnumerateFiles(Path.Combine(Root, "schemas"), "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    /// <summary>A built-in schema by name, or a schema file by path.</summary>
    /// <exception cref="InputException">There is no such schema, or it is not valid.</exception>
    public static Schema LoadSchema(string nameOrFile)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrFile);
        string file = SchemaNames.Contains(nameOrFile) ? Path.Combine(Root, "schemas", nameOrFile + ".json") : nameOrFile;
        return Schema.Parse(ReadText(file, $"Name a file, or one of the built-in schemas: {string.Join(", ", SchemaNames)}."), nameOrFile);
    }

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
            throw new InputException(new InputProblem("unreadable-file", file, 0, "", e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message, fix));
        }
    }
}
