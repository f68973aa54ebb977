using System.Diagnostics;
using System.Text;

namespace EmrMarket.Silos.Tests.Evaluate;

/// <summary>Runs <c>emr evaluate</c> as a process of its own, as people do, in a folder that goes away with the test.</summary>
internal sealed class EvaluateProcess : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("emr-evaluate-");

    /// <summary>A file or folder of this test.</summary>
    public string Place(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Runs to the end.</summary>
    public async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Starts it.</summary>
    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = _folder.FullName, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "emrmarket.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        // Statistics alone need no chain: the market runs where a test asks for a quick run.
        if (arguments.Contains("--quick"))
        {
            start.Environment["EMR_ROOT"] = Tools.RepositoryRoot;
        }
        else if (arguments is ["evaluate", ..])
        {
            start.ArgumentList.Add("--no-market");
        }

        return Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Delete(recursive: true);
}
