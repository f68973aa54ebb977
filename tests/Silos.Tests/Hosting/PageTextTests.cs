using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace EmrMarket.Silos.Tests.Hosting;

/// <summary>The pages' words stand in resources, and nowhere else.</summary>
public sealed partial class PageTextTests
{
    // What a contract is called is no word of a language.
    private static readonly string[] Names = ["DynamicAccessControl", "MatchingDecision", "DataEvaluation", "AnonymousTransaction"];

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
            new[] { "*.razor", "*.cs" }.SelectMany(kind => Directory.EnumerateFiles(Pages, kind, SearchOption.AllDirectories))
            .Where(file => !file.Contains("node_modules", StringComparison.Ordinal)).Select(File.ReadAllText));
        string[] sets = Directory.GetFiles(Path.Combine(Pages, "Texts"), "*.resx");
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

    [GeneratedRegex(@"@\*.*?\*@", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(">(?<words>[^<>@{}();=]*[A-Za-z]{2,}[^<>@{}();=]*)<")]
    private static partial Regex Between();

    [GeneratedRegex("\\b(Label|Hint|aria-label|title|placeholder|alt|Title|Caption|Name|Remark)=\"(?<words>[^\"@]*[A-Za-z]{2,}[^\"]*)\"")]
    private static partial Regex Spoken();
}
