using System.Numerics;
using System.Runtime.InteropServices;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Sets;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Mechanisms.Windows;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>
/// The joint law of all grades' reports, by trying every coin in the sampler's own code at a small width of words. From it: the law of each
/// derived grade is the claimed one, and whatever subset of grades is released loses no more than its highest grade alone.
/// </summary>
public sealed class LadderJointLawTests
{
    private static readonly GradeLadder Grades = new([new(250_000), new(500_000), new(1_000_000)]);

    /// <summary>GRR (window 1) and DSW (window 3), 6 and 5 bits per word.</summary>
    [Theory]
    [InlineData(2, 1, 6)]
    [InlineData(3, 1, 6)]
    [InlineData(4, 1, 5)]
    [InlineData(6, 3, 5)]
    public void Window_ladders_lose_the_highest_released_grade_and_no_more(int outputs, int window, int bits)
    {
        var laws = new WindowLaw[4];
        WindowLaw law = WindowLaw.Clear(outputs, window);
        for (int grade = 3; grade >= 1; grade--)
        {
            laws[grade] = law = law.Randomise(Grades[grade], bits);
        }

        // joint[v][y3, y2, y1] in units of 2^-(3 bits) / window.
        int values = outputs - window + 1;
        uint[] words = [.. Enumerable.Range(0, 1 << bits).Select(u => (uint)u << (32 - bits))];
        var joint = new Dictionary<(int, int, int), long>[values];
        for (int v = 0; v < values; v++)
        {
            joint[v] = [];
            for (int place = 0; place < window; place++)
            {
                foreach (uint y3 in Step((uint)(v + place), words, laws[3]))
                {
                    foreach (uint y2 in Step(y3, words, laws[2]))
                    {
                        foreach (uint y1 in Step(y2, words, laws[1]))
                        {
                            CollectionsMarshal.GetValueRefOrAddDefault(joint[v], ((int)y3, (int)y2, (int)y1), out _)++;
                        }
                    }
                }
            }
        }

        BigInteger total = (BigInteger)window << (3 * bits);
        for (int grade = 1; grade <= 3; grade++)
        {
            for (int v = 0; v < values; v++)
            {
                foreach ((int y, long count) in Marginal(joint[v], (y3, y2, y1) => grade == 3 ? y3 : grade == 2 ? y2 : y1))
                {
                    Rational expected = y >= v && y < v + window ? laws[grade].Inside : laws[grade].Outside;
                    Assert.Equal(expected, new Rational(count, total));
                }
            }
        }

        foreach (int[] released in new[] { [1], [2], [3], [1, 2], [1, 3], [2, 3], new[] { 1, 2, 3 } })
        {
            Rational odds = laws[released.Max()].Inside / laws[released.Max()].Outside;
            Assert.True(odds <= Published.Exponential(Grades[released.Max()]) - Published.Error);
            Dictionary<string, long>[] views =
            [
                .. joint.Select(law => Marginal(
                    law, (y3, y2, y1) => string.Join(' ', released.Select(grade => grade == 3 ? y3 : grade == 2 ? y2 : y1)))),
            ];
            foreach (string view in views.SelectMany(law => law.Keys).Distinct(StringComparer.Ordinal))
            {
                long most = views.Max(law => law.GetValueOrDefault(view));
                long least = views.Min(law => law.GetValueOrDefault(view));
                Assert.True(least > 0
                    && new Rational(most, least) <= odds, $"grades {string.Join(',', released)}, reports {view}: {most}/{least}");
            }
        }
    }

    /// <summary>
    /// All first four coins of the subset walk: every subset of the size is reached equally often, from nothing and from any given start.
    /// </summary>
    [Theory]
    [InlineData(0b0000, 0b0000, 2, 6)]
    [InlineData(0b0000, 0b0000, 1, 4)]
    [InlineData(0b0010, 0b0000, 3, 3)]
    [InlineData(0b0110, 0b0000, 3, 2)]
    [InlineData(0b0000, 0b0001, 2, 3)]
    [InlineData(0b0010, 0b1000, 2, 2)]
    public void Growing_a_subset_reaches_every_extension_equally_often(int start, int excluded, int size, int extensions)
    {
        var reached = new Dictionary<ulong, int>();
        foreach (uint[] script in Scripts(4))
        {
            var coins = new CoinStream([.. script, 0, 1u << 30, 2u << 30, 3u << 30]);
            ulong[] row = [(ulong)start];
            BitRows.Resize(ref coins, row, [(ulong)excluded], 4, size);

            // The four words after the script end every walk; one that needed them has not ended within the script and does not count.
            if (coins.Taken <= 4)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(reached, row[0], out _)++;
            }
        }

