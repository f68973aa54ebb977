using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Windows;

namespace EmrMarket.Analytics.Tests.Mechanisms;

public sealed class WindowLawTests
{
    private static readonly int[] GrrSizes = [.. Enumerable.Range(2, 1023), 2000, 4096];
    private static readonly int[] DswCells = [.. Enumerable.Range(2, 1023), 4096, 32_768];

    public static TheoryData<string> Ladders => ["default", "other", "single"];

    [Theory]
    [MemberData(nameof(Ladders))]
    public void Realised_loss_of_grr_never_exceeds_the_nominal_one(string ladder) =>
        AssertLosses(ladder, GrrSizes.Select(k => (Outputs: k, Window: 1)));

    [Theory]
    [MemberData(nameof(Ladders))]
    public void Realised_loss_of_dsw_never_exceeds_the_nominal_one(string ladder) =>
        AssertLosses(ladder, DswCells.Select(d => (d + (2 * DswMechanism.Bandwidth(d)), (2 * DswMechanism.Bandwidth(d)) + 1)));

    private static void AssertLosses(string ladder, IEnumerable<(int Outputs, int Window)> shapes)
    {
        GradeLadder grades = Grades(ladder);

        // Every size for the ladder that ships; every seventh for the others.
        foreach ((int outputs, int window) in shapes.Where((_, i) => ladder == "default" || i % 7 == 0))
        {
            var laws = WindowLadder.Create("test", outputs, window, grades);
            for (int grade = 1; grade <= grades.Count; grade++)
            {
                WindowLaw law = laws[grade];
                Rational odds = Published.Exponential(grades[grade]) - Published.Error;

                // Every output has one of two probabilities, and both occur for every value: the ratio of the two is the whole loss.
                Assert.Equal(Rational.One, (window * law.Inside) + ((outputs - window) * law.Outside));
                Assert.True(law.Inside <= odds * law.Outside, $"D={outputs} W={window} grade {grade}: p/q exceeds e^epsilon");

                // Closed forms (Kairouz et al. 2016; Li et al. 2020): the thresholds lose at most D 2^-32 at each rung.
                Rational q = Rational.One / ((window * odds) + (outputs - window));
                var tolerance = new Rational(2 * (grades.Count + 1 - grade), BigInteger.One << 32);
                Assert.True(law.Outside >= q, $"D={outputs} W={window} grade {grade}: q is below its closed form");
                Assert.True(
                    law.Outside - q <= tolerance,
                    $"D={outputs} W={window} grade {grade}: q is {(double)law.Outside}, its closed form {(double)q}");
            }
        }
    }

    [Theory]
    [InlineData(2, 1, 2_000_000, 1_000_000)]
    [InlineData(10, 1, 1_000_000, 500_000)]
    [InlineData(100, 1, 4_000_000, 250_000)]
    [InlineData(96, 33, 1_000_000, 500_000)]
    public void Randomise_of_a_derived_grade_keeps_with_the_closed_form_probability(
        int outputs, int window, long parentMicro, long childMicro)
    {
        WindowLaw parent = WindowLaw.Clear(outputs, window).Randomise(new EpsilonMicro(parentMicro));
        WindowLaw child = parent.Randomise(new EpsilonMicro(childMicro));
        double kept = 1 - (child.ReplaceBelow / Math.Pow(2, 32));

        double e = Math.Exp(parentMicro / 1e6);
        double f = Math.Exp(childMicro / 1e6);
        double q = 1 / ((window * e) + outputs - window);
        double expected = window == 1
            ? (f - 1) / (f + outputs - 1) / ((e - 1) / (e + outputs - 1))
            : (f - 1) / outputs / ((e * q) - (f * q) + ((f - 1) / outputs));
        Assert.Equal(expected, kept, 6);
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(10, 1)]
    [InlineData(100, 1)]
    [InlineData(96, 33)]
    public void Randomise_takes_the_smallest_threshold_that_keeps_the_loss(int outputs, int window)
    {
        WindowLaw law = WindowLaw.Clear(outputs, window);
        for (int grade = 6; grade >= 1; grade--)
        {
            WindowLaw next = law.Randomise(GradeLadder.Default[grade]);
            var oneLess = new Rational((next.ReplaceBelow / (ulong)outputs) - 1, BigInteger.One << 32);
            Rational kept = Rational.One - (outputs * oneLess);
            Rational odds = Published.Exponential(GradeLadder.Default[grade]) + Published.Error;
            Assert.True((kept * law.Inside) + oneLess > odds * ((kept * law.Outside) + oneLess));
            law = next;
        }
    }

    [Fact]
    public void Randomise_of_a_grade_that_is_strict_enough_already_changes_nothing()
    {
        WindowLaw law = WindowLaw.Clear(10, 1).Randomise(new EpsilonMicro(1_000_000));
        Assert.Equal(law with { ReplaceBelow = 0 }, law.Randomise(new EpsilonMicro(1_000_000)));
    }

    [Fact]
    public void Randomise_below_the_resolution_of_the_thresholds_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => WindowLaw.Clear(4095, 1).Randomise(new EpsilonMicro(1)));
        Assert.Contains("0.000001", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The sampler's rung over all words of a small width is the law's rung: exactly c words lead to each output.</summary>
    [Theory]
    [InlineData(3u, 100u)]
    [InlineData(10u, 6_553u)]
    [InlineData(96u, 1u)]
    public void Replace_over_a_residue_system_of_words_gives_every_output_equally_many(uint outputs, uint share)
    {
        // Words and thresholds that are multiples of 2^16 make the 32-bit sampler the 16-bit one, all of whose words can be tried.
        var counts = new long[outputs];
        ulong below = (ulong)outputs * share << 16;
        uint[] words = [.. Enumerable.Range(0, 1 << 16).Select(i => (uint)i << 16)];
        uint[] state = [.. Enumerable.Repeat(uint.MaxValue, words.Length)];
        WindowLadder.ReplaceScalar(state, words, outputs, below);
        foreach (uint y in state.Where(y => y != uint.MaxValue))
        {
            counts[y]++;
        }

        Assert.All(counts, count => Assert.Equal(share, count));
    }

    [Theory]
    [InlineData(2u, 1UL << 31)]
    [InlineData(100u, 100UL * 12_345_678)]
    [InlineData(65_535u, 65_535UL * 65_536)]
    [InlineData(1u << 16, 1UL << 32)]
    [InlineData(7u, 0UL)]
    public void Replace_in_vectors_equals_the_scalar_loop(uint outputs, ulong below)
    {
        var random = new Random(7);
        uint[] words = [.. Enumerable.Range(0, 1003).Select(_ => (uint)random.NextInt64(1L << 32)), 0, uint.MaxValue];
        uint[] state = [.. words.Select(_ => (uint)random.Next((int)outputs))];
        uint[] oracle = [.. state];

        WindowLadder.Replace(state, words, outputs, below);
        WindowLadder.ReplaceScalar(oracle, words, outputs, below);

        Assert.Equal(oracle, state);
    }

    internal static GradeLadder Grades(string ladder) => ladder switch
    {
        "default" => GradeLadder.Default,
        "other" => Published.OtherLadder,
        _ => new GradeLadder([new(1_000_000)]),
    };
}
