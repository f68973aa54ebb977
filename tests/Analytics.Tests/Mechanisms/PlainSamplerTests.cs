using System.Runtime.InteropServices;
using System.Security.Cryptography;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Coins;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Oue;
using EmrMarket.Analytics.Mechanisms.Ss;
using EmrMarket.Analytics.Mechanisms.Windows;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>The vectorised samplers against the plain ones, report by report.</summary>
public sealed class PlainSamplerTests
{
    private const int Records = 700;
    private static readonly byte[] SiteKey = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly int[] AllGrades = [1, 2, 3, 4, 5, 6];
    private static readonly GradeLadder Grades = GradeLadder.Default;

    [Theory]
    [InlineData("grr", 2)]
    [InlineData("grr", 10)]
    [InlineData("grr", 1000)]
    [InlineData("dsw", 3)]
    [InlineData("dsw", 64)]
    [InlineData("dsw", 1024)]
    public void Window_reports_equal_those_of_the_plain_sampler(string mechanism, int size)
    {
        int b = mechanism == "dsw" ? DswMechanism.Bandwidth(size) : 0;
        WindowLadder ladder = WindowLadder.Create(mechanism, size + (2 * b), (2 * b) + 1, Grades);
        WindowLaw[] laws = [.. AllGrades.Select(grade => ladder[grade])];
        (RecordColumn column, ulong[] facts, IReadOnlyList<ReportColumn> drawn) = Drawn(mechanism, size);
        using var coins = new PlainCoins(SiteKey, "source", PlainCoins.Use(mechanism, size + (2 * b), (2 * b) + 1, Grades));
        for (int i = 0; i < Records; i++)
        {
            int[] plain = PlainSamplers.Window(coins, laws, facts[i], column.Codes[i]);
            Assert.Equal(plain, AllGrades.Select(grade => (int)((CodeReports)drawn[grade - 1]).Codes[i]));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1000)]
    public void Hash_reports_equal_those_of_the_plain_sampler(int size)
    {
        (RecordColumn column, ulong[] facts, IReadOnlyList<ReportColumn> drawn) = Drawn("olh", size);
        WindowLaw[] laws = OlhLaws()[1..];
        using var coins = new PlainCoins(SiteKey, "source", PlainCoins.Use("olh", size, 0, Grades));
        for (int i = 0; i < Records; i++)
        {
            (uint multiplier, uint addend, int[] cells) = PlainSamplers.Hash(coins, laws, facts[i], column.Codes[i]);
            Assert.All(drawn, reports => Assert.Equal(
                (multiplier, addend), (((HashReports)reports).Multipliers[i], ((HashReports)reports).Addends[i])));
            Assert.Equal(cells, AllGrades.Select(grade => (int)((HashReports)drawn[grade - 1]).Cells[i]));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(64)]
    [InlineData(150)]
    public void Unary_reports_equal_those_of_the_plain_sampler(int size)
    {
        (RecordColumn column, ulong[] facts, IReadOnlyList<ReportColumn> drawn) = Drawn("oue", size);
        var laws = new OueLaw[6];
        OueLaw law = OueLaw.Clear;
        for (int grade = 6; grade >= 1; grade--)
        {
            laws[grade - 1] = law = law.Randomise(Grades[grade]);
        }

        Channel[] channels = [.. AllGrades.Select(grade => Channel("oue", size, grade))];
        using var coins = new PlainCoins(SiteKey, "source", PlainCoins.Use("oue", size, 2, Grades));
        for (int i = 0; i < Records; i++)
        {
            bool[][] plain = PlainSamplers.Unary(coins, size, laws, facts[i], column.Codes[i]);
            foreach (int grade in AllGrades)
            {
                Assert.Equal(
                    plain[grade - 1], Enumerable.Range(0, size).Select(v => Reports.Supports(channels[grade - 1], drawn[grade - 1], i, v)));
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(64)]
    [InlineData(200)]
    public void Subset_reports_equal_those_of_the_plain_sampler(int size)
    {
        (RecordColumn column, ulong[] facts, IReadOnlyList<ReportColumn> drawn) = Drawn("ss", size);
        var laws = new SsLaw[6];
        SsLaw law = SsLaw.Clear(size, ((SsChannel)Channel("ss", size, 6)).SubsetSize);
        for (int grade = 6; grade >= 1; grade--)
        {
            laws[grade - 1] = law = law.Extend(((SsChannel)Channel("ss", size, grade)).SubsetSize).Randomise(Grades[grade]);
        }

        Channel[] channels = [.. AllGrades.Select(grade => Channel("ss", size, grade))];
        using var coins = new PlainCoins(SiteKey, "source", PlainCoins.Use("ss", size, 2, Grades));
        for (int i = 0; i < Records; i++)
        {
            SortedSet<int>[] plain = PlainSamplers.Subset(coins, laws, facts[i], column.Codes[i]);
            foreach (int grade in AllGrades)
            {
                Assert.Equal(
                    plain[grade - 1], Enumerable.Range(0, size).Where(v => Reports.Supports(channels[grade - 1], drawn[grade - 1], i, v)));
            }
        }
    }

    /// <summary>
    /// Reports are for ever: a site that draws the same fact again after an update must release the same report, or it releases two. A
    /// failure here means that coins or thresholds changed: that needs a new version in the name of their use, so that old and new coins
    /// never meet, and a new value here with it.
    /// </summary>
    [Theory]
    [InlineData("grr", 10, "4f8f086726bc067f")]
    [InlineData("ss", 100, "8627224002d6f8d7")]
    [InlineData("oue", 100, "375d7866129f1d4b")]
    [InlineData("olh", 1000, "11b03d65f1d3b197")]
    [InlineData("dsw", 64, "0d7441f719d0ba28")]
    public void Reports_of_a_fixed_key_never_change(string mechanism, int size, string expected)
    {
        ulong[] facts = [.. Enumerable.Range(0, 1000).Select(i => (ulong)i * 0x9E3779B97F4A7C15)];
        var column = new RecordColumn
        {
            Attribute = LadderDrawTests.Sample(mechanism, size, 0).Column.Attribute,
            Codes = [.. Enumerable.Range(0, 1000).Select(i => (ushort)(i % size))],
        };
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (ReportColumn reports in MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, Grades)
            .Draw(LadderDrawTests.Key(), column, facts, AllGrades))
        {
            hash.AppendData(reports switch
            {
                CodeReports codes => MemoryMarshal.AsBytes<ushort>(codes.Codes),
                SetReports sets => MemoryMarshal.AsBytes<ulong>(sets.Words),
                HashReports hashes => (byte[])[.. MemoryMarshal.AsBytes<uint>(
                    hashes.Multipliers), .. MemoryMarshal.AsBytes<uint>(hashes.Addends), .. MemoryMarshal.AsBytes<ushort>(hashes.Cells)],
                _ => throw new InvalidOperationException($"{reports}"),
            });
        }

        Assert.Equal(expected, Convert.ToHexStringLower(hash.GetHashAndReset())[..16]);
    }

    /// <summary>
    /// Between two cells: up with the probability that keeps the mean; missing: a uniform cell; both one draw per fact that all grades
    /// share.
    /// </summary>
    [Fact]
    public void Rounding_of_values_off_the_grid_keeps_their_mean_and_missing_ones_are_uniform()
    {
        const int N = 200_000;
        ulong[] facts = [.. Enumerable.Range(0, N).Select(i => (ulong)i)];
        RecordColumn Column(ushort code, uint fraction) => new()
        {
            Attribute = LadderDrawTests.Sample("dsw", 10, 0).Column.Attribute,
            Codes = [.. Enumerable.Repeat(code, N)],
            Fractions = [.. Enumerable.Repeat(fraction, N)],
        };

        ushort[] third = ValueRounding.Round(LadderDrawTests.Key(), Column(4, 1_431_655_765), facts);
        Assert.All(third, cell => Assert.InRange(cell, 4, 5));
        Assert.Equal(N / 3.0, third.Count(cell => cell == 5), 7 * Math.Sqrt(N * 2 / 9.0));
        Assert.All(ValueRounding.Round(LadderDrawTests.Key(), Column(9, uint.MaxValue), facts), cell => Assert.Equal(9, cell));
        Assert.All(ValueRounding.Round(LadderDrawTests.Key(), Column(4, 0), facts), cell => Assert.Equal(4, cell));

        ushort[] missing = ValueRounding.Round(LadderDrawTests.Key(), Column(RecordColumn.Missing, 0), facts);
        Assert.All(missing.GroupBy(cell => cell), cells => Assert.Equal(N / 10.0, cells.Count(), 7 * Math.Sqrt(N * 0.09)));
        Assert.Equal(10, missing.Distinct().Count());
    }

    private static WindowLaw[] OlhLaws()
    {
        int[] cells = [0, 2, 2, 4, 8, 16, 32];
        var laws = new WindowLaw[7];
        WindowLaw law = WindowLaw.Clear(32, 1);
        for (int grade = 6; grade >= 1; grade--)
        {
            laws[grade] = law = law.Merge(law.Outputs / cells[grade]).Randomise(Grades[grade]);
        }

        return laws;
    }

    private static (RecordColumn Column, ulong[] Facts, IReadOnlyList<ReportColumn> Drawn) Drawn(string mechanism, int size)
    {
        (RecordColumn column, ulong[] facts) = LadderDrawTests.Sample(mechanism, size, Records);
        return (column, facts, MechanismCatalogue.Get(mechanism).CreateLadder(column.Attribute.Domain, Grades)
            .Draw(LadderDrawTests.Key(), column, facts, AllGrades));
    }

    private static Channel Channel(string mechanism, int size, int grade) =>
        MechanismCatalogue.Get(mechanism).CreateLadder(LadderDrawTests.Sample(mechanism, size, 0).Column.Attribute.Domain, Grades)[grade];
}
