using System.Text.Json;

namespace EmrMarket.Contracts.Tests;

/// <summary>The vectors of docs/WIRE.md, made by a program that shares no code with the contracts or with this library.</summary>
internal static class WireVectors
{
    public static JsonElement Read(string file)
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !Directory.Exists(Path.Combine(folder.FullName, "docs", "vectors")))
        {
            folder = folder.Parent;
        }

        string root = (folder ?? throw new DirectoryNotFoundException("docs/vectors is not above the tests' folder")).FullName;
        return JsonDocument.Parse(File.ReadAllText(Path.Combine(root, "docs", "vectors", file))).RootElement;
    }
}
