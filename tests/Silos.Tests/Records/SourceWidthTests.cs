namespace EmrMarket.Silos.Tests.Records;

public sealed class SourceWidthTests
{
    // The width of .editorconfig, which no analyser enforces.
    private const int Columns = 140;

    // A hash or an address list cannot be broken without being changed.
    private const int LongestBreakableWord = 80;

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    public void Source_lines_fit_the_width_of_the_repository(string folder)
    {
        IEnumerable<string> wide =
            from file in Directory.EnumerateFiles(Path.Combine(Tools.RepositoryRoot, folder), "*.cs", SearchOption.AllDirectories)
            where !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/node_modules/", StringComparison.Ordinal)
            from line in CodeLines(file)
            where line.Text.Length > Columns && line.Text.Split(' ').Max(word => word.Length) <= LongestBreakableWord
            select $"{Path.GetRelativePath(Tools.RepositoryRoot, file)}:{line.Number}";
        Assert.Empty(wide);
    }

    /// <summary>The lines of a file without those of raw strings: a break there would change what they say.</summary>
    private static IEnumerable<(string Text, int Number)> CodeLines(string file)
    {
        bool isRaw = false;
        int number = 0;
        foreach (string text in File.ReadLines(file))
        {
            number++;
            int marks = text.Split("\"\"\"").Length - 1;
            if (!isRaw && marks == 0)
            {
                yield return (text, number);
            }

            isRaw ^= marks % 2 == 1;
        }
    }
}
