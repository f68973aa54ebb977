using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Olh;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>
/// The realised laws of all mechanisms against closed forms, in exact arithmetic, for every domain size and grade that ships.
/// </summary>
public sealed class ChannelLawTests
{
    private static readonly Rational Half = new(1, 2);

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (string mechanism in new[] { "ss", "oue", "olh" })
            {
                foreach (string ladder in new[] { "default", "other", "single" })
                {
                    cases.Add(mechanism, ladder);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Realised_loss_never_exceeds_the_nominal_one(string mechanism, string ladder)
    {
        GradeLadder grades = WindowLawTests.Grades(ladder);
        foreach (int k in Sizes(mechanism, every: ladder == "default" ? 1 : 11))
        {
            IReportLadder channels = MechanismCatalogue.Get(mechanism).CreateLadder(Categories(k), grades);
            for (int grade = 1; grade <= grades.Count; grade++)
            {
                Channel channel = channels[grade];
                Rational odds = Published.Exponential(grades[grade]);
                Assert.True(
                    channel.ExactOdds <= odds - Published.Error, $"{mechanism} k={k} grade {grade}: the realised loss exceeds epsilon");
                Assert.True(channel.ExactP > channel.ExactQ && channel.ExactP < Rational.One && channel.ExactQ > Rational.Zero);
            }
        }
    }

    /// <summary>Ye and Barg 2018: p = d e / (d e + k - d); the expected number of members, p + (k-1) q, is d.</summary>
    [Theory]
    [InlineData("default")]
    [InlineData("other")]
    public void Subset_selection_has_the_closed_form_of_its_subset_size(string ladder)
    {
        GradeLadder grades = WindowLawTests.Grades(ladder);
        var tolerance = new Rational(4 * grades.Count, BigInteger.One << 32);
        foreach (int k in Sizes("ss", every: 5))
        {
            IReportLadder channels = MechanismCatalogue.Get("ss").CreateLadder(Categories(k), grades);
            for (int grade = 1; grade <= grades.Count; grade++)
            {
                var channel = (SsChannel)channels[grade];
                Rational weight = channel.SubsetSize * Published.Exponential(grades[grade]);
                Rational p = weight / (weight + k - channel.SubsetSize);
                Assert.True(channel.ExactP <= p
                    && p - channel.ExactP < tolerance, $"k={k} grade {grade}: p is {channel.P}, its closed form {(double)p}");
                Assert.Equal(channel.SubsetSize, channel.ExactP + ((k - 1) * channel.ExactQ));

                // The loss by its definition: P[S | v in S] / P[S | v not in S], with the numbers of subsets written out.
                Rational with = channel.ExactP / Binomial(k - 1, channel.SubsetSize - 1);
                Rational without = (Rational.One - channel.ExactP) / Binomial(k - 1, channel.SubsetSize);
                Assert.Equal(with / without, channel.ExactOdds);
            }
        }
    }

    /// <summary>
    /// The published optimum of n times the squared error over all frequencies, population sampling included, at epsilon = 1.
    /// </summary>
    [Theory]
    [InlineData(10, 30.0, 0.05)]
    [InlineData(100, 361, 0.5)]
    [InlineData(1000, 3675, 0.5)]
    public void Subset_selection_reaches_the_optimum_at_epsilon_one(int k, double expected, double tolerance)
    {
        foreach (GradeLadder grades in new[] { GradeLadder.Default, new GradeLadder([new(1_000_000)]) })
        {
            Channel channel = MechanismCatalogue.Get("ss").CreateLadder(Categories(k), grades)[grades.Count == 1 ? 1 : 3];
            double sampling = 1 - (1.0 / k);
            double risk = Risk(k, channel.P, channel.Q) + sampling;
            Assert.Equal(expected, risk, tolerance);
        }
    }

    /// <summary>Efficiency along the default ladder, against the best subset size of each grade taken alone.</summary>
    [Fact]
    public void Subset_selection_keeps_92_percent_of_the_optimum_at_every_size_and_grade()
    {
        double worst = 1;
        foreach (int k in Sizes("ss", every: 1))
        {
            IReportLadder channels = MechanismCatalogue.Get("ss").CreateLadder(Categories(k), GradeLadder.Default);
            for (int grade = 1; grade <= 6; grade++)
            {
                double e = Math.Exp(GradeLadder.Default[grade].Value);
                int optimum = (int)Math.Round(k / (e + 1));
                double least = Enumerable.Range(Math.Max(1, optimum - 1), 3).Where(d => d < k).Min(d =>
                {
                    double p = d * e / ((d * e) + k - d);
                    return Risk(k, p, (d - p) / (k - 1));
                });
                worst = Math.Min(worst, least / Risk(k, channels[grade].P, channels[grade].Q));
            }
        }

        Assert.InRange(worst, 0.92, 0.93);
    }

    /// <summary>Wang et al. 2017: q = 1 / (e + 1) beside a fair coin.</summary>
    [Theory]
    [InlineData("default")]
    [InlineData("other")]
    public void Unary_encoding_has_its_closed_form(string ladder)
    {
        GradeLadder grades = WindowLawTests.Grades(ladder);
        IReportLadder channels = MechanismCatalogue.Get("oue").CreateLadder(Categories(70), grades);
        for (int grade = 1; grade <= grades.Count; grade++)
        {
            Rational q = Rational.One / (Published.Exponential(grades[grade]) + Rational.One);
            Assert.Equal(Half, channels[grade].ExactP);
            Assert.True(channels[grade].ExactQ >= q && channels[grade].ExactQ - q < new Rational(2 * grades.Count, BigInteger.One << 32));
        }
    }

    /// <summary>Wang et al. 2017: p = e / (e + g - 1), q = 1 / g, at the chain of cells that docs/MECHANISMS.md derives.</summary>
    [Fact]
    public void Local_hashing_has_its_closed_form_on_the_default_ladder()
    {
        int[] cells = [2, 2, 4, 8, 16, 32];
        foreach (int k in new[] { 2, 100, 1000, 17_000, 65_535 })
        {
            IReportLadder channels = MechanismCatalogue.Get("olh").CreateLadder(Categories(k), GradeLadder.Default);
            for (int grade = 1; grade <= 6; grade++)
            {
                var channel = (OlhChannel)channels[grade];
                int g = cells[grade - 1];
                Rational e = Published.Exponential(GradeLadder.Default[grade]);
                Rational p = e / (e + g - 1);
                Assert.Equal(g, channel.Cells);
                Assert.Equal(new Rational(1, g), channel.ExactQ);
                Assert.True(channel.ExactP <= p && p - channel.ExactP < new Rational(1000, BigInteger.One << 32));
            }
        }
    }

    /// <summary>
    /// Over all multipliers and addends of a small word, two values fall into the same cell exactly 1 time in g, and every cell is hit
    /// equally often: the argument does not depend on the width as long as value bits and cell bits fit into it.
    /// </summary>
    [Theory]
    [InlineData(8, 3, 5)]
    [InlineData(8, 4, 4)]
    [InlineData(7, 1, 6)]
    public void Multiply_add_hash_collides_exactly_once_in_g(int bits, int cellBits, int valueBits)
    {
        int words = 1 << bits;
        int Cell(int a, int b, int v) => ((a * v) + b) % words >> (bits - cellBits);
        foreach ((int v, int w) in new[] { (0, 1), (0, (1 << valueBits) - 1), (1, 1 + (1 << (valueBits - 1))), (2, 3), (
            0, 1 << (valueBits - 1)) })
        {
            int[] pairs = new int[1 << (2 * cellBits)];
            for (int a = 0; a < words; a++)
            {
                for (int b = 0; b < words; b++)
                {
                    pairs[(Cell(a, b, v) << cellBits) | Cell(a, b, w)]++;
                }
            }

            Assert.All(pairs, count => Assert.Equal(words * words >> (2 * cellBits), count));
        }
    }

    /// <summary>The averaged q of DSW by summing over all pairs of cells and all outputs.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(10)]
    [InlineData(33)]
    public void Square_wave_support_probabilities_are_those_of_its_windows(int cells)
    {
        IReportLadder channels = MechanismCatalogue.Get("dsw").CreateLadder(new GridDomain(0, 1, cells, "1"), GradeLadder.Default);
        for (int grade = 1; grade <= 6; grade++)
        {
            var channel = (DswChannel)channels[grade];
            Rational Law(int y, int v) => y >= v && y <= v + (2 * channel.Bandwidth) ? channel.ExactPOut : channel.ExactQOut;
            Rational others = Rational.Zero;
            for (int v = 0; v < cells; v++)
            {
                for (int truth = 0; truth < cells; truth++)
                {
                    Rational support = Rational.Zero;
                    Rational total = Rational.Zero;
                    for (int y = 0; y < channel.Outputs; y++)
                    {
                        total += Law(y, truth);
                        support += y >= v && y < v + channel.Window ? Law(y, truth) : Rational.Zero;
                    }

                    Assert.Equal(Rational.One, total);
                    if (truth == v)
                    {
                        Assert.Equal(channel.ExactP, support);
                    }
                    else
                    {
                        others += support;
                    }
                }
            }

            Assert.Equal(others / (cells * (cells - 1)), channel.ExactQ);
        }
    }

    [Fact]
    public void Exponential_bounds_enclose_the_published_values_tightly()
    {
        foreach (EpsilonMicro epsilon in Published.Epsilons)
        {
            Rational exact = Published.Exponential(epsilon);
            Rational lower = ExponentialBounds.Lower(epsilon);
            Rational upper = ExponentialBounds.Upper(epsilon);
            Assert.True(lower <= exact + Published.Error && exact - Published.Error <= upper);
            Assert.True(upper - lower < new Rational(1, BigInteger.One << 230));
        }
    }

    private static CategoricalDomain Categories(int k) => new(new Labels(k), Ordered: false);

    private static IEnumerable<int> Sizes(string mechanism, int every) => mechanism switch
    {
        "ss" => Enumerable.Range(2, 1023).Where(k => k % every == 0 || k is 2 or 3 or 1024),
        "oue" => [2, 3, 64, 65, 1000, 4096],
        _ => [2, 3, 257, 1000, 65_535],
    };

    private static double Risk(int k, double p, double q) => ((p * (1 - p)) + ((k - 1) * q * (1 - q))) / ((p - q) * (p - q));

    private static Rational Binomial(int n, int r)
    {
        BigInteger value = 1;
        for (int i = 1; i <= r; i++)
        {
            value = value * (n - r + i) / i;
        }

        return value;
    }

    /// <summary>k labels without k strings.</summary>
    private sealed class Labels(int count) : IReadOnlyList<string>
    {
        public int Count => count;

        public string this[int index] => "v";

        public IEnumerator<string> GetEnumerator() => Enumerable.Repeat("v", count).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
