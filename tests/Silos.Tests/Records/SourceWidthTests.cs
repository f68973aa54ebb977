namespace EmrMarket.Silos.Tests.Records;

public sealed class SourceWidthTests
{
    // The width of .editorconfig, which no analyser enforces. A raw string of data, or a name that cannot be broken, has a reason of its own.
    private const int Columns = 140;

    [Theory]
    [InlineData("src/Analytics")]
    [InlineData("src/Silos/Records")]
    [InlineData("src/Silos/Reporting")]
    [InlineData("tests/Statistical")]
    public void Source_lines_fit_the_width_of_the_repository(string folder)
    {
        IEnumerable<string> wide =
            from file in Directory.EnumerateFiles(Path.Combine(Tools.RepositoryRoot, folder), "*.cs", SearchOption.AllDirectories)
            from line in File.ReadLines(file).Select((text, i) => (Text: text, Number: i + 1))
            where line.Text.Length > Columns
            select $"{Path.GetRelativePath(Tools.RepositoryRoot, file)}:{line.Number}";
        Assert.Empty(wide);
    }
}
