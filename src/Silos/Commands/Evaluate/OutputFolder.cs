using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EmrMarket.Analytics.Evaluation;
using EmrMarket.Silos.Reporting;

namespace EmrMarket.Silos.Commands.Evaluate;

/// <summary>
/// The folder of the results. A run works in <c>DIR.partial</c> beside it, where finished experiments are kept; the results themselves are
/// written to a folder in there and renamed to DIR when all are complete, so that DIR is never half of a run.
/// </summary>
internal sealed class OutputFolder : IDisposable
{
    private readonly string _target;
    private readonly string _work;
    private readonly FileStream _lock;

    private OutputFolder(string target, string work, FileStream @lock) => (_target, _work, _lock) = (target, work, @lock);

    /// <summary>Refuses a folder that this command must not replace. Writes nothing.</summary>
    /// <exception cref="CommandException">The folder is a file, or holds something else than an evaluation.</exception>
    public static void Check(string folder)
    {
        if (File.Exists(folder))
        {
            throw new CommandException(
                ExitCode.Usage, $"--out '{folder}' is a file; expected a folder that does not exist yet, or an earlier evaluation.");
        }

        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()
            && !File.Exists(Path.Combine(folder, ResultFiles.Run)))
        {
            throw new CommandException(
                ExitCode.Usage,
                $"--out '{folder}' holds something else than an evaluation (it has no {ResultFiles.Run}); give another folder.");
        }
    }

    /// <summary>Takes the folder for this run.</summary>
    /// <exception cref="CommandException">Another run has it (exit code 75), or it cannot be written.</exception>
    public static OutputFolder Open(string folder)
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string work = target + ".partial";
        try
        {
            Directory.CreateDirectory(work);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"--out '{folder}' cannot be written: {failure.Message}", failure);
        }

        try
        {
            var @lock = new FileStream(Path.Combine(work, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return new OutputFolder(target, work, @lock);
        }
        catch (IOException failure)
        {
            throw new CommandException(
                ExitCode.NotReady, $"another evaluation is writing to '{folder}'; wait for it to end, or give another --out.", failure);
        }
    }

    /// <summary>The finished experiment of an interrupted run with the same fingerprint, or null.</summary>
    public ExperimentResult? Resume(string experiment, string fingerprint)
    {
        string path = CheckpointPath(experiment);
        try
        {
            return File.Exists(path) && JsonSerializer.Deserialize<Checkpoint>(File.ReadAllText(path), ResultsDocument.Json) is { } saved
                && saved.Fingerprint == fingerprint ? saved.Result : null;
        }
        catch (JsonException)
        {
            // A checkpoint that cannot be read is one that was not finished: the experiment runs again.
            return null;
        }
    }

    /// <summary>Keeps a finished experiment.</summary>
    public void Keep(string experiment, string fingerprint, ExperimentResult result)
    {
        string path = CheckpointPath(experiment);
        string unfinished = path + ".new";
        File.WriteAllText(unfinished, JsonSerializer.Serialize(new Checkpoint(fingerprint, result), ResultsDocument.Json));
        File.Move(unfinished, path, overwrite: true);
    }

    /// <summary>Writes all files and puts them in place together.</summary>
    public void Publish(IReadOnlyDictionary<string, string> files)
    {
        string complete = Path.Combine(_work, "complete");
        if (Directory.Exists(complete))
        {
            Directory.Delete(complete, recursive: true);
        }

        Directory.CreateDirectory(complete);
        foreach ((string name, string content) in files)
        {
            File.WriteAllText(Path.Combine(complete, name), content, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        }

        string replaced = Path.Combine(_work, "replaced");
        if (Directory.Exists(replaced))
        {
            Directory.Delete(replaced, recursive: true);
        }

        if (Directory.Exists(_target))
        {
            Directory.Move(_target, replaced);
        }

        Directory.Move(complete, _target);
        _lock.Dispose();
        Directory.Delete(_work, recursive: true);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lock.Dispose();
        // A run that failed before its first experiment leaves nothing behind.
        if (Directory.Exists(_work) && !Directory.EnumerateFileSystemEntries(_work).Any(e => Path.GetFileName(e) != "lock"))
        {
            Directory.Delete(_work, recursive: true);
        }
    }

    /// <summary>What a checkpoint is valid for: the same program, data and settings.</summary>
    public static string Fingerprint(params IEnumerable<object?> parts)
    {
        Guid[] program = [typeof(OutputFolder).Module.ModuleVersionId, typeof(ExperimentResult).Module.ModuleVersionId];
        return Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(new { program, parts })));
    }

    private string CheckpointPath(string experiment) => Path.Combine(_work, experiment + ".json");

    private sealed record Checkpoint(string Fingerprint, ExperimentResult Result);
}

/// <summary>The files of an evaluation.</summary>
internal static class ResultFiles
{
    /// <summary>The report for people.</summary>
    public const string Report = "report.html";

    /// <summary>All results.</summary>
    public const string Results = "results.json";

    /// <summary>One line per cell.</summary>
    public const string Table = "results.csv";

    /// <summary>What its columns mean, as CSV on the Web.</summary>
    public const string TableMetadata = Table + Reporting.Sharing.TableMetadata.FileSuffix;

    /// <summary>How the run was made.</summary>
    public const string Run = "run.json";
}
