using System.CommandLine;
using System.Reflection;
using System.Text.RegularExpressions;
using EmrMarket.Silos.Commands;
using EmrMarket.Tests.Shared;

namespace EmrMarket.Silos.Tests.Documentation;

/// <summary>What the documents name exists: files, headings that the code refers to, commands and their options.</summary>
public sealed partial class DocumentTests
{
    private static readonly string[] Unkept = ["node_modules", "artifacts", "bin", "obj", "out", "cache", ".emr", ".git", "TestResults"];

    [Fact]
    public void Links_and_paths_of_documents_lead_to_files()
    {
        List<string> lost = [];
        foreach (string document in Files(".md"))
        {
            string text = File.ReadAllText(Path.Combine(Tools.RepositoryRoot, document));
            string folder = Path.GetDirectoryName(document)!;
            IEnumerable<string> links = Link().Matches(text).Select(match => match.Groups["to"].Value)
                .Where(to => to.Length > 0 && !to.Contains("://", StringComparison.Ordinal));
            IEnumerable<string> paths = Place().Matches(text).Select(match => match.Groups["path"].Value);
            lost.AddRange(links.Where(link => !Exists(Path.Combine(folder, link))).Concat(paths.Where(path => !Exists(path)))
                .Select(path => $"{document}: {path}"));
        }

        Assert.True(lost.Count == 0, string.Join('\n', lost));
    }

    [Fact]
    public void Sections_that_the_code_refers_to_exist()
    {
        List<string> lost = [];
        int found = 0;
        foreach (string source in Files(".cs").Concat(Files(".sol")).Concat(Files(".md")))
        {
            string text = File.ReadAllText(Path.Combine(Tools.RepositoryRoot, source));
            foreach (Match reference in Section().Matches(text))
            {
                string document = Path.Combine(Tools.RepositoryRoot, "docs", reference.Groups["document"].Value);
                string heading = LineBreak().Replace(reference.Groups["heading"].Value, " ");
                bool exists = File.Exists(document) && File.ReadLines(document).Any(line =>
                    line.StartsWith('#') && line.TrimStart('#', ' ').StartsWith(heading, StringComparison.Ordinal)
                    || line.StartsWith($"**{heading}**", StringComparison.Ordinal));
                found++;
                if (!exists)
                {
                    lost.Add($"{source}: docs/{reference.Groups["document"].Value}, \"{heading}\"");
                }
            }
        }

        Assert.True(lost.Count == 0, string.Join('\n', lost));
        Assert.True(found > 20, $"only {found} references were recognised");
    }

    [Fact]
    public void Commands_and_options_of_documents_exist()
    {
        // Program.cs is the list of commands.
        string program = File.ReadAllText(Path.Combine(Tools.RepositoryRoot, "src", "Silos", "Program.cs"));
        RootCommand root = [];
        foreach (Match listed in Listed().Matches(program))
        {
            Type type = typeof(CommandLine).Assembly.GetTypes().Single(each => each.Name == listed.Groups["type"].Value);
            root.Subcommands.Add((Command)type.GetMethod("Create", BindingFlags.Static | BindingFlags.Public)!.Invoke(null, null)!);
        }

        List<string> lost = [];
        int found = 0;
        foreach (string document in Files(".md"))
        {
            string text = Continued().Replace(File.ReadAllText(Path.Combine(Tools.RepositoryRoot, document)), " ");
            foreach (Match call in Call().Matches(text).Where(call => call.Groups["words"].Value.Split(' ')[0] is not ("test" or "bench")))
            {
                found++;
                Command command = root;
                foreach (string word in call.Groups["words"].Value.Split(' '))
                {
                    Command? next = command.Subcommands.FirstOrDefault(each => each.Name == word);
                    if (next is null && command.Subcommands.Count > 0)
                    {
                        lost.Add($"{document}: {call.Value}: there is no command '{word}'");
                    }

                    command = next ?? command;
                }

                lost.AddRange(Option().Matches(call.Groups["rest"].Value).Select(option => option.Value)
                    .Where(option => option is not ("--help" or "--version")
                        && command.Options.All(each => each.Name != option && !each.Aliases.Contains(option)))
                    .Select(option => $"{document}: {call.Value}: '{command.Name}' has no option {option}"));
            }
        }

        Assert.True(lost.Count == 0, string.Join('\n', lost));
        Assert.True(found > 30, $"only {found} commands were recognised");
    }

    private static bool Exists(string path) => Path.Exists(Path.Combine(Tools.RepositoryRoot, path));

    private static IEnumerable<string> Files(string extension, string folder = "") =>
        Directory.EnumerateFiles(Path.Combine(Tools.RepositoryRoot, folder), "*" + extension)
            .Select(file => Path.Combine(folder, Path.GetFileName(file)))
            .Concat(Directory.EnumerateDirectories(Path.Combine(Tools.RepositoryRoot, folder)).Select(Path.GetFileName)
                .Where(name => !Unkept.Contains(name)).SelectMany(name => Files(extension, Path.Combine(folder, name!))));

    [GeneratedRegex(@"\]\((?<to>[^)#\s]*)(#[^)]*)?\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();

    // A path of the repository in a code span; src/AdoNet lies in the sources of Orleans.
    [GeneratedRegex(
        @"`(?<path>(src|tests|docs|deploy|data)/(?!AdoNet)[A-Za-z0-9_./-]*[A-Za-z0-9_])/?`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Place();

    [GeneratedRegex(@"docs/(?<document>[A-Z_]+\.md),\s+(///\s+|//\s+)?""(?<heading>[A-Z][^""\\]+)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Section();

    [GeneratedRegex(@"\s*\n\s*(///?\s*)?", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LineBreak();

    [GeneratedRegex(@"\b(?<type>\w+)\.Create\(\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Listed();

    [GeneratedRegex(@"\\\n\s*", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Continued();

    // Up to the end of the command: a code span's end, a comment, another command.
    [GeneratedRegex(
        @"(?<=`|\n|\s|^)(\./)?emr (?<words>[a-z][a-z-]*( [a-z][a-z-]+){0,2})\b(?<rest>[^`\n#|&;$]*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Call();

    [GeneratedRegex(@"(?<=[\s\[])--[a-z][a-z-]*", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Option();
}
