using System.Text.RegularExpressions;
using EmrMarket.Contracts.Model;
using EmrMarket.Grains.Abstractions.Market;

namespace EmrMarket.Grains.Tests.Market;

/// <summary>The documents name methods and states; here they are held against the code.</summary>
public sealed partial class DocumentationTests
{
    private static string Docs => Path.Combine(Tools.RepositoryRoot, "docs");

    [Fact]
    public void Flow_links_a_method_that_exists_in_every_step()
    {
        string flow = File.ReadAllText(Path.Combine(Docs, "FLOW.md"));
        MatchCollection links = Link().Matches(flow);

        Assert.Equal(8, flow.Split('\n').Count(line => Step().IsMatch(line) && Link().IsMatch(line)));
        Assert.All(links, link =>
        {
            string source = File.ReadAllText(Path.Combine(Docs, link.Groups["file"].Value));
            Assert.Matches($@"\b(Task|Task<[^=;]+>|static [^=;(]+) {link.Groups["method"].Value}\(", source);
        });
    }

    [Theory]
    [InlineData(typeof(RequestState))]
    [InlineData(typeof(RoundState))]
    [InlineData(typeof(BatchStatus))]
    public void State_diagram_has_every_state_of_the_code_and_no_other(Type states)
    {
        string text = File.ReadAllText(Path.Combine(Docs, "DATA_MODEL.md"));
        string section = text[text.IndexOf($"(`{states.Name}`)", StringComparison.Ordinal)..];
        string diagram = section[section.IndexOf("```mermaid", StringComparison.Ordinal)..];
        diagram = diagram[..diagram.IndexOf("\n```\n", StringComparison.Ordinal)];

        SortedSet<string> drawn =
            [.. Arrow().Matches(diagram).SelectMany(m => new[] { m.Groups["from"].Value, m.Groups["to"].Value })
                .Where(name => name != "[*]")];
        Assert.Equal(new SortedSet<string>(Enum.GetNames(states)), drawn);
    }

    [GeneratedRegex(@"\[`(?<method>\w+)`\]\((?<file>[^)]+\.cs)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^\| [1-8]\. ")]
    private static partial Regex Step();

    [GeneratedRegex(@"^\s+(?<from>\[\*\]|\w+) --> (?<to>\w+)", RegexOptions.Multiline)]
    private static partial Regex Arrow();
}
