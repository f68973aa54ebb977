namespace EmrMarket.Contracts.Tests.Shared;

/// <summary>The rule that a missing tool is named, and only skips where a person runs the tests.</summary>
public class ToolTests
{
    [Fact]
    public void Missing_names_the_tool_and_the_way_to_get_it()
    {
        foreach (Tool tool in Enum.GetValues<Tool>())
        {
            string message = Tools.Missing(tool);
            Assert.StartsWith(tool + " is missing: ", message, StringComparison.Ordinal);
            Assert.True(message.Length > tool.ToString().Length + 25, message);
        }
    }

    [Fact]
    public void SkipReason_is_given_exactly_for_missing_tools_outside_continuous_integration()
    {
        foreach (Tool tool in Enum.GetValues<Tool>())
        {
            string? reason = Tools.SkipReason([tool]);
            Assert.Equal(Tools.Find(tool) is null && !Tools.IsContinuousIntegration, reason is not null);
        }
    }

    [Fact]
    public void RepositoryRoot_holds_the_solution() => Assert.True(File.Exists(Path.Combine(Tools.RepositoryRoot, "EmrMarket.sln")));
}
