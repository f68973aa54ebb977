using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace EmrMarket.Silos.Tests.Hosting;

/// <summary>The pages' words stand in resources, and nowhere else.</summary>
public sealed partial class PageTextTests
{
    // What a contract is called is no word of a language.
    private static readonly string[] Names = ["DynamicAccessControl", "MatchingDecision", "DataEvaluation", "AnonymousTransaction"];

    // What the scripts say has no class: their bundle holds it.
    private const string ScriptTexts = "ScriptTexts.resx";

    private static string Pages => Path.Combine(Tools.RepositoryRoot, "src", "Silos", "Pages");

    [Fact]
    public void Pages_hold_no_words_of_their_own()
    {
        string[] pages = Directory.GetFiles(Pages, "*.razor", SearchOption.AllDirectories);
        Assert.True(pages.Length > 20, "the pages are not where they were");
        string[] stray =
        [
            .. from page in pages
               from line in Comment().Replace(File.ReadAllText(page).Split("\n@code")[0], "").Split('\n')
               from match in Between().Matches(line).Concat(Spoken().Matches(line))
               let words = match.Groups["words"].Value.Trim()
               where !Names.Contains(words, StringComparer.Ordinal) && !words.StartsWith("cell.", StringComparison.Ordinal)
               select $"{Path.GetFileName(page)}: {words}",
        ];
        Assert.Empty(stray);
    }

    [Fact]
    public void Every_text_is_used_and_takes_what_its_phrase_gives()
    {
        string code = string.Concat(
            new[] { "*.razor", "*.cs" }
            .SelectMany(kind => new[] { Pages, Path.Combine(Tools.RepositoryRoot, "src", "Silos", "Reporting") }
                .SelectMany(folder => Directory.EnumerateFiles(folder, kind, SearchOption.AllDirectories)))
            .Where(file => !file.Contains("node_modules", StringComparison.Ordinal)).Select(File.ReadAllText));
        string[] sets =
            [.. Directory.GetFiles(Path.Combine(Pages, "Texts"), "*.resx").Where(set => Path.GetFileName(set) != ScriptTexts)];
        Assert.True(sets.Length >= 8, "the texts are not where they were");
        foreach (string set in sets)
        {
            string name = Path.GetFileNameWithoutExtension(set);
            foreach (XElement text in XDocument.Load(set).Root!.Elements("data"))
            {
                string key = text.Attribute("name")!.Value;
                Assert.NotEmpty(text.Element("value")!.Value);

                // Those that are looked up by a word of the ledger.
                Assert.True(key.Contains('_', StringComparison.Ordinal) || code.Contains($"{name}.{key}", StringComparison.Ordinal),
                    $"nothing says {name}.{key}");
                Assert.NotEmpty(string.Format(CultureInfo.InvariantCulture, text.Element("value")!.Value, 1, 2, 3, 4, 5));
            }
        }
    }

    [Fact]
    public void Scripts_hold_no_words_of_their_own()
    {
        string[] stray =
        [
            .. from script in Scripts()
               from line in File.ReadAllText(script).Split('\n')
               where !CommentLine().IsMatch(line) && !Defect().IsMatch(line)
               from match in Sentence().Matches(line)
               select $"{Path.GetFileName(script)}: {match.Value}",
        ];
        Assert.Empty(stray);
    }

    [Fact]
    public void Scripts_say_what_the_resources_hold_and_all_of_it()
    {
        Dictionary<string, string> texts = XDocument.Load(Path.Combine(Pages, "Texts", ScriptTexts)).Root!.Elements("data")
            .ToDictionary(text => text.Attribute("name")!.Value, text => text.Element("value")!.Value, StringComparer.Ordinal);
        string code = string.Concat(Scripts().Select(File.ReadAllText));
        (string Name, int Values)[] said =
            [.. Said().Matches(code).Select(match => (match.Groups["name"].Value, Arguments(code[(match.Index + match.Length)..])))];
        Assert.True(said.Length > 50, "the scripts are not where they were");
        Assert.All(said, one =>
        {
            Assert.True(texts.TryGetValue(one.Name, out string? text), $"there is no text {one.Name}");
            Assert.Equal(Places().Matches(text).Select(match => match.Value).Distinct(StringComparer.Ordinal).Count(), one.Values);
        });

        // Those that are looked up by a word of the page.
        string[] families = [.. SaidByWord().Matches(code).Select(match => match.Groups["family"].Value)];
        Assert.All(texts, text =>
        {
            Assert.NotEmpty(text.Value);
            Assert.True(
                said.Any(one => one.Name == text.Key) || families.Any(family => text.Key.StartsWith(family, StringComparison.Ordinal)),
                $"nothing says {text.Key}");
        });
    }

    private static string[] Scripts()
    {
        string[] scripts = Directory.GetFiles(Path.Combine(Pages, "browser", "source"), "*.ts", SearchOption.AllDirectories);
        Assert.True(scripts.Length > 15, "the scripts are not where they were");
        return scripts;
    }

    /// <summary>How many arguments follow the first one of a call, in what stands behind that one.</summary>
    private static int Arguments(string rest)
    {
        (int depth, int commas) = (0, 0);
        foreach (char sign in rest)
        {
            depth += sign is '(' or '{' or '[' ? 1 : sign is ')' or '}' or ']' ? -1 : 0;
            if (depth < 0)
            {
                break;
            }

            commas += depth == 0 && sign == ',' ? 1 : 0;
        }

        return commas;
    }

    [GeneratedRegex(@"phraseOf\('(?<name>\w+)'")]
    private static partial Regex Said();

    [GeneratedRegex(@"phraseOf\(`(?<family>\w+_)\$")]
    private static partial Regex SaidByWord();

    [GeneratedRegex(@"\{\d\}")]
    private static partial Regex Places();

    // Three words or more between quotes.
    [GeneratedRegex("(['\"`])(?:[A-Za-z’“”-]+[,.:;…]? ){2,}[^'\"`]*\\1")]
    private static partial Regex Sentence();

    [GeneratedRegex(@"^\s*(//|/\*|\*)")]
    private static partial Regex CommentLine();

    // What only a defect of the program says, and what another program reads.
    [GeneratedRegex(
        @"RangeError\(|throw new Error\(['`](no key|the page has|there is no text)|cast call|wants you to sign in|'emrmarket [a-z ]+ v1 ")]
    private static partial Regex Defect();

    [GeneratedRegex(@"@\*.*?\*@", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(">(?<words>[^<>@{}();=]*[A-Za-z]{2,}[^<>@{}();=]*)<")]
    private static partial Regex Between();

    [GeneratedRegex("\\b(Label|Hint|aria-label|title|placeholder|alt|Title|Caption|Name|Remark)=\"(?<words>[^\"@]*[A-Za-z]{2,}[^\"]*)\"")]
    private static partial Regex Spoken();
}
