using System.Numerics;
using EmrMarket.Analytics.Estimation.Ordered;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Quality;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Analytics.Tests.Estimation;

namespace EmrMarket.Analytics.Tests.Quality;

public sealed class ReportQualityTests
{
    [Theory]
    [InlineData(2, 0.060)]
    [InlineData(3, 0.214)]
    [InlineData(4, 0.580)]
    [InlineData(6, 0.929)]
    public void Yes_no_answers_have_the_published_quality(int grade, double published)
    {
        AttributeDefinition yesNo = Samples.Categorical("x", 2, "grr");
        double quality = ReportQuality.PartsPerBillion(yesNo, Samples.ChannelOf(yesNo, grade)) / 1e9;
        Assert.Equal(published, quality, 3);
        Assert.Equal(Math.Pow(Math.Tanh(Samples.Ladder[grade].Value / 2), 2), quality, 6);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(50)]
    public void Randomised_response_has_the_closed_form(int k)
    {
        AttributeDefinition attribute = Samples.Categorical("x", k, "grr");
        for (int grade = 1; grade <= 6; grade++)
        {
            double e = Math.Exp(Samples.Ladder[grade].Value);
            Assert.Equal(
                Math.Pow((e - 1) / (e + k - 1), 2), ReportQuality.PartsPerBillion(attribute, Samples.ChannelOf(attribute, grade)) / 1e9, 6);
        }
    }

    [Theory]
    [InlineData("grr", 4)]
    [InlineData("ss", 12)]
    [InlineData("oue", 12)]
    [InlineData("olh", 30)]
    public void Quality_is_the_floor_of_the_exact_fraction(string mechanism, int k)
    {
        AttributeDefinition attribute = Samples.Categorical("x", k, mechanism);
        for (int grade = 1; grade <= 6; grade++)
        {
            Channel channel = Samples.ChannelOf(attribute, grade);

            // By cross-multiplication of integers, with another arrangement of the formula: Q = (k-1)(p-q)^2 / ((p+(k-1)q)(k-p-(k-1)q)).
            BigInteger scale = channel.ExactP.Denominator * channel.ExactQ.Denominator;
            BigInteger p = channel.ExactP.Numerator * channel.ExactQ.Denominator;
            BigInteger q = channel.ExactQ.Numerator * channel.ExactP.Denominator;
            BigInteger sum = p + ((k - 1) * q);
            BigInteger floor = new BigInteger(1_000_000_000) * (k - 1) * (p - q) * (p - q) / (sum * ((k * scale) - sum));
            Assert.Equal((long)floor, ReportQuality.PartsPerBillion(attribute, channel));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(14)]
    [InlineData(64)]
    [InlineData(133)]
    public void Quality_of_a_mean_is_clear_over_report_variance_of_the_enumerated_law(int cells)
    {
        AttributeDefinition grid = Samples.Grid("x", cells);
        for (int grade = 1; grade <= 6; grade++)
        {
            Channel channel = Samples.ChannelOf(grid, grade);
            double[][] law = Samples.Law(channel);
            double[] phi = new UnbiasedFunctional(OrderedSample.Wave(channel), OrderedSample.Identity(cells)).Phi;
            double noise = law.Select((row, v) => row.Select((p, y) => p * phi[y] * phi[y]).Sum() - ((double)v * v)).Average();
            double clear = ((cells * (double)cells) - 1) / 12;
            Assert.Equal(clear / (clear + noise), ReportQuality.PartsPerBillion(grid, channel) / 1e9, 7);
        }
    }

    [Fact]
    public void Exact_quality_of_a_small_square_wave_is_the_one_worked_by_hand()
    {
        // d = 2, window 1, p = 3/4, q = 1/4: randomised response with Q = (p - q)^2 = 1/4.
        Assert.Equal(new Rational(1, 4), ReportQuality.ExactMean(2, 1, new Rational(3, 4), new Rational(1, 4)));
    }

    [Fact]
    public void Public_attributes_are_worth_one_and_effective_records_are_harmonic_over_grades()
    {
        AttributeDefinition site = Samples.Categorical("site", 3, "");
        Assert.Equal(1_000_000_000, ReportQuality.PartsPerBillion(site, Samples.ChannelOf(site, 0)));
        Assert.Equal(50, EffectiveRecords.Of([(100, 100, 0.5)]), 12);
        Assert.Equal(40_000 / ((100 / 0.5) + (100 / 0.1)), EffectiveRecords.Of([(100, 100, 0.5), (100, 100, 0.1)]), 12);

        // A few strict reports make the pooled estimate worse than none.
        Assert.True(EffectiveRecords.Of([(100, 100, 0.5), (10, 10, 0.01)]) < EffectiveRecords.Of([(100, 100, 0.5)]));
    }

    [Fact]
    public void Quality_of_a_table_cell_is_clear_over_report_variance_of_the_enumerated_law()
    {
        Channel[] channels =
            [Samples.ChannelOf(Samples.Categorical("a", 3, "grr"), 4), Samples.ChannelOf(Samples.Categorical("b", 2, "grr"), 5)];
        double[][] law = Samples.Law(channels[0]);
        double[][] other = Samples.Law(channels[1]);
        double Z(Channel c, bool supports) => ((supports ? 1 : 0) - c.Q) / (c.P - c.Q);
        double square = 0;
        for (int cell = 0; cell < 6; cell++)
        {
            for (int y = 0; y < 6; y++)
            {
                square += law[cell / 2][y / 2] * other[cell % 2][y % 2] * Math.Pow(
                    Z(channels[0], y / 2 == 0) * Z(channels[1], y % 2 == 0), 2) / 6;
            }
        }

        double f = 1 / 6.0;
        Assert.Equal(f * (1 - f) / (square - (f * f)), TableQuality.Of(channels), 9);
    }
}
