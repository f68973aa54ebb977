using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Files;

/// <summary>The files that a user means by paths: files, and folders as Bulk Data exports and Synthea write them.</summary>
internal static class FhirPaths
{
    private static readonly string[] Endings = [".json", ".ndjson", ".jsonl"];

    /// <summary>The files, those of a folder by ordinal name.</summary>
    /// <exception cref="InputException">A path is neither, or a folder holds none.</exception>
    public static IReadOnlyList<string> Expand(IReadOnlyList<string> paths)
    {
        var files = new List<string>();
        foreach (string path in paths)
        {
            if (!Directory.Exists(path))
            {
                files.Add(path);
                continue;
            }

            string[] found = [.. Directory.EnumerateFiles(path).Where(file => HasEnding(file, Endings)).Order(StringComparer.Ordinal)];
            files.AddRange(found.Length > 0 ? found : throw new InputException(new InputProblem(
                "no-files", path, 0, "", "the folder holds no file that ends in .json, .ndjson or .jsonl (.gz)",
                    "Name the folder that holds the files.")));
        }

        return files;
    }

    /// <summary>Whether a file's name says that it has a resource per line.</summary>
    public static bool IsByLine(string file) => HasEnding(file, Endings[1..]);

    private static bool HasEnding(string file, string[] endings)
    {
        string name = file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? file[..^3] : file;
        return endings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
    }
}
