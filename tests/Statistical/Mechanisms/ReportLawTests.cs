using System.Numerics;
using System.Runtime.InteropServices;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Grr;
using EmrMarket.Analytics.Mechanisms.Oue;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Records;
using EmrMarket.Analytics.Schemas;
using MathNet.Numerics.Distributions;

namespace EmrMarket.Statistical.Mechanisms;

/// <summary>
/// Drawn reports against the exact law of their channel. Keys are fixed, so a run is reproducible; the levels are what the false-alarm rate
/// would be over keys.
/// </summary>
public sealed class ReportLawTests
{
    private static readonly byte[] SiteKey = Convert.FromHexString("00112233445566778899aabbccddeeff102132435465768798a9babbdcddedfe");
    private static readonly int[] AllGrades = [1, 2, 3, 4, 5, 6];

    public static TheoryData<string, int> Cases => new()
    {
        { "grr", 2 }, { "grr", 10 }, { "grr", 100 },
        { "ss", 4 }, { "ss", 30 }, { "ss", 130 },
        { "oue", 3 }, { "oue", 70 },
        { "olh", 5 }, { "olh", 1000 }, { "olh", 65_535 },
        { "dsw", 2 }, { "dsw", 10 }, { "dsw", 64 },
    };

    /// <summary>
    /// 400,000 reports of one value: how many support it, and a few other values, at every grade. A relative error of 1 % in p moves the
    /// count of a p of 0.3 by 4 standard deviations and of 0.7 by 10; together with the planted errors below this is what catches a wrong
    /// threshold.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Support_counts_follow_the_channels_exact_probabilities(string mechanism, int size)
    {
        AttributeDomain domain = Domain(mechanism, size);
        IReportLadder ladder = MechanismCatalogue.Get(mechanism).CreateLadder(domain, GradeLadder.Default);
        foreach (int truth in new[] { 0, size - 1 })
        {
            int[] values = [.. new[] { truth, 0, size / 2, size - 1, (truth + 1) % size }.Distinct()];
            const int N = 400_000;
            IReadOnlyList<ReportColumn> reports = Draw(ladder, mechanism, domain, truth, N, AllGrades);
            foreach (int grade in AllGrades)
            {
                Channel channel = ladder[grade];
                SupportBitmaps support = channel.Support(reports[grade - 1], values);
                for (int j = 0; j < values.Length; j++)
                {
                    double expected = SupportProbability(channel, values[j], truth);
                    long count = PopCount(support[j]);
                    double level = Binomials.TwoSided(count, N, expected);
                    Assert.True(
                        level > Binomials.Level,
                        $"{mechanism} k={size} grade {grade} truth {truth}: {count} of {N} support {values[j]}, expected share {expected}");
                }
            }
        }
    }

    /// <summary>
    /// The joint law of all outputs of three grades of a small SS ladder, against the exact Markov chain over subsets, by chi-square.
    /// </summary>
    [Fact]
    public void Subset_ladder_follows_its_exact_joint_law()
    {
        const int K = 4;
        const int N = 1_000_000;
        var grades = new GradeLadder([new(250_000), new(1_000_000), new(2_000_000)]);
        SsLadder ladder = SsLadder.Create(K, grades);
        int[] sizes = [.. new[] { 1, 2, 3 }.Select(grade => ((SsChannel)ladder[grade]).SubsetSize)];
        IReadOnlyList<ReportColumn> reports = Draw(ladder, "ss", Domain("ss", K), truth: 2, N, [1, 2, 3]);
        var counts = new Dictionary<(ulong, ulong, ulong), long>();
        for (int i = 0; i < N; i++)
        {
            var row = (((SetReports)reports[0]).Words[i], ((SetReports)reports[1]).Words[i], ((SetReports)reports[2]).Words[i]);
            CollectionsMarshal.GetValueRefOrAddDefault(counts, row, out _)++;
        }

        // Membership of each law gives the share of fresh subsets of each rung: m' = (1 - t) m_extended + t d'/k.
        double statistic = 0;
        int cells = 0;
        double total = 0;
        double upperExtended(int grade) => Extended(ladder[grade + 1].P, sizes[grade], sizes[grade - 1], K);
        foreach (ulong s3 in Subsets(K, sizes[2]))
        {
            double p3 = (s3 >> 2 & 1) == 1 ? ladder[3].P / Binomial(K - 1, sizes[2] - 1) : (1 - ladder[3].P) / Binomial(K - 1, sizes[2]);
            foreach (ulong s2 in Subsets(K, sizes[1]))
            {
                double p2 = p3 * Transition(s3, s2, sizes[2], sizes[1], K, Fresh(upperExtended(2), ladder[2].P, sizes[1], K));
                foreach (ulong s1 in Subsets(K, sizes[0]))
                {
                    double expected = N * p2 * Transition(s2, s1, sizes[1], sizes[0], K, Fresh(upperExtended(1), ladder[1].P, sizes[0], K));
                    double observed = counts.GetValueOrDefault((s1, s2, s3));
                    statistic += (observed - expected) * (observed - expected) / expected;
                    total += expected;
                    cells++;
                }
            }
        }

        Assert.Equal(N, total, 1e-3 * N);
        Assert.True(1 - ChiSquared.CDF(cells - 1, statistic) > 1e-9, $"chi-square {statistic} with {cells - 1} degrees of freedom");
    }

