using System.Reflection;
using BenchmarkDotNet.Running;

namespace EmrMarket.Benchmarks;

internal static class Program
{
    /// <summary>
    /// <c>emr bench</c>: prints all tables, or those that are named, each beside its simple baseline measured in the same run;
    /// BenchmarkDotNet for any option of its own (<c>--filter *</c>). A table is a public class <c>&lt;Name&gt;Bench</c> with a static Run
    /// or RunAsync that writes to a TextWriter.
    /// </summary>
    private static async Task<int> Main(string[] args)
    {
        if (args.Length > 0 && args[0].StartsWith('-'))
        {
            BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
            return 0;
        }

        SortedDictionary<string, MethodInfo> tables = Tables();
        foreach (string name in args)
        {
            if (!tables.ContainsKey(name))
            {
                await Console.Error.WriteLineAsync(
                    $"emr bench: there is no table '{name}': expected {string.Join(", ", tables.Keys)}, or --filter for BenchmarkDotNet.");
                return 2;
            }
        }

        foreach ((string name, MethodInfo run) in tables)
        {
            if (args.Length == 0 || args.Contains(name))
            {
                await (run.Invoke(null, [Console.Out]) as Task ?? Task.CompletedTask);
            }
        }

        return 0;
    }

    private static SortedDictionary<string, MethodInfo> Tables()
    {
        const string Suffix = "Bench";
        var tables = new SortedDictionary<string, MethodInfo>(StringComparer.Ordinal);
        foreach (Type type in typeof(Program).Assembly.GetExportedTypes()
            .Where(type => type.Name.EndsWith(Suffix, StringComparison.Ordinal)))
        {
            MethodInfo run = type.GetMethod("Run", [typeof(TextWriter)]) ?? type.GetMethod("RunAsync", [typeof(TextWriter)])
                ?? throw new InvalidOperationException($"{type.Name} has no Run(TextWriter).");
            tables.Add(type.Name[..^Suffix.Length].ToLowerInvariant(), run);
        }

        return tables;
    }
}
