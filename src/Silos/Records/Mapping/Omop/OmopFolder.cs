using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Omop;

/// <summary>The tables of a folder: files that are called as the tables, in any letter case, as .csv, .tsv or .txt, packed with gzip or
/// not.</summary>
internal sealed class OmopFolder
{
    private static readonly string[] Endings = [".csv", ".tsv", ".txt"];

    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);

    /// <summary>Looks into a folder.</summary>
    /// <exception cref="InputException">It cannot be read, or has a table twice.</exception>
    public OmopFolder(string folder)
    {
        Folder = folder;
        string[] files;
        try
        {
            files = Directory.GetFiles(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InputException(new InputProblem("unreadable-file", folder, 0, "", e is DirectoryNotFoundException
                ? "there is no such folder" : e.Message,
                "Name the folder that has a file for each table."));
        }

        foreach (string file in files.Order(StringComparer.Ordinal))
        {
            if (TableOf(Path.GetFileName(file)) is { } table && !_files.TryAdd(table, file))
            {
                throw new InputException(new InputProblem("duplicate-table", file, 0, "", $"the folder has the table {table} twice",
                    "Leave one file for each table in the folder."));
            }
        }
    }

    /// <summary>The table that a file's name says, in lower case; null when it says none.</summary>
    public static string? TableOf(string fileName)
    {
        string name = fileName.ToLowerInvariant();
        name = name.EndsWith(".gz", StringComparison.Ordinal) ? name[..^3] : name;
        return Endings.FirstOrDefault(ending => name.EndsWith(ending, StringComparison.Ordinal)) is { } ending ? name[..^ending.Length]
            : null;
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>The tables that are there, by name.</summary>
    public IEnumerable<string> Tables => _files.Keys.Order(StringComparer.Ordinal);

    /// <summary>The file of a table; null when there is none.</summary>
    public string? Find(string table) => _files.GetValueOrDefault(table);

    /// <summary>The file of a table that has to be there.</summary>
    /// <exception cref="InputException">It is not.</exception>
    public string Require(string table, string fix) => Find(table)
        ?? throw new InputException(new InputProblem("missing-table", Folder, 0, table,
            $"the folder has no table {table}, which the mapping reads", fix));
}
