using System.Runtime.InteropServices;

namespace EmrMarket.Tests.Shared;

/// <summary>What a test may need beyond .NET.</summary>
public enum Tool
{
    /// <summary>Node 20 or later with npm, on the PATH.</summary>
    Node,

    /// <summary>The embedded chain; <c>.emr/tools</c> gets it at first use, so npm is what has to be there.</summary>
    Anvil,

    /// <summary>Foundry's reference implementation, which the build of the contracts brings.</summary>
    Cast,

    /// <summary>The embedded PostgreSQL; <c>.emr/tools</c> gets it at first use, so npm is what has to be there.</summary>
    PostgreSQL,

    /// <summary>A Chromium or Chrome, by EMR_CHROMIUM or on the PATH.</summary>
    Chromium,

    /// <summary>curl, on the PATH.</summary>
    Curl,

    /// <summary>Python 3, on the PATH.</summary>
    Python,

    /// <summary>GLPK's solver of linear programs, on the PATH.</summary>
    Glpk,

    /// <summary>Prometheus' checker of rules and measures, on the PATH or in <c>.emr/tools/promtool</c>.</summary>
    Promtool,

    /// <summary>jq, on the PATH.</summary>
    Jq,

    /// <summary>The folder of the real data sets, named by EMR_DATA_DIR.</summary>
    RealData,
}

/// <summary>Finds the tools that tests may need, and says by name how to get one that is missing.</summary>
public static class Tools
{
    /// <summary>True where a missing tool is a failure, not a reason to skip.</summary>
    public static bool IsContinuousIntegration { get; } =
        string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>The repository's root: the nearest folder above the test's binaries that holds the solution.</summary>
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    /// <summary>The path of a tool, or null where it is missing. For a tool that is installed at first use: the path of npm.</summary>
    public static string? Find(Tool tool) => tool switch
    {
        Tool.Node => OnPath("npm") is null ? null : OnPath("node"),
        Tool.Anvil or Tool.PostgreSQL => OnPath("node") is null ? null : OnPath("npm"),
        Tool.Cast => ExistingFile(Path.Combine(
            RepositoryRoot, "src", "Contracts", "solidity", "node_modules", "@foundry-rs", "cast-" + NpmPlatform, "bin", "cast")),
        Tool.Chromium => ExistingFile(Environment.GetEnvironmentVariable("EMR_CHROMIUM"))
            ?? OnPath("chromium") ?? OnPath("chromium-browser") ?? OnPath("google-chrome") ?? OnPath("google-chrome-stable"),
        Tool.Curl => OnPath("curl"),
        Tool.Python => OnPath("python3"),
        Tool.Glpk => OnPath("glpsol"),
        Tool.Promtool => OnPath("promtool") ?? ExistingFile(Path.Combine(RepositoryRoot, ".emr", "tools", "promtool")),
        Tool.Jq => OnPath("jq"),
        Tool.RealData => Environment.GetEnvironmentVariable("EMR_DATA_DIR") is { Length: > 0 } folder && Directory.Exists(folder)
            ? folder : null,
        _ => throw new ArgumentOutOfRangeException(nameof(tool), tool, "unknown tool"),
    };

    /// <summary>The path of a tool that a test cannot do without.</summary>
    /// <exception cref="InvalidOperationException">The tool is missing; the message says how to get it.</exception>
    public static string Require(Tool tool) => Find(tool) ?? throw new InvalidOperationException(Missing(tool));

    /// <summary>The sentence that names a missing tool and how to get it.</summary>
    public static string Missing(Tool tool) => tool + " is missing: " + tool switch
    {
        Tool.Node or Tool.Anvil or Tool.PostgreSQL => "install Node 20 or later with npm, https://nodejs.org/",
        Tool.Cast => "build the contracts first: npm ci --prefix src/Contracts/solidity",
        Tool.Chromium => "install Chromium, or set EMR_CHROMIUM to its path",
        Tool.Curl => "install curl, https://curl.se/",
        Tool.Python => "install Python 3, https://www.python.org/",
        Tool.Glpk => "install GLPK (Debian's glpk-utils), https://www.gnu.org/software/glpk/",
        Tool.Promtool => "install promtool (Debian's prometheus), or put it at .emr/tools/promtool",
        Tool.Jq => "install jq, https://jqlang.org/",
        Tool.RealData => "set EMR_DATA_DIR to the folder of the real data sets",
        _ => throw new ArgumentOutOfRangeException(nameof(tool), tool, "unknown tool"),
    };

    /// <summary>The reason to skip a test that needs these tools: null when all are there, and always null in continuous
    /// integration.</summary>
    internal static string? SkipReason(Tool[] needed)
    {
        if (IsContinuousIntegration)
        {
            return null;
        }

        string[] missing = [.. needed.Where(tool => Find(tool) is null).Select(Missing)];
        return missing.Length == 0 ? null : string.Join("; ", missing);
    }

    /// <summary>The suffix of Foundry's npm packages on this machine, such as linux-amd64.</summary>
    private static string NpmPlatform =>
        (OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsWindows() ? "win32" : "linux")
        + (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "-arm64" : "-amd64");

    private static string? OnPath(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => ExistingFile(Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".cmd" : name)))
            .FirstOrDefault(found => found is not null);

    private static string? ExistingFile(string? path) => path is not null && File.Exists(path) ? path : null;

    private static string FindRepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "EmrMarket.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"no EmrMarket.sln above {AppContext.BaseDirectory}: run the tests from a clone of the repository");
    }
}