    /// <summary>The bits of an OUE report other than the truth's are independent: pairs of bits by chi-square over all pairs.</summary>
    [Fact]
    public void Unary_bits_are_pairwise_independent()
    {
        const int K = 20;
        const int N = 300_000;
        IReportLadder ladder = MechanismCatalogue.Get("oue").CreateLadder(Domain("oue", K), GradeLadder.Default);
        IReadOnlyList<ReportColumn> reports = Draw(ladder, "oue", Domain("oue", K), truth: 7, N, AllGrades);
        foreach (int grade in AllGrades)
        {
            SupportBitmaps support = ladder[grade].Support(reports[grade - 1], [.. Enumerable.Range(0, K)]);
            for (int v = 0; v < K; v++)
            {
                for (int w = 0; w < v; w++)
                {
                    ulong[] both = [.. support[v].ToArray().Zip(support[w].ToArray(), (a, b) => a & b)];
                    double expected = (v == 7 ? 0.5 : ladder[grade].Q) * (w == 7 ? 0.5 : ladder[grade].Q);
                    Assert.True(Binomials.TwoSided(PopCount(both), N, expected) > Binomials.Level);
                }
            }
        }
    }

    /// <summary>
    /// The estimate of a frequency from drawn reports is unbiased with the variance that the exact p and q say: over 200 keys, by normal
    /// and chi-square limits.
    /// </summary>
    [Theory]
    [InlineData("grr", 10)]
    [InlineData("ss", 30)]
    [InlineData("oue", 70)]
    [InlineData("olh", 300)]
    public void Frequency_estimates_are_unbiased_with_the_stated_variance(string mechanism, int size)
    {
        const int Keys = 200;
        const int N = 2_000;
        const int Ones = 600;
        AttributeDomain domain = Domain(mechanism, size);
        Channel channel = MechanismCatalogue.Get(mechanism).CreateLadder(domain, GradeLadder.Default)[3];
        double variance = ((Ones * channel.P * (1 - channel.P)) + ((N - Ones) * channel.Q * (1 - channel.Q))) / Math.Pow(
            N * (channel.P - channel.Q), 2);
        double[] errors = new double[Keys];
        ushort[] codes = [.. Enumerable.Range(0, N).Select(i => (ushort)(i < Ones ? 1 : 0))];
        var column = new RecordColumn { Attribute = Attribute(mechanism, domain), Codes = codes };
        ulong[] facts = [.. Enumerable.Range(0, N).Select(i => (ulong)i)];
        for (int key = 0; key < Keys; key++)
        {
            ReportColumn reports = MechanismCatalogue.Get(mechanism).CreateLadder(domain, GradeLadder.Default)
                .Draw(ColumnKey.Derive(SiteKey, $"key {key}"), column, facts, [3])[0];
            long count = PopCount(channel.Support(reports, [1])[0]);
            errors[key] = ((((double)count / N) - channel.Q) / (channel.P - channel.Q)) - ((double)Ones / N);
        }

        double z = errors.Average() / Math.Sqrt(variance / Keys);
        Assert.True(Math.Abs(z) < 6.5, $"mean error {z} standard deviations");
        double spread = errors.Sum(error => error * error) / variance;
        Assert.InRange(spread, ChiSquared.InvCDF(Keys, 1e-10), ChiSquared.InvCDF(Keys, 1 - 1e-10));
    }

    /// <summary>
    /// The mutants: thresholds moved so that p or q is off by 1 %. The same test that the real ladders pass must reject each.
    /// </summary>
    [Theory]
    [InlineData("grr", 10, 4_000_000)]
    [InlineData("ss", 30, 2_000_000)]
    [InlineData("oue", 30, 2_000_000)]
    [InlineData("dsw", 64, 1_000_000)]
    public void An_error_of_one_percent_that_is_planted_in_a_sampler_is_caught(string mechanism, int size, int n)
    {
        var grades = new GradeLadder([new(1_000_000)]);
        AttributeDomain domain = Domain(mechanism, size);
        Channel claimed = MechanismCatalogue.Get(mechanism).CreateLadder(domain, grades)[1];
        (IReportLadder planted, int looksAt) = Plant(mechanism, size, grades);

        long honest = Count(MechanismCatalogue.Get(mechanism).CreateLadder(domain, grades));
        long wrong = Count(planted);
        double expected = SupportProbability(claimed, looksAt, truth: 1);
        Assert.True(Binomials.TwoSided(honest, n, expected) > Binomials.Level);
        Assert.True(Binomials.TwoSided(wrong, n, expected) < Binomials.Level, $"{wrong} of {n} against {expected} passed");

        long Count(IReportLadder ladder) => PopCount(claimed.Support(Draw(ladder, mechanism, domain, 1, n, [1])[0], [looksAt])[0]);
    }