        Assert.Equal(extensions, reached.Count);
        Assert.Single(reached.Values.Distinct());
        Assert.All(reached.Keys, row => Assert.Equal((ulong)start, row & (ulong)start));
        Assert.All(reached.Keys, row => Assert.Equal(0UL, row & (ulong)excluded));
        Assert.All(reached.Keys, row => Assert.Equal(size, BitOperations.PopCount(row)));
    }

    [Fact]
    public void Shrinking_a_subset_removes_every_member_equally_often()
    {
        // 3 does not divide 2^32; the words 0, 2^32/3 and 2^33/3 (rounded up) stand for its three equally likely choices.
        uint[] words = [2, 1_431_655_767, 2_863_311_532];
        var reached = new HashSet<ulong>();
        foreach (uint word in words)
        {
            var coins = new CoinStream([word, 0, 0, 0]);
            ulong[] row = [0b10110];
            BitRows.Resize(ref coins, row, [0UL], 5, 2);
            reached.Add(row[0]);
        }

        Assert.Equal([0b00110UL, 0b10010UL, 0b10100UL], reached.Order());
    }

    /// <summary>
    /// The ladder of subsets as a Markov chain over all subsets of four values, from the laws alone: marginals and losses of every choice
    /// of grades.
    /// </summary>
    [Fact]
    public void Subset_ladder_loses_the_highest_released_grade_and_no_more()
    {
        const int K = 4;
        var grades = new GradeLadder([new(250_000), new(1_000_000)]);
        SsLaw top = SsLaw.Clear(K, 1).Randomise(grades[2]);
        SsLaw low = top.Extend(2).Randomise(grades[1]);
        var fresh = new Rational(low.FreshBelow, BigInteger.One << 32);
        int[] singles = [.. Enumerable.Range(0, 16).Where(s => BitOperations.PopCount((uint)s) == 1)];
        int[] doubles = [.. Enumerable.Range(0, 16).Where(s => BitOperations.PopCount((uint)s) == 2)];
        Rational Top(int s, int v) => (s >> v & 1) == 1 ? top.Membership : (Rational.One - top.Membership) / 3;

        // Kept and extended by one of three outside elements, or one of six fresh subsets.
        Rational Step(int s, int t) => (fresh / 6) + ((t & s) == s ? (Rational.One - fresh) / 3 : Rational.Zero);

        foreach (int t in doubles)
        {
            for (int v = 0; v < K; v++)
            {
                Rational probability = singles.Aggregate(Rational.Zero, (sum, s) => sum + (Top(s, v) * Step(s, t)));
                Assert.Equal((t >> v & 1) == 1 ? low.Membership / 3 : (Rational.One - low.Membership) / 3, probability);
                Assert.All(singles, s => Assert.True(
                    Top(s, v) * Step(s, t) <= Published.Exponential(grades[2]) * Top(s, (v + 1) % K) * Step(s, t)));
            }
        }

        Assert.True(low.Membership <= Published.Exponential(grades[1]) * (Rational.One - low.Membership));
    }

    private static uint[] Step(uint y, uint[] words, WindowLaw law)
    {
        uint[] state = [.. Enumerable.Repeat(y, words.Length)];
        WindowLadder.Replace(state, words, (uint)law.Outputs, law.ReplaceBelow);
        return state;
    }

    private static Dictionary<TKey, long> Marginal<TKey>(Dictionary<(int Y3, int Y2, int Y1), long> joint, Func<int, int, int, TKey> view)
        where TKey : notnull =>
        joint.GroupBy(entry => view(entry.Key.Y3, entry.Key.Y2, entry.Key.Y1))
            .ToDictionary(group => group.Key, group => group.Sum(entry => entry.Value));

    private static IEnumerable<uint[]> Scripts(int length) =>
        Enumerable.Range(0, 1 << (2 * length))
            .Select(code => Enumerable.Range(0, length).Select(i => (uint)(code >> (2 * i)) << 30).ToArray());
}
