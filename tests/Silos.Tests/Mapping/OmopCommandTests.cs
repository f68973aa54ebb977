using EmrMarket.Silos.Tests.Commands;

namespace EmrMarket.Silos.Tests.Mapping;

public sealed class OmopCommandTests
{
    [Fact]
    public async Task Tables_become_a_file_that_the_schema_reads()
    {
        using OmopFolderWriter folder = OmopFolderWriter.Random(9, 60).WriteOtherwise(1);
        (int code, string output, string error) = await CommandProcess.RunAsync(
            folder.Path, "data", "map", "--omop", ".", "--mapping", "omop", "--schema", "synthea", "--out", "records.csv.gz");
        Assert.True(code == 0, error);
        Assert.Equal("records.csv.gz: 60 rows\n", output);
        Assert.Contains("no CONCEPT.csv", error, StringComparison.Ordinal);
        (code, output, error) = await CommandProcess.RunAsync(folder.Path, "schema", "check", "synthea", "records.csv.gz");
        Assert.True(code == 0, output + error);
    }

    [Theory]
    [InlineData("one of the two", "data", "map", "--omop", ".", "--fhir", ".", "--mapping", "omop", "--out", "x.csv")]
    [InlineData("one of the two", "data", "map", "--mapping", "omop", "--out", "x.csv")]
    [InlineData("missing-table", "data", "map", "--omop", ".", "--mapping", "omop", "--out", "x.csv")]
    [InlineData("no such folder", "data", "map", "--omop", "nowhere", "--mapping", "omop", "--out", "x.csv")]
    [InlineData("kind is 'omop'", "data", "map", "--omop", ".", "--mapping", "synthea", "--out", "x.csv")]
    [InlineData("one of the two", "site", "load", "--omop", ".", "records.csv", "--mapping", "omop")]
    public async Task Command_that_cannot_go_on_says_why(string says, params string[] arguments)
    {
        using OmopFolderWriter folder = new();
        (int code, _, string error) = await CommandProcess.RunAsync(folder.Path, arguments);
        Assert.Equal(2, code);
        Assert.Contains(says, error, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File_("x.csv")));
    }
}