    /// <summary>
    /// A ladder whose sampler replaces 1 % (of p) too seldom, or flips 1 % too many bits, while its channel claims the right law.
    /// </summary>
    private static (IReportLadder Ladder, int LooksAt) Plant(string mechanism, int size, GradeLadder grades)
    {
        ulong Scaled(ulong threshold, double by) => (ulong)(threshold * by);
        switch (mechanism)
        {
            case "grr":
                WindowLaw grr = WindowLadder.Create("grr", size, 1, grades)[1];
                return (new GrrLadder(new WindowLadder("grr", [grr with
                {
                    ReplaceBelow = Lower(grr.ReplaceBelow, (double)grr.Inside / (1 - (1.0 / size))),
                }], grades), grades), 1);
            case "dsw":
                WindowLaw dsw = WindowLadder.Create("dsw", 96, 33, grades)[1];
                return (new DswLadder(64, 16, new WindowLadder("dsw", [dsw with
                {
                    ReplaceBelow = Lower(dsw.ReplaceBelow, 33 * (double)dsw.Inside / (1 - (33.0 / 96))),
                }], grades), grades), 1);
            case "ss":
                var channel = (SsChannel)SsLadder.Create(size, grades)[1];
                SsLaw ss = SsLaw.Clear(size, channel.SubsetSize).Randomise(grades[1]);
                return (new SsLadder([ss with
                {
                    FreshBelow = Lower(ss.FreshBelow, (double)ss.Membership / (1 - ((double)ss.SubsetSize / size))),
                }], grades), 1);
            default:
                OueLaw oue = OueLaw.Clear.Randomise(grades[1]);
                return (new OueLadder(size, [oue with { FlipBelow = (uint)Scaled(oue.FlipBelow, 1.01) }], grades), 2);
        }

        // Support of the truth is p = 1 - t (1 - s), t the share replaced and s the support among replacements: 1 % more of p takes 0.01 p
        // / (1 - s) off t.
        static ulong Lower(ulong threshold, double share) => threshold - (ulong)(0.01 * share * 4294967296.0);
    }

    private static double SupportProbability(Channel channel, int value, int truth)
    {
        if (value == truth)
        {
            return channel.P;
        }

        if (channel is not DswChannel dsw)
        {
            return channel.Q;
        }

        int shared = Math.Max(0, dsw.Window - Math.Abs(value - truth));
        return (shared * dsw.POut) + ((dsw.Window - shared) * dsw.QOut);
    }

    private static IReadOnlyList<ReportColumn> Draw(
        IReportLadder ladder, string mechanism, AttributeDomain domain, int truth, int n, int[] grades)
    {
        ushort[] codes = new ushort[n];
        Array.Fill(codes, (ushort)truth);
        ulong[] facts = [.. Enumerable.Range(0, n).Select(i => (ulong)i)];
        return ladder.Draw(
            ColumnKey.Derive(SiteKey, $"{mechanism} {domain.Size}"),
            new RecordColumn { Attribute = Attribute(mechanism, domain), Codes = codes }, facts, grades);
    }

    private static AttributeDefinition Attribute(string mechanism, AttributeDomain domain) =>
        new() { Name = "a", Source = "a", Domain = domain, Tier = Tier.Moderate, Mechanism = mechanism };

    private static AttributeDomain Domain(string mechanism, int size) =>
        mechanism == "dsw" ? new GridDomain(0, 1, size, "1") : new CategoricalDomain([.. Enumerable.Repeat("v", size)], Ordered: false);

    private static long PopCount(ReadOnlySpan<ulong> bits)
    {
        long count = 0;
        foreach (ulong word in bits)
        {
            count += BitOperations.PopCount(word);
        }

        return count;
    }

    private static double Extended(double membership, int size, int larger, int k) =>
        membership + ((1 - membership) * (larger - size) / (k - size));

    private static double Fresh(double extended, double membership, int size, int k) =>
        (extended - membership) / (extended - ((double)size / k));

    private static double Transition(ulong from, ulong to, int size, int larger, int k, double fresh) =>
        (fresh / Binomial(k, larger)) + ((from & to) == from ? (1 - fresh) / Binomial(k - size, larger - size) : 0);

    private static IEnumerable<ulong> Subsets(int k, int size) =>
        Enumerable.Range(0, 1 << k).Where(s => BitOperations.PopCount((uint)s) == size).Select(s => (ulong)s);

    private static double Binomial(int n, int r) => Enumerable.Range(1, r).Aggregate(1.0, (value, i) => value * (n - r + i) / i);
}
