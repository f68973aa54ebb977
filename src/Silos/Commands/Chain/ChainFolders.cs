using EmrMarket.Contracts.DevChain;

namespace EmrMarket.Silos.Commands.Chain;

/// <summary>Where the embedded engines and their keys are: below .emr in the clone, or in the current folder for a program without
/// one.</summary>
internal static class ChainFolders
{
    /// <summary>The folder of everything that the program keeps.</summary>
    public static string Root { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("EMR_ROOT") is { Length: > 0 } root ? root : Environment.CurrentDirectory, ".emr");

    /// <summary>The embedded chain's folder where no other is named.</summary>
    public static string DefaultChain { get; } = Path.Combine(Root, "chain");

    /// <summary>The installed engines; progress of an installation goes to standard error.</summary>
    public static EmbeddedTools Tools { get; } = ToolsTelling(Console.Error);

    /// <summary>The installed engines; progress of an installation goes where it is said.</summary>
    public static EmbeddedTools ToolsTelling(TextWriter progress) => new(Path.Combine(Root, "tools"), progress);

    /// <summary>The deployment file of a chain's folder.</summary>
    public static string DeploymentOf(string chainFolder) => Path.Combine(chainFolder, "deployment.json");

    /// <summary>A folder for keys that only its owner can enter.</summary>
    public static string Keys(string chainFolder)
    {
        string folder = Path.Combine(chainFolder, "keys");
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        return folder;
    }
}
