using System.Text.Json;
using EmrMarket.Silos.Tests.Evaluate;

namespace EmrMarket.Silos.Tests.Audit;

public sealed class AuditPrivacyCommandTests : IDisposable
{
    private readonly EvaluateProcess _emr = new();

    public void Dispose() => _emr.Dispose();

    [Fact]
    public async Task Audit_of_right_mechanisms_reports_every_grade_and_exits_with_0()
    {
        (int code, string output, string error) = await _emr.RunAsync("audit-privacy", "--samples", "20000", "--people", "100", "--json");
        Assert.True(code == 0, error);
        using JsonDocument findings = JsonDocument.Parse(output);
        JsonElement[] losses = [.. findings.RootElement.GetProperty("losses").EnumerateArray()];
        Assert.Equal(5 * 6, losses.Length);
        Assert.All(losses, loss =>
        {
            Assert.False(loss.GetProperty("violated").GetBoolean());
            Assert.True(loss.GetProperty("lowerBound").GetDouble() <= loss.GetProperty("epsilon").GetDouble());
            Assert.True(loss.GetProperty("smallestVisibleExcess").GetDouble() > 0);
        });

        // Who knows everything does better with more, and never worse than chance by more than noise.
        JsonElement[] byGrade = [.. findings.RootElement.GetProperty("byGrade").EnumerateArray()];
        Assert.Equal(0.01, findings.RootElement.GetProperty("chance").GetDouble(), 12);
        Assert.True(byGrade[^1].GetProperty("topOne").GetDouble() > 0.5);
        Assert.True(byGrade[0].GetProperty("topOne").GetDouble() < 0.15);
    }

    [Theory]
    [InlineData("--mechanism", "rappor", "rappor")]
    [InlineData("--samples", "10", "1000")]
    [InlineData("--people", "1", "2 to 5000")]
    [InlineData("--policy", "reckless", "balanced")]
    [InlineData("--schema", "brfss2015", "--data")]
    public async Task Audit_with_a_wrong_option_exits_with_2_and_says_what_is_expected(string option, string value, string expected)
    {
        (int code, string output, string error) = await _emr.RunAsync("audit-privacy", option, value);
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audit_of_one_mechanism_under_a_policy_prints_both_for_people()
    {
        (int code, string output, string error) = await _emr.RunAsync(
            "audit-privacy", "--samples", "5000", "--people", "50", "--mechanism", "grr", "--policy", "conservative");
        Assert.True(code == 0, error);
        Assert.Contains("grr", output, StringComparison.Ordinal);
        Assert.DoesNotContain("dsw", output, StringComparison.Ordinal);
        Assert.Contains("conservative", output, StringComparison.Ordinal);
        Assert.Contains("2.0 %", output, StringComparison.Ordinal);
    }
}
