using System.Diagnostics;
using System.Text;

namespace EmrMarket.Contracts.Tests.Ethereum.Cast;

/// <summary>Foundry's cast as an independent implementation: many questions in one shell, since each one costs a process.</summary>
internal static class CastOracle
{
    /// <summary>The output of each question, without the line break at its end.</summary>
    public static string[] Ask(IReadOnlyList<string[]> questions)
    {
        string cast = Tools.Require(Tool.Cast);
        StringBuilder script = new();
        foreach (string[] question in questions)
        {
            script.Append('\'').Append(cast).Append('\'');
            foreach (string argument in question)
            {
                script.Append(" '").Append(argument.Replace("'", "'\\''", StringComparison.Ordinal)).Append('\'');
            }

            script.Append(" || exit 1\nprintf '\\036'\n");
        }

        ProcessStartInfo start = new("/bin/sh", ["-s"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        using Process shell = Process.Start(start)!;
        Task<string> output = shell.StandardOutput.ReadToEndAsync();
        Task<string> errors = shell.StandardError.ReadToEndAsync();
        shell.StandardInput.Write(script);
        shell.StandardInput.Close();
        shell.WaitForExit();
        Assert.True(shell.ExitCode == 0, errors.Result);
        string[] answers = [.. output.Result.Split('\u001e').SkipLast(1).Select(answer => answer.TrimEnd('\n'))];
        Assert.Equal(questions.Count, answers.Length);
        return answers;
    }
}
