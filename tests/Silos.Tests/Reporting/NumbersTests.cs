using EmrMarket.Analytics.Evaluation;
using EmrMarket.Silos.Reporting;
using Xunit;

namespace EmrMarket.Silos.Tests.Reporting;

public sealed class NumbersTests
{
    [Theory]
    [InlineData(0.00036, 0.41, "0.0 %", "41.0 %")]
    [InlineData(-0.252, -0.00016, "-25.2 %", "0.0 %")]
    [InlineData(-0.10, 0.16, "-10.0 %", "16.0 %")]
    [InlineData(0.0326, 0.374, "3.3 %", "37.4 %")]
    [InlineData(0.001, 0.0451, "0.10 %", "4.51 %")]
    [InlineData(0.59, 1, "59.0 %", "100.0 %")]
    public void Ends_of_an_interval_of_shares_have_equally_many_decimals(double low, double high, string from, string to) =>
        Assert.Equal((from, to), Numbers.Ends(low, high, EvaluationSummary.ShareUnit));

    [Theory]
    [InlineData(3.8069, 4.8054, "3.807", "4.805")]
    [InlineData(8.104, 15.47, "8.10", "15.47")]
    [InlineData(99.96, 1234.5, "99.96", "1,235")]
    [InlineData(-120.25, 3, "-120.3", "3.0")]
    public void Ends_of_other_intervals_too_up_to_a_thousand(double low, double high, string from, string to) =>
        Assert.Equal((from, to), Numbers.Ends(low, high, "days"));

    [Fact]
    public void Open_end_is_said_as_such() =>
        Assert.Equal("0.5 to ∞", Numbers.Interval(0.5, double.PositiveInfinity, "days"));
}
