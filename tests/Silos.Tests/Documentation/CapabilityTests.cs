using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using EmrMarket.Silos.Tests.Evaluate;

namespace EmrMarket.Silos.Tests.Documentation;

/// <summary>Holds docs/CAPABILITIES.md to the program: every page, word, call, command and option that it names is there.</summary>
public sealed partial class CapabilityTests : IDisposable
{
    private readonly EvaluateProcess _emr = new();

    private static string Docs => Path.Combine(Tools.RepositoryRoot, "docs");

    private static string Pages => Path.Combine(Tools.RepositoryRoot, "src", "Silos", "Pages");

    // What, page, API, command.
    private static string[][] Rows { get; } =
    [
        .. File.ReadAllLines(Path.Combine(Docs, "CAPABILITIES.md")).Where(line => line.StartsWith("| ", StringComparison.Ordinal)
                && !line.StartsWith("| what", StringComparison.Ordinal) && !line.StartsWith("| ---", StringComparison.Ordinal))
            .Select(line => line.Trim('|', ' ').Split(" | ")),
    ];

    public void Dispose() => _emr.Dispose();

    [Fact]
    public void Every_row_says_where_on_pages_in_the_API_and_by_commands()
    {
        Assert.True(Rows.Length > 40, "the tables are not where they were");
        Assert.All(Rows, row => Assert.Equal(4, row.Length));
    }

    [Fact]
    public void Every_page_and_every_word_on_it_is_there()
    {
        string[] routes = [.. Directory.EnumerateFiles(Pages, "*.razor", SearchOption.AllDirectories)
            .SelectMany(page => PageRoute().Matches(File.ReadAllText(page)).Select(match => match.Groups["route"].Value))];
        HashSet<string> texts = [.. Directory.EnumerateFiles(Path.Combine(Pages, "Texts"), "*.resx")
            .SelectMany(set => XDocument.Load(set).Root!.Elements("data")).Select(text => text.Element("value")!.Value)];
        string[] named = [.. Rows.SelectMany(row => Code().Matches(row[1])).Select(match => match.Groups["code"].Value)];
        string[] words = [.. Rows.SelectMany(row => Quoted().Matches(row[1])).Select(match => match.Groups["words"].Value)];
        Assert.True(named.Length > 10 && words.Length > 40, "the tables are not where they were");
        Assert.All(named, route => Assert.Contains(route, routes));
        Assert.All(words, said => Assert.Contains(said, texts));
    }

    [Fact]
    public void Every_call_is_one_of_the_API()
    {
        JsonObject paths = JsonNode.Parse(File.ReadAllText(Path.Combine(Docs, "openapi.json")))!["paths"]!.AsObject();
        (string Method, string Path)[] calls = [.. Rows.SelectMany(row => Call().Matches(row[2]))
            .Select(match => (match.Groups["method"].Value.ToLowerInvariant(), "/api/v1" + match.Groups["path"].Value))];
        Assert.True(calls.Length > 30, "the tables are not where they were");
        Assert.All(calls, call => Assert.NotNull(paths[call.Path]?[call.Method]));
    }

    [Fact]
    public async Task Every_command_has_the_options_that_are_named()
    {
        (string Command, string[] Options)[] commands = [.. Rows.SelectMany(row => Command().Matches(row[3]))
            .Select(match => match.Groups["command"].Value.Split(' '))
            .Select(words => (string.Join(' ', words.Where(word => word[0] != '-')), words.Where(word => word[0] == '-').ToArray()))
            .GroupBy(each => each.Item1, StringComparer.Ordinal)
            .Select(group => (group.Key, group.SelectMany(each => each.Item2).Distinct(StringComparer.Ordinal).ToArray()))];
        Assert.True(commands.Length > 12, "the tables are not where they were");
        foreach ((string command, string[] options) in commands)
        {
            (int code, string help, string error) = await _emr.RunAsync([.. command.Split(' '), "--help"]);
            Assert.True(code == 0, error);

            // An unknown subcommand would show its parent's help.
            Assert.Contains($"emrmarket {command}", help, StringComparison.Ordinal);
            Assert.All(options, option => Assert.Contains($"  {option} ", help + " ", StringComparison.Ordinal));
        }
    }

    [GeneratedRegex("^@page \"(?<route>[^\"]+)\"", RegexOptions.Multiline)]
    private static partial Regex PageRoute();

    [GeneratedRegex("`(?<code>/[^`]*)`")]
    private static partial Regex Code();

    [GeneratedRegex("\"(?<words>[^\"]+)\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("`(?<method>GET|POST|PUT|DELETE) (?<path>/[^`]*)`")]
    private static partial Regex Call();

    [GeneratedRegex("`emr (?<command>[^`]+)`")]
    private static partial Regex Command();
}
