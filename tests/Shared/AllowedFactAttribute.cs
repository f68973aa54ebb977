using System.ComponentModel;
using System.Diagnostics;

namespace EmrMarket.Tests.Shared;

/// <summary>What a machine may forbid to whoever runs the tests.</summary>
public enum Right
{
    /// <summary>To mount file systems.</summary>
    Mounts,

    /// <summary>To start a process as somebody who is not root and can read the repository.</summary>
    NormalUser,

    /// <summary>To forbid user namespaces to a process.</summary>
    NamespaceLimits,
}

/// <summary>A fact that needs a right: where the machine does not give it, also in continuous integration, it is skipped by name.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AllowedFactAttribute : FactAttribute
{
    /// <summary>Names the right and the tools.</summary>
    public AllowedFactAttribute(Right right, params Tool[] tools) =>
        Skip = Tools.SkipReason(tools) ?? (IsGiven(right) ? null : $"this machine does not give the right: {right}");

    /// <summary>The beginning of a command line that runs the rest as a normal user; empty where the tests are run by one.</summary>
    public static IReadOnlyList<string> AsNormalUser =>
        Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

    private static bool IsGiven(Right right) => right switch
    {
        Right.Mounts => Environment.IsPrivilegedProcess
            && Succeeds("unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", Path.GetTempPath()),
        Right.NormalUser => !Environment.IsPrivilegedProcess
            || Succeeds([.. AsNormalUser, "test", "-r", Path.Combine(Tools.RepositoryRoot, "EmrMarket.sln")]),
        Right.NamespaceLimits => Environment.IsPrivilegedProcess
            && Succeeds("unshare", "--user", "--map-root-user", "sh", "-c",
                "echo 0 >/proc/sys/user/max_user_namespaces && ! unshare --user true"),
        _ => throw new ArgumentOutOfRangeException(nameof(right), right, "unknown right"),
    };

    private static bool Succeeds(params string[] command)
    {
        try
        {
            using Process process =
                Process.Start(new ProcessStartInfo(
                    command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
